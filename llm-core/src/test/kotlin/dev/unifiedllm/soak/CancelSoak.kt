package dev.unifiedllm.soak

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.Reply
import dev.unifiedllm.client
import dev.unifiedllm.store.LedgerRow
import dev.unifiedllm.transport.UnacceptingServer
import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.ints.shouldBeLessThanOrEqual
import io.kotest.matchers.longs.shouldBeLessThanOrEqual
import io.kotest.matchers.shouldBe
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.flow.take
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.job
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeoutOrNull
import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.ConcurrentLinkedQueue
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit
import java.util.concurrent.atomic.AtomicInteger
import java.util.concurrent.atomic.AtomicLongArray
import java.util.concurrent.locks.LockSupport
import kotlin.concurrent.thread
import kotlin.random.Random
import kotlin.time.Duration
import kotlin.time.Duration.Companion.microseconds
import kotlin.time.Duration.Companion.minutes
import kotlin.time.Duration.Companion.nanoseconds
import kotlin.time.Duration.Companion.seconds
import kotlin.time.TimeSource

private const val CALLS = 10_000
private const val WORKERS = 8
private const val SEED = 12L

/** Where a call is when it is cancelled. */
private enum class Point { START, CONNECT, HEAD, BODY, BACKOFF, ANYWHERE }

/** How it is cancelled. Those of [atDelta] come from its consumer, at a piece of text. */
private enum class Way(val atDelta: Boolean = false) { CANCEL, JOB, TIMEOUT, FUTURE, INTERRUPT, TAKE(true), CLOSE(true), THROW(true) }

/** Those that are reached by time alone. */
private val TIMED = setOf(Point.START, Point.CONNECT, Point.ANYWHERE)

private class CancelPlan(val number: Int, random: Random) {
    val point = Point.entries.random(random)
    val way = Way.entries.filter { if (it == Way.TIMEOUT) point in TIMED else !it.atDelta || point == Point.BODY }.random(random)
    private val size = random.nextInt(1, 20)
    val texts: List<String> get() = List(size) { "call $number piece $it; " }
    val delay: Duration = when (point) {
        Point.START -> 0
        Point.CONNECT -> random.nextInt(3000)
        Point.BACKOFF -> random.nextInt(2000, 10_000) // the client has yet to read the failure
        Point.HEAD, Point.BODY -> random.nextInt(500)
        Point.ANYWHERE -> random.nextInt(6000)
    }.microseconds
    val pause: Duration = random.nextInt(2000).microseconds

    override fun toString(): String = "call $number ($point, $way)"
}

private class Enough : RuntimeException("enough")

class CancelSoak : FunSpec({
    test("10,000 calls that are cancelled at random points leave no socket, no thread and no coroutine").config(timeout = LIMIT) {
        CancelRun(200).run() // loads the classes
        val baseline = Resources.idle()
        val run = CancelRun(scaled(CALLS, least = 500))
        Peaks().use { peaks ->
            run.run()
            val after = Resources.backAt(baseline)
            printSoak("cancels: $run; $peaks; before: $baseline, after: $after")
            withClue(run.problems.take(20).joinToString("\n")) { run.problems.shouldBeEmpty() }
            run.closeTimes[run.closeTimes.size * 99 / 100] shouldBeLessThanOrEqual TimeUnit.MILLISECONDS.toNanos(100)
            withClue("${after.threads} for ${baseline.threads}") { after.threads.size shouldBeLessThanOrEqual baseline.threads.size }
            after.fds shouldBeLessThanOrEqual baseline.fds
            after.heap shouldBeLessThanOrEqual baseline.heap + 16 * MIB
        }
    }
})

private class CancelRun(private val calls: Int) {
    val problems = ConcurrentLinkedQueue<String>()
    private val plans = List(calls) { CancelPlan(it, Random(SEED * 1_000_003 + it)) }
    private val reached = ConcurrentHashMap<Int, CountDownLatch>()
    private val cancelledAt = AtomicLongArray(calls)
    private val times = ConcurrentLinkedQueue<Long>()
    private val states = ConcurrentHashMap<Reply.State, AtomicInteger>()
    private var rows = emptyList<LedgerRow>()
    private var received = 0L
    private var duration = Duration.ZERO

