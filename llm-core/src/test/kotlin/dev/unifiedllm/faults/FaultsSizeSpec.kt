package dev.unifiedllm.faults

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmBuilder
import dev.unifiedllm.LlmException.MalformedResponse
import dev.unifiedllm.LlmException.Timeout
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.store.LedgerRow
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.assertions.withClue
import io.kotest.matchers.booleans.shouldBeTrue
import io.kotest.matchers.comparables.shouldBeLessThan
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.TimeoutCancellationException
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.take
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext
import kotlinx.coroutines.withTimeout
import java.util.concurrent.atomic.AtomicInteger
import java.util.concurrent.atomic.AtomicLong
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds

/** Section G of the list of faults: size, and back-pressure. */
internal object FaultsSize : FaultSection("G size") {
    private val short = 60.milliseconds
    private val openAi = listOf(Wire.named("openai-chat"))
    private val json = listOf(Wire.named("openai-chat"), Wire.named("ollama-chat"))
    private const val LINES = 300_000
    private const val MANY = 20_000
    private const val MIB = 1L shl 20

    init {
        sizes()
        backPressure()
        many()
        consumers()
    }

    private fun sizes() {
        fault(137, "a line that does not end is malformed at the limit of a body", json) {
            val outcome = call {
                head()
                write(if (wire.framing == Framing.SSE && isStream) "data: \"".encodeToByteArray() else "{\"a\":\"".encodeToByteArray())
                endless(ByteArray(1 shl 20) { 'x'.code.toByte() })
            }
            outcome.shouldFailAtOnce<MalformedResponse>().message!! shouldContain "limit"
            outcome.elapsed shouldBeLessThan 10.seconds
        }
        fault(138, "an event of 300,000 lines of data is read in linear time", Wire.sse, STREAM) {
            val outcome = call {
                begin("Hello", " you")
                write(("data: {\n" + "data: \"a\":1,\n".repeat(LINES) + "data: \"type\":\"of-no-use\"}\n\n").encodeToByteArray())
                end()
            }
            outcome.shouldAnswer()
            outcome.elapsed shouldBeLessThan 3.seconds
        }
        fault(138, "300,000 lines that are no JSON are read in linear time", Wire.sse - Wire.named("replicate-predictions"), STREAM) {
            for (line in listOf("data: x\n", "data: []\n", "data: [1]\n", "[1]\n", "{}\n", ",{}\n")) {
                val outcome = call {
                    begin("Hello", " you")
                    if (line.startsWith("d")) write("data: [\n".encodeToByteArray()) else write("[{}\n".encodeToByteArray())
                    write(line.repeat(LINES).encodeToByteArray())
                }
                withClue("$line $outcome") { outcome.elapsed shouldBeLessThan 3.seconds }
                outcome.failure!!.partial!!.text shouldBe "Hello you"
            }
        }
        fault(139, "endless comments end at the no-content deadline, however fast they come", deliveries = STREAM) {
            val outcome = call({ timeouts { noContent = short } }) {
                begin("Hello")
                endless(List(200) { wire.keepAlive }.reduce(ByteArray::plus))
            }
            outcome.shouldFail<Timeout>(partial = "Hello").phase shouldBe Timeout.Phase.NO_CONTENT
        }
        fault(139, "endless white space in a response in one piece ends at the no-content deadline", deliveries = WHOLE) {
            val outcome = call({ timeouts { noContent = short } }) {
                head()
                endless(" ".repeat(1000).encodeToByteArray())
            }
            outcome.shouldFail<Timeout>(ALL_ATTEMPTS).phase shouldBe Timeout.Phase.NO_CONTENT
        }
        fault(140, "endless deltas end at the total deadline", deliveries = STREAM) {
            val outcome = callEndless({ timeouts { total = 150.milliseconds } })
            (outcome.failure as Timeout).phase shouldBe Timeout.Phase.TOTAL
            outcome.failure.partial!!.text.startsWith("xxxx").shouldBeTrue()
        }
        fault(140, "endless deltas end at the limit of the output", openAi, STREAM) {
            val outcome = callEndless(text = "x".repeat(1 shl 20))
            outcome.failure!!.message!! shouldContain "output is longer than the limit of 67108864 characters"
            (outcome.failure as MalformedResponse).partial!!.text.length shouldBe (65 shl 20)
        }
    }

