package dev.unifiedllm.field

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.transport.LoopbackExchange
import dev.unifiedllm.transport.LoopbackServer
import dev.unifiedllm.transport.framing.awsEvent
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain

private val variables = mapOf("AWS_REGION" to "us-east-1")

private suspend fun ask(model: String, answer: LoopbackExchange.() -> Unit): ChatResponse = LoopbackServer { answer() }.use { server ->
    Llm.builder().retry { maxRetries = 0 }.environment(variables::get).provider(model.substringBefore('/')) {
        baseUrl = server.url
        apiKey = "key-of-the-tests"
    }.build().use { llm -> llm.chat(model, "hi").await() }
}

private suspend fun ollama(body: String, type: String? = "application/x-ndjson"): ChatResponse = ask("ollama/llama3") {
    val types = listOfNotNull(type).map { "Content-Type" to it }
    head(200, *types.toTypedArray())
    write(body)
}

private const val HEL = """{"model":"m","message":{"role":"assistant","content":"Hel"},"done":false}"""
private const val LO = """{"model":"m","message":{"role":"assistant","content":"lo"},"done":true,"done_reason":"stop"}"""
private const val PRETTY = "{\n  \"model\": \"m\",\n  \"message\": {\n    \"content\": \"Hello\"\n  },\n  \"done\": true,\n  \"done_reason\": \"stop\"\n}"
private const val WORDS = "Internal Server Error"

/** What gateways make of streams of lines and of binary events. */
class LineOddsSpec : FunSpec({
    context("Ollama, other forms of the same stream, under any content type:") {
        withData(
            nameFn = { it.replace("\n", "\\n") },
            "$HEL\n$LO\n",
            "$HEL\nping\n$LO\n",
            "$HEL\n$WORDS\n$LO",
            "ping\n$HEL\n$LO\n",
            "$HEL\ndata: $LO\n",
            "data: $HEL\n\ndata: $LO\n\ndata: [DONE]\n\n",
            "data: $HEL\ndata: $LO",
            PRETTY,
            "\n$PRETTY\n",
        ) { body ->
            for (type in listOf("application/x-ndjson", "application/json", "text/event-stream", null)) ollama(body, type).text shouldBe "Hello"
        }
    }

    test("Ollama, an indented error") {
        shouldThrow<LlmException> { ollama("{\n  \"error\": \"model crashed\"\n}", "application/json") }.message shouldContain "model crashed"
    }

    test("Ollama, words in place of the rest of the stream are shown") {
        shouldThrow<LlmException> { ollama("$HEL\n$WORDS\n") }.let {
            it.message shouldContain WORDS
            it.partial?.text shouldBe "Hel"
        }
        shouldThrow<LlmException> { ollama(WORDS) }.message shouldContain WORDS
    }

    test("Bedrock, binary events without a content type, however they arrive") {
        val events = awsEvent("messageStart", """{"role":"assistant"}""") +
            awsEvent("contentBlockDelta", """{"contentBlockIndex":0,"delta":{"text":"Hello"}}""") +
            awsEvent("contentBlockStop", """{"contentBlockIndex":0}""") +
            awsEvent("messageStop", """{"stopReason":"end_turn"}""") +
            awsEvent("metadata", """{"usage":{"inputTokens":3,"outputTokens":4}}""")
        for (size in listOf(1, 5, 11, 12, events.size)) {
            ask("bedrock/amazon.nova-lite-v1:0") {
                head(200)
                write(events.copyOf(size))
                Thread.sleep(20)
                write(events.copyOfRange(size, events.size))
            }.text shouldBe "Hello"
        }
    }
})
