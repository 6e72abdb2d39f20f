package dev.unifiedllm

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.transport.LoopbackExchange
import dev.unifiedllm.transport.LoopbackServer
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.booleans.shouldBeFalse
import io.kotest.matchers.booleans.shouldBeTrue
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.comparables.shouldBeGreaterThanOrEqualTo
import io.kotest.matchers.comparables.shouldBeLessThan
import io.kotest.matchers.ints.shouldBeLessThanOrEqual
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldBeEmpty
import io.kotest.matchers.string.shouldContain
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.TimeoutCancellationException
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.filterIsInstance
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.take
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.runInterruptible
import kotlinx.coroutines.withTimeout
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import java.io.ByteArrayOutputStream
import java.io.PrintStream
import java.util.concurrent.atomic.AtomicInteger
import java.util.concurrent.locks.LockSupport
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import kotlin.time.TimeSource
import kotlin.time.toJavaDuration

private fun event(json: String) = "data: $json\n\n"

private fun piece(text: String, name: String = "content") = event("""{"id":"c","choices":[{"index":0,"delta":{"$name":"$text"},"finish_reason":null}]}""")

private val END = event("""{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}""")
private val DONE = event("[DONE]")

private fun LoopbackExchange.answer(vararg texts: String) = sse(*texts.map { piece(it) }.toTypedArray(), END, DONE)

private fun LoopbackExchange.refuse(status: Int, message: String, vararg headers: Pair<String, String>) =
    whole("""{"error":{"message":"$message","type":"some_error"}}""", status, *headers)

/** A server with OpenAI's wire, and a client of it that waits only a moment before it tries again. */
private suspend fun onServer(
    script: LoopbackExchange.(request: Int) -> Unit,
    configure: LlmBuilder.() -> Unit = {},
    block: suspend (Llm, LoopbackServer) -> Unit,
) {
    val count = AtomicInteger()
    LoopbackServer { script(count.incrementAndGet()) }.use { server ->
        client("OPENAI_BASE_URL" to server.url + "/v1", "OPENAI_API_KEY" to "sk-test-peers") {
            retry {
                maxRetries = 2
                baseDelay = 1.milliseconds
            }
            configure()
        }.use { block(it, server) }
    }
}

private suspend fun LoopbackServer.isClosed(within: Duration) = runInterruptible(Dispatchers.IO) { awaitClosed(within) }

