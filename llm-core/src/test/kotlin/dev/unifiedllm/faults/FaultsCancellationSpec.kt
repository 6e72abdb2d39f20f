package dev.unifiedllm.faults

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmBuilder
import dev.unifiedllm.LlmException
import dev.unifiedllm.Reply
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.saying
import dev.unifiedllm.store.LedgerRow
import dev.unifiedllm.transport.UnacceptingServer
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.assertions.withClue
import io.kotest.matchers.booleans.shouldBeTrue
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldBeIn
import io.kotest.matchers.comparables.shouldBeLessThanOrEqualTo
import io.kotest.matchers.ints.shouldBeLessThanOrEqual
import io.kotest.matchers.longs.shouldBeGreaterThan
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.TimeoutCancellationException
import kotlinx.coroutines.async
import kotlinx.coroutines.cancel
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.delay
import kotlinx.coroutines.joinAll
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext
import kotlinx.coroutines.withTimeout
import java.io.File
import java.net.InetAddress
import java.net.ServerSocket
import java.util.concurrent.ConcurrentLinkedQueue
import java.util.concurrent.CountDownLatch
import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.Semaphore
import java.util.concurrent.TimeUnit.SECONDS
import java.util.concurrent.atomic.AtomicBoolean
import java.util.concurrent.atomic.AtomicInteger
import kotlin.random.Random
import kotlin.time.Duration
import kotlin.time.Duration.Companion.microseconds
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.nanoseconds
import kotlin.time.Duration.Companion.seconds
import kotlin.time.measureTime

/** Section H of the list of faults: calls that are left before their end. */
internal object FaultsCancellation : FaultSection("H cancellation") {
    private val AT_ONCE = 100.milliseconds

    /** From leaving a call until its server saw the connection closed. */
    val closings = ConcurrentLinkedQueue<Duration>()

    init {
        phases()
        closings()
        manyAtOnce()
        races()
        timeouts()
        java()
        seeSpec(154, "dev.unifiedllm.jupyter.NotebookSpec")
        lifecycle()
        handlers()
    }

    /** Fault 147: in each phase. */
    private fun phases() {
        fault(147, "a call that waits for the head is cancelled") {
            val (llm, row) = cancelled { hold() }
            row().status shouldBe LedgerRow.Status.CANCELLED
            withClue("nothing had arrived") { (row().usage != null) shouldBe hasBegunBefore }
            withClue("the provider may have begun") { row().cost.shouldNotBeNull() }
            llm.close()
        }

        fault(147, "a call that receives a body is cancelled: its row has an estimate of what has arrived", deliveries = STREAM) {
            val (llm, row) = cancelled(isThere = { it.partial?.text == TEXT }) {
                begin(TEXT)
                hold()
            }
            row().status shouldBe LedgerRow.Status.CANCELLED
            val usage = row().usage.shouldNotBeNull()
            usage.estimated.shouldBeTrue()
            usage.inputTokens!! shouldBeGreaterThan 0
            usage.outputTokens shouldBe 2
            (row().cost as? Cost.Known)?.estimated?.shouldBeTrue() // the price of some models here is not known
            llm.close()
        }

        fault(147, "a call that receives a body in one piece is cancelled", deliveries = WHOLE) {
            val (llm, row) = cancelled {
                begin(TEXT)
                hold()
            }
            row().status shouldBe LedgerRow.Status.CANCELLED
            llm.close()
        }

        fault(147, "a call that waits to be repeated is cancelled: nothing more is sent") {
            val (llm, row) = cancelled(isThere = { reply -> reply.partial?.attempts.orEmpty().any { it.delay != null } }) { status(503, "Retry-After" to "60") }
            row().status shouldBe LedgerRow.Status.FAILED
            llm.close()
        }

        fault(147, "a call that waits for a limit is cancelled: it has no row, and its place is free") {
            val release = CountDownLatch(1)
            FaultServer(wire, delivery) {
                release.await(5, SECONDS)
                answer()
            }.use { server ->
                faultClient(wire, server.url) { limit { maxParallel = 1 } }.use { llm ->
                    coroutineScope {
                        val first = async(Dispatchers.Default) { callOf(llm).await().text }
                        eventually { server.served == 1 }
                        val second = callOf(llm)
                        val waiting = CountDownLatch(1)
                        val job = launch(Dispatchers.Default) { second.events().collect { if (it is Delta.Waiting) waiting.countDown() } }
                        withContext(Dispatchers.IO) { waiting.await(5, SECONDS) }.shouldBeTrue()
                        measureTime { job.cancelAndJoin() } shouldBeLessThanOrEqualTo AT_ONCE
                        eventually { second.state == Reply.State.CANCELLED }
                        release.countDown()
                        first.await() shouldBe "Hello you"
                        callOf(llm).await().text shouldBe "Hello you"
                    }
                    llm.client.ledger.rows().map { it.status } shouldBe List(2) { LedgerRow.Status.DONE }
                    server.served shouldBe 2
                }
            }
            run.record("cancelled", "$wire ${delivery.name.lowercase()}")
        }

        faultOnce(147, "a call that connects is cancelled", BOTH) {
            UnacceptingServer().use { server -> silent(server.url) }
        }

        faultOnce(147, "a call in its TLS handshake is cancelled", BOTH) {
            ServerSocket(0, 10, InetAddress.getByName("127.0.0.1")).use { silent("https://127.0.0.1:${it.localPort}") }
        }
    }

