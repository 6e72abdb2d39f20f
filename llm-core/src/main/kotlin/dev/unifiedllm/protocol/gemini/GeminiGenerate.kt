package dev.unifiedllm.protocol.gemini

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.EmbeddingRequest
import dev.unifiedllm.chat.ImageRequest
import dev.unifiedllm.chat.ResponseFormat
import dev.unifiedllm.chat.Tool
import dev.unifiedllm.chat.ToolChoice
import dev.unifiedllm.protocol.Codec
import dev.unifiedllm.protocol.Decoder
import dev.unifiedllm.protocol.Media
import dev.unifiedllm.protocol.ModelList
import dev.unifiedllm.protocol.Protocol
import dev.unifiedllm.protocol.TokenCounter
import dev.unifiedllm.protocol.encode
import dev.unifiedllm.protocol.headers
import dev.unifiedllm.protocol.toUtf8
import dev.unifiedllm.protocol.warnDetail
import dev.unifiedllm.protocol.warnUnsupported
import dev.unifiedllm.protocol.withQuery
import dev.unifiedllm.provider.EmbeddingLimits
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

/**
 * The Gemini API: `POST …/models/{model}:generateContent`
 * ([ai.google.dev](https://ai.google.dev/api/generate-content), read 2026-11-21).
 */
internal object GeminiGenerate : Protocol {
    override val name: String = "gemini-generate"

    override val rawProtocol: String get() = name

    override val customServerAuth: Provider.Auth get() = Provider.Auth.X_GOOG_API_KEY

    override fun signatureFamily(model: String): String = GEMINI

    override fun encode(request: ChatRequest, target: Target, warnings: MutableList<String>): TransportRequest =
        transportRequest(url(target), request, target, GeminiBody(request, target, warnings, isVertex = false))

    /** The URL of the model. */
    private fun url(target: Target): String {
        val base = base(target)
        val model = target.name.removePrefix("models/")
        val path = if (model.startsWith("tunedModels/")) "" else "/models"
        return "$base$path/${path(model)}"
    }

    override fun decoder(target: Target): Decoder = GeminiGenerateDecoder(target)

    override val images: Codec<ImageRequest> = GoogleImages(isVertex = false, ::url)

    override val embeddings: Codec<EmbeddingRequest> = GeminiEmbed(::url)

    override fun embeddingLimits(model: String): EmbeddingLimits = GeminiEmbed.LIMITS

    /** The API fetches URLs since Gemini 2.5 ([ai.google.dev](https://ai.google.dev/gemini-api/docs/file-input-methods), read 2026-11-26). */
    override fun needsContent(media: Media, target: Target): Boolean =
        !isGoogles(media.url) && (media.mediaType == null || WITHOUT_URLS.containsMatchIn(target.name))

    override fun tokenCounter(target: Target): TokenCounter = geminiCounter(this)

    override val modelList: ModelList get() = geminiModels { base(it) + "/models" }

    private fun base(target: Target): String {
        val host = target.baseUrl.replace(KNOWN_PATH, "")
        return if (VERSIONED.containsMatchIn(host)) host else "$host/v1beta"
    }

    private val VERSIONED = Regex("/v\\d+[a-z0-9]*(/|$)")

    /** The path of a model, or of the OpenAI-compatible API, which may be part of the base URL. */
    private val KNOWN_PATH = Regex("(?<=/v1beta)/openai$|/models(/[^/]+)?$")
}

/** The Gemini API at Google Vertex AI. A model there belongs to a publisher, or is the number of an endpoint. */
internal object VertexGemini : Protocol {
    override val name: String = "vertex-gemini"

    override val rawProtocol: String get() = GeminiGenerate.name

    override val customServerAuth: Provider.Auth get() = Provider.Auth.GOOGLE

    override fun signatureFamily(model: String): String = GEMINI

    override fun encode(request: ChatRequest, target: Target, warnings: MutableList<String>): TransportRequest =
        transportRequest(url(target), request, target, GeminiBody(request, target, warnings, isVertex = true))

    /** The URL of the model. */
    private fun url(target: Target): String {
        val publisher = target.name.substringBefore('/', "google")
        val model = target.name.substringAfter('/')
        val path = if (model.all(Char::isDigit)) "/endpoints/$model" else "/publishers/${encode(publisher)}/models/${path(model)}"
        return target.baseUrl.substringBefore("/publishers/") + path
    }