    private suspend fun FaultRun.callEndless(configure: LlmBuilder.() -> Unit = {}, text: String = "xxxx"): Outcome = call(configure) {
        begin()
        val piece = wire.text(text)
        endless(if (text.length > 100) piece else List(50) { piece }.reduce(ByteArray::plus))
    }

    private fun backPressure() {
        fault(141, "a slow collector of a model's stream slows the server: nothing but the buffers of the network fills", deliveries = STREAM) {
            val written = AtomicLong()
            val go = CompletableDeferred<Unit>()
            val event = wire.text("x".repeat(1000))
            FaultServer(wire, delivery) {
                head()
                write(wire.opening)
                repeat(MANY) {
                    write(event)
                    if (go.isActive) written.addAndGet(event.size.toLong())
                }
                end()
            }.use { server ->
                faultClient(wire, server.url).use { llm ->
                    coroutineScope {
                        val watching = launch(Dispatchers.Default) {
                            var last = -1L
                            while (last != written.get() || last == 0L) {
                                last = written.get()
                                delay(40)
                            }
                            go.complete(Unit)
                        }
                        var length = 0
                        llm.events(wire).collect {
                            if (it is Delta.Text) {
                                if (length == 0) go.await()
                                length += it.text.length
                            }
                        }
                        watching.join()
                        length shouldBe MANY * 1000
                    }
                }
            }
            withClue("bytes that the server could write while the collector waited") { written.get() shouldBeLessThan (12 * MIB) }
            run.record("answered, at most ${written.get() / MIB + 1} MiB ahead of the collector", wire.name)
        }
        fault(142, "a collector that waits does not make the idle deadline pass", deliveries = STREAM) {
            val outcome = call({ timeouts { idle = short } }, onDelta = { if (it is Delta.Text && it.text == "Hello") delay(200) }) {
                begin("Hello")
                Thread.sleep(20)
                write(wire.text(" you"))
                end()
            }
            outcome.shouldAnswer()
        }
        fault(142, "a collector that waits for ever is ended by the total deadline", deliveries = STREAM) {
            FaultServer(wire, delivery) { answer() }.use { server ->
                faultClient(wire, server.url) { timeouts { total = 150.milliseconds } }.use { llm ->
                    val failure = shouldThrow<Timeout> {
                        llm.events(wire).collect { if (it is Delta.Text) awaitCancellation() }
                    }
                    failure.phase shouldBe Timeout.Phase.TOTAL
                }
                server.awaitIdle(1.seconds).shouldBeTrue()
            }
            run.record("Timeout(TOTAL)", wire.name)
        }
    }

    private fun many() {
        faultOnce(143, "1,000 streams of 100 deltas at once are complete, with few threads") {
            val texts = Array(100) { "$it," }
            var most = 0
            FaultServer(wire, delivery) {
                head()
                write(wire.stream(*texts).reduce(ByteArray::plus))
            }.use { server ->
                faultClient(wire, server.url).use { llm ->
                    coroutineScope {
                        val watching = launch(Dispatchers.IO) {
                            while (true) {
                                most = maxOf(most, threadsOfClients())
                                delay(20)
                            }
                        }
                        val calls = List(1000) { async(Dispatchers.Default) { llm.chat(wire.model) { user("Hi") }.await().text } }
                        calls.awaitAll().toSet() shouldBe setOf(texts.joinToString(""))
                        watching.cancel()
                    }
                }
            }
            most shouldBeLessThan 250 // HttpThreads adds some while the processors are busy: here also with a thread of the server for each stream
            run.record("answered 1,000 times, $most threads of the client", wire.name)
        }
        faultOnce(144, "idle streams take little memory") {
            val count = 400
            val begun = AtomicInteger()
            FaultServer(wire, delivery) {
                begin("Hello")
                hold()
            }.use { server ->
                faultClient(wire, server.url).use { llm ->
                    coroutineScope {
                        val before = usedHeap()
                        val calls = List(count) { number ->
                            launch(Dispatchers.Default) {
                                llm.events(wire).collect { if (it is Delta.Text) begun.incrementAndGet() }
                                error("stream $number has ended")
                            }
                        }
                        withTimeout(20.seconds) { while (begun.get() < count) delay(5) }
                        val perStream = (usedHeap() - before) / count
                        for (call in calls) call.cancel()
                        run.record("${perStream / 1024} KiB of heap for each idle stream, its server included", wire.name)
                        perStream shouldBeLessThan (300L * 1024)
                    }
                }
            }
        }
    }