    /** Cancels a call to [url], which never answers. */
    private suspend fun FaultRun.silent(url: String) = faultClient(wire, url) { timeouts { connect = 30.seconds } }.use { llm ->
        coroutineScope {
            val reply = callOf(llm)
            val job = async(Dispatchers.Default) { reply.await() }
            delay(30) // it connects
            measureTime { job.cancelAndJoin() } shouldBeLessThanOrEqualTo AT_ONCE
            shouldThrow<CancellationException> { job.await() }
            eventually { reply.state == Reply.State.CANCELLED }
            reply.partial?.text.orEmpty() shouldBe ""
        }
        run.record("cancelled", "$wire ${delivery.name.lowercase()}")
    }

    /** True if the response begins with a request before the one of its stream. */
    private val FaultRun.hasBegunBefore: Boolean get() = wire.isPolled && isStream

    private fun FaultRun.callOf(llm: Llm): Reply = llm.chat(wire.model) {
        user("Hi")
        delivery = this@callOf.delivery
    }

    /** Cancels the coroutine of a call when the server runs [serve] and [isThere]. Returns the client and its one row. */
    private suspend fun FaultRun.cancelled(isThere: (Reply) -> Boolean = { true }, serve: FaultExchange.() -> Unit): Pair<Llm, () -> LedgerRow> =
        FaultServer(wire, delivery) { serve() }.use { server ->
            val llm = faultClient(wire, server.url)
            val reply = callOf(llm)
            var thrown: Throwable? = null
            coroutineScope {
                val job = launch(Dispatchers.Default) {
                    try {
                        reply.await()
                    } catch (cancelled: CancellationException) {
                        thrown = cancelled
                        throw cancelled
                    }
                }
                eventually { server.served == 1 && isThere(reply) }
                measureTime { job.cancelAndJoin() } shouldBeLessThanOrEqualTo AT_ONCE
            }
            (thrown is CancellationException).shouldBeTrue()
            withContext(Dispatchers.IO) { server.awaitIdle(1.seconds) }.shouldBeTrue()
            eventually { reply.state == Reply.State.CANCELLED && llm.client.ledger.rows().isNotEmpty() }
            server.served shouldBe 1
            run.record("cancelled", "$wire ${delivery.name.lowercase()}")
            llm to { llm.client.ledger.rows().single() }
        }

    /** Fault 148: the server sees the end of the connection. */
    private fun closings() {
        for (way in ways) {
            fault(148, way.name, deliveries = if (way.needsText) STREAM else BOTH) {
                for (phase in if (way.needsText) listOf(Phase.BODY) else Phase.entries) {
                    val times = mutableListOf<Duration>()
                    while (times.lastOrNull().let { it == null || it > AT_ONCE }) { // another process may hold the processor
                        if (times.size == 3) throw AssertionError("the connection was closed after $times, in the phase $phase")
                        times += closing(way, phase)
                    }
                    closings += times.last()
                }
                run.record("closed", "$wire ${delivery.name.lowercase()}")
            }
        }
    }

