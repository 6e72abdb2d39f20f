package dev.unifiedllm.protocol.bedrock

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.Effort
import dev.unifiedllm.chat.ResponseFormat
import dev.unifiedllm.chat.Tool
import dev.unifiedllm.chat.ToolChoice
import dev.unifiedllm.protocol.ANY_OBJECT
import dev.unifiedllm.protocol.ClaudeThinking
import dev.unifiedllm.protocol.ClaudeVersion
import dev.unifiedllm.protocol.Decoder
import dev.unifiedllm.protocol.Protocol
import dev.unifiedllm.protocol.anthropicWord
import dev.unifiedllm.protocol.claudeFamily
import dev.unifiedllm.protocol.effort
import dev.unifiedllm.protocol.encode
import dev.unifiedllm.protocol.headers
import dev.unifiedllm.protocol.objectSchema
import dev.unifiedllm.protocol.ofThree
import dev.unifiedllm.protocol.sampling
import dev.unifiedllm.protocol.withOptions
import dev.unifiedllm.protocol.withQuery
import dev.unifiedllm.protocol.withoutNames
import dev.unifiedllm.provider.Provider
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.TransportRequest
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonObjectBuilder
import kotlinx.serialization.json.add
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put
import kotlinx.serialization.json.putJsonArray
import kotlinx.serialization.json.putJsonObject

/**
 * `POST /model/{id}/converse` and `…/converse-stream`: one wire for all chat models of Amazon Bedrock
 * ([docs.aws.amazon.com](https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html), read 2026-11-21).
 *
 * What the wire has no field for goes to `additionalModelRequestFields`, in the words of the model's maker: topK, thinking, and every entry
 * of providerOptions whose name is no field of the wire's own (such as `guardrailConfig`, `performanceConfig`). Objects are merged.
 */
internal object BedrockConverse : Protocol {
    override val name: String = "bedrock-converse"

    override val customServerAuth: Provider.Auth get() = Provider.Auth.AWS

    override fun signatureFamily(model: String): String? = claudeFamily(model)

