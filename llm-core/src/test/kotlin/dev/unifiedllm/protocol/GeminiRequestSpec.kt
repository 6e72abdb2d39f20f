package dev.unifiedllm.protocol

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.Effort
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.ResponseFormat
import dev.unifiedllm.chat.Role
import dev.unifiedllm.chat.Tool
import dev.unifiedllm.chat.ToolChoice
import dev.unifiedllm.provider.ProviderRegistry
import dev.unifiedllm.provider.Target
import dev.unifiedllm.provider.TargetResolver
import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.shouldBe
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.double
import kotlinx.serialization.json.int
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import java.io.File

/** A recorded request to Gemini's wire, and the question that it means. */
private class RecordedRequest(private val folder: File) {
    private val request = Json.parseToJsonElement(folder.resolve("request.json").readText()).jsonObject
    val name: String = folder.name
    val host: String = request["host"].text!!
    val path: String = request["path"].text!!
    val body: JsonObject? = request["body"] as? JsonObject
    val isVertex: Boolean = host.endsWith("aiplatform.googleapis.com")
    val delivery: Delivery = if (":streamGenerateContent" in path) Delivery.STREAM else Delivery.WHOLE
    private val location = if (host.startsWith("aiplatform")) "global" else host.substringBefore("-aiplatform")

    fun target(): Target {
        val environment = mapOf("GEMINI_API_KEY" to "AIzaTest", "VERTEXAI_PROJECT" to "PROJECT", "VERTEXAI_LOCATION" to location, "VERTEX_ACCESS_TOKEN" to "ya29")
        val model = path.substringAfter("/models/").substringBefore(':')
        return TargetResolver(ProviderRegistry.packed, environment::get, emptyMap()).resolve(ModelId(if (isVertex) "vertex_ai" else "gemini", model))
    }

    /** Where ours goes. */
    val url: String = "https://$host" + path.substringBefore('?').replace("v1beta1", "v1").replace("<GOOGLE_CLOUD_LOCATION>", location) +
        if (delivery == Delivery.STREAM) "?alt=sse" else ""

    fun question(target: Target): ChatRequest = ChatRequest.build(target.id) { read(body!!) }

    private fun ChatRequestBuilder.read(body: JsonObject) {
        delivery = this@RecordedRequest.delivery
        body["systemInstruction"]["parts"].items().forEach { system(it["text"].text!!) }
        messages(body["contents"].items().map(::message))
        for (tool in body["tools"].items()) {
            for (function in tool["functionDeclarations"].items()) {
                tools += Tool(function["name"].text!!, function["description"].text, function["parameters"] as JsonObject)
            }
            if (tool["functionDeclarations"] == null) providerOptions { put("tools", JsonArray(listOf(tool))) }
        }
        if (body["toolConfig"]["functionCallingConfig"]["mode"].text == "AUTO") toolChoice = ToolChoice.Auto
        val settings = body["generationConfig"] as? JsonObject ?: JsonObject(emptyMap())
        settings["maxOutputTokens"]?.let { maxTokens = it.jsonPrimitive.int }
        settings["temperature"]?.let { temperature = it.jsonPrimitive.double }
        settings["response_schema"]?.let { responseFormat = ResponseFormat.JsonSchema("answer", it.jsonObject) }
        val thinking = settings["thinkingConfig"]
        thinking["thinkingLevel"].text?.let { reasoning = Effort.valueOf(it.uppercase()) }
        val others = settings - setOf("maxOutputTokens", "temperature", "response_schema", "response_mime_type") - if (reasoning == null) emptySet() else setOf("thinkingConfig")
        if (others.isNotEmpty()) providerOptions { put("generationConfig", JsonObject(others)) }
        for (field in listOf("safetySettings", "modelArmorConfig")) body[field]?.let { providerOptions { put(field, it) } }
    }

    private fun message(content: JsonElement): Message {
        val parts = content["parts"].items().map(::part)
        val role = if (content["role"].text == "model") Role.ASSISTANT else if (parts.first() is Part.ToolResult) Role.TOOL else Role.USER
        return Message(role, parts)
    }

    private fun part(part: JsonElement): Part = when {
        part["functionCall"] != null ->
            Part.ToolCall("call_0", part["functionCall"]["name"].text!!, part["functionCall"]["args"].toString(), part["thoughtSignature"].text)
        part["functionResponse"] != null -> Part.ToolResult("call_0", part["functionResponse"]["name"].text!!, part["functionResponse"]["response"].toString())
        else -> Part.Text(part["text"].text!!)
    }
}