    /** How long it took until the server saw the connection closed. */
    private suspend fun FaultRun.closing(way: Way, phase: Phase): Duration {
        val served = Semaphore(0)
        val closed = LinkedBlockingQueue<Long>()
        return FaultServer(wire, delivery) {
            if (phase == Phase.BODY) begin(TEXT)
            served.release()
            hold()
            closed += System.nanoTime()
        }.use { server ->
            faultClient(wire, server.url).use { llm ->
                val call = Underway(llm, wire.model, delivery, phase, served)
                val left = way.leave(call)
                val seen = withContext(Dispatchers.IO) { closed.poll(5, SECONDS) }.shouldNotBeNull()
                if (!way.isOwn) {
                    eventually { call.reply.state == Reply.State.CANCELLED }
                    if (call.hasText) {
                        call.reply.partial!!.text shouldBe TEXT
                        call.reply.partial!!.finishReason.shouldBeNull()
                        call.reply.partial!!.usage.shouldNotBeNull().estimated.shouldBeTrue()
                        shouldThrow<LlmException.Cancelled> { call.reply.await() }.partial!!.text shouldBe TEXT
                    }
                }
                eventually(what = "no row") { llm.client.ledger.rows().isNotEmpty() }
                val row = llm.client.ledger.rows().single()
                row.status shouldBe LedgerRow.Status.CANCELLED
                (row.usage != null) shouldBe (call.hasText || hasBegunBefore)
                server.served shouldBe 1
                (seen - left).coerceAtLeast(0).nanoseconds
            }
        }
    }

    /** Fault 149: at random points. */
    private fun manyAtOnce() {
        faultOnce(149, "1,000 calls that are cancelled at random points leave nothing behind", BOTH) {
            val random = Random(7)
            val calls = 1_000
            val limit = 200
            val all = CountDownLatch(limit)
            val areCancelled = AtomicBoolean()
            FaultServer(wire, delivery) { attempt ->
                if (areCancelled.get()) {
                    all.countDown()
                    all.await(10, SECONDS)
                    return@FaultServer answer()
                }
                when (attempt % 4) {
                    0 -> hold()
                    1 -> status(503)
                    2 -> {
                        begin(TEXT)
                        hold()
                    }
                    else -> answer()
                }
            }.use { server ->
                val before = openFiles()
                val threads = Thread.activeCount()
                val configure: LlmBuilder.() -> Unit = { limit { maxParallel = limit } }
                faultClient(wire, server.url, configure).use { llm ->
                    val ended = AtomicInteger()
                    coroutineScope {
                        repeat(calls) {
                            val after = random.nextInt(120)
                            val job = launch(Dispatchers.Default) {
                                try {
                                    callOf(llm).await()
                                } catch (_: LlmException) { // a call that fails before it is cancelled has ended as well
                                    return@launch
                                } finally {
                                    ended.incrementAndGet()
                                }
                            }
                            launch(Dispatchers.Default) {
                                delay(after.milliseconds)
                                job.cancelAndJoin()
                            }
                        }
                    }
                    ended.get() shouldBeLessThanOrEqual calls // a coroutine that is cancelled before it begins runs nothing
                    withContext(Dispatchers.IO) { server.awaitIdle(5.seconds) }.shouldBeTrue()
                    llm.client.ledger.rows().size shouldBeLessThanOrEqual calls * ALL_ATTEMPTS
                    areCancelled.set(true)
                    allPlacesAreFree(llm, all)
                    all.count shouldBe 0
                }
                collected("open files", ::openFiles, before + SLACK)
                collected("threads", Thread::activeCount, threads + SLACK)
            }
            run.record("nothing left", "$wire ${delivery.name.lowercase()}")
        }
    }

    /** As many calls as [all] counts run at the same time: no call that has ended holds a place. */
    private suspend fun FaultRun.allPlacesAreFree(llm: Llm, all: CountDownLatch): Unit = coroutineScope {
        repeat(all.count.toInt()) {
            launch(Dispatchers.Default) { callOf(llm).await().text shouldBe "Hello you" }
        }
    }

