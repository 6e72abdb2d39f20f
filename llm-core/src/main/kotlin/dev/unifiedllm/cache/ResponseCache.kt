package dev.unifiedllm.cache

import dev.unifiedllm.Interceptor
import dev.unifiedllm.LlmException
import dev.unifiedllm.Model
import dev.unifiedllm.cache.Flights.Landing
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.OwnWarnings
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.ResponseHead
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.linkFlow
import dev.unifiedllm.middleware.AttemptTarget
import dev.unifiedllm.middleware.Caller
import dev.unifiedllm.store.Ledger
import dev.unifiedllm.store.LedgerRow
import dev.unifiedllm.store.LedgerRow.Status
import dev.unifiedllm.store.storeThreads
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.async
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.FlowCollector
import kotlinx.coroutines.withTimeoutOrNull
import java.util.concurrent.atomic.AtomicInteger
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.TimeSource

/**
 * Answers a request by the response to an equal one, if the cache has it; stores complete responses.
 *
 * A cached response is a stream as any other, with cost zero. It has a row in [ledger] of its own, without tokens.
 *
 * @param ledger null if costs are not tracked
 * @param caller who makes the calls of [ledger]
 * @param accepts false for a complete response that is not stored, because an equal request had better be sent
 */
internal class ResponseCache(
    private val cache: Cache,
    private val target: AttemptTarget,
    private val ledger: Ledger?,
    private val caller: Caller = Caller.UNKNOWN,
    private val accepts: (Request, List<Delta>) -> Boolean = { _, _ -> true },
    private val time: TimeSource = TimeSource.Monotonic,
) : Interceptor {
    override fun intercept(request: Request, next: Model): Flow<Delta> {
        val use = cache.use(request, target.isUsers) ?: return next.stream(request)
        return linkFlow {
            val form = form(request)
            if (form == null) next.stream(request).collect(this) else Lookup(request, next, use, cache.key(form, use), this).run()
        }
    }

    /** Null if the request cannot be sent: then the model says why. */
    private suspend fun form(request: Request): String? = try {
        target.canonical(request)
    } catch (_: LlmException) {
        null
    }

    private inner class Lookup(
        private val request: Request,
        private val next: Model,
        private val use: Cache.Use,
        private val key: String,
        private val out: FlowCollector<Delta>,
    ) {
        private val startedAt = cache.now()
        private val mark = time.markNow()

        suspend fun run() {
            if (use.reads) find()?.let { return replay(it) }
            val flights = cache.flights
            if (flights == null || !use.reads || !use.stores) send(null) else share(flights)
        }

        private suspend fun find(): CacheEntry? = warning { cache.find(key, use, it) }

        private suspend fun <T> warning(block: suspend (MutableList<String>) -> T): T {
            val warnings = mutableListOf<String>()
            val result = block(warnings)
            warnings.forEach { out.emit(Delta.Warning(it)) }
            return result
        }

        /** Sends the request, and stores its response. @param landed called when it is complete, before its finish is delivered; null: nobody waits for it */
        private suspend fun send(landed: ((Landing) -> Unit)?) {
            val recorder = Recorder(cache.maxEntryBytes, OwnWarnings.of(request))
            next.stream(request).collect { delta ->
                if (delta is Delta.Finish) {
                    val entry = if (use.stores) recorder.entry(key, delta, cache.now(), use.ttl) { accepts(request, it) } else null
                    if (entry != null) store(entry)
                    landed?.invoke(entry?.let { CacheEntry.of(key, it) }?.let(Landing::Stored) ?: Landing.NotShared)
                } else if (use.stores) {
                    recorder.add(delta)
                }
                out.emit(delta)
            }
        }

        /** The response does not wait for a store that takes long: that takes it when it can. */
        private suspend fun store(entry: ByteArray) {
            if (cache.isInMemory) return warning { cache.store(key, entry, use, it) }
            if (storingNow.incrementAndGet() > MOST_STORING) {
                storingNow.decrementAndGet()
                return out.emit(Delta.Warning("the cache does not take the response: too many wait for it"))
            }
            val storing = background.async {
                try {
                    mutableListOf<String>().also { cache.store(key, entry, use, it) }
                } finally {
                    storingNow.decrementAndGet()
                }
            }
            val left = request.context.deadline?.let { -it.elapsedNow() / 2 } ?: MOMENT
            val warnings =
                withTimeoutOrNull(minOf(left, MOMENT)) { storing.await() } ?: listOf("the cache has not taken the response yet: it was not waited for")
            warnings.forEach { out.emit(Delta.Warning(it)) }
        }

        /** Sends the request unless an equal one is being answered; then waits for that one. */
        private suspend fun share(flights: Flights) {
            var hasWaited = false
            while (true) {
                val mine = CompletableDeferred<Landing>()
                val other = flights.join(key, mine)
                if (other == null) return lead(flights, mine)
                if (!hasWaited) out.emit(Delta.Waiting(target.id, "an equal request is being answered"))
                hasWaited = true
                when (val landing = other.await()) {
                    is Landing.Stored -> return replay(landing.entry)
                    Landing.NotShared -> return send(null)
                    Landing.Failed -> continue
                }
            }
        }

        private suspend fun lead(flights: Flights, mine: CompletableDeferred<Landing>) {
            try {
                val stored = find() // by the one before, which has just ended
                if (stored == null) return send { flights.end(key, mine, it) }
                flights.end(key, mine, Landing.Stored(stored))
                replay(stored)
            } finally {
                flights.end(key, mine, Landing.Failed)
            }
        }

        private suspend fun replay(entry: CacheEntry) {
            val saved = (entry.deltas.last() as Delta.Finish).cost
            val cost = if (saved is Cost.Free) saved else NOTHING
            var firstContent: Duration? = null
            var status = Status.CANCELLED
            try {
                for (delta in entry.deltas) {
                    if (delta.isContent && firstContent == null) firstContent = mark.elapsedNow()
                    when (delta) {
                        is Delta.Start -> out.emit(delta.withHead(head(entry, saved)))
                        is Delta.Finish -> {
                            status = Status.DONE
                            out.emit(delta.copy(cost = cost))
                        }
                        else -> out.emit(delta)
                    }
                }
            } finally {
                ledger?.add(row(entry, status, cost, firstContent, (saved as? Cost.Known)?.amount))
            }
        }

        private fun head(entry: CacheEntry, saved: Cost): ResponseHead {
            val isWhole = (request as? ChatRequest)?.delivery != Delivery.STREAM
            return ResponseHead(entry.head?.requestId, null, entry.head?.raw?.takeIf { isWhole }, isCached = true, saved)
        }

        /** No tokens: those of the response are in the row of the request that brought it. */
        private fun row(entry: CacheEntry, status: Status, cost: Cost, firstContent: Duration?, saved: Usd?) = LedgerRow(
            request.context.callId,
            target.id,
            startedAt,
            status,
            Usage.of(0, 0),
            cost,
            mark.elapsedNow(),
            firstContent,
            request.context.task,
            request.context.tags,
            target.isLocal,
            request.context.cell,
            caller.origin(request, target.id, entry.deltas.first() as? Delta.Start, null, null),
            isCached = true,
            saved = saved,
        )
    }

    private companion object {
        val NOTHING = Cost.Known(Usd.ZERO, "cache")
        val MOMENT = 500.milliseconds

        /** How many entries may wait for stores that are slow. */
        const val MOST_STORING = 32
        val storingNow = AtomicInteger()

        /** Of entries that are being stored. */
        val background = CoroutineScope(SupervisorJob() + storeThreads)
    }
}
