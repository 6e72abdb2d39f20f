package dev.unifiedllm.features

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Effort
import dev.unifiedllm.chat.FinishReason.Kind
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.ResponseFormat
import dev.unifiedllm.chat.Role
import dev.unifiedllm.chat.Tool
import dev.unifiedllm.chat.ToolChoice
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.protocol.Answer
import io.kotest.matchers.booleans.shouldBeTrue
import io.kotest.matchers.collections.shouldBeUnique
import io.kotest.matchers.collections.shouldNotBeEmpty
import io.kotest.matchers.ints.shouldBeGreaterThan
import io.kotest.matchers.longs.shouldBeGreaterThan
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldNotBeEmpty
import kotlinx.serialization.Serializable
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.jsonObject

/** What a model can do: a row of docs/features.md. [use] asks a model for it, and asserts what came back. */
internal enum class Feature(val title: String, val use: Use) {
    TEXT("Streamed text", ChatUse({ it.deltas.count { delta -> delta is Delta.Text } shouldBeGreaterThan 1 })),
    WHOLE("Response in one piece", ChatUse({ it.response.text.shouldNotBeEmpty() })),
    USAGE("Tokens used", ChatUse(::checkUsage)),
    LENGTH("Token limit and its finish reason", ChatUse({ it.response.finishReason!!.kind shouldBe Kind.LENGTH }) { maxTokens = 16 }),
    CACHED_TOKENS("Cached tokens in the usage", ChatUse({ it.usage.cacheReadTokens.shouldNotBeNull() shouldBeGreaterThan 0 })),
    CACHE_BREAKPOINT("Cache breakpoints", ChatUse { cacheBreakpoint() }),
    TOOL_CALL("Tool call", ChatUse(::checkCalls) { tool(WEATHER) }),
    PARALLEL_CALLS("Parallel tool calls", ChatUse(::checkParallelCalls) { tool(WEATHER) }),
    TOOL_RESULT(
        "Tool result",
        ChatUse {
            tool(WEATHER)
            message(CALLED)
            toolResult("call_1", "weather", "20 C")
        },
    ),
    TOOL_CHOICE(
        "A tool call that is required",
        ChatUse {
            tool(WEATHER)
            toolChoice = ToolChoice.Required
        },
    ),
    STRICT_TOOLS("Arguments guaranteed by the provider (strict)", ChatUse { tool("weather", "Current weather in a city") { city: City -> city.city } }),
    RESULT_IMAGE(
        "Image in a tool result",
        ChatUse {
            tool(WEATHER)
            message(CALLED)
            toolResult(Part.ToolResult("call_1", "weather", listOf(Part.Text("a picture"), Part.Image(PNG))))
        },
    ),
    JSON_SCHEMA("Response by a JSON schema", ChatUse { responseFormat = ResponseFormat.JsonSchema("city", SCHEMA) }),
    JSON_OBJECT("Response as any JSON object", ChatUse { responseFormat = ResponseFormat.Json }),
    TYPED_ANSWER("Typed answer (awaitAs)", TypedUse),
    REASONING("Reasoning", ChatUse({ it.response.reasoning.shouldNotBeEmpty() })),
    EFFORT("Effort of reasoning", ChatUse { reasoning = Effort.HIGH }),
    SIGNATURE("Signed reasoning kept in the second turn", ChatUse({ it.signatures.shouldNotBeEmpty() }, sentBack = { it.signatures }) { tool(WEATHER) }),
    IMAGE_URL("Image in a message, by URL", ChatUse(prompt = null) { user("What is it?") { image("https://example.com/cat.png") } }),
    IMAGE_DATA("Image in a message, by content", ChatUse(prompt = null) { user("What is it?") { image(PNG) } }),
    PDF("PDF in a message", ChatUse(prompt = null) { user("What is it?") { file("data:application/pdf;base64,JVBERi0xLjQK", "application/pdf", "a.pdf") } }),
    AUDIO_IN("Sound in a message", ChatUse(prompt = null) { user("Who speaks?") { audio("data:audio/wav;base64,UklGRg==") } }),
    IMAGE_OUT("Image in a response of a chat", ChatUse({ it.media("image/") })),
    AUDIO_OUT("Sound in a response of a chat", ChatUse({ it.media("audio/") })),
    CITATIONS("Cited sources", ChatUse({ it.response.sources.shouldNotBeEmpty() })),
    WEB_SEARCH("Web search of the provider", ChatUse({ it.response.sources.shouldNotBeEmpty() })),
    CODE_EXECUTION("Code execution by the provider", ChatUse({ it.response.text.shouldNotBeEmpty() })),
    EMBEDDINGS("Embeddings", EmbeddingUse),
    IMAGES("Image generation", ImageUse(hasSource = false)),
    IMAGE_EDITS("Image edits", ImageUse(hasSource = true)),
    COUNT_TOKENS("Count of tokens by the provider", CountUse),
    MODELS("List of models", ModelsUse),
    ;

    /** As in docs/features.tsv. */
    val id: String = name.lowercase().replace('_', '-')

    override fun toString(): String = id

    companion object {
        fun of(id: String): Feature = entries.single { it.id == id }
    }
}

@Serializable
internal data class City(val city: String)

/** A PNG of one pixel. */
internal const val PIXEL: String =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
internal const val PNG: String = "data:image/png;base64,$PIXEL"
private const val CITY_SCHEMA = """{"type":"object","properties":{"city":{"type":"string"}},"required":["city"],"additionalProperties":false}"""
private val SCHEMA = Json.parseToJsonElement(CITY_SCHEMA).jsonObject
private val WEATHER = Tool.of("weather", "Current weather in a city", CITY_SCHEMA)
private val CALLED = Message(Role.ASSISTANT, listOf(Part.ToolCall("call_1", "weather", """{"city":"Paris"}""")))

private val Answer.usage: Usage get() = response.usage.shouldNotBeNull()

/** The signatures that the provider must get back: of the reasoning, and of tool calls. */
private val Answer.signatures: List<String>
    get() = response.parts.mapNotNull { part -> (part as? Part.Reasoning)?.signature ?: (part as? Part.ToolCall)?.signature }

private fun Answer.media(type: String) = response.media.any { it.mediaType.startsWith(type) && it.url.isNotEmpty() }.shouldBeTrue()

private fun checkUsage(answer: Answer) {
    answer.usage.inputTokens.shouldNotBeNull() shouldBeGreaterThan 0
    answer.usage.outputTokens.shouldNotBeNull() shouldBeGreaterThan 0
}

private fun checkCalls(answer: Answer) {
    answer.response.toolCalls.shouldNotBeEmpty()
    for (call in answer.response.toolCalls) {
        call.id.shouldNotBeEmpty()
        call.name.shouldNotBeEmpty()
        (Json.parseToJsonElement(call.arguments) is JsonObject).shouldBeTrue()
    }
}

private fun checkParallelCalls(answer: Answer) {
    checkCalls(answer)
    answer.response.toolCalls.size shouldBeGreaterThan 1
    answer.response.toolCalls.map { it.id }.shouldBeUnique()
}
