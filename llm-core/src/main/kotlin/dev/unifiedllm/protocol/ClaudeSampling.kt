package dev.unifiedllm.protocol

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Effort
import kotlinx.serialization.json.JsonObjectBuilder
import kotlinx.serialization.json.put

/**
 * Adds temperature, topP and topK as far as the model accepts them, and a warning for each value that is changed or left out.
 *
 * With reasoning, a model accepts no temperature but 1, no topP below 0.95 and no topK. Claude 4.1 and later accept temperature or topP, not
 * both. Claude 4.7 and later accept none of the three.
 */
internal fun JsonObjectBuilder.claudeSampling(
    request: ChatRequest,
    reasoning: ClaudeReasoning,
    claude: ClaudeVersion?,
    api: String,
    warnings: MutableList<String>,
) {
    val acceptsNone = claude != null && claude >= ClaudeVersion.WITHOUT_SAMPLING
    val isRestricted = acceptsNone || reasoning.isOn
    fun leaveOut(option: String, why: String = if (acceptsNone) MODEL_REFUSES else REASONING_REFUSES) {
        warnings += "$option was left out: $why"
    }
    var temperature = temperatureUpToOne(request, api, warnings)
    if (temperature != null && temperature != 1.0 && isRestricted) {
        leaveOut("temperature")
        temperature = null
    }
    if (acceptsNone) temperature = null // 1.0 is the model's default
    var topP = request.topP
    if (topP != null && (acceptsNone || (reasoning.isOn && topP < MIN_REASONING_TOP_P))) {
        leaveOut("topP")
        topP = null
    }
    if (topP != null && temperature != null && claude != null && claude >= ClaudeVersion.ONE_SAMPLING) {
        leaveOut("topP", "the model accepts temperature or topP, not both")
        topP = null
    }
    if (request.topK != null && isRestricted) leaveOut("topK")
    temperature?.let { put("temperature", it) }
    topP?.let { put("top_p", it) }
    request.topK?.takeUnless { isRestricted }?.let { put("top_k", it) }
}

/** The value of `effort` for this [Effort], as Anthropic's API and Bedrock name it. */
internal val Effort.anthropicWord: String get() = if (this == Effort.MINIMAL) "low" else name.lowercase()

private const val MIN_REASONING_TOP_P = 0.95
private const val MODEL_REFUSES = "this model does not accept it"
private const val REASONING_REFUSES = "the model does not accept it together with reasoning"
