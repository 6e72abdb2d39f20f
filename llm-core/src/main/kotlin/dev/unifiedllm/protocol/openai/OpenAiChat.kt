package dev.unifiedllm.protocol.openai

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.EmbeddingRequest
import dev.unifiedllm.chat.ImageRequest
import dev.unifiedllm.chat.ResponseFormat
import dev.unifiedllm.chat.ToolChoice
import dev.unifiedllm.protocol.Codec
import dev.unifiedllm.protocol.Decoder
import dev.unifiedllm.protocol.Media
import dev.unifiedllm.protocol.MediaKind
import dev.unifiedllm.protocol.ModelList
import dev.unifiedllm.protocol.Protocol
import dev.unifiedllm.protocol.TokenCounter
import dev.unifiedllm.protocol.encode
import dev.unifiedllm.protocol.functionTool
import dev.unifiedllm.protocol.headers
import dev.unifiedllm.protocol.toUtf8
import dev.unifiedllm.protocol.withOptions
import dev.unifiedllm.protocol.withQuery
import dev.unifiedllm.protocol.withoutRefused
import dev.unifiedllm.provider.EmbeddingLimits
import dev.unifiedllm.provider.MediaRule
import dev.unifiedllm.provider.Quirks
import dev.unifiedllm.provider.Target
import dev.unifiedllm.provider.rule
import dev.unifiedllm.transport.TransportRequest
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObjectBuilder
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.add
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put
import kotlinx.serialization.json.putJsonArray
import kotlinx.serialization.json.putJsonObject

/** `POST …/chat/completions`, as OpenAI documents it (platform.openai.com/docs/api-reference/chat) and most providers serve it. */
internal object OpenAiChat : Protocol {
    override val name: String = "openai-chat"

    override val writesThinkTags: Boolean get() = true

    override val requestPaths: List<String> get() = listOf(
        "/chat/completions",
        "/completions",
        OpenAiEmbeddings.PATH,
        OpenAiImages.PATH,
        OpenAiImages.EDITS_PATH,
    )

    override fun notFoundHint(target: Target, path: String?): String? {
        if (path != null || !target.mayLackVersion) return null
        return "Check that ${target.provider.id} has the model \"${target.name}\", and that ${target.baseUrl} is its address (is \"/v1\" missing?)."
    }

    override fun encode(request: ChatRequest, target: Target, warnings: MutableList<String>): TransportRequest {
        val quirks = target.provider.quirks
        val fields = buildJsonObject {
            put("model", target.name)
            put("messages", OpenAiChatMessages(target, warnings).write(request.messages))
            settings(request, target, warnings)
            reasoning(request, target, warnings)
            if (request.tools.isNotEmpty()) tools(request, quirks.tools, warnings)
            if (request.delivery == Delivery.STREAM) {
                put("stream", true)
                if (quirks.streamUsage) putJsonObject("stream_options") { put("include_usage", true) }
            }
        }
        val body = withOptions(withoutRefused(fields, target, warnings, request), request.providerOptions, MERGED)
        val url = withQuery(target.baseUrl + "/chat/completions", request, target)
        return TransportRequest(url, headers(target, request), body.toUtf8())
    }

    /** The provider options whose fields are merged into the fields of the same name. */
    private val MERGED = setOf("stream_options", "reasoning")

    override fun decoder(target: Target): Decoder = OpenAiChatDecoder(target)

    /** `file_data` and `input_audio` hold content; some gateways accept URLs of files. */
    override fun needsContent(media: Media, target: Target): Boolean = when (media.kind) {
        MediaKind.AUDIO -> true
        MediaKind.DOCUMENT -> MediaRule.of(target)?.fetchesFiles != true
        MediaKind.IMAGE, MediaKind.VIDEO -> false
    }

    override fun tokenCounter(target: Target): TokenCounter? = openAiCounter(target)

    override val modelList: ModelList get() = openAiModels

    override val embeddings: Codec<EmbeddingRequest> get() = OpenAiEmbeddings

    override fun embeddingLimits(model: String): EmbeddingLimits = OpenAiEmbeddings.LIMITS

    override val images: Codec<ImageRequest> get() = OpenAiImages

    override fun fetchesSources(target: Target): Boolean = OpenAiImages.takesUrls(target)

    private fun JsonObjectBuilder.settings(request: ChatRequest, target: Target, warnings: MutableList<String>) {
        val quirks = target.provider.quirks
        request.temperature?.let {
            val max = quirks.temperatureMax ?: Double.MAX_VALUE
            if (it > max) warnings += "temperature $it was lowered to $max, the provider's maximum"
            put("temperature", minOf(it, max))
        }
        request.topP?.let { put("top_p", it) }
        request.topK?.let { warnings += "topK is not part of this wire and was left out; if the server takes it, set providerOptions { put(\"top_k\", $it) }" }
        request.maxTokens?.let { put(quirks.maxTokensField, it) }
        if (request.stop.isNotEmpty()) putJsonArray("stop") { request.stop.forEach { add(it) } }
        request.seed?.let { put("seed", it) }
        request.presencePenalty?.let { put("presence_penalty", it) }
        request.frequencyPenalty?.let { put("frequency_penalty", it) }
        request.n?.let { put("n", it) }
        request.endUser?.let { put("user", it) }
        if (request.logprobs == true || request.topLogprobs != null) put("logprobs", true)
        request.topLogprobs?.let { put("top_logprobs", it) }
        request.serviceTier?.let { put("service_tier", it) }
        if (request.metadata.isNotEmpty()) putJsonObject("metadata") { request.metadata.forEach { (label, value) -> put(label, value) } }
        responseFormat(request, target, warnings)
    }

    private fun JsonObjectBuilder.responseFormat(request: ChatRequest, target: Target, warnings: MutableList<String>) {
        val format = request.responseFormat
        if (format == null || format == ResponseFormat.Text) return
        putJsonObject("response_format") {
            val takesSchema = target.provider.quirks.rule(target.name)?.jsonSchema ?: true
            if (format is ResponseFormat.JsonSchema && takesSchema) {
                put("type", "json_schema")
                putJsonObject("json_schema") {
                    put("name", format.name)
                    put("schema", format.schema)
                    put("strict", format.isStrict)
                }
            } else {
                put("type", "json_object")
                if (format is ResponseFormat.JsonSchema) {
                    warnings += "${target.id} takes no JSON schema: any JSON object was requested; name the fields, and the word JSON, in the prompt"
                }
            }
        }
    }

    private fun JsonObjectBuilder.tools(request: ChatRequest, quirks: Quirks.Tools, warnings: MutableList<String>) {
        putJsonArray("tools") { request.tools.forEach { add(functionTool(it, hasStrict = true)) } }
        request.parallelToolCalls?.let { put("parallel_tool_calls", it) }
        val choice: JsonElement = when (val toolChoice = request.toolChoice) {
            null -> return
            ToolChoice.Auto -> JsonPrimitive("auto")
            ToolChoice.None -> JsonPrimitive("none")
            ToolChoice.Required -> {
                if (quirks.required == null) {
                    warnings += "the provider has no setting that requires a tool call: toolChoice Required was left out"
                    return
                }
                JsonPrimitive(quirks.required)
            }
            is ToolChoice.Named -> buildJsonObject {
                put("type", "function")
                putJsonObject("function") { put("name", toolChoice.name) }
            }
        }
        put("tool_choice", choice)
    }
}