    /** Faults 150 and 151. */
    private fun races() {
        fault(150, "a call that is cancelled while its response ends has one outcome and one row") {
            val random = Random(3)
            FaultServer(wire, delivery) { answer() }.use { server ->
                faultClient(wire, server.url).use { llm ->
                    val outcomes = mutableMapOf<Reply.State, Int>()
                    repeat(40) {
                        val before = llm.client.ledger.rows().size
                        val reply = callOf(llm)
                        coroutineScope {
                            val job = launch(Dispatchers.Default) { reply.await() }
                            delay(random.nextInt(4_000).microseconds)
                            job.cancelAndJoin()
                        }
                        reply.cancel()
                        eventually { reply.state != Reply.State.RUNNING && reply.state != Reply.State.NEW }
                        withContext(Dispatchers.IO) { server.awaitIdle(1.seconds) }.shouldBeTrue()
                        val rows = llm.client.ledger.rows().drop(before)
                        val state = reply.state
                        outcomes.merge(state, 1, Int::plus)
                        if (state == Reply.State.DONE) {
                            rows.single().status shouldBe LedgerRow.Status.DONE
                            reply.await().text shouldBe "Hello you"
                        } else {
                            state shouldBe Reply.State.CANCELLED
                            rows.size shouldBeLessThanOrEqual 1
                            rows.forEach { it.status shouldBeIn listOf(LedgerRow.Status.CANCELLED, LedgerRow.Status.DONE) }
                            shouldThrow<LlmException.Cancelled> { reply.await() }
                        }
                    }
                }
            }
            run.record("one outcome each", "$wire ${delivery.name.lowercase()}")
        }

        fault(151, "the scope of several calls is cancelled: all end", deliveries = STREAM) {
            FaultServer(wire, delivery) {
                begin(TEXT)
                hold()
            }.use { server ->
                faultClient(wire, server.url).use { llm ->
                    val scope = CoroutineScope(Dispatchers.Default + SupervisorJob())
                    val replies = List(5) { callOf(llm) }
                    val jobs = replies.map { scope.launch { it.events().collect { } } }
                    eventually { replies.all { it.partial?.text == TEXT } }
                    measureTime {
                        scope.cancel()
                        jobs.joinAll()
                    } shouldBeLessThanOrEqualTo AT_ONCE * 2
                    withContext(Dispatchers.IO) { server.awaitIdle(1.seconds) }.shouldBeTrue()
                    eventually { replies.all { it.state == Reply.State.CANCELLED } }
                    eventually { llm.client.ledger.rows().count { it.status == LedgerRow.Status.CANCELLED } == 5 }
                }
            }
            run.record("all cancelled", "$wire ${delivery.name.lowercase()}")
        }
    }

    /** Fault 152. */
    private fun timeouts() {
        fault(152, "withTimeout gives its own exception, and nothing is repeated") {
            FaultServer(wire, delivery) { hold() }.use { server ->
                val configure: LlmBuilder.() -> Unit = { fallback(saying("test/never", "never")) }
                faultClient(wire, server.url, configure).use { llm ->
                    shouldThrow<TimeoutCancellationException> {
                        withTimeout(150.milliseconds) { callOf(llm).await() }
                    }
                    withContext(Dispatchers.IO) { server.awaitIdle(1.seconds) }.shouldBeTrue()
                    server.served shouldBeLessThanOrEqual 1
                    eventually { llm.client.ledger.rows().size == server.served }
                    llm.client.ledger.rows().forEach { it.status shouldBe LedgerRow.Status.CANCELLED }
                }
            }
            run.record("TimeoutCancellationException", "$wire ${delivery.name.lowercase()}")
        }
    }

