package dev.unifiedllm.protocol.ollama

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.Effort
import dev.unifiedllm.chat.EmbeddingRequest
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.ResponseFormat
import dev.unifiedllm.chat.ToolChoice
import dev.unifiedllm.protocol.Codec
import dev.unifiedllm.protocol.DataUrl
import dev.unifiedllm.protocol.Decoder
import dev.unifiedllm.protocol.Media
import dev.unifiedllm.protocol.MediaKind
import dev.unifiedllm.protocol.ModelList
import dev.unifiedllm.protocol.Protocol
import dev.unifiedllm.protocol.argumentsObject
import dev.unifiedllm.protocol.encode
import dev.unifiedllm.protocol.functionTool
import dev.unifiedllm.protocol.headers
import dev.unifiedllm.protocol.messageList
import dev.unifiedllm.protocol.ofThree
import dev.unifiedllm.protocol.toUtf8
import dev.unifiedllm.protocol.warnDetail
import dev.unifiedllm.protocol.warnUnsupported
import dev.unifiedllm.protocol.wireName
import dev.unifiedllm.protocol.withMediaAfterResults
import dev.unifiedllm.protocol.withOptions
import dev.unifiedllm.protocol.withQuery
import dev.unifiedllm.protocol.withoutNames
import dev.unifiedllm.provider.JsonMode
import dev.unifiedllm.provider.Target
import dev.unifiedllm.provider.rule
import dev.unifiedllm.transport.TransportRequest
import dev.unifiedllm.transport.error.ollamaHint
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonObjectBuilder
import kotlinx.serialization.json.add
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put
import kotlinx.serialization.json.putJsonArray
import kotlinx.serialization.json.putJsonObject

/** The URL of the server at [base], which may end with a path of Ollama's API or with `/v1`, the path of its OpenAI-compatible API. */
internal fun ollamaUrl(base: String): String = base.replace(KNOWN_PATH, "")

private val KNOWN_PATH = Regex("/(v1|api(/(generate|tags|embed|embeddings|version))?)$")

/** Ollama's Chat API: `POST /api/chat`, which streams one JSON object a line ([docs/api.md](https://github.com/ollama/ollama/blob/main/docs/api.md)). */
internal object OllamaChat : Protocol {
    override val name: String = "ollama-chat"

    /** It cannot be made to call a tool. */
    override val jsonModes: List<JsonMode> get() = JsonMode.entries - JsonMode.TOOL

    override val writesThinkTags: Boolean get() = true

    override val requestPaths: List<String> get() = listOf("/api/chat")

    override val streamsJsonLines: Boolean get() = true

    override fun refusedHint(target: Target): String = ollamaHint(target.name)

    override fun notFoundHint(target: Target, path: String?): String =
        "If the model is not on the server at ${target.baseUrl} yet, run: ollama pull ${target.name}."

    override fun encode(request: ChatRequest, target: Target, warnings: MutableList<String>): TransportRequest {
        val streamed = request.delivery == Delivery.STREAM
        val body = buildJsonObject {
            put("model", target.name)
            withoutNames(request.messages, warnings)
            warnDetail(request, "the Ollama API", warnings)
            put("messages", target.messageList(withMediaAfterResults(request.messages, mayFollow = true, warnings), ::result) { message(it, warnings) })
            put("stream", streamed)
            settings(request, target, warnings)
        }
        val others = JsonObject(request.providerOptions.filterNot { (option, value) -> option == OPTIONS && value is JsonObject })
        val url = ollamaUrl(target.baseUrl) + "/api/chat"
        return TransportRequest(withQuery(url, request), headers(target, request, "application/x-ndjson"), withOptions(body, others, emptySet()).toUtf8())
    }

    override fun decoder(target: Target): Decoder = OllamaChatDecoder(target)

    override fun needsContent(media: Media, target: Target): Boolean = media.kind == MediaKind.IMAGE

    override val modelList: ModelList get() = ollamaModels

    override val embeddings: Codec<EmbeddingRequest> get() = OllamaEmbed

