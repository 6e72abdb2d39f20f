package dev.unifiedllm.transport

import dev.unifiedllm.HttpLogLevel
import dev.unifiedllm.Llm
import dev.unifiedllm.LlmBuilder
import dev.unifiedllm.LlmException
import dev.unifiedllm.client
import dev.unifiedllm.observed
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.ints.shouldBeGreaterThan
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import io.kotest.matchers.string.shouldStartWith
import io.kotest.matchers.types.shouldBeInstanceOf
import io.kotest.matchers.types.shouldBeSameInstanceAs
import java.io.ByteArrayOutputStream
import java.io.PrintStream
import java.util.concurrent.CopyOnWriteArrayList
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit.SECONDS
import kotlin.time.Duration.Companion.seconds

private const val KEY = "sk-test-0123456789abcdef"
private const val HELLO = "data: {\"choices\":[{\"delta\":{\"content\":\"Hello\"}}]}\n\n"
private const val END = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"

private fun llm(server: LoopbackServer, block: LlmBuilder.() -> Unit): Llm = client("OPENAI_API_KEY" to KEY, "OPENAI_BASE_URL" to server.url) {
    retry { maxRetries = 0 }
    block()
}

class LoggingTransportSpec : FunSpec({
    val lines = CopyOnWriteArrayList<String>()
    beforeTest { lines.clear() }

    context("a log has the heads of request and response, without keys, over") {
        withData(Carrier.entries) { carrier ->
            LoopbackServer { sse(HELLO, END) }.use { server ->
                llm(server) { carriedBy(carrier).httpLog { lines += it } }.use { it.chat("openai/gpt-4o", "a private prompt").await().text shouldBe "Hello" }
                val log = lines.joinToString("\n")
                log shouldContain "#1 > POST ${server.url}/chat/completions"
                log shouldContain "Authorization: ***"
                log shouldContain "#1 < status 200 after "
                log shouldContain "text/event-stream"
                log shouldContain "#1 < end of the body after ${HELLO.length + END.length} bytes"
                log shouldNotContain KEY
                log shouldNotContain "private prompt"
                log shouldNotContain "Hello"
            }
        }
    }

    test("with bodies, it has the prompt and the events, each line of the log in one line") {
        LoopbackServer { sse(HELLO, END) }.use { server ->
            llm(server) { httpLog(HttpLogLevel.BODIES) { lines += it } }.use { it.chat("openai/gpt-4o", "two\nlines \u001B[31mred").await() }
            val log = lines.joinToString("\n")
            log shouldContain "two\\nlines"
            log shouldContain "\"content\":\"Hello\""
            log shouldContain "data: [DONE]"
            for (line in lines) {
                line shouldStartWith "#1 "
                line.none { it.isISOControl() } shouldBe true
            }
        }
    }

    test("a stream is logged while it arrives, and the consumer does not wait for the log") {
        val isLogged = CountDownLatch(1)
        val log: (String) -> Unit = {
            lines += it
            if ("Hello" in it) isLogged.countDown()
        }
        LoopbackServer {
            head(200, "Content-Type" to "text/event-stream")
            write(HELLO)
            isLogged.await(10, SECONDS) shouldBe true
            write(END)
        }.use { server -> llm(server) { httpLog(HttpLogLevel.BODIES, log) }.use { it.chat("openai/gpt-4o", "hi").await().text shouldBe "Hello" } }
    }

    test("of a body 4 KiB are shown, and how many bytes are not") {
        val long = "data: {\"choices\":[{\"delta\":{\"content\":\"${"x".repeat(20_000)}\"}}]}\n\n"
        LoopbackServer { sse(HELLO, long, END) }.use { server ->
            llm(server) { httpLog(HttpLogLevel.BODIES) { lines += it } }.use { it.chat("openai/gpt-4o", "y".repeat(50_000)).await() }
            for (line in lines) (line.length < 5_000) shouldBe true
            lines.single { "> body" in it } shouldContain "more bytes are not shown"
            val shown = lines.filter { "< body" in it }
            shown.first() shouldContain "Hello"
            // The two line breaks of the first event are written as \n.
            shown.sumOf { it.substringAfter("body: ").substringBefore(" … ").length } shouldBe 4096 + 2
            shown.last() shouldContain "(${HELLO.length + long.length + END.length - 4096} more bytes are not shown)"
        }
    }

    test("a key in an answer is hidden where it crosses the end of what is shown, and where its parts arrive apart") {
        for (before in listOf(4096 - 8, 4096 - KEY.length, 10)) {
            lines.clear()
            LoopbackServer {
                head(401, "Content-Type" to "application/json")
                write("{\"error\":{\"message\":\"${"x".repeat(before - 23)}${KEY.take(9)}")
                write(KEY.drop(9) + "\"}}")
            }.use { server ->
                llm(server) { httpLog(HttpLogLevel.BODIES) { lines += it } }.use {
                    shouldThrow<LlmException.Authentication> { it.chat("openai/gpt-4o", "hi").await() }
                }
            }
            lines.joinToString("\n") shouldNotContain KEY.take(9)
        }
    }

    test("a failure is a line, too") {
        LoopbackServer { cut() }.use { server ->
            llm(server) { httpLog { lines += it } }.use { shouldThrow<LlmException.Network> { it.chat("openai/gpt-4o", "hi").await() } }
            lines.last() shouldContain "x failed: LlmException.Network: openai/gpt-4o cannot be reached"
        }
    }

    for (thrown in listOf(IllegalStateException("no disk"), AssertionError("no lines"))) {
        test("what the listener throws does not reach the call: ${thrown::class.simpleName}") {
            LoopbackServer { sse(HELLO, END) }.use { server ->
                var calls = 0
                llm(server) {
                    httpLog(HttpLogLevel.BODIES) {
                        calls++
                        throw thrown
                    }
                }.use { it.chat("openai/gpt-4o", "hi").await().text shouldBe "Hello" }
                calls shouldBeGreaterThan 5
            }
        }
    }

    test("token endpoints are logged without the secret, the assertion and the tokens") {
        LoopbackServer { whole("""{"token_type":"Bearer","access_token":"canary-token-0123456789","expires_in":3599}""") }.use { tokens ->
            LoopbackServer { sse(HELLO, END) }.use { server ->
                client(
                    "AZURE_API_BASE" to server.url,
                    "AZURE_TENANT_ID" to "tenant",
                    "AZURE_CLIENT_ID" to "client",
                    "AZURE_CLIENT_SECRET" to "canary+secret/0123456789",
                    "AZURE_AUTHORITY_HOST" to tokens.url,
                ) { httpLog(HttpLogLevel.BODIES) { lines += it } }.use { it.chat("azure/gpt-4o", "hi").await().text shouldBe "Hello" }
                val log = lines.joinToString("\n")
                log shouldContain "> POST ${tokens.url}/tenant/oauth2/v2.0/token"
                log shouldContain "client_secret=***"
                log shouldContain "> POST ${server.url}/"
                log shouldNotContain "canary"
            }
        }
    }

    test("nothing is wrapped around the transport unless it is asked for") {
        val transport = JdkTransport(5.seconds)
        transport.observed(Llm.builder().environment { null }) shouldBeSameInstanceAs transport
        for (variables in listOf(
            mapOf("LITELLM_VERBOSE" to "false"),
            mapOf("LITELLM_VERBOSE" to "false", "DEBUG" to "true"),
            mapOf("DEBUG" to "0"),
            mapOf("DEBUG" to "app:*"),
            mapOf("DETAILED_ERROR" to "no"),
        )) {
            transport.observed(Llm.builder().environment { variables[it] }) shouldBeSameInstanceAs transport
        }
        transport.observed(Llm.builder().environment { "true" }.verbose(false).detailedErrors(false)) shouldBeSameInstanceAs transport
        for (name in listOf("LITELLM_VERBOSE", "DEBUG")) {
            transport.observed(Llm.builder().environment { variable -> "TRUE".takeIf { variable == name } }).shouldBeInstanceOf<LoggingTransport>()
        }
        transport.observed(Llm.builder().environment { null }.verbose(true)).shouldBeInstanceOf<LoggingTransport>()
    }

    context("another value of a variable is an error that names it") {
        withData("LITELLM_VERBOSE", "DETAILED_ERROR") { name ->
            val builder = Llm.builder().environment { variable -> "perhaps".takeIf { variable == name } }
            shouldThrow<LlmException.Configuration> { builder.build() }.message shouldBe
                "The variable $name must be true or false but is \"perhaps\". Correct it or unset it."
        }
    }

    test("LITELLM_VERBOSE prints to the standard error stream, with *** for the key") {
        val printed = ByteArrayOutputStream()
        val before = System.err
        LoopbackServer { sse(HELLO, END) }.use { server ->
            System.setErr(PrintStream(printed, true))
            try {
                client("OPENAI_API_KEY" to KEY, "OPENAI_BASE_URL" to server.url, "LITELLM_VERBOSE" to "true").use { it.chat("openai/gpt-4o", "hi").await() }
            } finally {
                System.setErr(before)
            }
        }
        printed.toString() shouldContain "unified-llm #1 > POST "
        printed.toString() shouldContain "\"content\":\"Hello\""
        printed.toString() shouldNotContain KEY
    }

    test("a detailed error has the address, the status, headers, the body and the causes; a short one has not") {
        val body = """{"error":{"message":"no key $KEY","code":"invalid_api_key","trace":"deep in the server"}}"""
        LoopbackServer { whole(body, 401, "x-request-id" to "req-1", "Set-Cookie" to "session=canary") }.use { server ->
            val short = llm(server) {}.use { shouldThrow<LlmException.Authentication> { it.chat("openai/gpt-4o", "hi").await() } }
            val long = llm(server) { detailedErrors = true }.use { shouldThrow<LlmException.Authentication> { it.chat("openai/gpt-4o", "hi").await() } }
            short.message!! shouldNotContain "deep in the server"
            long.message!! shouldStartWith short.message!!
            long.message!! shouldContain "POST ${server.url}/chat/completions"
            long.message!! shouldContain "status 401; content-type: application/json"
            long.message!! shouldContain "x-request-id: req-1"
            long.message!! shouldContain "deep in the server"
            long.message!! shouldNotContain KEY
            long.message!! shouldNotContain "canary"
            long.requestId shouldBe "req-1"
            long.attempts.last().error shouldBeSameInstanceAs long
        }
        val port = LoopbackServer { }.use { it.port }
        client("OPENAI_API_KEY" to KEY, "OPENAI_BASE_URL" to "http://127.0.0.1:$port", "DETAILED_ERROR" to "true") { retry { maxRetries = 0 } }.use {
            shouldThrow<LlmException.Network> { it.chat("openai/gpt-4o", "hi").await() }.message!! shouldContain "caused by java.net.ConnectException"
        }
    }

    test("by default nothing is logged") {
        LoopbackServer { sse(HELLO, END) }.use { server -> llm(server) {}.use { it.chat("openai/gpt-4o", "hi").await() } }
        lines.shouldBeEmpty()
    }
})
