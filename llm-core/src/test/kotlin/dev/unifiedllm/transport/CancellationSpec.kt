package dev.unifiedllm.transport

import dev.unifiedllm.LlmException.Timeout
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.engine.spec.tempdir
import io.kotest.matchers.comparables.shouldBeLessThan
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.delay
import kotlinx.coroutines.launch
import kotlinx.coroutines.runInterruptible
import java.io.IOException
import java.net.InetAddress
import java.net.ServerSocket
import java.net.Socket
import java.util.concurrent.CopyOnWriteArrayList
import java.util.concurrent.CountDownLatch
import java.util.concurrent.Semaphore
import java.util.concurrent.TimeUnit
import java.util.concurrent.atomic.AtomicLong
import kotlin.concurrent.thread
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import kotlin.time.TimeSource
import kotlin.time.measureTime

private val AT_ONCE = 100.milliseconds

/** Accepts connections, reads what arrives if [reads], and writes nothing. */
private class SilentServer(private val reads: Boolean) : AutoCloseable {
    private val listener = ServerSocket(0, 100, InetAddress.getByName("127.0.0.1"))
    private val arrived = Semaphore(0)
    private val closed = Semaphore(0)
    private val mayRead = Semaphore(0)

    /** How many bytes have been read, the first of each connection left out. */
    val received = AtomicLong()
    private val sockets = mutableListOf<Socket>()
    val port: Int get() = listener.localPort

    init {
        thread(isDaemon = true) {
            while (true) {
                val socket = try {
                    listener.accept()
                } catch (_: IOException) {
                    break
                }
                synchronized(sockets) { sockets += socket }
                thread(isDaemon = true) {
                    try {
                        val input = socket.getInputStream()
                        input.read()
                        arrived.release()
                        if (!reads) mayRead.acquire()
                        val buffer = ByteArray(8192)
                        while (true) {
                            val count = input.read(buffer)
                            if (count < 0) break
                            received.addAndGet(count.toLong())
                        }
                    } catch (_: IOException) {
                        closed.release()
                        return@thread
                    }
                    closed.release()
                }
            }
        }
    }

    /** Reads the connection that waits to its end. */
    fun readOn() = mayRead.release()

    suspend fun awaitArrived(): Boolean = runInterruptible(Dispatchers.IO) { arrived.tryAcquire(10, TimeUnit.SECONDS) }

    suspend fun awaitClosed(within: Duration): Boolean =
        runInterruptible(Dispatchers.IO) { closed.tryAcquire(within.inWholeMilliseconds, TimeUnit.MILLISECONDS) }

    override fun close() {
        listener.close()
        synchronized(sockets) { sockets.forEach(Socket::close) }
    }
}

/** How long the cancelled calls took to end. */
private val ends = CopyOnWriteArrayList<Duration>()

/** Cancels [call] when [isThere] has returned. */
private suspend fun cancelling(call: suspend () -> Unit, isThere: suspend () -> Unit) = coroutineScope {
    val job = launch(Dispatchers.Default) { call() }
    isThere()
    ends += measureTime { job.cancelAndJoin() }
}

private suspend fun LoopbackServer.arrived() = runInterruptible(Dispatchers.IO) { awaitRequest() } shouldBe true

private suspend fun LoopbackServer.closedAtOnce() = runInterruptible(Dispatchers.IO) { awaitClosed(AT_ONCE) } shouldBe true