/** What other clients were measured to get wrong, each as it has to be. */
class PeersSpec : FunSpec({
    test("3000 chunks at once to a slow collector are 3000 deltas, in order") {
        onServer({ answer(*Array(3000) { "$it " }) }) { llm, _ ->
            val seen = mutableListOf<String>()
            llm.chat("openai/m", "hi").deltas().collect {
                LockSupport.parkNanos(100_000)
                seen += it
            }
            seen.joinToString("") shouldBe (0 until 3000).joinToString("") { "$it " }
            seen shouldHaveSize 3000
        }
    }

    context("take(3) of a stream of 200 chunks: the server sees the close at once") {
        withData<Pair<String, (Llm) -> Flow<*>>>(
            { it.first },
            "of the text" to { llm -> llm.chat("openai/m", "hi").deltas() },
            "of the events of a model" to { llm -> llm.model("openai/m").stream(ChatRequest.build("openai/m") { user("hi") }) },
        ) { (_, flow) ->
            val written = AtomicInteger()
            val script: LoopbackExchange.(Int) -> Unit = {
                head(200, "Content-Type" to "text/event-stream")
                repeat(200) {
                    write(piece("$it "))
                    written.incrementAndGet()
                    LockSupport.parkNanos(20.milliseconds.inWholeNanoseconds)
                }
            }
            onServer(script) { llm, server ->
                flow(llm).take(3).toList() shouldHaveSize 3
                server.isClosed(2.seconds).shouldBeTrue()
                written.get() shouldBeLessThanOrEqual 6
            }
        }
    }

    test("withTimeout on a whole call ends in that time, and closes the connection") {
        onServer({ hold() }) { llm, server ->
            val begin = TimeSource.Monotonic.markNow()
            shouldThrow<TimeoutCancellationException> {
                withTimeout(100.milliseconds) {
                    llm.chat("openai/m") {
                        user("hi")
                        delivery = Delivery.WHOLE
                    }.await()
                }
            }
            begin.elapsedNow() shouldBeLessThan 1.seconds
            server.isClosed(1.seconds).shouldBeTrue()
        }
    }

    context("a stream that ends after three chunks, without finish reason and [DONE], is interrupted, with what had arrived") {
        withData<Pair<String, LoopbackExchange.() -> Unit>>(
            { it.first },
            "by a reset" to { reset() },
            "by the end of the connection" to { cut() },
            "by a proper end of the body" to {},
        ) { (_, end) ->
            onServer({
                sse(piece("one "), piece("two "), piece("three"))
                // A reset discards what the client has not read yet.
                LockSupport.parkNanos(50.milliseconds.inWholeNanoseconds)
                end()
            }) { llm, server ->
                val reply = llm.chat("openai/m", "hi")
                val seen = mutableListOf<String>()
                val failure = shouldThrow<LlmException.StreamInterrupted> { reply.deltas().collect(seen::add) }
                seen shouldContainExactly listOf("one ", "two ", "three")
                failure.partial!!.text shouldBe "one two three"
                failure.partial!!.finishReason shouldBe null
                server.requests shouldHaveSize 1
            }
        }
    }

    context("reasoning in a stream arrives as reasoning, under both of its names:") {
        withData("reasoning_content", "reasoning") { name ->
            onServer({ sse(piece("Let me ", name), piece("think.", name), piece("42"), END, DONE) }) { llm, _ ->
                val reply = llm.chat("openai/m", "hi")
                reply.events().filterIsInstance<Delta.Reasoning>().toList().map { it.text } shouldContainExactly listOf("Let me ", "think.")
                val response = reply.await()
                response.reasoning shouldBe "Let me think."
                response.text shouldBe "42"
            }
        }
    }

    context("the status decides, not the words: a 400 that says \"500\" and \"429\" is one request") {
        withData(Delivery.entries) { kind ->
            onServer({ refuse(400, "error 500: upstream said 429 Too Many Requests, server error") }) { llm, server ->
                val reply = llm.chat("openai/m") {
                    user("hi")
                    delivery = kind
                }
                shouldThrow<LlmException.InvalidRequest> { reply.await() }.isRetryable.shouldBeFalse()
                server.requests shouldHaveSize 1
            }
        }
    }

    test("Retry-After: 2 is a wait of two seconds, which is visible when it begins") {
        onServer({ refuse(429, "Slow down", "Retry-After" to "2") }) { llm, server ->
            val attempt = llm.chat("openai/m", "hi").events().filterIsInstance<Delta.Attempt>().first()
            attempt.delay shouldBe 2.seconds.toJavaDuration()
            attempt.error!!::class shouldBe LlmException.RateLimited::class
            server.requests shouldHaveSize 1
        }
    }

    test("the next request is sent after that time, and not before") {
        val sent = mutableListOf<TimeSource.Monotonic.ValueTimeMark>()
        onServer({ request ->
            sent += TimeSource.Monotonic.markNow()
            if (request == 1) refuse(429, "Slow down", "Retry-After" to "0.06") else answer("ok")
        }) { llm, server ->
            llm.chat("openai/m", "hi").await().text shouldBe "ok"
            server.requests shouldHaveSize 2
            (sent[1] - sent[0]) shouldBeGreaterThanOrEqualTo 60.milliseconds
        }
    }

    context("a 429 is repeated until the first delta, and not after it") {
        withData(Delivery.entries) { kind ->
            onServer({ request ->
                when {
                    request == 1 -> refuse(429, "Slow down")
                    kind == Delivery.WHOLE -> whole("""{"choices":[{"index":0,"message":{"content":"ok"},"finish_reason":"stop"}]}""")
                    else -> answer("ok")
                }
            }) { llm, server ->
                val response = llm.chat("openai/m") {
                    user("hi")
                    delivery = kind
                }.await()
                response.text shouldBe "ok"
                response.attempts.map { it.error?.status } shouldContainExactly listOf(429, null)
                server.requests shouldHaveSize 2
            }
        }
        test("after it") {
            onServer({ sse(piece("Hel"), event("""{"error":{"message":"Slow down","type":"rate_limit_error"}}""")) }) { llm, server ->
                shouldThrow<LlmException.RateLimited> { llm.chat("openai/m", "hi").await() }.partial!!.text shouldBe "Hel"
                server.requests shouldHaveSize 1
            }
        }
    }

    test("usage is asked for in a stream, and has the cached and the reasoning tokens") {
        val usage = """{"prompt_tokens":100,"completion_tokens":50,"total_tokens":150,"prompt_tokens_details":{"cached_tokens":80},
            "completion_tokens_details":{"reasoning_tokens":30}}""".replace("\n", "")
        onServer({ sse(piece("ok"), END, event("""{"id":"c","choices":[],"usage":$usage}"""), DONE) }) { llm, server ->
            llm.chat("openai/m", "hi").await().usage shouldBe Usage.build {
                inputTokens = 100
                outputTokens = 50
                cacheReadTokens = 80
                reasoningTokens = 30
            }
            val options = Json.parseToJsonElement(server.requests.single().body).jsonObject.getValue("stream_options").jsonObject
            options.getValue("include_usage").jsonPrimitive.content shouldBe "true"
        }
    }

    context("a fallback is used on an error of a model, not only where a provider is missing") {
        withData<Pair<String, LoopbackExchange.() -> Unit>>(
            { it.first },
            "status 500" to { refuse(500, "It broke") },
            "status 429" to { refuse(429, "Slow down") },
            "status 404" to { refuse(404, "No such model") },
            "a connection that is cut" to { cut() },
            "a web page" to { whole("<html></html>", type = "text/html") },
            "an error in the stream" to { sse(event("""{"error":{"message":"Busy","type":"overloaded_error"}}""")) },
        ) { (_, fail) ->
            LoopbackServer { answer("from the second") }.use { second ->
                val configure: LlmBuilder.() -> Unit = {
                    provider("second") { baseUrl = second.url }
                    fallback("second/m")
                }
                onServer({ fail() }, configure) { llm, _ ->
                    val response = llm.chat("openai/m", "hi").await()
                    response.text shouldBe "from the second"
                    response.fallbackUsed.shouldBeTrue()
                    response.attempts.first().error!!.model.toString() shouldBe "openai/m"
                }
            }
        }
    }

    test("a cancellation is no failure: no other attempt and no fallback follows it") {
        LoopbackServer { answer("never") }.use { second ->
            val configure: LlmBuilder.() -> Unit = {
                provider("second") { baseUrl = second.url }
                fallback("second/m")
            }
            onServer({ hold() }, configure) { llm, server ->
                val reply = llm.chat("openai/m", "hi")
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
                    runInterruptible(Dispatchers.IO) { server.awaitRequest() }.shouldBeTrue()
                    job.cancelAndJoin()
                }
                (thrown is CancellationException).shouldBeTrue()
                server.isClosed(1.seconds).shouldBeTrue()
                server.requests shouldHaveSize 1
                second.connections shouldBe 0
            }
        }
    }

    context("interceptors run on streams as on whole responses") {
        withData(Delivery.entries) { kind ->
            val seen = AtomicInteger()
            val configure: LlmBuilder.() -> Unit = {
                intercept { request, next ->
                    seen.incrementAndGet()
                    next.stream(request)
                }
            }
            onServer({
                if (kind == Delivery.STREAM) answer("ok") else whole("""{"choices":[{"index":0,"message":{"content":"ok"},"finish_reason":"stop"}]}""")
            }, configure) { llm, _ ->
                llm.chat("openai/m") {
                    user("hi")
                    delivery = kind
                }.deltas().toList() shouldContainExactly listOf("ok")
                seen.get() shouldBe 1
            }
        }
    }

    context("a name without a provider is not guessed: nothing is sent") {
        withData("deepseek-r1", "an-unknown-model", "nobody/gpt-4o") { name ->
            client("OPENAI_API_KEY" to "sk-test-peers").use { llm ->
                shouldThrow<LlmException.Configuration> { llm.chat(name, "hi").await() }.message!! shouldContain "provider"
            }
        }
    }

    test("nothing of a prompt or of a response is written to the standard streams") {
        val (out, err) = System.out to System.err
        val written = ByteArrayOutputStream()
        try {
            System.setOut(PrintStream(written, true))
            System.setErr(PrintStream(written, true))
            onServer({ request -> if (request == 1) refuse(500, "the secret words") else answer("the secret words") }) { llm, _ ->
                llm.chat("openai/m", "the secret words").await().text shouldBe "the secret words"
            }
        } finally {
            System.setOut(out)
            System.setErr(err)
        }
        written.toString().lines().filter { "secret words" in it || "sk-test-peers" in it }.joinToString("\n").shouldBeEmpty()
    }

    test("a client needs no HTTP engine beside its own, and closes it") {
        onServer({ answer("ok") }) { llm, server ->
            llm.chat("openai/m", "hi").await().text shouldBe "ok"
            llm.close()
            shouldThrow<LlmException> { llm.chat("openai/m", "hi").await() }
            server.requests shouldHaveSize 1
        }
    }
})
