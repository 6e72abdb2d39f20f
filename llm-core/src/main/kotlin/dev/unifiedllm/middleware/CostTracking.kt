package dev.unifiedllm.middleware

import dev.unifiedllm.Interceptor
import dev.unifiedllm.LlmException
import dev.unifiedllm.LlmException.Network
import dev.unifiedllm.LlmException.Timeout
import dev.unifiedllm.Model
import dev.unifiedllm.TokenEstimate
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ImageRequest
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.linkFlow
import dev.unifiedllm.pricing.MadeImages
import dev.unifiedllm.pricing.imageCost
import dev.unifiedllm.store.Ledger
import dev.unifiedllm.store.LedgerRow
import dev.unifiedllm.store.LedgerRow.Status
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.TimeoutCancellationException
import kotlinx.coroutines.flow.Flow
import java.time.Instant
import kotlin.time.Duration
import kotlin.time.TimeSource

/**
 * Prices the finish of an attempt and writes its row, however it ends. What the provider says it billed replaces the price of the catalogue.
 *
 * The row of a response that was cut has an estimate of its usage and of its cost.
 */
internal class CostTracking(
    private val ledger: Ledger,
    private val target: AttemptTarget,
    private val now: () -> Instant = Instant::now,
    private val time: TimeSource = TimeSource.Monotonic,
    private val caller: Caller = Caller.UNKNOWN,
) : Interceptor {
    override fun intercept(request: Request, next: Model): Flow<Delta> = linkFlow {
        val startedAt = now()
        val mark = time.markNow()
        var begun: Delta.Start? = null
        var firstContent: Duration? = null
        var finish: Delta.Finish? = null
        var hasAnswer = false
        var images = 0
        var characters = 0L
        var status = Status.FAILED
        var mayBeBilled = false
        var failed: LlmException? = null
        val attempt = request.context.attempts?.incrementAndGet()
        try {
            next.stream(request).collect { delta ->
                if (delta.isContent) {
                    if (firstContent == null) firstContent = mark.elapsedNow()
                    characters += TokenEstimate.length(delta)
                    hasAnswer = hasAnswer || delta !is Delta.Embedding
                    if (delta is Delta.Media && !delta.isPartial) images++
                } else if (delta is Delta.Start) {
                    begun = delta
                    delta.head?.rateLimits?.let { target.state.rateLimits = it }
                } else if (delta is Delta.Finish) {
                    val priced = delta.copy(cost = cost(request, delta, begun?.reportedModel, hasAnswer, images))
                    finish = priced
                    status = Status.DONE
                    emit(priced)
                    return@collect
                }
                emit(delta)
            }
        } catch (cancelled: CancellationException) {
            if (finish == null && cancelled !is TimeoutCancellationException) status = Status.CANCELLED
            mayBeBilled = true
            throw cancelled
        } catch (failure: LlmException) {
            mayBeBilled = failure.mayBeBilled
            failed = failure
            throw failure
        } finally {
            val usage = if (finish == null && (begun != null || firstContent != null)) TokenEstimate.ofCut(request, characters) else finish?.usage
            val cost = finish?.cost ?: if (begun != null || mayBeBilled) unfinished(request, begun, usage) else null
            ledger.add(
                LedgerRow(
                    request.context.callId,
                    target.id,
                    startedAt,
                    status,
                    usage,
                    cost,
                    mark.elapsedNow(),
                    firstContent,
                    request.context.task,
                    request.context.tags,
                    target.isLocal,
                    request.context.cell,
                    caller.origin(request, target.id, begun, failed, attempt),
                ),
            )
        }
    }

    /** What the provider may bill for a response that did not end, by an estimate of its tokens. */
    private fun unfinished(request: Request, begun: Delta.Start?, usage: Usage?): Cost = when {
        target.isFree -> Cost.Free
        begun == null -> Cost.Unknown("the request was sent, but no response came")
        request is ImageRequest || usage == null -> Cost.Unknown(CUT)
        else -> when (val cost = target.price(begun.reportedModel)?.cost(usage, target.priceOf)) {
            is Cost.Known -> cost.copy(estimated = true)
            else -> Cost.Unknown(CUT)
        }
    }

    /**
     * @param hasAnswer true if the response had text, reasoning, tool calls or media, none of which take zero tokens
     * @param images how many images it had
     */
    private fun cost(request: Request, finish: Delta.Finish, reportedModel: String?, hasAnswer: Boolean, images: Int): Cost = when {
        finish.cost !is Cost.Unknown -> finish.cost
        target.isFree -> Cost.Free
        request is ImageRequest -> {
            val made = MadeImages(images, request.size, request.quality, request.sources.isNotEmpty())
            imageCost(finish.usage, target.price(reportedModel), target.imagePrices(), made) ?: Cost.Unknown(target.whyUnpriced(reportedModel))
        }
        hasAnswer && finish.usage?.outputTokens == 0L -> Cost.Unknown("the provider counted no output tokens for a response with content")
        hasAnswer && finish.usage?.inputTokens == 0L -> Cost.Unknown("the provider counted no input tokens")
        else -> target.price(reportedModel)?.cost(finish.usage, target.priceOf)
            ?: Cost.Unknown(finish.usage?.billing?.unpriced ?: target.whyUnpriced(reportedModel))
    }
}

private const val CUT = "the response was cut"

/** Who makes calls: the same for all calls of a client. */
internal class Caller(private val client: String?, private val session: String?, private val notebook: String?) {
    fun origin(request: Request, target: ModelId, begun: Delta.Start?, failure: LlmException?, attempt: Int?): LedgerRow.Origin = LedgerRow.Origin(
        client = client,
        session = session,
        notebook = notebook,
        tool = request.context.tool,
        asked = request.model.toString().takeIf { it != target.toString() },
        answered = begun?.reportedModel,
        requestId = begun?.head?.requestId ?: failure?.requestId,
        error = failure?.javaClass?.simpleName,
        httpStatus = failure?.status,
        attempt = attempt,
        isStreamed = begun?.head?.let { it.raw == null },
    )

    companion object {
        val UNKNOWN = Caller(null, null, null)
    }
}

/** True if the provider may have worked on the request, and bill it. A response with an error is not billed. */
internal val LlmException.mayBeBilled: Boolean
    get() = when (this) {
        is LlmException.StreamInterrupted, is LlmException.MalformedResponse -> true
        is Timeout -> phase != Timeout.Phase.CONNECT && phase != Timeout.Phase.POOL
        is Network -> phase == Network.Phase.SEND
        else -> false
    }
