package dev.unifiedllm.middleware

import dev.unifiedllm.Interceptor
import dev.unifiedllm.Model
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Request
import dev.unifiedllm.pricing.Price
import dev.unifiedllm.store.Ledger
import dev.unifiedllm.store.LedgerRow
import dev.unifiedllm.store.LedgerRow.Status
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow
import java.time.Instant
import kotlin.time.Duration
import kotlin.time.TimeSource

/** Prices the attempt's finish and writes its row, however it ends. What the provider says it billed is believed first. */
internal class CostTracking(
    private val ledger: Ledger,
    private val isFree: Boolean,
    private val price: (ModelId, reported: String?) -> Price?,
    private val now: () -> Instant = Instant::now,
    private val time: TimeSource = TimeSource.Monotonic,
) : Interceptor {
    override fun intercept(request: Request, next: Model): Flow<Delta> = flow {
        val startedAt = now()
        val mark = time.markNow()
        var begun: Delta.Start? = null
        var firstContent: Duration? = null
        var finish: Delta.Finish? = null
        var status = Status.FAILED
        try {
            next.stream(request).collect { delta ->
                when {
                    delta.isContent -> if (firstContent == null) firstContent = mark.elapsedNow()
                    delta is Delta.Start -> begun = delta
                    delta is Delta.Finish -> {
                        val priced = delta.copy(cost = cost(delta, next.id, begun?.reportedModel))
                        finish = priced
                        status = Status.DONE
                        emit(priced)
                        return@collect
                    }
                }
                emit(delta)
            }
        } catch (cancelled: CancellationException) {
            if (finish == null) status = Status.CANCELLED
            throw cancelled
        } finally {
            val cost = finish?.cost ?: begun?.let { if (isFree) Cost.Free else Cost.Unknown("the answer was cut") }
            ledger.add(
                LedgerRow(
                    request.context.callId,
                    next.id,
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

    private fun cost(finish: Delta.Finish, id: ModelId, reported: String?): Cost = when {
        finish.cost !is Cost.Unknown -> finish.cost
        isFree -> Cost.Free
        else -> price(id, reported)?.cost(finish.usage) ?: Cost.Unknown("no price is known for $id")
    }
}