    override fun encode(request: ChatRequest, target: Target, warnings: MutableList<String>): TransportRequest {
        val content = BedrockContent(target, warnings)
        val model = BedrockModel.of(target.name)
        val settings = BedrockSettings(request, target, model, warnings)
        val body = buildJsonObject {
            withoutNames(request.messages, warnings)
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
        return TransportRequest(url, headers(target, request, STREAM_TYPE), withOptions(body, request.providerOptions).toString().encodeToByteArray())
    }

    override fun decoder(target: Target): Decoder = BedrockConverseDecoder(target)

    /** A history with tool calls is refused without the tools, so those called in it are declared, whatever they take. */
    private fun toolConfig(request: ChatRequest, content: BedrockContent, warnings: MutableList<String>): JsonObject? {
        val isForbidden = request.toolChoice == ToolChoice.None
        val tools = if (isForbidden) emptyList() else request.tools
        val declared = tools.map { it.name }
        val others = content.calledTools.filter { it !in declared }
        if (tools.isEmpty() && others.isEmpty()) return null
        if (isForbidden && others.isNotEmpty()) warnings += "toolChoice None was left out: this wire takes no tool calls of earlier turns without their tools"
        return buildJsonObject {
            putJsonArray("tools") {
                tools.forEach { add(toolSpec(it)) }
                if (tools.isEmpty()) {
                    others.forEach { name -> add(request.tools.firstOrNull { it.name == name }?.let(::toolSpec) ?: toolSpec(Tool(name, null, ANY_OBJECT))) }
                }
            }
            val choice = request.toolChoice
            if (choice == null || tools.isEmpty()) return@buildJsonObject
            putJsonObject("toolChoice") {
                when (choice) {
                    ToolChoice.Required -> putJsonObject("any") { }
                    is ToolChoice.Named -> putJsonObject("tool") { put("name", choice.name) }
                    else -> putJsonObject("auto") { }
                }
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

    private fun withOptions(body: JsonObject, options: JsonObject): JsonObject {
        if (options.isEmpty()) return body
        val (own, models) = options.entries.partition { it.key in FIELDS }
        return own.fold(merged(body, ADDITIONAL, JsonObject(models.associate { it.key to it.value }))) { all, (name, value) -> merged(all, name, value) }
    }

    private fun merged(body: JsonObject, name: String, value: JsonElement): JsonObject {
        val there = body[name]
        if (value !is JsonObject) return JsonObject(body + (name to value))
        if (value.isEmpty() && there != null) return body
        return if (value.isEmpty() && name == ADDITIONAL) body else JsonObject(body + (name to if (there is JsonObject) JsonObject(there + value) else value))
    }

    private const val ADDITIONAL = "additionalModelRequestFields"
    private const val STREAM_TYPE = "application/vnd.amazon.eventstream"
    private val FIELDS = setOf(
        "messages", "system", "inferenceConfig", "toolConfig", "guardrailConfig", ADDITIONAL, "additionalModelResponseFieldPaths",
        "promptVariables", "requestMetadata", "performanceConfig", "serviceTier", "outputConfig",
    )
}

/** Who made a model, by its name, which may be an inference profile's (`us.`, `global.`) or an ARN: each takes its own additional fields. */
internal enum class BedrockModel(private val mark: String) {
    CLAUDE("anthropic."),
    NOVA("amazon.nova"),
    COHERE("cohere."),
    MISTRAL("mistral."),
    GPT("openai."),
    OTHER(""),
    ;

    companion object {
        fun of(name: String): BedrockModel = entries.first { it.mark in name.lowercase() || (it == CLAUDE && ClaudeVersion.of(name) != null) }
    }
}

/** The settings of a request, sorted into the wire's objects. */
internal class BedrockSettings(private val request: ChatRequest, target: Target, private val model: BedrockModel, private val warnings: MutableList<String>) {
    private val claude = ClaudeVersion.of(target.name)
    private val thinking = if (model == BedrockModel.CLAUDE) ClaudeThinking.of(request, target, claude, warnings) else null

    /** Temperature, topP and topK, after what the model takes of them. */
    private val sampling: JsonObject = buildJsonObject {
        if (thinking != null) sampling(request, thinking, claude, warnings) else plainSampling()
    }

    val inference: JsonObject = buildJsonObject {
        val maxTokens = request.maxTokens ?: thinking?.budget?.let { it + ANSWER_TOKENS }
        maxTokens?.let { put("maxTokens", it) }
        sampling["temperature"]?.let { put("temperature", it) }
        sampling["top_p"]?.let { put("topP", it) }
        val stop = request.stop.filter { it.isNotBlank() || model != BedrockModel.CLAUDE }
        if (stop.size < request.stop.size) warnings += "a stop text of white space alone is refused by this model and was left out"
        if (stop.isNotEmpty()) putJsonArray("stopSequences") { stop.forEach { add(it) } }
    }

    val additional: JsonObject = buildJsonObject {
        sampling["top_k"]?.let { topK(it) }
        thinking?.setting?.let { put("thinking", it) }
        if (thinking == null) effort()
        if (request.parallelToolCalls == false && request.tools.isNotEmpty()) oneToolAtMost()
        lacking("seed", request.seed)
        lacking("presencePenalty", request.presencePenalty)
        lacking("frequencyPenalty", request.frequencyPenalty)
        lacking("n", request.n?.takeIf { it > 1 })
        lacking("logprobs", request.logprobs?.takeIf { it })
        lacking("topLogprobs", request.topLogprobs)
        lacking("endUser", request.endUser)
    }

    val output: JsonObject = buildJsonObject {
        thinking?.effort?.let { put("effort", it.anthropicWord) }
        when (val format = request.responseFormat) {
            null, ResponseFormat.Text -> Unit
            ResponseFormat.Json ->
                warnings +=
                    "JSON without a schema is not part of this wire and was not asked for: give a schema, or ask for JSON in the prompt"
            is ResponseFormat.JsonSchema -> putJsonObject("textFormat") {
                put("type", "json_schema")
                putJsonObject("structure") {
                    putJsonObject("jsonSchema") {
                        put("schema", format.schema.toString())
                        put("name", format.name)
                    }
                }
            }
        }
    }

    private fun lacking(name: String, value: Any?) {
        if (value != null) warnings += "$name is not part of this wire and was left out; where the model takes it: providerOptions"
    }

    private fun JsonObjectBuilder.plainSampling() {
        request.temperature?.let {
            if (it > 1.0) warnings += "temperature $it was lowered to 1.0, this wire's maximum"
            put("temperature", minOf(it, 1.0))
        }
        request.topP?.let { put("top_p", it) }
        request.topK?.let { put("top_k", it) }
    }

    private fun JsonObjectBuilder.topK(topK: JsonElement) {
        when (model) {
            BedrockModel.CLAUDE, BedrockModel.MISTRAL -> put("top_k", topK)
            BedrockModel.COHERE -> put("k", topK)
            BedrockModel.NOVA -> putJsonObject("inferenceConfig") { put("topK", topK) }
            BedrockModel.GPT, BedrockModel.OTHER -> lacking("topK", topK)
        }
    }

    private fun JsonObjectBuilder.effort() {
        if (request.reasoningBudget != null) warnings += "reasoningBudget is not taken by this model and was left out; say how hard by reasoning"
        val effort = request.reasoning ?: return
        when (model) {
            BedrockModel.GPT -> put("reasoning_effort", effort.ofThree)
            BedrockModel.NOVA -> putJsonObject("reasoningConfig") {
                put("type", if (effort == Effort.NONE) "disabled" else "enabled")
                if (effort != Effort.NONE) put("maxReasoningEffort", effort.ofThree)
            }
            else -> if (effort !=
                Effort.NONE
            ) {
                warnings += "reasoning has no field for this model and was left out; where it has one of its own: providerOptions"
            }
        }
    }

    /** In Claude's own words: the wire has no field for it. */
    private fun JsonObjectBuilder.oneToolAtMost() {
        val choice = request.toolChoice
        if (model != BedrockModel.CLAUDE || (choice != null && choice != ToolChoice.Auto)) {
            warnings += "parallelToolCalls is not part of this wire and was left out"
            return
        }
        putJsonObject("tool_choice") {
            put("type", "auto")
            put("disable_parallel_tool_use", true)
        }
    }

    private companion object {
        /** For the answer, beside the thoughts, where maxTokens is not set. */
        const val ANSWER_TOKENS = 4096
    }
}
