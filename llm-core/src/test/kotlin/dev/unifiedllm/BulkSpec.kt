package dev.unifiedllm

import com.sun.net.httpserver.HttpServer
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.EmbeddingResponse
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import io.kotest.assertions.nondeterministic.eventually
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.engine.spec.tempdir
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContain
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.ints.shouldBeLessThanOrEqual
import io.kotest.matchers.longs.shouldBeLessThanOrEqual
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import io.kotest.matchers.types.shouldBeInstanceOf
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.asFlow
import kotlinx.coroutines.flow.onEach
import kotlinx.coroutines.flow.take
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext
import kotlinx.serialization.Serializable
import java.lang.ref.WeakReference
import java.net.InetAddress
import java.net.InetSocketAddress
import java.nio.file.Files
import java.nio.file.Path
import java.nio.file.attribute.PosixFilePermissions
import java.util.concurrent.CompletableFuture
import java.util.concurrent.CopyOnWriteArrayList
import java.util.concurrent.Executors
import java.util.concurrent.atomic.AtomicInteger
import java.util.concurrent.atomic.AtomicLong
import kotlin.io.path.readLines
import kotlin.io.path.readText
import kotlin.io.path.writeText
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import kotlin.time.TestTimeSource

@Serializable
data class Shout(val text: String)

private val ChatRequest.prompt: String get() = messages.last().text

/** Says the prompt in capitals, for [usd]. */
private fun shouting(usd: String? = null, before: suspend (String) -> Unit = { }) = Scripted("test/shout") { request ->
    before(request.prompt)
    emit(Delta.Start("r1", ModelId("test", "shout")))
    emit(Delta.Text(request.prompt.uppercase()))
    emit(Delta.Finish(FinishReason.STOP, Usage.of(1, 1), usd?.let { Cost.Known(Usd.of(it), "test") } ?: Cost.Unknown("no price")))
}

/** A call that has its value at once. */
private class Ready<T>(private val value: T) : Call<T> {
    override suspend fun await(): T = value

    override fun get(): T = value

    override fun toFuture(): CompletableFuture<T> = CompletableFuture.completedFuture(value)

    override fun cancel() = Unit
}

/** Counts the requests that are open at a time. */
private class CountingServer : AutoCloseable {
    val open = AtomicInteger()
    val most = AtomicInteger()
    val bodies = CopyOnWriteArrayList<String>()
    private val threads = Executors.newCachedThreadPool { Thread(it).apply { isDaemon = true } }
    private val server = HttpServer.create(InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 100).apply {
        executor = threads
        createContext("/") { exchange ->
            val now = open.incrementAndGet()
            most.accumulateAndGet(now, ::maxOf)
            val body = exchange.requestBody.readBytes().decodeToString()
            Thread.sleep(10)
            bodies += body
            val bytes = """{"id":"c","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"ok"},"finish_reason":"stop"}],
                "usage":{"prompt_tokens":1000,"completion_tokens":1000,"total_tokens":2000}}""".encodeToByteArray()
            exchange.responseHeaders.add("Content-Type", "application/json")
            open.decrementAndGet()
            exchange.sendResponseHeaders(200, bytes.size.toLong())
            exchange.responseBody.use { it.write(bytes) }
        }
        start()
    }
    val url = "http://127.0.0.1:${server.address.port}"

    override fun close() {
        server.stop(0)
        threads.shutdownNow()
    }
}

