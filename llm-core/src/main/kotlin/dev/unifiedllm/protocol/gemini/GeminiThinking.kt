package dev.unifiedllm.protocol.gemini

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Effort
import dev.unifiedllm.protocol.effort
import dev.unifiedllm.protocol.json.tokens
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put

/**
 * How hard the model called [model] is to think, as a `thinkingConfig` (ai.google.dev/gemini-api/docs/thinking, read 2026-11-21): a level
 * since Gemini 3, a number of tokens before. Null where nothing was asked.
 */
internal fun geminiThinking(request: ChatRequest, model: String, warnings: MutableList<String>): JsonObject? {
    val effort = request.reasoning
    val asked = request.reasoningBudget
    return when {
        asked != null -> config(asked != 0) { put("thinkingBudget", asked) }
        effort == null -> null
        takesLevels(model) -> level(effort, model, warnings)
        else -> budget(effort, model, warnings)
    }
}

/** True for Gemini 3 and later, by the number in the name. */
internal fun takesLevels(model: String): Boolean = (GENERATION.find(model)?.groupValues?.get(1)?.toIntOrNull() ?: 0) >= LEVELS_SINCE

private fun level(effort: Effort, model: String, warnings: MutableList<String>): JsonObject {
    val least = if ("-pro" in model) "low" else "minimal"
    if (effort == Effort.NONE) warnings += "the thinking of $model cannot be turned off: reasoning NONE was sent as \"$least\""
    if (effort == Effort.MINIMAL && least != "minimal") warnings += "reasoning MINIMAL was sent as \"$least\", the least that $model knows"
    if (effort == Effort.MAX) warnings += "reasoning MAX was sent as \"high\", the most that this wire knows"
    val level = when (effort) {
        Effort.NONE, Effort.MINIMAL -> least
        Effort.LOW -> "low"
        Effort.MEDIUM -> "medium"
        Effort.HIGH, Effort.MAX -> "high"
    }
    return config(effort != Effort.NONE) { put("thinkingLevel", level) }
}

private fun budget(effort: Effort, model: String, warnings: MutableList<String>): JsonObject {
    val isPro = "-pro" in model
    if (effort == Effort.NONE && isPro) warnings += "the thinking of $model cannot be turned off: reasoning NONE was sent as $LEAST_OF_PRO tokens"
    val tokens = when (effort) {
        Effort.NONE -> if (isPro) LEAST_OF_PRO else 0
        Effort.MINIMAL -> LEAST.firstOrNull { (kind) -> kind in model }?.second ?: 1
        Effort.LOW -> LOW
        Effort.MEDIUM -> MEDIUM
        Effort.HIGH -> HIGH
        Effort.MAX -> MOST
    }
    return config(tokens != 0) { put("thinkingBudget", tokens) }
}

private fun config(includeThoughts: Boolean, amount: kotlinx.serialization.json.JsonObjectBuilder.() -> Unit) = buildJsonObject {
    put("includeThoughts", includeThoughts)
    amount()
}

private val GENERATION = Regex("gemini-(\\d+)")
private const val LEVELS_SINCE = 3
private const val LEAST_OF_PRO = 128
private const val LEAST_OF_LITE = 512
private val LEAST = listOf("-pro" to LEAST_OF_PRO, "-lite" to LEAST_OF_LITE)
private const val LOW = 1024
private const val MEDIUM = 2048
private const val HIGH = 4096

/** The most that every model with a budget takes. */
private const val MOST = 24_576
