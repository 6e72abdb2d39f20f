package dev.unifiedllm.protocol.bedrock

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Effort
import dev.unifiedllm.chat.ResponseFormat
import dev.unifiedllm.chat.ToolChoice
import dev.unifiedllm.protocol.ClaudeReasoning
import dev.unifiedllm.protocol.ClaudeVersion
import dev.unifiedllm.protocol.anthropicWord
import dev.unifiedllm.protocol.claudeSampling
import dev.unifiedllm.protocol.nonBlankStops
import dev.unifiedllm.protocol.ofThree
import dev.unifiedllm.protocol.temperatureUpToOne
import dev.unifiedllm.protocol.warnJsonWithoutSchema
import dev.unifiedllm.protocol.warnUnsupported
import dev.unifiedllm.provider.Target
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonObjectBuilder
import kotlinx.serialization.json.add
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put
import kotlinx.serialization.json.putJsonArray
import kotlinx.serialization.json.putJsonObject

/**
 * The maker of a model, which decides the names of its additional fields. It is read from the model's name, which may also be the id of an
 * inference profile (`us.…`, `global.…`) or an ARN.
 */
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

/** The settings of a request, as the objects of a Converse body. */
internal class BedrockSettings(private val request: ChatRequest, target: Target, private val model: BedrockModel, private val warnings: MutableList<String>) {
    private val claude = ClaudeVersion.of(target.name)
    private val reasoning = if (model == BedrockModel.CLAUDE) ClaudeReasoning.of(request, target, claude, warnings) else null

    /** `temperature`, `top_p` and `top_k`, as far as the model accepts them. */
    private val sampling: JsonObject = buildJsonObject {
        if (reasoning != null) claudeSampling(request, reasoning, claude, CONVERSE_API, warnings) else plainSampling()
    }

    /** The object `inferenceConfig`. */
    val inference: JsonObject = buildJsonObject {
        val maxTokens = request.maxTokens ?: reasoning?.budget?.let { it + TEXT_TOKENS }
        maxTokens?.let { put("maxTokens", it) }
        sampling["temperature"]?.let { put("temperature", it) }
        sampling["top_p"]?.let { put("topP", it) }
        val stops = if (model == BedrockModel.CLAUDE) nonBlankStops(request, "Claude", warnings) else request.stop
        if (stops.isNotEmpty()) putJsonArray("stopSequences") { stops.forEach { add(it) } }
    }

    /** The object `additionalModelRequestFields`. */
    val additional: JsonObject = buildJsonObject {
        sampling["top_k"]?.let { topK(it) }
        reasoning?.thinking?.let { put("thinking", it) }
        if (reasoning == null) effort()
        if (request.parallelToolCalls == false && request.tools.isNotEmpty()) oneToolAtMost()
        unsupported(
            "seed" to (request.seed != null),
            "presencePenalty" to (request.presencePenalty != null),
            "frequencyPenalty" to (request.frequencyPenalty != null),
            "n" to ((request.n ?: 1) > 1),
            "logprobs" to (request.logprobs == true),
            "topLogprobs" to (request.topLogprobs != null),
            "endUser" to (request.endUser != null),
        )
    }

    /** The object `outputConfig`. */
    val output: JsonObject = buildJsonObject {
        reasoning?.effort?.let { put("effort", it.anthropicWord) }
        when (val format = request.responseFormat) {
            null, ResponseFormat.Text -> Unit
            ResponseFormat.Json -> warnJsonWithoutSchema(CONVERSE_API, warnings)
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

    private fun unsupported(vararg options: Pair<String, Boolean>) {
        warnUnsupported(CONVERSE_API, warnings, *options, hint = "if the model has one, set it by providerOptions { put(…) }")
    }

    private fun JsonObjectBuilder.plainSampling() {
        temperatureUpToOne(request, CONVERSE_API, warnings)?.let { put("temperature", it) }
        request.topP?.let { put("top_p", it) }
        request.topK?.let { put("top_k", it) }
    }

    private fun JsonObjectBuilder.topK(topK: JsonElement) {
        when (model) {
            BedrockModel.CLAUDE, BedrockModel.MISTRAL -> put("top_k", topK)
            BedrockModel.COHERE -> put("k", topK)
            BedrockModel.NOVA -> putJsonObject("inferenceConfig") { put("topK", topK) }
            BedrockModel.GPT, BedrockModel.OTHER -> unsupported("topK" to true)
        }
    }

    private fun JsonObjectBuilder.effort() {
        if (request.reasoningBudget != null) {
            warnings += "reasoningBudget was left out: this model takes no number of reasoning tokens (set reasoning = Effort.… instead)"
        }
        val effort = request.reasoning ?: return
        when (model) {
            BedrockModel.GPT -> put("reasoning_effort", effort.ofThree)
            BedrockModel.NOVA -> putJsonObject("reasoningConfig") {
                put("type", if (effort == Effort.NONE) "disabled" else "enabled")
                if (effort != Effort.NONE) put("maxReasoningEffort", effort.ofThree)
            }
            else -> unsupported("reasoning" to (effort != Effort.NONE))
        }
    }

    /** Converse has no field for this. Claude has one of its own. */
    private fun JsonObjectBuilder.oneToolAtMost() {
        val choice = request.toolChoice
        if (model != BedrockModel.CLAUDE || (choice != null && choice != ToolChoice.Auto)) {
            unsupported("parallelToolCalls = false" to true)
            return
        }
        putJsonObject("tool_choice") {
            put("type", "auto")
            put("disable_parallel_tool_use", true)
        }
    }

    private companion object {
        /** Added to the reasoning budget if maxTokens is not set. */
        const val TEXT_TOKENS = 4096
    }
}
