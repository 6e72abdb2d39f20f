package dev.unifiedllm.protocol.gemini

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.ResponseFormat
import dev.unifiedllm.chat.Tool
import dev.unifiedllm.chat.ToolChoice
import dev.unifiedllm.protocol.Decoder
import dev.unifiedllm.protocol.Protocol
import dev.unifiedllm.protocol.encode
import dev.unifiedllm.protocol.headers
import dev.unifiedllm.protocol.withQuery
import dev.unifiedllm.provider.Provider
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.TransportRequest
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonObjectBuilder
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.add
import kotlinx.serialization.json.buildJsonArray
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put
import kotlinx.serialization.json.putJsonArray
import kotlinx.serialization.json.putJsonObject

/** Gemini's signatures are valid at AI Studio and at Vertex AI. */
private const val GEMINI = "gemini"

/** `POST …/models/{model}:generateContent` of the Gemini API (ai.google.dev/api/generate-content, read 2026-11-21). */
internal object GeminiGenerate : Protocol {
    override val name: String = "gemini-generate"

    override val customServerAuth: Provider.Auth get() = Provider.Auth.X_GOOG_API_KEY

    override fun signatureFamily(model: String): String = GEMINI

    override fun encode(request: ChatRequest, target: Target, warnings: MutableList<String>): TransportRequest {
        val given = target.baseUrl.replace(PASTED, "")
        val base = if (VERSIONED.containsMatchIn(given)) given else "$given/v1beta"
        val model = target.name.removePrefix("models/")
        val path = if (model.startsWith("tunedModels/")) "" else "/models"
        return wireRequest("$base$path/${path(model)}", request, target, GeminiBody(request, target, warnings, isVertex = false))
    }

    override fun decoder(target: Target): Decoder = GeminiGenerateDecoder(target)

    private val VERSIONED = Regex("/v\\d+[a-z0-9]*(/|$)")

    /** A whole call's path, or that of OpenAI's wire, which people paste along. */
    private val PASTED = Regex("(?<=/v1beta)/openai$|/models(/[^/]+)?$")
}

/** The same at Vertex AI, where the model belongs to a publisher or is an endpoint's number. */
internal object VertexGemini : Protocol {
    override val name: String = "vertex-gemini"

    override val customServerAuth: Provider.Auth get() = Provider.Auth.GOOGLE

    override fun signatureFamily(model: String): String = GEMINI

    override fun encode(request: ChatRequest, target: Target, warnings: MutableList<String>): TransportRequest {
        val publisher = target.name.substringBefore('/', "google")
        val model = target.name.substringAfter('/')
        val path = if (model.all(Char::isDigit)) "/endpoints/$model" else "/publishers/${encode(publisher)}/models/${path(model)}"
        return wireRequest(target.baseUrl.substringBefore("/publishers/") + path, request, target, GeminiBody(request, target, warnings, isVertex = true))
    }

    override fun decoder(target: Target): Decoder = GeminiGenerateDecoder(target)
}

private fun path(model: String): String = model.split('/').joinToString("/", transform = ::encode)

private fun wireRequest(url: String, request: ChatRequest, target: Target, body: GeminiBody): TransportRequest {
    val streamed = request.delivery == Delivery.STREAM
    val call = if (streamed) withQuery("$url:streamGenerateContent", request, "alt" to "sse") else withQuery("$url:generateContent", request)
    return TransportRequest(call, headers(target, request), body.json().toString().encodeToByteArray())
}

/** The body of one request. */
private class GeminiBody(private val request: ChatRequest, target: Target, private val warnings: MutableList<String>, private val isVertex: Boolean) {
    private val content = GeminiContent(target, warnings, isVertex)
    private val thinking = geminiThinking(request, target.name, warnings)

