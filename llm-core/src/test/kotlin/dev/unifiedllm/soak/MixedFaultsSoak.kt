package dev.unifiedllm.soak

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.client
import dev.unifiedllm.store.LedgerRow
import dev.unifiedllm.store.LedgerRow.Status
import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.ints.shouldBeLessThanOrEqual
import io.kotest.matchers.longs.shouldBeLessThanOrEqual
import io.kotest.matchers.shouldBe
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.launch
import java.net.InetSocketAddress
import java.net.Socket
import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.ConcurrentLinkedQueue
import java.util.concurrent.atomic.AtomicInteger
import kotlin.random.Random
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.minutes
import kotlin.time.Duration.Companion.seconds
import kotlin.time.TimeSource

private const val SEED = 11L
private const val ROUNDS = 10
private const val CALLS = 10_000
private const val WORKERS = 64
private const val BUDGET_IS_EMPTY = "too many attempts of this client have failed"

/** Each round has a client of its own, so that its ledger holds all rows, and so that the last round can be compared with the first. */
class MixedFaultsSoak : FunSpec({
    test("100,000 calls under mixed faults: each attempt counts once, for the caller, in the ledger and at the server").config(timeout = LIMIT) {
        val begin = TimeSource.Monotonic.markNow()
        val sums = FaultSums()
        val calls = scaled(CALLS, least = 200)
        Socket().use { refusing ->
            // bound, not listening: it refuses connections, and nobody else gets its port
            refusing.bind(InetSocketAddress("127.0.0.1", 0))
            val dead = "http://127.0.0.1:${refusing.localPort}"
            FaultRound(0, 200, dead, FaultSums()).run() // loads the classes
            val baseline = Resources.idle()
            var first: Resources? = null
            Peaks().use { peaks ->
                repeat(ROUNDS) { round ->
                    FaultRound(round + 1, calls, dead, sums).run()
                    if (first == null) first = Resources.backAt(baseline)
                }
                val after = Resources.backAt(baseline)
                printSoak("mixed faults: $sums in ${begin.elapsedNow().inWholeSeconds} s; $peaks; before: $baseline, after round 1: $first, after: $after")
                withClue(sums.problems.take(20).joinToString("\n")) { sums.problems.shouldBeEmpty() }
                sums.check()
                withClue("${after.threads} for ${baseline.threads}") { after.threads.size shouldBeLessThanOrEqual baseline.threads.size }
                after.fds shouldBeLessThanOrEqual baseline.fds
                after.heap shouldBeLessThanOrEqual first!!.heap + 8 * MIB
            }
        }
    }
})

/** The sums of all rounds. */
private class FaultSums {
    val problems = ConcurrentLinkedQueue<String>()
    val calls = AtomicInteger()
    val answered = AtomicInteger()
    val failed = AtomicInteger()
    val cancelled = AtomicInteger()
    val stopped = AtomicInteger()
    val attempts = AtomicInteger()
    val refused = AtomicInteger()
    val rows = AtomicInteger()
    val received = AtomicInteger()
    val resends = AtomicInteger()
    val failures = ConcurrentHashMap<String, AtomicInteger>()

    fun count(failure: LlmException): Int = failures.computeIfAbsent(failure::class.simpleName.orEmpty()) { AtomicInteger() }.incrementAndGet()

    fun check() {
        answered.get() + failed.get() + cancelled.get() shouldBe calls.get()
        rows.get() shouldBe attempts.get()
        received.get() - resends.get() shouldBe attempts.get() - refused.get()
    }

    override fun toString(): String = "$calls calls ($answered answered, $failed failed, $cancelled cancelled), $attempts attempts = $rows rows = " +
        "$received requests - $resends sent again for a lost connection + $refused refused; $stopped calls not repeated for the budget; " +
        "failed attempts: ${failures.toSortedMap()}"
}

/** [calls] calls of one client to one server. */
private class FaultRound(private val seed: Int, private val calls: Int, private val dead: String, private val sums: FaultSums) {
    private val held = ConcurrentHashMap<Int, CompletableDeferred<Unit>>()
    private val plans = List(calls) { if (it == 0) FaultPlan.fine(it) else FaultPlan.draw(it, Random(SEED * 1_000_003 + seed * 100_003L + it)) }
    private val traffic = FaultTraffic(plans) { signal(it).complete(Unit) }
    private val counted = IntArray(calls)

    private fun signal(call: Int) = held.computeIfAbsent(call) { CompletableDeferred() }

    suspend fun run(): Unit = SoakServer(answer = traffic::answer).use { server ->
        client {
            provider("soak") { baseUrl = server.url }
            provider("dead") { baseUrl = dead }
            retry {
                maxRetries = FaultPlan.ATTEMPTS - 1
                baseDelay = 1.milliseconds
                maxDelay = 4.milliseconds
            }
        }.use { llm ->
            coroutineScope {
                call(llm, plans[0], this) // alone: from now on the client knows that connections to the server may be stale
                val next = AtomicInteger(1)
                val all = this
                repeat(WORKERS) {
                    launch(Dispatchers.Default) {
                        while (true) call(llm, plans.getOrNull(next.getAndIncrement()) ?: break, all)
                    }
                }
            }
            compare(llm.client.ledger.rows())
            sums.received.addAndGet(server.received.toInt())
            sums.resends.addAndGet(traffic.resends)
        }
    }

