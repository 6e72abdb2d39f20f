package dev.unifiedllm.protocol

import dev.unifiedllm.LlmException
import dev.unifiedllm.client
import dev.unifiedllm.transport.LoopbackServer
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain

/** @property alone a terminal event without a response @property empty a response without content */
private class Ending(val wire: String, val alone: String, val empty: String) {
    override fun toString(): String = wire
}

private fun sse(vararg events: String) = events.joinToString("") { "data: $it\n\n" }

private fun named(vararg events: Pair<String, String>) = events.joinToString("") { (name, data) -> "event: $name\ndata: $data\n\n" }

class TerminalEventSpec : FunSpec({
    val endings = listOf(
        Ending("openai-chat", sse("[DONE]"), sse("""{"id":"r","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}""", "[DONE]")),
        Ending(
            "openai-chat",
            sse("""{"id":"r","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":0}}""", "[DONE]"),
            sse("""{"id":"r","choices":[{"index":0,"delta":{"content":""},"finish_reason":"length"}]}""", "[DONE]"),
        ),
        Ending(
            "openai-chat",
            sse("""{"id":"r","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}""", "[DONE]"), // vLLM, if its engine fails
            sse(
                """{"id":"r","choices":[{"index":0,"delta":{"role":"assistant"}}]}""",
                """{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}""",
                "[DONE]",
            ),
        ),
        Ending(
            "anthropic-messages",
            named("message_stop" to """{"type":"message_stop"}"""),
            named(
                "message_start" to """{"type":"message_start","message":{"id":"m","usage":{"input_tokens":3,"output_tokens":0}}}""",
                "message_delta" to """{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":0}}""",
                "message_stop" to """{"type":"message_stop"}""",
            ),
        ),
        Ending(
            "cohere-chat",
            sse("""{"type":"message-end"}"""),
            sse("""{"id":"r","type":"message-start"}""", """{"type":"message-end","delta":{"finish_reason":"COMPLETE"}}"""),
        ),
    )

    context("a terminal event alone is malformed; a response without content is a response:") {
        withData<Ending>({ "$it ${it.alone.hashCode()}" }, endings) { ending ->
            suspend fun response(body: String) = LoopbackServer {
                head(200, "Content-Type" to "text/event-stream")
                write(body)
            }.use { server ->
                client {
                    provider("local") {
                        baseUrl = server.url
                        protocol = ending.wire
                        apiKey = "sk-test"
                    }
                }.use { it.chat("local/m", "hi").await() }
            }
            shouldThrow<LlmException.MalformedResponse> { response(ending.alone) }.message!! shouldContain "local/m"
            response(ending.empty).text shouldBe ""
        }
    }
})