    /** The nanoseconds from a cancel to the end of its connection, as the server saw it, ordered. */
    val closeTimes: List<Long> by lazy { times.sorted() }

    fun run() {
        val begin = TimeSource.Monotonic.markNow()
        SoakServer(::left, ::answer).use { server ->
            UnacceptingServer().use { deaf ->
                client {
                    provider("soak") { baseUrl = server.url }
                    provider("deaf") { baseUrl = deaf.url }
                    retry {
                        maxRetries = 2
                        baseDelay = 1.minutes
                        maxDelay = 1.minutes
                    }
                }.use { llm ->
                    val next = AtomicInteger()
                    val workers = List(WORKERS) { number ->
                        thread(name = "soak-caller-$number") {
                            while (true) cancel(llm, plans.getOrNull(next.getAndIncrement()) ?: break)
                        }
                    }
                    workers.forEach(Thread::join)
                    // none of the library's coroutines is left, before its client is closed
                    val job = llm.client.scope.coroutineContext.job
                    val until = TimeSource.Monotonic.markNow() + 5.seconds
                    while (job.children.any() && until.hasNotPassedNow()) Thread.sleep(1)
                    job.children.count() shouldBe 0
                    rows = llm.client.ledger.rows()
                    received = server.received
                }
            }
        }
        duration = begin.elapsedNow()
    }

    private fun answer(request: SoakRequest): Iterator<Step> {
        val plan = plans.getOrNull(request.number) ?: return ChatBytes.stream(listOf("fine"))
        val reach = Step.Run { latch(plan.number).countDown() }
        return when (plan.point) {
            Point.HEAD -> listOf(reach, Step.Hold)
            Point.BODY -> {
                val pieces = listOf(ChatBytes.HEAD + ChatBytes.opening) + plan.texts.map { ChatBytes.chunk(ChatBytes.text(it)) }
                pieces.map { Step.Send(it) } + reach + Step.Hold
            }
            Point.BACKOFF -> listOf(Step.Send(ChatBytes.error("500 Internal Server Error", "server_error")), reach)
            else -> listOf<Step>(Step.Wait(plan.pause)) + ChatBytes.stream(plan.texts, plan.pause / 2).asSequence()
        }.iterator()
    }

    private fun latch(call: Int) = reached.computeIfAbsent(call) { CountDownLatch(1) }

    private fun left(request: SoakRequest) {
        val at = if (request.number < calls) cancelledAt[request.number] else 0
        if (at != 0L) times += System.nanoTime() - at
    }

    private fun cancel(llm: Llm, plan: CancelPlan) {
        val reply = llm.chat(if (plan.point == Point.CONNECT) "deaf/m" else "soak/m", prompt(plan.number))
        cancel(reply, plan)
        val until = TimeSource.Monotonic.markNow() + 5.seconds
        while (reply.state == Reply.State.RUNNING && until.hasNotPassedNow()) LockSupport.parkNanos(20_000)
        val state = reply.state
        states.computeIfAbsent(state) { AtomicInteger() }.incrementAndGet()
        val isEarly = state == Reply.State.NEW && plan.way in listOf(Way.JOB, Way.TIMEOUT) // left before the first terminal began
        val isLate = state == Reply.State.DONE && plan.point in listOf(Point.START, Point.ANYWHERE)
        if (state != Reply.State.CANCELLED && !isEarly && !isLate) problems += "$plan is $state"
        val text = reply.partial?.text.orEmpty()
        if (!plan.texts.joinToString("").startsWith(text)) problems += "$plan kept \"$text\""
        // One retry takes as much of the client's budget as five complete attempts give it.
        if (plan.point == Point.BACKOFF) repeat(5) { llm.chat("soak/m", prompt(calls)).get().text shouldBe "fine" }
    }

