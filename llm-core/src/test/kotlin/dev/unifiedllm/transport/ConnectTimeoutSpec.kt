package dev.unifiedllm.transport

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException.Timeout
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.comparables.shouldBeGreaterThanOrEqualTo
import io.kotest.matchers.comparables.shouldBeLessThan
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.types.shouldBeSameInstanceAs
import io.kotest.matchers.types.shouldNotBeSameInstanceAs
import java.net.http.HttpClient
import java.util.concurrent.CountDownLatch
import javax.net.ssl.SSLContext
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import kotlin.time.measureTimedValue

private const val HELLO = """data: {"id":"1","model":"m","choices":[{"index":0,"delta":{"content":"Hello"},"finish_reason":null}]}""" + "\n\n"
private const val STOP = """data: {"id":"1","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}""" + "\n\n"

private fun client(url: String, connect: Duration): Llm = Llm.builder().retry { maxRetries = 0 }.environment {
    null
}.provider("own") { baseUrl = url }.timeouts { this.connect = connect }.build()

private fun Llm.failure(connect: Duration?): Timeout = shouldThrow {
    chat("own/m") {
        user("hi")
        if (connect != null) timeouts { this.connect = connect }
    }.get()
}

class ConnectTimeoutSpec : FunSpec({
    test("a call's connect timeout applies, whatever that of the client is") {
        UnacceptingServer().use { server ->
            client(server.url, 5.seconds).use { llm ->
                val (failure, took) = measureTimedValue { llm.failure(150.milliseconds) }
                failure.phase shouldBe Timeout.Phase.CONNECT
                failure.message shouldContain "within 150ms"
                took shouldBeGreaterThanOrEqualTo 150.milliseconds
                took shouldBeLessThan 2.seconds
            }
        }
    }

    test("the client's connect timeout applies to calls that set none") {
        UnacceptingServer().use { server ->
            client(server.url, 200.milliseconds).use { llm ->
                val (failure, took) = measureTimedValue { llm.failure(null) }
                failure.phase shouldBe Timeout.Phase.CONNECT
                took shouldBeLessThan 2.seconds
            }
        }
    }

    test("an infinite connect timeout is allowed") {
        LoopbackServer { sse(HELLO, STOP) }.use { server ->
            client(server.url, Duration.INFINITE).use { it.chat("own/m", "hi").get().text shouldBe "Hello" }
        }
    }

    context("clients by connect timeout") {
        val clients = JdkClients(5.seconds, null)

        test("one for each value") {
            clients[1.seconds] shouldBeSameInstanceAs clients[1.seconds]
            clients[1.seconds] shouldNotBeSameInstanceAs clients[2.seconds]
            clients[null] shouldBeSameInstanceAs clients[5.seconds]
            clients[1.seconds].connectTimeout().get() shouldBe java.time.Duration.ofSeconds(1)
            clients[1.seconds].followRedirects() shouldBe HttpClient.Redirect.NEVER
        }

        test("at most four are kept; the least recently used goes, and never the default") {
            val pool = JdkClients(5.seconds, null)
            val default = pool[null]
            val (one, two, three) = (1..3).map { pool[it.seconds] }
            pool[1.seconds] shouldBeSameInstanceAs one
            val four = pool[4.seconds] // drops the client of two seconds
            pool[1.seconds] shouldBeSameInstanceAs one
            pool[3.seconds] shouldBeSameInstanceAs three
            pool[4.seconds] shouldBeSameInstanceAs four
            pool[2.seconds] shouldNotBeSameInstanceAs two
            for (millis in 1..50) pool[millis.milliseconds]
            pool[null] shouldBeSameInstanceAs default
        }

        test("each has the sslContext") {
            val tls = SSLContext.getDefault()
            val pool = JdkClients(5.seconds, tls)
            for (timeout in listOf(null, 1.seconds)) pool[timeout].sslContext() shouldBeSameInstanceAs tls
        }
    }

    test("the exchange of a dropped client ends normally") {
        val dropped = CountDownLatch(1)
        LoopbackServer { request ->
            sse(HELLO)
            if ("wait" in request.body) dropped.await()
            write(STOP)
        }.use { server ->
            client(server.url, 5.seconds).use { llm ->
                fun call(text: String, connect: Duration) = llm.chat("own/m") {
                    user(text)
                    timeouts { this.connect = connect }
                }
                val first = call("wait", 1.seconds).toFuture()
                server.awaitRequest() shouldBe true
                for (seconds in 10..15) call("hi", seconds.seconds).get().text shouldBe "Hello"
                System.gc()
                dropped.countDown()
                first.get().text shouldBe "Hello"
            }
        }
    }
})
