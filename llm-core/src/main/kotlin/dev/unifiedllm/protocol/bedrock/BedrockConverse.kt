package dev.unifiedllm.protocol.bedrock

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.EmbeddingRequest
import dev.unifiedllm.chat.ImageRequest
import dev.unifiedllm.chat.Tool
import dev.unifiedllm.chat.ToolChoice
import dev.unifiedllm.protocol.ANY_OBJECT
import dev.unifiedllm.protocol.Codec
import dev.unifiedllm.protocol.Decoder
import dev.unifiedllm.protocol.Media
import dev.unifiedllm.protocol.ModelList
import dev.unifiedllm.protocol.Protocol
import dev.unifiedllm.protocol.TokenCounter
import dev.unifiedllm.protocol.claudeFamily
import dev.unifiedllm.protocol.encode
import dev.unifiedllm.protocol.headers
import dev.unifiedllm.protocol.objectSchema
import dev.unifiedllm.protocol.toUtf8
import dev.unifiedllm.protocol.warnDetail
import dev.unifiedllm.protocol.withOptions
import dev.unifiedllm.protocol.withQuery
import dev.unifiedllm.protocol.withoutNames
import dev.unifiedllm.provider.EmbeddingLimits
import dev.unifiedllm.provider.JsonMode
import dev.unifiedllm.provider.Provider
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.TransportRequest
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.add
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put
import kotlinx.serialization.json.putJsonArray
import kotlinx.serialization.json.putJsonObject

/**
 * Amazon Bedrock's Converse API, which serves all of its chat models: `POST /model/{id}/converse` and `…/converse-stream`
 * ([docs.aws.amazon.com](https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html), read 2026-11-21).
 *
 * Settings without a Converse field go to `additionalModelRequestFields` under the name that the model's maker gives them: topK, reasoning, and
 * every entry of providerOptions that is not a Converse field (such as `guardrailConfig` or `performanceConfig`). Objects are merged.
 */
internal object BedrockConverse : Protocol {
    override val name: String = "bedrock-converse"

    override val continuesText: Boolean get() = true

    override val rawProtocol: String get() = name

    override val jsonModes: List<JsonMode> get() = JsonMode.entries - JsonMode.OBJECT

    override val customServerAuth: Provider.Auth get() = Provider.Auth.AWS

    override fun signatureFamily(model: String): String? = claudeFamily(model)

    override fun encode(request: ChatRequest, target: Target, warnings: MutableList<String>): TransportRequest {
        val content = BedrockContent(target, warnings)
        val model = BedrockModel.of(target.name)
        val settings = BedrockSettings(request, target, model, warnings)
        val body = buildJsonObject {
            withoutNames(request.messages, warnings)
            warnDetail(request, CONVERSE_API, warnings)
            put("messages", content.messages(request.messages))
            content.system(request.messages)?.let { put("system", it) }
            settings.inference.takeIf { it.isNotEmpty() }?.let { put("inferenceConfig", it) }
            toolConfig(request, content, warnings)?.let { put("toolConfig", it) }
            settings.output.takeIf { it.isNotEmpty() }?.let { put("outputConfig", it) }
            request.serviceTier?.let { putJsonObject("serviceTier") { put("type", it) } }
            if (request.metadata.isNotEmpty()) putJsonObject("requestMetadata") { request.metadata.forEach { (name, value) -> put(name, value) } }
            settings.additional.takeIf { it.isNotEmpty() }?.let { put(ADDITIONAL, it) }
        }
        val call = if (request.delivery == Delivery.STREAM) "converse-stream" else "converse"
        val url = withQuery("${target.baseUrl}/model/${encode(target.name)}/$call", request, target)
        val bytes = withProviderOptions(body, request.providerOptions).toUtf8()
        return TransportRequest(url, headers(target, request, STREAM_TYPE), bytes)
    }

    override fun decoder(target: Target): Decoder = BedrockConverseDecoder(target)

    override fun needsContent(media: Media, target: Target): Boolean = true

    override fun tokenCounter(target: Target): TokenCounter = bedrockCounter(this)

    override val modelList: ModelList get() = bedrockModels

    override val images: Codec<ImageRequest> get() = BedrockImages

    override val embeddings: Codec<EmbeddingRequest> get() = BedrockEmbed

    override fun embeddingLimits(model: String): EmbeddingLimits = BedrockEmbed.limits(model)

    /** The API refuses messages with tool calls if no tools are declared. If the request offers none, the tools that the messages call are declared. */
    private fun toolConfig(request: ChatRequest, content: BedrockContent, warnings: MutableList<String>): JsonObject? {
        if (request.tools.isNotEmpty() && request.toolChoice != ToolChoice.None) return toolConfig(request.tools, request.toolChoice)
        if (content.calledTools.isEmpty()) return null
        if (request.toolChoice == ToolChoice.None) {
            warnings += "toolChoice None was left out: the messages contain tool calls, and $CONVERSE_API then requires the tools in the request"
        }
        return toolConfig(content.calledTools.map { name -> request.tools.firstOrNull { it.name == name } ?: Tool.of(name, null, ANY_OBJECT) }, null)
    }

    private fun toolConfig(tools: List<Tool>, choice: ToolChoice?) = buildJsonObject {
        putJsonArray("tools") { tools.forEach { add(toolSpec(it)) } }
        if (choice == null) return@buildJsonObject
        putJsonObject("toolChoice") {
            when (choice) {
                ToolChoice.Required -> putJsonObject("any") { }
                is ToolChoice.Named -> putJsonObject("tool") { put("name", choice.name) }
                else -> putJsonObject("auto") { }
            }
        }
    }

    private fun toolSpec(tool: Tool) = buildJsonObject {
        putJsonObject("toolSpec") {
            put("name", tool.name)
            tool.description?.takeIf { it.isNotEmpty() }?.let { put("description", it) }
            putJsonObject("inputSchema") { put("json", objectSchema(tool)) }
        }
    }

    /** Adds the options that are Converse fields to [body], and all others to its [ADDITIONAL] field. */
    private fun withProviderOptions(body: JsonObject, options: JsonObject): JsonObject {
        val modelFields = options.filterKeys { it !in FIELDS }
        val withModelFields = if (modelFields.isEmpty()) body else withOptions(body, JsonObject(mapOf(ADDITIONAL to JsonObject(modelFields))), FIELDS)
        return withOptions(withModelFields, JsonObject(options - modelFields.keys), FIELDS)
    }

    private const val ADDITIONAL = "additionalModelRequestFields"
    private const val STREAM_TYPE = "application/vnd.amazon.eventstream"
    private val FIELDS = setOf(
        "messages", "system", "inferenceConfig", "toolConfig", "guardrailConfig", ADDITIONAL, "additionalModelResponseFieldPaths",
        "promptVariables", "requestMetadata", "performanceConfig", "serviceTier", "outputConfig",
    )
}

/** The name of the API in warnings. */
internal const val CONVERSE_API: String = "the Bedrock Converse API"
