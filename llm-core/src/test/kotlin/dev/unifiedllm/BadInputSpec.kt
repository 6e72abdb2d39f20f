package dev.unifiedllm

import com.sun.net.httpserver.HttpExchange
import com.sun.net.httpserver.HttpServer
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.assertions.throwables.shouldThrowAny
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import java.io.ByteArrayOutputStream
import java.io.IOException
import java.net.InetAddress
import java.net.InetSocketAddress
import java.util.concurrent.Executors
import java.util.zip.GZIPOutputStream
import kotlin.time.Duration.Companion.milliseconds

private const val KEY = "sk-CANARY-0123456789abcdef"

/** What a user, or a server, may get wrong: each gives an error of its own kind that says what to do, or is harmless. */
class BadInputSpec : FunSpec({
    val server = Stub()
    val llm = llm(mapOf("OPENAI_API_KEY" to KEY, "OPENAI_BASE_URL" to server.url))
    afterSpec {
        llm.close()
        server.close()
    }

    class Case(val name: String, val answer: (HttpExchange) -> Unit, val type: Class<out LlmException>, val says: String)

    context("a server's answer becomes a typed error that names a remedy and no key") {
        withData(
            nameFn = { it.name },
            Case(
                "401",
                status(401, """{"error":{"message":"Incorrect API key provided: $KEY","code":"invalid_api_key"}}"""),
                LlmException.Authentication::class.java,
                "OPENAI_API_KEY",
            ),
            Case(
                "404",
                status(404, """{"error":{"message":"The model does not exist","code":"model_not_found"}}"""),
                LlmException.NotFound::class.java,
                "gpt-4o",
            ),
            Case("404 with a page", status(404, "<html><head><title>Not here</title></head></html>"), LlmException.NotFound::class.java, "/v1"),
            Case("429", status(429, """{"error":{"message":"Slow down","type":"rate_limit_error"}}"""), LlmException.RateLimited::class.java, "fallback"),
            Case("500", status(500, "boom"), LlmException.ServerError::class.java, "fallback"),
            Case(
                "a web page with status 200",
                stream("<!DOCTYPE html><html><title>Log in</title></html>", "text/html"),
                LlmException.MalformedResponse::class.java,
                "API",
            ),
            Case(
                "an encoding that was not asked for",
                encoded("br"),
                LlmException.MalformedResponse::class.java,
                "br, which was not requested",
            ),
            Case(
                "and the same with an error in it",
                gzipped(401, """{"error":{"message":"Who are you?"}}"""),
                LlmException.Authentication::class.java,
                "Who are you?",
            ),
            Case("garbage for events", stream("data: {not json\n\n"), LlmException.MalformedResponse::class.java, "JSON"),
            Case("noise that is no event", stream("\u0000\u0001\u0002 garbage"), LlmException.StreamInterrupted::class.java, "again"),
            Case("nothing at all", stream(""), LlmException.StreamInterrupted::class.java, "again"),
            Case(
                "a stream that is cut",
                stream("data: {\"choices\":[{\"delta\":{\"content\":\"Hel\"}}]}\n\n"),
                LlmException.StreamInterrupted::class.java,
                "partial",
            ),
            Case(
                "an error inside of the stream",
                stream("data: {\"error\":{\"message\":\"busy\",\"type\":\"overloaded_error\"}}\n\n"),
                LlmException.Overloaded::class.java,
                "later",
            ),
        ) { case ->
            server.answer = case.answer
            val failure = shouldThrow<LlmException> { llm.chat("openai/gpt-4o", "hi").await() }
            failure::class.java shouldBe case.type
            failure.message!! shouldContain case.says
            failure.stackTraceToString() shouldNotContain KEY
            failure.model.toString() shouldBe "openai/gpt-4o"
        }
    }

    test("a server that is down is a network error that names the address") {
        val port = Stub().use { it.port }
        llm(mapOf("OPENAI_API_KEY" to KEY, "OPENAI_BASE_URL" to "http://127.0.0.1:$port/v1")).use {
            val failure = shouldThrow<LlmException.Network> { it.chat("openai/gpt-4o", "hi").await() }
            failure.phase shouldBe LlmException.Network.Phase.CONNECT
            failure.message!! shouldContain "127.0.0.1:$port"
        }
    }

    test("a server that falls silent is a time-out, with what had arrived") {
        server.answer = { exchange ->
            exchange.responseHeaders.add("content-type", "text/event-stream")
            exchange.sendResponseHeaders(200, 0)
            exchange.responseBody.write("data: {\"choices\":[{\"delta\":{\"content\":\"Hel\"}}]}\n\n".encodeToByteArray())
            exchange.responseBody.flush()
            server.released.await()
        }
        val failure = shouldThrow<LlmException.Timeout> {
            llm.chat("openai/gpt-4o") {
                user("hi")
                timeouts { idle = 60.milliseconds }
            }.await()
        }
        server.released.countDown()
        failure.phase shouldBe LlmException.Timeout.Phase.IDLE
        failure.partial!!.text shouldBe "Hel"
    }

    test("an empty prompt is refused before anything is sent") {
        server.answer = { error("nothing should be sent") }
        shouldThrow<LlmException.InvalidRequest> { llm.chat("openai/gpt-4o", "  ").await() }.message!! shouldContain "user("
        shouldThrow<LlmException.InvalidRequest> { llm.chat("openai/gpt-4o") {}.await() }
    }

    test("a prompt of five megabytes arrives whole") {
        var received = 0
        server.answer = { exchange ->
            received = exchange.requestBody.readAllBytes().size
            stream("data: {\"choices\":[{\"delta\":{\"content\":\"ok\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n")(exchange)
        }
        llm.chat("openai/gpt-4o", "x".repeat(5_000_000)).await().text shouldBe "ok"
        (received > 5_000_000) shouldBe true
    }

    test("an answer's odd characters arrive as they are") {
        server.answer =
            stream("data: {\"choices\":[{\"delta\":{\"content\":\"</pre><script>\\u202e\\u0000\\ud83d\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n")
        llm.chat("openai/gpt-4o", "hi").await().text shouldBe "</pre><script>\u202E\u0000\uD83D"
    }

    context("a key that cannot be used is refused by a message that does not show it") {
        withData(nameFn = { "key ${it.replace("\n", "\\n")}" }, listOf("$KEY\n$KEY", "${KEY.take(8)} ${KEY.drop(8)}", "“$KEY”")) { key ->
            llm(mapOf("OPENAI_API_KEY" to key)).use {
                val failure = shouldThrow<LlmException.Configuration> { it.chat("openai/gpt-4o", "hi").await() }
                failure.message!! shouldContain "OPENAI_API_KEY"
                failure.stackTraceToString() shouldNotContain "0123456789abcdef"
            }
        }
    }

    context("a model's name that is none is the caller's mistake") {
        withData(nameFn = { "\"${it.take(20)}\"" }, listOf(" ", "/", "a/", "/b", "a b/c", "a/b\nc", "x".repeat(10_000))) { name ->
            shouldThrowAny { llm.chat(name, "hi") }::class shouldBe IllegalArgumentException::class
        }
    }
})