    override fun decoder(target: Target): Decoder = GeminiGenerateDecoder(target, billsRetrieval = true)

    override val images: Codec<ImageRequest> = GoogleImages(isVertex = true, ::url)

    override val embeddings: Codec<EmbeddingRequest> = VertexEmbed(::url)

    override fun embeddingLimits(model: String): EmbeddingLimits = VertexEmbed.limits(model)

    /** A file at a URL needs its media type. */
    override fun needsContent(media: Media, target: Target): Boolean = !isGoogles(media.url) && media.mediaType == null

    override fun tokenCounter(target: Target): TokenCounter = vertexCounter(this)
}

/** True for a file that was uploaded to the Gemini API, or a video of YouTube: they are named by their URLs, which nobody else can fetch. */
private fun isGoogles(url: String): Boolean = GOOGLES.containsMatchIn(url)

private val GOOGLES = Regex("^https?://(generativelanguage\\.googleapis\\.com|(www\\.)?youtube\\.com|youtu\\.be)/")
private val WITHOUT_URLS = Regex("gemini-(1\\.|2\\.0)")

private fun path(model: String): String = model.split('/').joinToString("/", transform = ::encode)

private fun transportRequest(url: String, request: ChatRequest, target: Target, body: GeminiBody): TransportRequest {
    val streamed = request.delivery == Delivery.STREAM
    val call = if (streamed) withQuery("$url:streamGenerateContent", request, "alt" to "sse") else withQuery("$url:generateContent", request)
    return TransportRequest(call, headers(target, request), body.json().toUtf8())
}

private class GeminiBody(private val request: ChatRequest, target: Target, private val warnings: MutableList<String>, private val isVertex: Boolean) {
    private val content = GeminiContent(target, warnings, isVertex)
    private val thinking = thinkingConfig(request, target.name, warnings)

    fun json(): JsonObject {
        val messages = content.of(request.messages)
        warnDetail(request, "the Gemini API", warnings, hint = "generationConfig.mediaResolution in providerOptions sets it for all images")
        val body = buildJsonObject {
            put("contents", messages.contents)
            messages.system?.let { put("systemInstruction", it) }
            if (request.tools.isNotEmpty()) {
                putJsonArray("tools") { add(buildJsonObject { putJsonArray("functionDeclarations") { request.tools.forEach { add(declaration(it)) } } }) }
            }
            request.toolChoice?.let { put("toolConfig", toolConfig(it)) }
            val settings = buildJsonObject { settings() }
            if (settings.isNotEmpty()) put("generationConfig", settings)
            if (isVertex && request.metadata.isNotEmpty()) putJsonObject("labels") { request.metadata.forEach { (label, value) -> put(label, value) } }
            if (!isVertex) request.serviceTier?.let { put("serviceTier", it) }
        }
        addWarnings()
        return JsonObject(body + request.providerOptions.mapValues { (option, value) -> merged(body[option], value) })
    }

    /** A provider option adds its members to an object of the body, and its elements to an array. It replaces any other value. */
    private fun merged(value: JsonElement?, option: JsonElement): JsonElement = when {
        value is JsonObject && option is JsonObject -> JsonObject(value + option)
        value is JsonArray && option is JsonArray -> JsonArray(value + option)
        else -> option
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
        val openApi = GeminiSchema.openApi(schema)
        if (openApi != null) put(field, openApi) else put(jsonField, GeminiSchema.json(schema))
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

    private fun addWarnings() {
        val api = if (isVertex) "Vertex AI" else "the Gemini API"
        warnUnsupported(
            api,
            warnings,
            "endUser" to (request.endUser != null),
            "parallelToolCalls = false" to (request.parallelToolCalls == false),
        )
        if (!isVertex && request.metadata.isNotEmpty()) warnings += "metadata was left out: the Gemini API has no labels (Vertex AI has them)"
        if (isVertex && request.serviceTier != null) {
            warnings += "serviceTier was left out: Vertex AI takes it as a header (set extraHeaders[\"X-Vertex-AI-LLM-Shared-Request-Type\"])"
        }
    }
}
