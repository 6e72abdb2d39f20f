package dev.unifiedllm.transport

import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.comparables.shouldBeLessThan
import io.kotest.matchers.shouldBe
import io.kotest.matchers.types.shouldBeSameInstanceAs
import io.kotest.matchers.types.shouldNotBeSameInstanceAs
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.runInterruptible
import kotlinx.coroutines.withContext
import java.util.concurrent.CountDownLatch
import java.util.concurrent.locks.LockSupport
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import kotlin.time.TimeSource

private const val BURST = 300

/** Runs a burst of calls which need a connection each. */
private suspend fun Transport.burst(url: String) = withContext(Dispatchers.Default) { List(BURST) { async { post(url) } }.awaitAll() }

private fun burstServer(): LoopbackServer {
    val arrived = CountDownLatch(BURST)
    return LoopbackServer {
        arrived.countDown()
        arrived.await()
        whole("done")
    }
}

/** Waits until the client has closed [count] connections; the JDK notices every few seconds that a client is unreachable, and only the collector says so. */
private fun LoopbackServer.closed(count: Int, within: Duration): Int {
    val start = TimeSource.Monotonic.markNow()
    var closed = 0
    while (closed < count && start.elapsedNow() < within) {
        if (awaitClosed(50.milliseconds)) closed++ else System.gc()
    }
    return closed
}

private fun eventually(within: Duration = 10.seconds, isTrue: () -> Boolean): Boolean {
    val start = TimeSource.Monotonic.markNow()
    while (!isTrue()) {
        if (start.elapsedNow() > within) return false
        LockSupport.parkNanos(1_000_000)
    }
    return true
}

class IdleConnectionsSpec : FunSpec({
    test("after a burst of 300 calls the 300 connections close when the client has been idle") {
        burstServer().use { server ->
            JdkTransport(5.seconds, idleTime = 200.milliseconds).use { transport ->
                transport.burst(server.url).size shouldBe BURST
                server.connections shouldBe BURST
                runInterruptible(Dispatchers.IO) { server.closed(BURST, 20.seconds) } shouldBe BURST
                transport.post(server.url) shouldBe "done"
            }
        }
    }

    test("after close() the connections close") {
        burstServer().use { server ->
            JdkTransport(5.seconds).use { it.burst(server.url) }
            runInterruptible(Dispatchers.IO) { server.closed(BURST, 20.seconds) } shouldBe BURST
        }
    }

    test("a client in use is not dropped, however long its call takes") {
        val clients = JdkClients(5.seconds, null, idleTime = 30.milliseconds)
        val used = clients.use(null)
        LockSupport.parkNanos(200.milliseconds.inWholeNanoseconds)
        clients[null] shouldBeSameInstanceAs used.client
        used.release()
        eventually { clients.size == 0 } shouldBe true
        clients[null] shouldNotBeSameInstanceAs used.client
    }

    test("a client that is used again within the time stays") {
        val clients = JdkClients(5.seconds, null, idleTime = 300.milliseconds)
        val first = clients.use(null).also { it.release() }.client
        repeat(10) {
            LockSupport.parkNanos(50.milliseconds.inWholeNanoseconds)
            clients.use(null).run {
                client shouldBeSameInstanceAs first
                release()
            }
        }
        eventually { clients.size == 0 } shouldBe true
    }

    test("only the client that is idle is dropped") {
        val clients = JdkClients(5.seconds, null, idleTime = 50.milliseconds)
        val used = clients.use(1.seconds)
        clients.use(2.seconds).release()
        eventually { clients.size == 1 } shouldBe true
        clients[1.seconds] shouldBeSameInstanceAs used.client
    }

    test("calls one after the other use one connection") {
        LoopbackServer { whole("done") }.use { server ->
            JdkTransport(5.seconds).use { transport -> repeat(50) { transport.post(server.url) shouldBe "done" } }
            server.connections shouldBeLessThan 3
        }
    }
})
