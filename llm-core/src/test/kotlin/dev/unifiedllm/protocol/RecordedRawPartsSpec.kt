package dev.unifiedllm.protocol

import dev.unifiedllm.chat.Part
import dev.unifiedllm.protocol.anthropic.AnthropicMessages
import dev.unifiedllm.protocol.bedrock.BedrockConverse
import dev.unifiedllm.protocol.gemini.GeminiGenerate
import dev.unifiedllm.protocol.openai.OpenAiResponses
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.collections.shouldContainExactlyInAnyOrder
import io.kotest.matchers.shouldBe
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject

/** The blocks of built-in tools in a recording, read from its JSON without the decoders. */
private fun Recording.builtInBlocks(): List<JsonElement> = when (wire) {
    AnthropicMessages.name -> anthropicBlocks(events())
    GeminiGenerate.name -> events().flatMap { it["candidates"].items() }.flatMap { it["content"]["parts"].items() }.filter { part ->
        (part as JsonObject).keys.none { it in setOf("text", "functionCall", "inlineData", "fileData") } && part.keys.any { it !in SIGNED }
    }
    OpenAiResponses.name -> responsesItems(events()).filter { it["type"].text !in READ_ITEMS }
    BedrockConverse.name -> converseBlocks(events())
    else -> emptyList()
}

private val SIGNED = setOf("thought", "thoughtSignature")
private val READ_BLOCKS = setOf("text", "thinking", "redacted_thinking", "tool_use")
private val READ_ITEMS = setOf("message", "reasoning", "function_call", "custom_tool_call", "image_generation_call")

private fun anthropicBlocks(events: List<JsonElement>): List<JsonElement> {
    val whole = events.singleOrNull()?.get("content").items()
    val streamed = events.filter { it["type"].text == "content_block_start" }.map { start ->
        val deltas = events.filter { it["index"] == start["index"] && it["type"].text == "content_block_delta" }
        val fragments = deltas.mapNotNull { it["delta"]["partial_json"].text }
        val block = start["content_block"] as JsonObject
        val input = fragments.joinToString("")
        if (input.isEmpty()) block else JsonObject(block + ("input" to Json.parseToJsonElement(input)))
    }
    return (whole + streamed).filter { it["type"].text !in READ_BLOCKS }
}

/** The items of a whole response, or those that a stream ends. */
private fun responsesItems(events: List<JsonElement>): List<JsonElement> =
    events.singleOrNull()?.get("output").items().ifEmpty { events.filter { it["type"].text == "response.output_item.done" }.mapNotNull { it["item"] } }

private fun converseBlocks(events: List<JsonElement>): List<JsonElement> {
    fun of(name: String) = events.mapNotNull { (it as JsonObject)[name] }
    val deltas = of("contentBlockDelta")
    return of("contentBlockStart").mapNotNull { event ->
        val mine = deltas.filter { it["contentBlockIndex"] == event["contentBlockIndex"] }.map { it["delta"] }
        val use = event["start"]["toolUse"] as? JsonObject
        val result = event["start"]["toolResult"] as? JsonObject
        when {
            use?.get("type").text == "server_tool_use" -> {
                val input = mine.joinToString("") { it["toolUse"]["input"].text.orEmpty() }
                JsonObject(mapOf("toolUse" to JsonObject(use.orEmpty() + ("input" to Json.parseToJsonElement(input)))))
            }
            result != null -> JsonObject(mapOf("toolResult" to JsonObject(result + ("content" to JsonArray(mine.flatMap { it["toolResult"].items() })))))
            else -> null
        }
    }
}

/** What built-in tools did is in raw parts as the provider sent it, so that the next turn can send it back. */
class RecordedRawPartsSpec : FunSpec({
    val recordings = Recording.all().filter { it.wire != null && !it.isError && it.query == null }
    val blocks = recordings.associateWith { it.builtInBlocks() }.filterValues { it.isNotEmpty() }

    context("the raw parts of a response are the blocks that it does not read:") {
        withData<Recording>({ it.name }, blocks.keys) { recording ->
            val raw = recording.play().response.parts.filterIsInstance<Part.Raw>()
            raw.map { Json.parseToJsonElement(it.json) } shouldContainExactly blocks.getValue(recording)
            raw.map { it.protocol }.distinct() shouldBe listOf(recording.wire)
            raw.map { it.type } shouldContainExactly blocks.getValue(recording).map { block ->
                block["type"].text ?: (block as JsonObject).keys.first { it !in SIGNED }
            }
        }
    }

    test("no other response has raw parts") {
        for (recording in recordings - blocks.keys) recording.play().response.parts.filterIsInstance<Part.Raw>() shouldBe emptyList()
    }

    if (Recording.areOwn) {
        test("the recordings have built-in tools of four wires") {
            blocks.keys.mapNotNull { it.wire }.distinct() shouldContainExactlyInAnyOrder
                listOf(AnthropicMessages.name, BedrockConverse.name, GeminiGenerate.name, OpenAiResponses.name)
        }
    }
})