    private fun cancel(reply: Reply, plan: CancelPlan) {
        when (plan.way) {
            Way.CANCEL -> {
                val consumer = consume(plan) { reply.await() }
                cancelThere(plan) { reply.cancel() }
                consumer.join(plan)
            }
            Way.JOB -> {
                val consumer = consume(plan) { reply.events().collect { } }
                cancelThere(plan) { consumer.cancel() }
                consumer.join(plan)
            }
            Way.TIMEOUT -> runBlocking { withTimeoutOrNull(plan.delay + 1.nanoseconds) { reply.await() } }
            Way.FUTURE -> {
                val future = reply.toFuture()
                cancelThere(plan) { future.cancel(true) }
            }
            Way.INTERRUPT -> interrupt(reply, plan)
            Way.TAKE -> runBlocking { reply.deltas().take(plan.texts.size).toList() }.let { if (it != plan.texts) problems += "$plan took $it" }
            Way.CLOSE -> reply.stream().use { stream ->
                val taken = stream.limit(plan.texts.size.toLong()).toList()
                if (taken != plan.texts) problems += "$plan took $taken"
            }
            Way.THROW -> try {
                var seen = 0
                runBlocking { reply.deltas().collect { if (++seen == plan.texts.size) throw Enough() } }
                problems += "$plan ended well"
            } catch (_: Enough) {
                return
            }
        }
    }

    private fun interrupt(reply: Reply, plan: CancelPlan) {
        val caller = thread(name = "soak-interrupted") {
            try {
                reply.get()
                if (plan.point != Point.START && plan.point != Point.ANYWHERE) problems += "$plan ended well"
            } catch (_: LlmException.Cancelled) {
                if (!Thread.currentThread().isInterrupted) problems += "$plan lost its interrupt"
            }
        }
        cancelThere(plan) { caller.interrupt() }
        caller.join(PATIENCE.inWholeMilliseconds)
        if (caller.isAlive) problems += "$plan still blocks"
    }

    private fun cancelThere(plan: CancelPlan, cancel: () -> Unit) {
        val isWatched = plan.point == Point.HEAD || plan.point == Point.BODY
        if (isWatched || plan.point == Point.BACKOFF) {
            if (!latch(plan.number).await(PATIENCE.inWholeSeconds, TimeUnit.SECONDS)) problems += "$plan was not received"
        }
        LockSupport.parkNanos(plan.delay.inWholeNanoseconds)
        if (isWatched) cancelledAt[plan.number] = System.nanoTime()
        cancel()
    }

    private val consumers = CoroutineScope(Dispatchers.Default)

    private fun consume(plan: CancelPlan, terminal: suspend () -> Unit): Job = consumers.launch {
        try {
            terminal()
        } catch (failure: LlmException) {
            if (failure !is LlmException.Cancelled) problems += "$plan ended with $failure"
        }
    }

    private fun Job.join(plan: CancelPlan) = runBlocking {
        if (withTimeoutOrNull(PATIENCE) { join() } == null) problems += "$plan still suspends"
    }

    override fun toString(): String {
        val points = Point.entries.associateWith { point -> plans.count { it.point == point } }
        val ways = Way.entries.associateWith { way -> plans.count { it.way == way } }
        val closed = listOf(50, 99).joinToString { "p$it ${millis(closeTimes[closeTimes.size * it / 100])}" }
        return "$calls calls in ${duration.inWholeSeconds} s, $points, $ways, ended $states; ${rows.size} attempts " +
            "(${rows.groupingBy { it.status }.eachCount()}), $received requests; ${closeTimes.size} connections closed after $closed, " +
            "at most ${millis(closeTimes.last())}"
    }

    private fun millis(nanos: Long) = "%.2f ms".format(nanos / 1e6)

    private companion object {
        val PATIENCE = 10.seconds
    }
}