    /** Fault 153. The other Java ways are those of fault 148, and JavaCancellationTest has them in Java. */
    private fun java() {
        faultOnce(153, "a Java stream whose iterator is abandoned leaves the call when it is collected as garbage") {
            FaultServer(wire, delivery) {
                begin(TEXT)
                hold()
            }.use { server ->
                faultClient(wire, server.url).use { llm ->
                    withContext(Dispatchers.IO) {
                        readOne(llm)
                        eventually(10.seconds) {
                            System.gc()
                            server.awaitIdle(20.milliseconds)
                        }
                    }
                    eventually { llm.client.ledger.rows().singleOrNull()?.status == LedgerRow.Status.CANCELLED }
                }
            }
            run.record("closed", "$wire ${delivery.name.lowercase()}")
        }
    }

    private fun FaultRun.readOne(llm: Llm) {
        callOf(llm).stream().iterator().next() shouldBe TEXT
    }

    /** Fault 155. */
    private fun lifecycle() {
        faultOnce(155, "closing twice is harmless, and a call on a closed client says what to do", BOTH) {
            FaultServer(wire, delivery) { answer() }.use { server ->
                val llm = faultClient(wire, server.url)
                val done = callOf(llm)
                done.await().text shouldBe "Hello you"
                llm.close()
                llm.close()
                done.await().text shouldBe "Hello you"
                val failure = shouldThrow<LlmException.Configuration> { callOf(llm).await() }
                failure.message shouldBe "The client is closed: its calls must end before its `use { }` or try block does. Make the call on an open client."
                done.cancel()
                done.state shouldBe Reply.State.DONE
                val stream = callOf(llm).stream()
                stream.close()
                stream.close()
                server.served shouldBe 1
            }
            run.record("harmless", "$wire ${delivery.name.lowercase()}")
        }
    }

    /** Fault 156. */
    private fun handlers() {
        fault(156, "neither a retry nor a fallback follows a cancellation") {
            FaultServer(wire, delivery) { hold() }.use { server ->
                val other = saying("test/never", "never")
                val configure: LlmBuilder.() -> Unit = {
                    fallback(other)
                    fallbackOnAnyError = true
                }
                faultClient(wire, server.url, configure).use { llm ->
                    coroutineScope {
                        val job = launch(Dispatchers.Default) { callOf(llm).await() }
                        eventually { server.served == 1 }
                        job.cancelAndJoin()
                        job.isCancelled.shouldBeTrue()
                    }
                    withContext(Dispatchers.IO) { server.awaitIdle(1.seconds) }.shouldBeTrue()
                    server.served shouldBe 1
                    other.calls shouldBe 0
                }
            }
            run.record("nothing follows", "$wire ${delivery.name.lowercase()}")
        }

        faultOnce(156, "no code of the library catches a cancellation and goes on") {
            val sources = listOf("llm-core", "llm-dsl", "jupyter-integration")
                .flatMap { File("../$it/src/main").walk().filter { file -> file.extension == "kt" } }
            withClue("runCatching catches every exception") { sources.filter { "runCatching" in it.readText() }.map { it.name }.shouldBeEmpty() }
            val swallowing = sources.flatMap { file ->
                val text = file.readText()
                CATCH.findAll(text).filter { found -> RETHROWS.none { it in block(text, found.range.last) } }.map { "${file.name}: ${it.value}" }
            }
            withClue("a handler of CancellationException without throw") { swallowing.shouldBeEmpty() }
            run.record("none", "$wire")
        }
    }

    /** What a handler of a cancellation does; or it says that it handles no cancellation of the caller. */
    private val RETHROWS = listOf("throw ", "ensureActive()", "not of the caller")

    private val CATCH = Regex("""catch \(\w+: (?:kotlinx\.coroutines\.)?CancellationException\) \{""")

    /** The block of [text] whose brace is at [start]. */
    private fun block(text: String, start: Int): String {
        var depth = 0
        for (index in start until text.length) {
            if (text[index] == '{') depth++
            if (text[index] == '}' && --depth == 0) return text.substring(start, index)
        }
        return ""
    }

    private const val SLACK = 12
}

internal class FaultsCancellationSpec : FaultSectionSpec(FaultsCancellation) {
    init {
        afterSpec {
            val times = FaultsCancellation.closings.sorted()
            if (times.isNotEmpty()) println("faults: 148 closed after ${times[times.size / 2]} (p50), ${times[times.size * 99 / 100]} (p99), of ${times.size}")
        }
    }
}
