package dev.unifiedllm.protocol

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Effort
import kotlinx.serialization.json.JsonObjectBuilder
import kotlinx.serialization.json.put

/**
 * Writes temperature, topP and topK as far as the model takes them. While reasoning, a model takes no temperature but 1; from version 4.1 on, it takes
 * temperature or topP; from version 4.7 on, neither these nor topK.
 */
internal fun JsonObjectBuilder.sampling(request: ChatRequest, thinking: ClaudeThinking, claude: ClaudeVersion?, warnings: MutableList<String>) {
    val refuses = claude != null && claude >= ClaudeVersion.WITHOUT_SAMPLING
    var temperature = request.temperature
    var topP = request.topP
    var topK = request.topK
    fun leftOut(setting: String, reason: String) {
        warnings += "$setting was left out: $reason"
    }
    if (temperature != null && temperature > 1.0) {
        warnings += "temperature $temperature was lowered to 1.0, this wire's maximum"
        temperature = 1.0
    }
    if (temperature != null && temperature != 1.0 && (refuses || thinking.isOn)) {
        leftOut("temperature", if (refuses) MODEL_REFUSES else THINKING_REFUSES)
        temperature = null
    } else if (refuses) {
        temperature = null // 1 is the default
    }
    if (topP != null && (refuses || (thinking.isOn && topP < LOWEST_THINKING_TOP_P))) {
        leftOut("topP", if (refuses) MODEL_REFUSES else THINKING_REFUSES)
        topP = null
    }
    if (topP != null && temperature != null && claude != null && claude >= ClaudeVersion.ONE_SAMPLING) {
        leftOut("topP", "the model takes temperature or topP, not both")
        topP = null
    }
    if (topK != null && (refuses || thinking.isOn)) {
        leftOut("topK", if (refuses) MODEL_REFUSES else THINKING_REFUSES)
        topK = null
    }
    temperature?.let { put("temperature", it) }
    topP?.let { put("top_p", it) }
    topK?.let { put("top_k", it) }
}

/** The name of the effort on the wires that serve Claude models. */
internal val Effort.anthropicWord: String get() = if (this == Effort.MINIMAL) "low" else name.lowercase()

private const val LOWEST_THINKING_TOP_P = 0.95
private const val MODEL_REFUSES = "the model takes no sampling settings"
private const val THINKING_REFUSES = "the model refuses it while reasoning"