    private fun JsonObjectBuilder.settings(request: ChatRequest, target: Target, warnings: MutableList<String>) {
        val options = buildJsonObject {
            request.temperature?.let { put("temperature", it) }
            request.topP?.let { put("top_p", it) }
            request.topK?.let { put("top_k", it) }
            request.maxTokens?.let { put("num_predict", it) }
            request.seed?.let { put("seed", it) }
            request.presencePenalty?.let { put("presence_penalty", it) }
            request.frequencyPenalty?.let { put("frequency_penalty", it) }
            if (request.stop.isNotEmpty()) putJsonArray("stop") { request.stop.forEach { add(it) } }
            (request.providerOptions[OPTIONS] as? JsonObject)?.forEach { (option, value) -> put(option, value) }
        }
        if (options.isNotEmpty()) put(OPTIONS, options)
        if ((request.n ?: 1) > 1) warnings += "n was left out: Ollama returns one choice"
        request.reasoning?.let { think(it, target, warnings) }
        if (request.logprobs == true || request.topLogprobs != null) put("logprobs", true)
        request.topLogprobs?.let { put("top_logprobs", it) }
        warnUnsupported(
            "the Ollama API",
            warnings,
            "the end user" to (request.endUser != null),
            "reasoningBudget" to (request.reasoningBudget != null),
            "serviceTier" to (request.serviceTier != null),
            "parallelToolCalls = false" to (request.parallelToolCalls == false),
            "metadata" to request.metadata.isNotEmpty(),
        )
        when (val format = request.responseFormat) {
            null, ResponseFormat.Text -> Unit
            ResponseFormat.Json -> put("format", "json")
            is ResponseFormat.JsonSchema -> put("format", format.schema)
        }
        when (request.toolChoice) {
            null, ToolChoice.Auto -> tools(request)
            ToolChoice.None -> Unit
            else -> {
                warnings += "toolChoice was left out: Ollama cannot require a tool call"
                tools(request)
            }
        }
    }

    /** Reasoning is on or off. Models that always reason take a level instead. */
    private fun JsonObjectBuilder.think(effort: Effort, target: Target, warnings: MutableList<String>) {
        if (target.provider.quirks.rule(target.name)?.effortLevels != true) {
            put("think", effort != Effort.NONE)
            return
        }
        if (effort == Effort.NONE) warnings += "reasoning NONE was sent as \"low\": the reasoning of ${target.name} cannot be switched off"
        put("think", effort.ofThree)
    }

    private fun JsonObjectBuilder.tools(request: ChatRequest) {
        if (request.tools.isNotEmpty()) putJsonArray("tools") { request.tools.forEach { add(functionTool(it)) } }
    }

    private fun result(result: Part.ToolResult) = buildJsonObject {
        put("role", "tool")
        put("tool_name", result.name)
        put("content", result.text)
    }

    private fun message(message: Message, warnings: MutableList<String>) = buildJsonObject {
        put("role", message.role.wireName)
        put("content", message.text)
        val reasoning = message.parts.filterIsInstance<Part.Reasoning>().joinToString("") { it.text }
        if (reasoning.isNotEmpty()) put("thinking", reasoning)
        val images = message.parts.mapNotNull { image(it, warnings) }
        if (images.isNotEmpty()) putJsonArray("images") { images.forEach { add(it) } }
        val calls = message.parts.filterIsInstance<Part.ToolCall>()
        if (calls.isNotEmpty()) putJsonArray("tool_calls") { calls.forEach { add(toolCall(it)) } }
    }

    /** The content of an image in base64; null for any other part. */
    private fun image(part: Part, warnings: MutableList<String>): String? {
        val url = when {
            part is Part.Image -> part.url
            part is Part.File && part.mediaType.startsWith("image/") -> part.url
            part is Part.File -> {
                warnings += "a file of type ${part.mediaType} was left out: Ollama takes texts and images only"
                return null
            }
            else -> return null
        }
        val data = DataUrl.parse(url)
        if (data == null) warnings += "the image at a URL was left out: Ollama takes images by content only (send its content)"
        return data?.base64
    }

    private fun toolCall(call: Part.ToolCall) = buildJsonObject {
        putJsonObject("function") {
            put("name", call.name)
            put("arguments", argumentsObject(call))
        }
    }

    private const val OPTIONS = "options"
}
