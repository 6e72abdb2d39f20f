package dev.unifiedllm

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.transport.LoopbackExchange
import dev.unifiedllm.transport.LoopbackServer
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.booleans.shouldBeTrue
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.withContext
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit.SECONDS
import java.util.concurrent.atomic.AtomicInteger
import kotlin.time.Duration.Companion.milliseconds

private fun event(json: String) = "data: $json\n\n"

private fun LoopbackExchange.says(text: String) = sse(
    event("""{"id":"c","choices":[{"index":0,"delta":{"content":"$text"},"finish_reason":null}]}"""),
    event("""{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"""),
    event("[DONE]"),
)

private fun LoopbackExchange.refuse() = whole("""{"error":{"message":"It is overloaded","type":"server_error"}}""", 503)

/** A retry and a fallback are seen while they happen: here from Kotlin, in JavaRetriesTest from Java. */
class VisibleAttemptsSpec : FunSpec({
    /** The server answers request [waits] when the attempt before has been seen. */
    suspend fun onServer(waits: Int, configure: LlmBuilder.() -> Unit, block: suspend (Llm, LoopbackServer, CountDownLatch) -> Unit) {
        val seen = CountDownLatch(1)
        val count = AtomicInteger()
        LoopbackServer {
            if (count.incrementAndGet() < waits) return@LoopbackServer refuse()
            if (seen.await(10, SECONDS)) says("ok") else refuse()
        }.use { server ->
            client("OPENAI_BASE_URL" to server.url + "/v1", "OPENAI_API_KEY" to "sk-test-visible") {
                provider("second") { baseUrl = server.url }
                configure()
            }.use { block(it, server, seen) }
        }
    }

    test("a retry is an event before its response: with the failure and the wait") {
        val retries: LlmBuilder.() -> Unit = {
            retry {
                maxRetries = 2
                baseDelay = 20.milliseconds
            }
        }
        onServer(waits = 2, retries) { llm, server, seen ->
            val reply = llm.chat("openai/m", "hi")
            val events = mutableListOf<Delta>()
            withContext(Dispatchers.Default) {
                reply.events().collect {
                    events += it
                    if (it is Delta.Attempt) {
                        reply.state shouldBe Reply.State.RUNNING
                        reply.partial.shouldNotBeNull().attempts shouldHaveSize 1
                        seen.countDown()
                    }
                }
            }
            val attempt = events.filterIsInstance<Delta.Attempt>().single()
            attempt.model.toString() shouldBe "openai/m"
            (attempt.delay.shouldNotBeNull().toMillis() in 10L..20L).shouldBeTrue()
            val failure = attempt.error.shouldNotBeNull()
            (failure is LlmException.Overloaded).shouldBeTrue()
            failure.message.shouldNotBeNull() shouldContain "It is overloaded"
            failure.message.shouldNotBeNull() shouldNotContain "fallback" // it is being mended already
            events.indexOf(attempt) shouldBe 0
            reply.await().attempts.map { it.error?.status } shouldContainExactly listOf(503, null)
            server.requests shouldHaveSize 2
        }
    }

    test("a fallback is an event before its response") {
        onServer(waits = 2, { fallback("second/m") }) { llm, server, seen ->
            val reply = llm.chat("openai/m", "hi")
            val events = mutableListOf<Delta>()
            withContext(Dispatchers.Default) {
                reply.events().collect {
                    events += it
                    if (it is Delta.Attempt) seen.countDown()
                }
            }
            val attempt = events.filterIsInstance<Delta.Attempt>().single()
            attempt.delay.shouldBeNull()
            attempt.error.shouldNotBeNull().model.toString() shouldBe "openai/m"
            val response = reply.await()
            response.model.toString() shouldBe "second/m"
            response.fallbackUsed.shouldBeTrue()
            server.requests shouldHaveSize 2
        }
    }

    test("when nothing helps the error tells what to do, and has all attempts") {
        onServer(waits = 100, { retry { maxRetries = 1 } }) { llm, _, _ ->
            val failure = shouldThrow<LlmException.Overloaded> {
                llm.chat("openai/m") {
                    user("hi")
                    retry { baseDelay = 1.milliseconds }
                }.await()
            }
            failure.attempts shouldHaveSize 2
            failure.message.shouldNotBeNull() shouldContain "or add a fallback."
        }
        onServer(waits = 100, { fallback("second/m") }) { llm, _, _ ->
            val failure = shouldThrow<LlmException.AllFailed> { llm.chat("openai/m", "hi").await() }
            for (name in listOf("openai/m", "second/m")) failure.message.shouldNotBeNull() shouldContain name
            failure.attempts.map { it.model.toString() } shouldContainExactly listOf("openai/m", "second/m")
        }
    }
})