class BulkSpec : FunSpec({
    val llm = client()
    afterSpec { llm.close() }
    val folder = tempdir().toPath()
    val files = AtomicInteger()
    fun file() = folder.resolve("bulk-${files.incrementAndGet()}.jsonl")

    val words = List(40) { "word-$it" }

    test("making it and printing it send nothing; a second terminal shares the results") {
        val model = shouting()
        val bulk = llm.map(words) { chat(model, it) }
        "$bulk" shouldContain "0/40 (0%)"
        model.calls shouldBe 0
        val results = bulk.await()
        results.map { it.value?.text } shouldContainExactly words.map { it.uppercase() }
        results.map { it.index } shouldContainExactly words.indices.map { it.toLong() }
        bulk.get() shouldBe results
        bulk.toFuture().get() shouldBe results
        model.calls shouldBe 40
        shouldThrow<IllegalStateException> { bulk.results().toList() }.message shouldContain "not kept"
    }

    test("the order is that of the items, whichever ends first; or that of the ends") {
        val gates = words.associateWith { CompletableDeferred<Unit>() }
        val model = shouting { gates.getValue(it).await() }
        val emitted = CopyOnWriteArrayList<String>()
        coroutineRun {
            launch { llm.map(words.take(4)) { chat(model, it) }.results().collect { emitted += it.item } }
            launch {
                for (word in words.take(4).reversed()) {
                    gates.getValue(word).complete(Unit)
                    delay(5)
                }
            }
        }
        emitted shouldContainExactly words.take(4)
        emitted.clear()
        val two = List(2) { CompletableDeferred<Unit>() }
        val other = shouting { two[it.toInt()].await() }
        coroutineRun {
            launch {
                llm.map(listOf("0", "1"), options = { inOrder = false }) { chat(other, it) }.results().collect {
                    emitted += it.item
                    two[0].complete(Unit)
                }
            }
            two[1].complete(Unit)
        }
        emitted shouldContainExactly listOf("1", "0")
    }

    test("a failure is the result of its item; one of the lambda, too") {
        val model = shouting { if (it == "word-3") throw LlmException.Overloaded("busy") }
        val results = llm.map(words.take(6)) {
            require(it != "word-5") { "not this one" }
            chat(model, it)
        }.await()
        results.map { it.state } shouldContainExactly
            List(6) { if (it == 3 || it == 5) BulkResult.State.FAILED else BulkResult.State.DONE }
        results[3].failure.shouldBeInstanceOf<LlmException.Overloaded>()
        results[5].failure.shouldBeInstanceOf<IllegalArgumentException>().message shouldBe "not this one"
        shouldThrow<LlmException.Overloaded> { results[3].orThrow() }
        results[0].orThrow().text shouldBe "WORD-0"
    }

    test("no more calls are open at a server than concurrency says, and that many are") {
        CountingServer().use { server ->
            client { provider("mine") { baseUrl = server.url } }.use { local ->
                val results = local.map((1..120).toList(), concurrency = 7) {
                    chat("mine/m") {
                        user("number $it")
                        delivery = dev.unifiedllm.chat.Delivery.WHOLE
                    }
                }.await()
                results.mapNotNull { it.failure }.shouldBeEmpty()
            }
            server.most.get() shouldBe 7
            server.bodies shouldHaveSize 120
        }
    }

    test("items of a sequence, a flow and a stream are taken when their calls are made") {
        suspend fun <T> look(bulk: (AtomicInteger) -> Bulk<Int, ChatResponse>, block: suspend (Bulk<Int, ChatResponse>, AtomicInteger) -> T): T =
            AtomicInteger().let { block(bulk(it), it) }
        val model = shouting()
        val sources = listOf<(AtomicInteger) -> Bulk<Int, ChatResponse>>(
            { taken -> llm.map(generateSequence(0) { it + 1 }.onEach { taken.incrementAndGet() }, concurrency = 3) { chat(model, "$it") } },
            { taken -> llm.map(generateSequence(0) { it + 1 }.asFlow().onEach { taken.incrementAndGet() }, concurrency = 3) { chat(model, "$it") } },
        )
        for (source in sources) {
            look(source) { bulk, taken ->
                bulk.results().take(10).toList().map { it.value?.text } shouldContainExactly (0 until 10).map { "$it" }
                taken.get() shouldBeLessThanOrEqual 10 + 3 + 1_024 // taken, running, and done before the collector has left
                bulk.progress.total shouldBe null
            }
        }
        llm.map((1..3).asFlow()) { chat(model, "$it") }.await().map { it.value?.text } shouldContainExactly listOf("1", "2", "3")
    }

    test("a source that fails ends the bulk") {
        val model = shouting()
        val items = sequence {
            yield("a")
            error("the file is gone")
        }
        shouldThrow<IllegalStateException> { llm.map(items) { chat(model, it) }.await() }.message shouldBe "the file is gone"
    }

    test("a null from Java is refused with its place: in a collection at once, elsewhere when it is taken") {
        val model = shouting()

        @Suppress("UNCHECKED_CAST")
        val items = listOf("a", "b", null, "c") as List<String>
        shouldThrow<IllegalArgumentException> { llm.map(items) { chat(model, it) } }.message shouldContain "Item 2 of the bulk"
        val others = listOf<() -> Bulk<String, ChatResponse>>(
            { llm.map(Iterable { items.iterator() }, concurrency = 1) { chat(model, it) } },
            { llm.map(items.asSequence(), concurrency = 1) { chat(model, it) } },
            { llm.map(items.asFlow(), concurrency = 1) { chat(model, it) } },
            { llm.map(items.stream(), { it.concurrency(1) }, { llm.chat(model, it) }) },
        )
        for (make in others) {
            val bulk = make()
            shouldThrow<IllegalArgumentException> { bulk.await() }.message shouldContain "Item 2 of the bulk"
            bulk.progress.done shouldBe 2
        }
    }

    test("100,000 items pass without staying in memory") {
        val payload = 20_000 // 2 GB in all, of which the JVM has not half
        val count = 100_000
        val first = ArrayList<WeakReference<ByteArray>>()
        val seen = AtomicLong()
        val bulk = llm.map(generateSequence(0) { if (it + 1 < count) it + 1 else null }.map { ByteArray(payload) }, concurrency = 8) {
            synchronized(first) { if (first.size < 100) first += WeakReference(it) }
            Ready(it.size)
        }
        withContext(Dispatchers.Default) { bulk.results().collect { seen.incrementAndGet() } }
        seen.get() shouldBe count
        bulk.progress.done shouldBe count
        bulk.progress.unpriced shouldBe count // a call that does not tell its cost
        System.gc()
        first.count { it.get() != null } shouldBe 0
    }

    test("a slow collector holds the calls up") {
        val model = shouting()
        val bulk = llm.map(generateSequence(0) { it + 1 }, concurrency = 2) { chat(model, "$it") }
        bulk.results().take(3).collect { delay(30) }
        model.calls shouldBeLessThanOrEqual 8
    }

    test("costs are added exactly, and what has none is counted") {
        val priced = shouting("0.0000001")
        val free = shouting()
        val bulk = llm.map(words) { if (it.endsWith("7")) chat(free, it) else chat(priced, it) }
        bulk.await().count { it.cost is Cost.Unknown } shouldBe 4
        bulk.progress.cost shouldBe Usd.of("0.0000036")
        bulk.progress.unpriced shouldBe 4
        bulk.progress.toString() shouldBe "40/40 (100%), $0.00000360 (4 unpriced)"
        llm.map(listOf("hi")) { chat("demo/echo", it) }.also { it.await() }.progress.cost shouldBe Usd.ZERO // made up
    }

    test("no call starts when the costs have reached maxCost") {
        val model = shouting("0.10")
        val bulk = llm.map(words, concurrency = 1, options = { maxCost = Usd.of("0.5") }) { chat(model, it) }
        val results = bulk.await()
        results.map { it.state } shouldContainExactly List(5) { BulkResult.State.DONE } + List(35) { BulkResult.State.NOT_STARTED }
        results.last().failure.shouldBeInstanceOf<LlmException.BudgetExceeded>()
        bulk.progress.run { done to notStarted } shouldBe (5L to 35L)
        bulk.progress.cost shouldBe Usd.of("0.50")
        bulk.progress.stopReason.shouldNotBeNull() shouldContain "maxCost of $0.50"
        model.calls shouldBe 5
        shouldThrow<IllegalArgumentException> { llm.map(words, options = { maxCost = Usd.ZERO }) { chat(model, it) } }
    }

    test("a call that a budget refuses ends the bulk: the items that are left are not started, those of a sequence not even taken") {
        val model = shouting { if (it == "word-4") throw LlmException.BudgetExceeded("the budget of 5 USD a day is used up") }
        val results = llm.map(words, concurrency = 1) { chat(model, it) }.await()
        results.map { it.state }.groupingBy { it }.eachCount() shouldBe
            mapOf(BulkResult.State.DONE to 4, BulkResult.State.FAILED to 1, BulkResult.State.NOT_STARTED to 35)
        results[5].failure shouldBe results[4].failure
        val taken = AtomicInteger()
        llm.map(generateSequence(0) { it + 1 }.onEach { taken.incrementAndGet() }, concurrency = 1) { chat(model, "word-$it") }.await() shouldHaveSize 5
        taken.get() shouldBe 5
    }

    test("cancelling ends the calls that run; leaving does, too") {
        val valve = Valve()
        val bulk = llm.map(listOf("a")) { chat(valve, it) }
        coroutineRun {
            val waiting = async { shouldThrow<LlmException.Cancelled> { bulk.results().toList() } }
            withContext(Dispatchers.IO) { valve.awaitBegin() }
            bulk.cancel()
            waiting.await().message shouldContain "was cancelled"
        }
        withContext(Dispatchers.IO) { valve.awaitEnd() }.shouldNotBeNull()
        val other = Valve()
        coroutineRun {
            val collecting = launch { llm.map(listOf("a")) { chat(other, it) }.await() }
            withContext(Dispatchers.IO) { other.awaitBegin() }
            collecting.cancelAndJoin()
        }
        withContext(Dispatchers.IO) { other.awaitEnd() }.shouldNotBeNull()
        val list = llm.map(listOf("a")) { chat(Valve(), it) }
        val future = list.toFuture()
        list.cancel()
        eventually(5.seconds) { future.isCompletedExceptionally shouldBe true }
    }

    test("cancelling closes the connections") {
        val begun = CompletableDeferred<Unit>()
        val closed = CompletableDeferred<Unit>()
        java.net.ServerSocket(0, 10, InetAddress.getLoopbackAddress()).use { socket ->
            Thread {
                socket.accept().use { connection ->
                    connection.getInputStream().read()
                    begun.complete(Unit)
                    while (connection.getInputStream().read() >= 0) Unit
                    closed.complete(Unit)
                }
            }.apply { isDaemon = true }.start()
            client { provider("mine") { baseUrl = "http://127.0.0.1:${socket.localPort}" } }.use { local ->
                val bulk = local.map(listOf("a")) { chat("mine/m", it) }
                val future = bulk.toFuture()
                begun.await()
                bulk.cancel()
                kotlinx.coroutines.withTimeout(5.seconds) { closed.await() }
                future.isDone
            }
        }
    }

    test("a closed client ends the bulk") {
        val local = client()
        val model = shouting { if (it == "5") local.close() }
        val bulk = local.map(generateSequence(0) { it + 1 }, concurrency = 1) { chat(model, "$it") }
        val results = bulk.results().toList()
        results.take(5).map { it.state }.toSet() shouldBe setOf(BulkResult.State.DONE)
        results.last().state shouldBe BulkResult.State.FAILED
        bulk.progress.stopReason.shouldNotBeNull() shouldContain "closed"
    }

    test("typed answers, embeddings and images are calls as any") {
        val json = Scripted("test/json") { request -> says(ModelId("test", "json"), """{"text":"${request.prompt.uppercase()}"}""") }
        llm.map(listOf("a", "b")) { chat(json, it).typed<Shout>() }.await().map { it.value } shouldContainExactly listOf(Shout("A"), Shout("B"))
        llm.map(listOf("a")) { chat(json, it).typed(String::class.java) }.await().single().value shouldBe """{"text":"A"}"""
        llm.map(listOf("a", "b")) { embed("demo/embedder", it) }.await().map { it.value?.dimensions } shouldContainExactly List(2) { 256 }.let { expected ->
            llm.embed("demo/embedder", "a").await().dimensions.let { dimensions -> expected.map { dimensions } }
        }
        llm.map(listOf("a train")) { image("demo/painter", it) }.await().single().value?.images.shouldNotBeNull() shouldHaveSize 1
        val mismatch = llm.map(listOf("a")) { chat(shouting("0.25"), it).typed<Shout>() }
        mismatch.await().single().failure.shouldBeInstanceOf<LlmException.MalformedResponse>()
        mismatch.progress.cost shouldBe Usd.of("0.50") // asked for once more
    }

    test("the progress is told once after each result; a listener that fails is not called again") {
        val model = shouting("0.01") { if (it == "word-1") throw LlmException.Overloaded("busy") }
        val told = CopyOnWriteArrayList<BulkProgress>()
        val calls = AtomicInteger()
        val bulk = llm.map(
            words.take(3),
            concurrency = 1,
            options = {
                onProgress { told += it }
                onProgress { if (calls.incrementAndGet() == 2) error("no bar") }
            },
        ) { chat(model, it) }
        bulk.await()
        told.map { it.finished } shouldContainExactly listOf(1L, 2L, 3L)
        told.map { it.failed } shouldContainExactly listOf(0L, 1L, 1L)
        told.map { it.isEnded } shouldContainExactly listOf(false, false, true)
        told.last().total shouldBe 3
        calls.get() shouldBe 2
        bulk.progress.warnings.single() shouldContain "no bar"
        told.clear()
        llm.map(words.take(2).asSequence(), concurrency = 1, options = { onProgress { told += it } }) { chat(model, it) }.await()
        told.map { it.finished to it.isEnded } shouldContainExactly listOf(1L to false, 2L to false, 2L to true) // which is the last was not known
        told.clear()
        llm.map(emptyList<String>(), options = { onProgress { told += it } }) { chat(model, it) }.await()
        told.map { it.isEnded } shouldContainExactly listOf(true)
    }

    test("whatever exception a listener of the progress throws is a warning; an error is not") {
        val model = shouting("0.01")
        for (failure in listOf(java.io.IOException("disk full"), java.util.concurrent.CancellationException("no more"), IllegalStateException("wrong"))) {
            val bulk = llm.map(words.take(3), options = { onProgress { throw failure } }) { chat(model, it) }
            bulk.await().map { it.state }.toSet() shouldBe setOf(BulkResult.State.DONE)
            bulk.progress.warnings.single() shouldContain failure.message!!
        }
        shouldThrow<NotImplementedError> { llm.map(words.take(3), options = { onProgress { TODO() } }) { chat(model, it) }.await() }
    }

    test("the bar is drawn over itself in a terminal; elsewhere there are lines") {
        val time = TestTimeSource()
        val drawn = mutableListOf<String>()
        fun progress(done: Long, seconds: Int, isEnded: Boolean = false) =
            BulkProgress(done, 1, 0, 0, 201, Usd.of("0.0123"), 2, seconds.seconds, null, isEnded, emptyList(), FromKotlin.CALL)
        val bar = ProgressText(isTerminal = true, time, drawn::add)
        bar.accept(progress(99, 10))
        bar.accept(progress(100, 10)) // too soon
        time += 200.milliseconds
        bar.accept(progress(200, 20, isEnded = true))
        drawn shouldHaveSize 2
        drawn[0] shouldBe "\r[##############----------------] 100/201 (49%), 1 failed, $0.0123 (2 unpriced), 10.0/s, about 10s left"
        drawn[1] shouldContain "[##############################] 201/201 (100%), 1 failed, $0.0123 (2 unpriced), 10.1/s, in 20s"
        drawn[1].endsWith("\n") shouldBe true
        drawn.clear()
        val lines = ProgressText(isTerminal = false, time, drawn::add)
        lines.accept(progress(1, 1)) // too soon
        lines.accept(progress(99, 10))
        lines.accept(progress(100, 11)) // too soon
        lines.accept(progress(200, 12, isEnded = true))
        drawn.map { it.startsWith("\r") } shouldContainExactly listOf(false, false)
        drawn[0] shouldContain "100/201"
        drawn[1] shouldContain "in 12s\n"
    }

    context("a checkpoint") {
        fun bulk(model: Model, items: List<String>, at: java.nio.file.Path, block: BulkOptions.() -> Unit = {}) =
            llm.map(items, concurrency = 4, options = {
                checkpoint = at
                block()
            }) { chat(model, it) }

        test("keeps what is done: a second run sends the rest only, and gives the same results") {
            val at = file()
            val flaky = shouting("0.01") { if (it.endsWith("3")) throw LlmException.Overloaded("busy") }
            bulk(flaky, words, at).await().count { it.state == BulkResult.State.FAILED } shouldBe 4
            flaky.calls shouldBe 40
            val model = shouting("0.01")
            val second = bulk(model, words, at)
            val results = second.await()
            model.calls shouldBe 4
            results.map { it.value?.text } shouldContainExactly words.map { it.uppercase() }
            results.count { it.isResumed } shouldBe 36
            results[0].value?.run { listOf(this.model, usage?.inputTokens, cost.usd(), finishReason) }.shouldNotBeNull() shouldBe
                listOf(ModelId("test", "shout"), 1L, Usd.of("0.01"), FinishReason.STOP)
            second.progress.resumed shouldBe 36
            second.progress.cost shouldBe Usd.of("0.40")
        }

        test("is readable by its owner only, and has no prompts") {
            val at = file()
            bulk(Scripted("test/x") { says(ModelId("test", "x"), "answer") }, listOf("a secret prompt"), at).await()
            PosixFilePermissions.toString(Files.getPosixFilePermissions(at)) shouldBe "rw-------"
            at.readText() shouldContain "answer"
            at.readText() shouldNotContain "secret"
            at.readLines() shouldHaveSize 2
        }

        test("of which the last line was cut goes on behind the lines before it") {
            val at = file()
            bulk(shouting(), words.take(5), at).await()
            val whole = at.readLines()
            at.writeText(whole.dropLast(1).joinToString("\n", postfix = "\n") + whole.last().dropLast(7))
            val model = shouting()
            bulk(model, words.take(5), at).await().map { it.value?.text } shouldContainExactly words.take(5).map { it.uppercase() }
            model.calls shouldBe 1
            at.readLines() shouldHaveSize 6
            bulk(model, words.take(5), at).await()
            model.calls shouldBe 1
        }

        test("with a line that is broken in its middle sends that item again") {
            val at = file()
            bulk(shouting(), words.take(5), at).await()
            val lines = at.readLines().toMutableList()
            lines[2] = lines[2].replace("\"deltas\"", "\"deltas")
            lines[3] = lines[3].replace("\"t\":\"start\"", "\"t\":\"later\"")
            at.writeText(lines.joinToString("\n", postfix = "\n"))
            val model = shouting()
            bulk(model, words.take(5), at).await().map { it.value?.text } shouldContainExactly words.take(5).map { it.uppercase() }
            model.calls shouldBe 2
        }

        test("does not answer for another item, another prompt or another model") {
            val at = file()
            val model = shouting()
            bulk(model, listOf("a", "b"), at).await()
            bulk(model, listOf("a", "c"), at).await().map { it.value?.text } shouldContainExactly listOf("A", "C")
            model.calls shouldBe 3
            llm.map(listOf("a", "c"), options = { checkpoint = at }) {
                chat(model) {
                    system("In French")
                    user(it)
                }
            }.await()
            model.calls shouldBe 5
            llm.map(listOf("a", "c"), options = { checkpoint = at }) {
                chat(model) {
                    system("In French")
                    user(it)
                    temperature = 1.0
                }
            }.await()
            model.calls shouldBe 7
        }

        test("counts what was spent before for maxCost") {
            val at = file()
            val model = shouting("0.10")
            bulk(model, words, at) {
                maxCost = Usd.of("0.30")
                concurrency = 1
            }.await()
            model.calls shouldBe 3
            val second = bulk(model, words, at) {
                maxCost = Usd.of("0.50")
                concurrency = 1
            }
            second.await()
            model.calls shouldBe 5
            second.progress.cost shouldBe Usd.of("0.50")
        }

        test("keeps tool loops, typed answers, embeddings and images") {
            val at = file()
            val model = dev.unifiedllm.telemetry.toolCaller()
            fun tools() = llm.map(listOf("weather?"), options = { checkpoint = at }) {
                chat(model) {
                    user(it)
                    tool("weather", "Current weather", dev.unifiedllm.telemetry.SCHEMA) { "18" }
                }
            }
            val first = tools().await().single().value.shouldNotBeNull()
            val again = tools().await().single().value.shouldNotBeNull()
            model.calls shouldBe 2
            again.text shouldBe "sunny"
            again.messages shouldContainExactly first.messages
            again.steps.map { it.usage } shouldContainExactly first.steps.map { it.usage }

            val json = Scripted("test/json") { says(ModelId("test", "json"), """{"text":"A"}""") }
            fun typed() = llm.map(listOf("a"), options = { checkpoint = at.resolveSibling("typed") }) { chat(json, it).typed<Shout>() }
            typed().await() shouldHaveSize 1
            typed().await().single().run { value to isResumed } shouldBe (Shout("A") to true)
            json.calls shouldBe 1

            fun vectors() = llm.map(listOf("a", "b"), options = { checkpoint = at.resolveSibling("vectors") }) { embed("demo/embedder", it) }
            fun numbers(results: List<BulkResult<String, EmbeddingResponse>>) = results.map { it.value.shouldNotBeNull().vector.toList() }
            val made = numbers(vectors().await())
            val kept = vectors().await()
            kept.map { it.isResumed } shouldContainExactly listOf(true, true)
            numbers(kept) shouldContainExactly made

            fun pictures() = llm.map(listOf("a train"), options = { checkpoint = at.resolveSibling("pictures") }) { image("demo/painter", it) }
            val picture = pictures().await().single().value.shouldNotBeNull().images.single().bytes()
            pictures().await().single().run { isResumed to value!!.images.single().bytes().contentEquals(picture) } shouldBe (true to true)
        }

        test("that is no checkpoint, is used by another bulk or cannot hold the calls ends the bulk, and changes nothing") {
            val at = file()
            at.writeText("a list of mine\n")
            shouldThrow<LlmException.Configuration> { bulk(shouting(), words, at).await() }.message shouldContain "no checkpoint of a bulk"
            at.readText() shouldBe "a list of mine\n"
            val model = shouting()
            shouldThrow<LlmException.Configuration> {
                llm.map(words, options = { checkpoint = file() }) { compare("demo/echo", "demo/echo") { user("hi") } }.await()
            }.message shouldContain "cannot keep the results of a Comparison"
            val shared = file()
            val valve = Valve()
            coroutineRun {
                val one = launch { llm.map(listOf("a"), options = { checkpoint = shared }) { chat(valve, it) }.await() }
                withContext(Dispatchers.IO) { valve.awaitBegin() }
                shouldThrow<LlmException.Configuration> { bulk(model, words, shared).await() }.message shouldContain "used by another bulk"
                one.cancelAndJoin()
            }
            model.calls shouldBe 0
        }
    }

    test("a line is drawn over itself in a terminal, unless TERM is dumb") {
        val folder = Files.createTempDirectory("terminal")
        val terminal = Files.createSymbolicLink(folder.resolve("terminal"), Path.of("/dev/pts/7"))
        val file = Files.createSymbolicLink(folder.resolve("file"), Path.of("/tmp/log"))
        ProgressText.isTerminal("xterm", terminal) shouldBe true
        ProgressText.isTerminal(null, terminal) shouldBe true
        ProgressText.isTerminal("dumb", terminal) shouldBe false
        ProgressText.isTerminal("xterm", file) shouldBe false
        folder.toFile().deleteRecursively()
    }
})

private suspend fun coroutineRun(block: suspend kotlinx.coroutines.CoroutineScope.() -> Unit) = kotlinx.coroutines.coroutineScope { block() }
