package dev.unifiedllm.transport

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.LlmException.Network
import dev.unifiedllm.LlmException.Timeout
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.comparables.shouldBeLessThan
import io.kotest.matchers.comparables.shouldBeLessThanOrEqualTo
import io.kotest.matchers.ints.shouldBeGreaterThan
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.launch
import kotlinx.coroutines.runInterruptible
import kotlinx.coroutines.test.advanceTimeBy
import kotlinx.coroutines.test.runCurrent
import kotlinx.coroutines.test.runTest
import kotlinx.coroutines.withContext
import java.net.URI
import java.util.concurrent.CountDownLatch
import java.util.concurrent.Semaphore
import java.util.concurrent.TimeUnit
import java.util.concurrent.atomic.AtomicInteger
import java.util.concurrent.locks.LockSupport
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import kotlin.time.measureTime

private fun chunk(text: String) = """data: {"id":"1","model":"m","choices":[{"index":0,"delta":{"content":"$text"},"finish_reason":null}]}""" + "\n\n"

private const val STOP = """data: {"id":"1","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}""" + "\n\ndata: [DONE]\n\n"

private fun transport(limit: Int = 100) = JdkTransport(10.seconds, Certificates.context(), maxConcurrentStreams = limit)

private fun client(url: String, limit: Int? = null): Llm = Llm.builder().environment { null }.sslContext(Certificates.context()).also { builder ->
    limit?.let(builder::maxConcurrentStreams)
}.provider("own") {
    baseUrl = url
    apiKey = TEST_KEY
}.build()

/** The bodies of [count] calls that all begin at once. */
private suspend fun Transport.all(count: Int, url: String, firstByte: Duration = 60.seconds): List<String> = withContext(Dispatchers.Default) {
    List(count) { async { post(url, "call $it", firstByte) } }.awaitAll()
}