    private fun consumers() {
        fault(145, "a failure of the collector at any delta comes back as it is, and the connection is closed", deliveries = STREAM) {
            val all = Array(5) { "$it," }
            val count = call { answer(*all) }.deltas.size
            FaultServer(wire, delivery) {
                begin(*all)
                hold()
            }.use { server ->
                for (k in 0 until count - 1) {
                    faultClient(wire, server.url).use { llm ->
                        var left = k
                        val own = IllegalStateException("the collector's own")
                        val thrown = shouldThrow<IllegalStateException> {
                            llm.events(wire).collect { if (left-- == 0) throw own }
                        }
                        (thrown === own || thrown.cause === own).shouldBeTrue()
                        withClue("delta $k") { withContext(Dispatchers.IO) { server.awaitIdle(1.seconds) }.shouldBeTrue() }
                        llm.client.ledger.rows().size shouldBe 1
                        llm.client.ledger.rows().single().status shouldBe LedgerRow.Status.FAILED
                    }
                }
                server.served shouldBe count - 1
            }
            run.record("the collector's own failure, at $count deltas", wire.name)
        }
        fault(146, "take, first and a time-out of the caller cancel the call", deliveries = STREAM) {
            FaultServer(wire, delivery) {
                begin("Hello", " you")
                hold()
            }.use { server ->
                suspend fun left(name: String, leave: suspend (Llm) -> Unit) = faultClient(wire, server.url).use { llm ->
                    leave(llm)
                    withClue(name) {
                        withContext(Dispatchers.IO) { server.awaitIdle(1.seconds) }.shouldBeTrue()
                        withTimeout(1.seconds) { while (llm.client.ledger.rows().isEmpty()) delay(2) } // a reply ends after its last consumer
                        llm.client.ledger.rows().map { it.status } shouldBe listOf(LedgerRow.Status.CANCELLED)
                    }
                }
                left("take") { llm -> llm.events(wire).take(1).toList().size shouldBe 1 }
                left("first") { llm -> llm.chat(wire.model) { user("Hi") }.deltas().first() shouldBe "Hello" }
                left("withTimeout") { llm ->
                    shouldThrow<TimeoutCancellationException> { withTimeout(150.milliseconds) { llm.chat(wire.model) { user("Hi") }.await() } }
                }
                server.served shouldBe 3
            }
            run.record("cancelled", wire.name)
        }
    }

    private fun threadsOfClients(): Int {
        val all = arrayOfNulls<Thread>(Thread.activeCount() + 100)
        return (0 until Thread.enumerate(all)).count { all[it]!!.name.startsWith("unified-llm") }
    }

    private fun usedHeap(): Long {
        System.gc()
        return Runtime.getRuntime().let { it.totalMemory() - it.freeMemory() }
    }

    private fun Llm.events(wire: Wire): Flow<Delta> = model(wire.model).let { it.stream(ChatRequest.build(it) { user("Hi") }) }
}

internal class FaultsSizeSpec : FaultSectionSpec(FaultsSize)
