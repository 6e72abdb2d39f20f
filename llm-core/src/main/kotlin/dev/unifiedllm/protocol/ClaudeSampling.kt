package dev.unifiedllm.protocol

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Effort
import kotlinx.serialization.json.JsonObjectBuilder
import kotlinx.serialization.json.put

/** What each model takes of temperature, topP and topK: a thinking one no temperature but 1, one since 4.1 not two at once, one since 4.7 none. */
internal fun JsonObjectBuilder.sampling(request: ChatRequest, thinking: ClaudeThinking, claude: ClaudeVersion?, warnings: MutableList<String>) {
    val refuses = claude != null && claude >= ClaudeVersion.WITHOUT_SAMPLING
    var temperature = request.temperature
    var topP = request.topP
    var topK = request.topK
    fun leftOut(what: String, why: String) {
        warnings += "$what was left out: $why"
    }
    if (temperature != null && temperature > 1.0) {
        warnings += "temperature $temperature was lowered to 1.0, this wire's maximum"
        temperature = 1.0
    }
    if (temperature != null && temperature != 1.0 && (refuses || thinking.isOn)) {
        leftOut("temperature", if (refuses) MODEL_REFUSES else THINKING_REFUSES)
        temperature = null
    } else if (refuses) {
        temperature = null // 1 is what the model does anyway
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

/** The word for [this] effort on the wires that carry Claude models. */
internal val Effort.anthropicWord: String get() = if (this == Effort.MINIMAL) "low" else name.lowercase()

private const val LOWEST_THINKING_TOP_P = 0.95
private const val MODEL_REFUSES = "the model chooses its sampling itself"
private const val THINKING_REFUSES = "a thinking model refuses it"
