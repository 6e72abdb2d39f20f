package dev.unifiedllm.protocol.gemini

import dev.unifiedllm.Protocols
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.Role
import dev.unifiedllm.protocol.RecordedRequest
import dev.unifiedllm.protocol.Recording
import dev.unifiedllm.protocol.answer
import dev.unifiedllm.protocol.encode
import dev.unifiedllm.protocol.get
import dev.unifiedllm.protocol.items
import dev.unifiedllm.protocol.target
import dev.unifiedllm.protocol.text
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.shouldBe
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.buildJsonObject

private val RecordedRequest.sent: JsonElement
    get() {
        val target = geminiTarget(this)
        val request = ChatRequest.build(target.id) { readGemini(body!!) }
        return Json.parseToJsonElement(Protocols.named(target.protocol).encode(request, target, mutableListOf()).body.decodeToString())
    }

class GeminiRoundTripSpec : FunSpec({
    val requests = RecordedRequest.all()

    context("a recorded response is sent back unchanged: tool calls with signatures and ids, texts with signatures") {
        withData(
            "u008-tool-call-ruby-llm",
            "u022-reasoning-ruby-llm",
            "s006-parallel-tool-calls-fantasy",
            "s031-tool-call-llm-gemini",
            "s002-reasoning-ruby-llm",
        ) { name ->
            val recording = Recording.named("gemini-generate/$name")
            val answer = recording.play().response
            val target = geminiTarget(requests.single { it.name == recording.name })
            val request = ChatRequest.build(target.id) {
                user("?")
                messages(listOf(Message(Role.ASSISTANT, answer.parts, model = target.id)))
            }
            val body = Json.parseToJsonElement(Protocols.named(target.protocol).encode(request, target, mutableListOf()).body.decodeToString())
            joined(body["contents"].items()[1]["parts"].items()) shouldBe joined(recording.parts())
        }
    }

    test("a recorded schema is sent unchanged, in the field of the other name") {
        val recorded = requests.filter { it.body?.get("generationConfig")["response_schema"] != null }
        recorded.size shouldBe 2
        for (request in recorded) {
            request.sent["generationConfig"]["responseSchema"] shouldBe request.body["generationConfig"]["response_schema"]
            request.sent["generationConfig"]["responseMimeType"] shouldBe request.body["generationConfig"]["response_mime_type"]
        }
    }
})

/** The parts that the provider sent, without the reasoning, which is not sent back. */
private fun Recording.parts(): List<JsonElement> {
    val text = body.decodeToString()
    val chunks = when {
        text.startsWith("[") -> Json.parseToJsonElement(text).items()
        text.startsWith("{") -> listOf(Json.parseToJsonElement(text))
        else -> text.lines().filter { it.startsWith("data:") }.map { Json.parseToJsonElement(it.removePrefix("data:")) }
    }
    return chunks.flatMap { it["candidates"].items().first()["content"]["parts"].items() }.filterNot { it["thought"].text == "true" }
}

/** [parts] with consecutive texts joined if neither has a signature. Empty texts without a signature are left out. */
private fun joined(parts: List<JsonElement>): List<JsonElement> = parts.fold(emptyList()) { all, part ->
    val last = all.lastOrNull()
    val text = part["text"].text
    when {
        text == null -> all + part
        text.isEmpty() && part["thoughtSignature"] == null -> all
        last["text"].text != null && last["thoughtSignature"] == null && part["thoughtSignature"] == null ->
            all.dropLast(1) + buildJsonObject { put("text", JsonPrimitive(last["text"].text!! + text)) }
        else -> all + part
    }
}