    fun json(): JsonObject {
        val parts = content.of(request.messages)
        val own = buildJsonObject {
            put("contents", parts.contents)
            parts.system?.let { put("systemInstruction", it) }
            if (request.tools.isNotEmpty()) {
                putJsonArray("tools") { add(buildJsonObject { putJsonArray("functionDeclarations") { request.tools.forEach { add(declaration(it)) } } }) }
            }
            request.toolChoice?.let { put("toolConfig", toolConfig(it)) }
            val settings = buildJsonObject { settings() }
            if (settings.isNotEmpty()) put("generationConfig", settings)
            if (isVertex && request.metadata.isNotEmpty()) putJsonObject("labels") { request.metadata.forEach { (label, value) -> put(label, value) } }
            if (!isVertex) request.serviceTier?.let { put("serviceTier", it) }
        }
        lacking()
        return JsonObject(request.providerOptions.entries.fold(own.toMap()) { body, (option, value) -> body + (option to merged(body[option], value)) })
    }

    /** The user's own words go into our object, and behind our list, of that name. */
    private fun merged(own: JsonElement?, theirs: JsonElement): JsonElement = when {
        own is JsonObject && theirs is JsonObject -> JsonObject(own + theirs)
        own is JsonArray && theirs is JsonArray -> JsonArray(own + theirs)
        else -> theirs
    }

    private fun JsonObjectBuilder.settings() {
        request.temperature?.let { put("temperature", it) }
        request.topP?.let { put("topP", it) }
        request.topK?.let { put("topK", it) }
        request.maxTokens?.let { put("maxOutputTokens", it) }
        if (request.stop.isNotEmpty()) putJsonArray("stopSequences") { request.stop.forEach { add(it) } }
        request.seed?.let { put("seed", it) }
        request.presencePenalty?.let { put("presencePenalty", it) }
        request.frequencyPenalty?.let { put("frequencyPenalty", it) }
        request.n?.let { put("candidateCount", it) }
        request.logprobs?.let { put("responseLogprobs", it) }
        request.topLogprobs?.let { put("logprobs", it) }
        when (val format = request.responseFormat) {
            null, ResponseFormat.Text -> Unit
            ResponseFormat.Json -> put("responseMimeType", "application/json")
            is ResponseFormat.JsonSchema -> {
                put("responseMimeType", "application/json")
                schema(format.schema, "responseSchema", "responseJsonSchema")
            }
        }
        thinking?.let { put("thinkingConfig", it) }
    }

    private fun declaration(tool: Tool) = buildJsonObject {
        put("name", tool.name)
        tool.description?.let { put("description", it) }
        if (!GeminiSchema.isEmpty(tool.parameters)) schema(tool.parameters, "parameters", "parametersJsonSchema")
    }

    private fun JsonObjectBuilder.schema(schema: JsonObject, field: String, jsonField: String) {
        val plain = GeminiSchema.openApi(schema)
        if (plain != null) put(field, plain) else put(jsonField, GeminiSchema.json(schema))
    }

    private fun toolConfig(choice: ToolChoice) = buildJsonObject {
        putJsonObject("functionCallingConfig") {
            when (choice) {
                ToolChoice.Auto -> put("mode", "AUTO")
                ToolChoice.None -> put("mode", "NONE")
                ToolChoice.Required -> put("mode", "ANY")
                is ToolChoice.Named -> {
                    put("mode", "ANY")
                    put("allowedFunctionNames", buildJsonArray { add(JsonPrimitive(choice.name)) })
                }
            }
        }
    }

    private fun lacking() {
        fun lacking(name: String, isAsked: Boolean) {
            if (isAsked) warnings += "$name is not part of this wire and was left out"
        }
        lacking("endUser", request.endUser != null)
        lacking("parallelToolCalls = false", request.parallelToolCalls == false)
        if (!isVertex && request.metadata.isNotEmpty()) warnings += "the Gemini API has no labels: metadata was left out; Vertex AI has"
        if (isVertex && request.serviceTier != null) {
            warnings += "Vertex AI takes the service tier as a header, so serviceTier was left out: extraHeaders[\"X-Vertex-AI-LLM-Shared-Request-Type\"] = …"
        }
    }
}
