package dev.unifiedllm.middleware

import dev.unifiedllm.Interceptor
import dev.unifiedllm.Model
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Request
import dev.unifiedllm.linkFlow
import dev.unifiedllm.store.Ledger
import dev.unifiedllm.store.LedgerRow
import dev.unifiedllm.store.LedgerRow.Status
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.TimeoutCancellationException
import kotlinx.coroutines.flow.Flow
import java.time.Instant
import kotlin.time.Duration
import kotlin.time.TimeSource

/** Prices the finish of an attempt and writes its row, however it ends. What the provider says it billed replaces the price of the catalogue. */
internal class CostTracking(
    private val ledger: Ledger,
    private val target: AttemptTarget,
    private val now: () -> Instant = Instant::now,
    private val time: TimeSource = TimeSource.Monotonic,
) : Interceptor {
    override fun intercept(request: Request, next: Model): Flow<Delta> = linkFlow {
        val startedAt = now()
        val mark = time.markNow()
        var begun: Delta.Start? = null
        var firstContent: Duration? = null
        var finish: Delta.Finish? = null
        var status = Status.FAILED
        try {
            next.stream(request).collect { delta ->
                if (delta.isContent) {
                    if (firstContent == null) firstContent = mark.elapsedNow()
                } else if (delta is Delta.Start) {
                    begun = delta
                    delta.head?.rateLimits?.let { target.state.rateLimits = it }
                } else if (delta is Delta.Finish) {
                    val priced = delta.copy(cost = cost(delta, begun?.reportedModel))
                    finish = priced
                    status = Status.DONE
                    emit(priced)
                    return@collect
                }
                emit(delta)
            }
        } catch (cancelled: CancellationException) {
            if (finish == null && cancelled !is TimeoutCancellationException) status = Status.CANCELLED
            throw cancelled
        } finally {
            val cost = finish?.cost ?: begun?.let { if (target.isFree) Cost.Free else Cost.Unknown("the response was cut") }
            ledger.add(
                LedgerRow(
                    request.context.callId,
                    target.id,
                    startedAt,
                    status,
                    finish?.usage,
                    cost,
                    mark.elapsedNow(),
                    firstContent,
                    request.context.task,
                    request.context.tags,
                ),
            )
        }
    }

    private fun unlisted(reportedModel: String?): String {
        val answered = reportedModel?.takeIf { it != target.id.name }?.let { ", which responded as \"$it\"" }.orEmpty()
        return "no price is known for ${target.id}$answered"
    }

    private fun cost(finish: Delta.Finish, reportedModel: String?): Cost = when {
        finish.cost !is Cost.Unknown -> finish.cost
        target.isFree -> Cost.Free
        else -> target.price(reportedModel)?.cost(finish.usage) ?: Cost.Unknown(finish.usage?.billing?.unpriced ?: unlisted(reportedModel))
    }
}