class CancellationSpec : FunSpec({
    context("a call that is cancelled returns at once, and its connection is closed within 100 ms:") {
        test("while the server does not accept the connection") {
            UnacceptingServer().use { server ->
                JdkTransport(30.seconds).use { transport ->
                    repeat(3) { cancelling({ transport.post(server.url) }) { delay(20) } }
                }
            }
        }

        test("in the TLS handshake") {
            SilentServer(reads = true).use { server ->
                JdkTransport(30.seconds, Certificates.context()).use { transport ->
                    repeat(10) {
                        cancelling({ transport.post("https://127.0.0.1:${server.port}") }) { server.awaitArrived() shouldBe true }
                        server.awaitClosed(AT_ONCE) shouldBe true
                    }
                }
            }
        }

        test("while a proxy opens no tunnel") {
            SilentServer(reads = true).use { server ->
                val proxies = Proxies(mapOf("https_proxy" to "127.0.0.1:${server.port}")::get)
                JdkTransport(30.seconds, Certificates.context(), proxies).use { transport ->
                    repeat(10) {
                        cancelling({ transport.post("https://models.example.com") }) { server.awaitArrived() shouldBe true }
                        server.awaitClosed(AT_ONCE) shouldBe true
                    }
                }
            }
        }

        test("while it sends its body") {
            val large = "x".repeat(32 * 1024 * 1024)
            SilentServer(reads = false).use { server ->
                JdkTransport(30.seconds).use { transport ->
                    repeat(3) {
                        cancelling({ transport.post("http://127.0.0.1:${server.port}", large) }) { server.awaitArrived() shouldBe true }
                        server.readOn() // the end of the connection is behind what the buffers of the network hold
                        server.awaitClosed(1.seconds) shouldBe true
                    }
                    (server.received.get() < large.length) shouldBe true
                }
            }
        }

        test("while it waits for the head") {
            LoopbackServer { hold() }.use { server ->
                JdkTransport(30.seconds).use { transport ->
                    repeat(20) {
                        cancelling({ transport.post(server.url) }) { server.arrived() }
                        server.closedAtOnce()
                    }
                }
            }
        }

        test("in the head") {
            LoopbackServer {
                raw("HTTP/1.1 200 OK\r\nContent-Ty")
                hold()
            }.use { server ->
                JdkTransport(30.seconds).use { transport ->
                    repeat(20) {
                        cancelling({ transport.post(server.url) }) { server.arrived() }
                        server.closedAtOnce()
                    }
                }
            }
        }

        test("in the body") {
            LoopbackServer {
                sse("data: 1\n\n")
                hold()
            }.use { server ->
                JdkTransport(30.seconds).use { transport ->
                    repeat(20) {
                        cancelling({ transport.post(server.url) }) { server.arrived() }
                        server.closedAtOnce()
                    }
                }
            }
        }

        test("a block that throws in the body") {
            LoopbackServer {
                sse("data: 1\n\n")
                hold()
            }.use { server ->
                JdkTransport(30.seconds).use { transport ->
                    val request = TransportRequest(server.url, emptyList(), ByteArray(0))
                    shouldThrow<IllegalStateException> {
                        transport.exchange(request, HeadDeadlines(5.seconds, callErrors)) { response ->
                            response.read()
                            error("enough")
                        }
                    }
                    server.closedAtOnce()
                }
            }
        }
    }

    test("half of these calls ended within 20 ms, and all within a second") {
        val sorted = ends.sorted()
        sorted[sorted.size / 2] shouldBeLessThan 20.milliseconds
        sorted.last() shouldBeLessThan 1.seconds
    }

    test("1,000 alternations of an aborted and a complete response do not mix their bytes") {
        LoopbackServer { request ->
            if (request.body.startsWith("abort")) {
                head()
                write("A".repeat(3000))
                write("A".repeat(3000))
            } else {
                head()
                write(request.body)
                write("B".repeat(100))
            }
        }.use { server ->
            JdkTransport(5.seconds).use { transport ->
                repeat(1_000) { call ->
                    val request = TransportRequest(server.url, emptyList(), "abort $call".encodeToByteArray())
                    transport.exchange(request, HeadDeadlines(5.seconds, callErrors)) { response -> if (call % 2 == 0) response.read() }
                    transport.post(server.url, "call $call") shouldBe "call $call" + "B".repeat(100)
                }
            }
        }
    }

    context("the connect timeout covers everything before the request is sent:") {
        test("a TLS handshake that stalls") {
            SilentServer(reads = true).use { server ->
                JdkTransport(100.milliseconds, Certificates.context()).use { transport ->
                    val start = TimeSource.Monotonic.markNow()
                    val failure = shouldThrow<Timeout> { transport.post("https://127.0.0.1:${server.port}") }
                    failure.phase shouldBe Timeout.Phase.CONNECT
                    failure.isRetryable shouldBe true
                    start.elapsedNow() shouldBeLessThan 2.seconds
                    server.awaitClosed(AT_ONCE) shouldBe true
                }
            }
        }

        test("a server that does not accept") {
            UnacceptingServer().use { server ->
                JdkTransport(100.milliseconds).use { transport ->
                    shouldThrow<Timeout> { transport.post(server.url) }.phase shouldBe Timeout.Phase.CONNECT
                }
            }
        }

        test("the look-up of a host name, which the JDK does not limit") {
            // A JVM reads the names from a file: here from a pipe to which nothing writes.
            val pipe = tempdir().toPath().resolve("hosts")
            check(ProcessBuilder("python3", "-c", "import os, sys; os.mkfifo(sys.argv[1])", pipe.toString()).start().waitFor() == 0) { "mkfifo failed" }
            val properties = mapOf("jdk.net.hosts.file" to pipe, "carriers" to "JDK", "connect" to "200ms", "retries" to "0")
            val line = ask("own/m=https://slow.example.com/v1", properties = properties).single()
            for (text in listOf("Timeout", "slow.example.com did not accept a connection within 200ms")) line shouldContain text
        }

        test("a server that accepts, and is slow after that, has not run into it") {
            val answer = CountDownLatch(1)
            LoopbackServer {
                answer.await()
                whole("late")
            }.use { server ->
                JdkTransport(30.milliseconds).use { transport ->
                    coroutineScope {
                        launch(Dispatchers.Default) {
                            delay(120)
                            answer.countDown()
                        }
                        transport.post(server.url) shouldBe "late"
                        transport.post(server.url, method = "GET") shouldBe "late"
                    }
                }
            }
        }
    }

    test("a cancellation is not turned into a failure of the call") {
        LoopbackServer { hold() }.use { server ->
            JdkTransport(5.seconds).use { transport ->
                coroutineScope {
                    var thrown: Throwable? = null
                    val job = launch(Dispatchers.Default) {
                        try {
                            transport.post(server.url)
                        } catch (failure: Throwable) {
                            thrown = failure
                            throw failure
                        }
                    }
                    server.arrived()
                    job.cancelAndJoin()
                    (thrown is CancellationException) shouldBe true
                }
            }
        }
    }
})