    private suspend fun call(llm: Llm, plan: FaultPlan, all: CoroutineScope) {
        val isRefused = plan.course == Course.REFUSED
        val reply = llm.chat(if (isRefused) "dead/m" else "soak/m") {
            user(prompt(plan.number))
            tag(plan.number.toString())
            delivery = plan.delivery
            if (isRefused) fallback("soak/m")
            if (plan.course == Course.CANCELLED_IN_BACKOFF) {
                retry {
                    baseDelay = 1.minutes
                    maxDelay = 1.minutes
                }
            }
            if (Fault.STALLED in plan.faults) timeouts { firstByte = 1.seconds }
        }
        val cancelling = if (plan.course != Course.CANCELLED_BEFORE_HEAD) {
            null
        } else {
            all.launch {
                signal(plan.number).await()
                reply.cancel()
            }
        }
        try {
            if (plan.course != Course.PLAIN || plan.number % 2 == 0) {
                reply.events().collect {
                    val isReached = when (plan.course) {
                        Course.CANCELLED_IN_BODY -> it is Delta.Text
                        Course.CANCELLED_IN_BACKOFF -> it is Delta.Attempt
                        else -> false
                    }
                    if (isReached) reply.cancel()
                }
            }
            answered(plan, reply.await())
        } catch (failure: LlmException) {
            failed(plan, failure)
        } finally {
            cancelling?.cancel()
        }
    }

    private fun answered(plan: FaultPlan, response: ChatResponse) {
        sums.answered.incrementAndGet()
        if (response.text != plan.text) problem(plan, "the text is \"${response.text}\"")
        count(plan, response.attempts, null)
    }

    private fun failed(plan: FaultPlan, failure: LlmException) {
        val isStopped = BUDGET_IS_EMPTY in failure.message.orEmpty()
        if (isStopped) sums.stopped.incrementAndGet()
        if (failure is LlmException.Cancelled) sums.cancelled.incrementAndGet() else sums.failed.incrementAndGet()
        val isCancellation = plan.course.name.startsWith("CANCELLED") && !isStopped
        if ((failure is LlmException.Cancelled) != isCancellation) problem(plan, "ended with $failure")
        // A call that is cancelled between two attempts lists its cancellation last, but made no attempt then.
        val isBetween = failure is LlmException.Cancelled && plan.course == Course.CANCELLED_IN_BACKOFF
        count(plan, if (isBetween) failure.attempts.dropLast(1) else failure.attempts, failure)
        if (plan.course == Course.CANCELLED_IN_BODY && failure.partial?.text != plan.answer[0]) problem(plan, "kept ${failure.partial}")
    }

    /** Counts [attempts], and checks that each of them ended as its fault does, and that the call ended when it should. */
    private fun count(plan: FaultPlan, attempts: List<Delta.Attempt>, failure: LlmException?) {
        val refused = attempts.count { it.model.provider == "dead" }
        counted[plan.number] = attempts.size
        sums.calls.incrementAndGet()
        sums.attempts.addAndGet(attempts.size)
        sums.refused.addAndGet(refused)
        attempts.forEach { it.error?.let(sums::count) }
        if (plan.course == Course.REFUSED && refused == 0) problem(plan, "was not refused: $attempts")
        attempts.take(refused).forEach {
            val error = it.error
            if (error !is LlmException.Network || error.phase != LlmException.Network.Phase.CONNECT) problem(plan, "was refused with $error")
        }
        val live = attempts.drop(refused)
        live.forEachIndexed { index, attempt ->
            val error = attempt.error
            if (error is LlmException.Cancelled) return@forEachIndexed
            val expected = plan.faults.getOrNull(index)?.isExpected
            if (if (error == null) expected != null else expected?.invoke(error) != true) problem(plan, "attempt $index ended with $error")
            if (index < live.lastIndex && error?.isRetryable != true) problem(plan, "attempt $index was repeated after $error")
        }
        if (failure != null && failure !is LlmException.Cancelled && live.size < FaultPlan.ATTEMPTS) {
            val isOver = !failure.isRetryable || !failure.partial?.text.isNullOrEmpty() || BUDGET_IS_EMPTY in failure.message.orEmpty()
            if (!isOver) problem(plan, "was not repeated after $failure")
        }
        val requests = plan.requests(live.size)
        if (traffic.received(plan.number) != requests) problem(plan, "made ${traffic.received(plan.number)} requests for $requests, attempts $attempts")
    }

    /** Compares the rows of each call with its attempts. */
    private fun compare(rows: List<LedgerRow>) {
        sums.rows.addAndGet(rows.size)
        val byCall = rows.groupBy { it.tags.single().toInt() }
        for (plan in plans) {
            val own = byCall[plan.number].orEmpty()
            if (own.size != counted[plan.number]) problem(plan, "has ${own.size} rows for ${counted[plan.number]} attempts")
            if (own.dropLast(1).any { it.status != Status.FAILED }) problem(plan, "has the rows ${own.map { it.status }}")
            if (own.map { it.callId }.distinct().size > 1) problem(plan, "has several ids")
        }
    }

    private fun problem(plan: FaultPlan, what: String) {
        sums.problems += "$plan $what"
    }
}