/** HTTP/2, and what it does at its limit of streams: faults 15, 16 and 53 of the list of faults. */
@OptIn(ExperimentalCoroutinesApi::class)
class Http2Spec : FunSpec({
    test("500 streams that begin at once all complete at a server that allows 100") {
        Http2Server(100) { body ->
            head()
            write(body)
            LockSupport.parkNanos(5.milliseconds.inWholeNanoseconds)
            write("!")
            end()
        }.use { server ->
            transport().use { it.all(500, server.url) shouldBe List(500) { call -> "call $call!" } }
            server.mostRunning shouldBeLessThanOrEqualTo 100
            server.refusals shouldBe 0
            server.requests shouldBe 500
        }
    }

    test("500 replies of a client with the default settings") {
        Http2Server(100) { respond(chunk("Hel"), chunk("lo"), STOP) }.use { server ->
            client(server.url).use { llm ->
                val replies = List(500) { llm.chat("own/m", "hi").toFuture() }
                for (reply in replies) {
                    reply.get(60, TimeUnit.SECONDS).run {
                        text shouldBe "Hello"
                        attempts shouldHaveSize 1
                    }
                }
            }
            server.refusals shouldBe 0
        }
    }

    test("a server that allows fewer streams than the limit: all complete") {
        Http2Server(10) { body ->
            LockSupport.parkNanos(2.milliseconds.inWholeNanoseconds)
            respond(body)
        }.use { server ->
            transport().use { transport ->
                transport.post(server.url, "first") shouldBe "first" // from now on the client has a connection, and knows the server's limit
                transport.all(200, server.url) shouldBe List(200) { "call $it" }
            }
            server.refusals shouldBe 0
        }
    }

    test("over HTTP/1.1 there is no limit: 150 responses are open at once") {
        val heads = CountDownLatch(150)
        LoopbackServer(Certificates.context(Certificates.SERVER)) {
            head()
            heads.countDown()
            heads.await()
            write("all")
        }.use { server -> transport().use { it.all(150, server.url) shouldBe List(150) { "all" } } }
    }

    context("beyond the limit") {
        test("a request waits until a stream ends") {
            val release = Semaphore(0)
            Http2Server { body ->
                release.acquire()
                respond(body)
            }.use { server ->
                transport(limit = 2).use { transport ->
                    coroutineScope {
                        val calls = List(6) { async(Dispatchers.Default) { transport.post(server.url, "call $it") } }
                        for (call in calls) release.release()
                        calls.awaitAll() shouldBe List(6) { "call $it" }
                    }
                }
                server.mostRunning shouldBeLessThanOrEqualTo 2
            }
        }

        test("a request that waits for the first-byte time is Timeout with the phase POOL, which names the limit and the setting") {
            Http2Server { hold() }.use { server ->
                transport(limit = 1).use { transport ->
                    coroutineScope {
                        val first = launch(Dispatchers.Default) { transport.post(server.url) }
                        while (server.requests == 0) runInterruptible(Dispatchers.IO) { LockSupport.parkNanos(1_000_000) }
                        val failure = shouldThrow<Timeout> { transport.post(server.url, firstByte = 50.milliseconds) }
                        failure.phase shouldBe Timeout.Phase.POOL
                        failure.isRetryable shouldBe true
                        for (text in listOf("own/m", "1 requests", "maxConcurrentStreams", "50ms")) failure.message shouldContain text
                        first.cancelAndJoin()
                    }
                }
                server.requests shouldBe 1
            }
        }

        test("another server is not affected") {
            Http2Server { hold() }.use { busy ->
                Http2Server { respond("free") }.use { free ->
                    transport(limit = 1).use { transport ->
                        coroutineScope {
                            val first = launch(Dispatchers.Default) { transport.post(busy.url) }
                            while (busy.requests == 0) runInterruptible(Dispatchers.IO) { LockSupport.parkNanos(1_000_000) }
                            transport.post(free.url) shouldBe "free"
                            first.cancelAndJoin()
                        }
                    }
                }
            }
        }

        test("requests wait in the order in which they came, and one that is cancelled leaves at once") {
            runTest {
                val streams = StreamLimits(1).of(URI("https://host.example/v1")).shouldNotBeNull()
                val begun = mutableListOf<Int>()
                val first = streams.take(Duration.INFINITE).shouldNotBeNull()
                val waiting = List(4) { call ->
                    launch {
                        val stream = streams.take(Duration.INFINITE).shouldNotBeNull()
                        begun += call
                        stream.end()
                    }
                }
                runCurrent()
                waiting[1].cancelAndJoin()
                begun shouldBe emptyList()
                first.end()
                first.end()
                waiting.forEach { it.join() }
                begun shouldContainExactly listOf(0, 2, 3)
                streams.take(1.seconds).shouldNotBeNull()
            }
        }

        test("the time of a wait is limited") {
            runTest {
                val streams = StreamLimits(1).of(URI("https://host.example/v1")).shouldNotBeNull()
                val first = streams.take(1.seconds).shouldNotBeNull()
                val second = async { streams.take(1.seconds) }
                advanceTimeBy(1.seconds)
                runCurrent()
                second.await().shouldBeNull()
                first.end()
                streams.take(1.seconds).shouldNotBeNull()
            }
        }

        test("http:// has no limit") { StreamLimits(1).of(URI("http://host.example/v1")).shouldBeNull() }

        test("the limit must be positive") {
            for (limit in listOf(0, -1)) shouldThrow<IllegalArgumentException> { Llm.builder().maxConcurrentStreams(limit) }
        }
    }

    context("before the head, these are sent once more, in the same attempt:") {
        withData<Pair<String, Http2Stream.() -> Unit>>(
            { it.first },
            "REFUSED_STREAM" to { reset(Http2Stream.REFUSED_STREAM) },
            "GOAWAY" to { goAway() },
            "GOAWAY and the end of the connection" to {
                goAway()
                closeConnection()
            },
        ) { (_, refuse) ->
            val calls = AtomicInteger()
            Http2Server { if (calls.incrementAndGet() == 1) refuse() else respond(chunk("Hello"), STOP) }.use { server ->
                client(server.url).use { llm ->
                    val took = measureTime {
                        llm.chat("own/m", "hi").get().run {
                            text shouldBe "Hello"
                            attempts shouldHaveSize 1
                        }
                    }
                    took shouldBeLessThan 5.seconds
                }
                server.requests shouldBe 2
            }
        }

        test("not a second time") {
            Http2Server { reset(Http2Stream.REFUSED_STREAM) }.use { server ->
                transport().use { transport -> shouldThrow<Network> { transport.post(server.url) }.phase shouldBe Network.Phase.SEND }
                server.requests shouldBe 2
            }
        }

        test("not INTERNAL_ERROR") {
            Http2Server { reset(Http2Stream.INTERNAL_ERROR) }.use { server ->
                transport().use { transport -> shouldThrow<Network> { transport.post(server.url) }.isRetryable shouldBe true }
                server.requests shouldBe 1
            }
        }
    }

    context("after two deltas the response is interrupted, and both are kept:") {
        withData<Pair<String, Http2Stream.() -> Unit>>(
            { it.first },
            "RST_STREAM CANCEL" to { reset(Http2Stream.CANCEL) },
            "RST_STREAM INTERNAL_ERROR" to { reset(Http2Stream.INTERNAL_ERROR) },
            "GOAWAY and the end of the connection" to {
                goAway(id)
                closeConnection()
            },
            "the end of the connection" to { closeConnection() },
        ) { (_, interrupt) ->
            Http2Server {
                head()
                write(chunk("Hel"))
                write(chunk("lo"))
                interrupt()
            }.use { server ->
                client(server.url).use { llm ->
                    val failure = shouldThrow<LlmException.StreamInterrupted> { llm.chat("own/m", "hi").get() }
                    failure.partial.shouldNotBeNull().text shouldBe "Hello"
                }
                server.requests shouldBe 1
            }
        }
    }

    test("a cancelled call resets its stream within 100 ms, and the connection carries the next call") {
        Http2Server { body ->
            if (body == "second") return@Http2Server respond("done")
            head()
            write("begun")
            hold()
        }.use { server ->
            transport().use { transport ->
                repeat(20) {
                    coroutineScope {
                        val before = server.requests
                        val call = launch(Dispatchers.Default) { transport.post(server.url, "first") }
                        while (server.requests == before) runInterruptible(Dispatchers.IO) { LockSupport.parkNanos(1_000_000) }
                        call.cancelAndJoin()
                    }
                    runInterruptible(Dispatchers.IO) { server.awaitReset(100.milliseconds) } shouldBe Http2Stream.CANCEL
                    transport.post(server.url, "second") shouldBe "done"
                }
                server.connections shouldBe 1
            }
            server.requests shouldBeGreaterThan 39
        }
    }
})