/** In what our requests may differ from the recorded ones: the path of the member, and why. Anything else is a fault. */
private val explained = mapOf(
    Regex("""systemInstruction\.role""") to "ignored by the server; other recordings leave it out as well",
    Regex("""generationConfig""") to "an empty object says nothing",
    Regex("""generationConfig\.response_?(mime_?type|schema)\b.*""", RegexOption.IGNORE_CASE) to "protobuf's JSON takes lowerCamelCase and the original names alike",
    Regex("""tools\[0]\.functionDeclarations\[0]\.parameters.*""") to "a function without parameters: the Gemini API refuses an object without properties, so it has none",
)

/** The leaves of [element], and its empty objects and lists, by their paths. */
private fun leaves(element: JsonElement, path: String = ""): Map<String, JsonElement> = when {
    element is JsonObject && element.isNotEmpty() -> element.entries.fold(emptyMap()) { all, (name, value) -> all + leaves(value, if (path.isEmpty()) name else "$path.$name") }
    element is JsonArray && element.isNotEmpty() -> element.foldIndexed(emptyMap()) { index, all, value -> all + leaves(value, "$path[$index]") }
    else -> mapOf(path to element)
}

private fun same(ours: JsonElement?, theirs: JsonElement?): Boolean =
    ours == theirs || ours is JsonPrimitive && theirs is JsonPrimitive && !ours.isString && !theirs.isString && ours.content.toDoubleOrNull() == theirs.content.toDoubleOrNull()

class GeminiRequestSpec : FunSpec({
    val corpus = File(GeminiRequestSpec::class.java.getResource("/corpus/gemini-generate")!!.toURI())
    val recorded = corpus.listFiles()!!.sorted().map(::RecordedRequest).filter { it.body != null && "/chat/completions" !in it.path }
    val used = mutableSetOf<Regex>()

    context("the same question makes the request that was recorded") {
        withData<RecordedRequest>({ it.name }, recorded) { recording ->
            val target = recording.target()
            val warnings = mutableListOf<String>()
            val request = Protocol.named(target.protocol).encode(recording.question(target), target, warnings)
            warnings.shouldBeEmpty()
            request.url shouldBe recording.url
            val ours = leaves(Json.parseToJsonElement(request.body.decodeToString()))
            val theirs = leaves(recording.body!!)
            for (path in ours.keys + theirs.keys) {
                if (same(ours[path], theirs[path])) continue
                val reason = explained.keys.firstOrNull { it.matches(path) }
                withClue({ "$path: ${ours[path]} instead of ${theirs[path]}" }) { (reason != null) shouldBe true }
                used += reason!!
            }
        }
    }

    test("every explained difference occurs, and is one of name only where it is said to be") {
        explained.keys.filterNot { it in used }.shouldBeEmpty()
        val schema = recorded.first { it.body!!["generationConfig"]["response_schema"] != null }
        val target = schema.target()
        val body = Json.parseToJsonElement(Protocol.named(target.protocol).encode(schema.question(target), target, mutableListOf()).body.decodeToString())
        body["generationConfig"]["responseSchema"] shouldBe schema.body!!["generationConfig"]["response_schema"]
        body["generationConfig"]["responseMimeType"] shouldBe JsonPrimitive("application/json")
    }

    test("a recorded answer goes back as it came: its calls with their seals and ids, its texts with theirs") {
        for (name in listOf("u008-tool-call-ruby-llm", "u022-reasoning-ruby-llm", "s006-parallel-tool-calls-fantasy", "s031-tool-call-llm-gemini", "s002-reasoning-ruby-llm")) {
            val recording = Recording.named("gemini-generate/$name")
            val response = recording.play().response
            val target = RecordedRequest(corpus.resolve(name)).target()
            val request = ChatRequest.build(target.id) {
                user("?")
                messages(listOf(Message(Role.ASSISTANT, response.parts, model = target.id)))
            }
            val body = Json.parseToJsonElement(Protocol.named(target.protocol).encode(request, target, mutableListOf()).body.decodeToString())
            withClue(name) { joined(body["contents"].items()[1]["parts"].items()) shouldBe joined(sent(recording)) }
        }
    }
})

/** The parts that the provider sent, without the thoughts that it does not want back. */
private fun sent(recording: Recording): List<JsonElement> {
    val text = recording.body.decodeToString()
    val chunks = when {
        text.startsWith("[") -> Json.parseToJsonElement(text).items()
        text.startsWith("{") -> listOf(Json.parseToJsonElement(text))
        else -> text.lines().filter { it.startsWith("data:") }.map { Json.parseToJsonElement(it.removePrefix("data:")) }
    }
    return chunks.flatMap { it["candidates"].items().first()["content"]["parts"].items() }.filterNot { it["thought"].text == "true" }
}

/** [parts] with neighbouring texts joined, until one that has a seal; empty ones without are nothing. */
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