private fun llm(variables: Map<String, String>) = Llm.builder().retry { maxRetries = 0 }.environment { variables[it] }.build()

private fun status(code: Int, body: String): (HttpExchange) -> Unit = { exchange ->
    val bytes = body.encodeToByteArray()
    exchange.sendResponseHeaders(code, bytes.size.toLong())
    exchange.responseBody.write(bytes)
}

private fun encoded(coding: String): (HttpExchange) -> Unit = { exchange ->
    exchange.responseHeaders.add("content-encoding", coding)
    stream("data: [DONE]\n\n")(exchange)
}

private fun gzipped(code: Int, body: String): (HttpExchange) -> Unit = { exchange ->
    val bytes = ByteArrayOutputStream().also { out -> GZIPOutputStream(out).use { it.write(body.encodeToByteArray()) } }.toByteArray()
    exchange.responseHeaders.add("content-type", "text/event-stream")
    exchange.responseHeaders.add("content-encoding", "gzip")
    exchange.sendResponseHeaders(code, bytes.size.toLong())
    exchange.responseBody.write(bytes)
}

private fun stream(body: String, type: String = "text/event-stream"): (HttpExchange) -> Unit = { exchange ->
    exchange.responseHeaders.add("content-type", type)
    exchange.sendResponseHeaders(200, 0)
    exchange.responseBody.write(body.encodeToByteArray())
}

/** Answers every request with [answer]. */
private class Stub : AutoCloseable {
    @Volatile
    var answer: (HttpExchange) -> Unit = {}
    val released = java.util.concurrent.CountDownLatch(1)
    private val threads = Executors.newCachedThreadPool()
    private val server = HttpServer.create(InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0).apply {
        executor = threads
        createContext("/") { exchange ->
            try {
                exchange.use { answer(it) }
            } catch (_: IOException) {
                // the client has gone
            }
        }
        start()
    }
    val port: Int = server.address.port
    val url = "http://127.0.0.1:$port/v1"

    override fun close() {
        released.countDown()
        server.stop(0)
        threads.shutdownNow()
    }
}
