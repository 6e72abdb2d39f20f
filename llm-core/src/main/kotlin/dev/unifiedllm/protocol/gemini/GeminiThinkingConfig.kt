package dev.unifiedllm.protocol.gemini

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Effort
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonObjectBuilder
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put

/**
 * The `thinkingConfig` for the reasoning settings of [request]; null if it has none. Gemini 3 and later take a level, earlier models a number of
 * tokens ([ai.google.dev](https://ai.google.dev/gemini-api/docs/thinking), read 2026-11-21).
 */
internal fun thinkingConfig(request: ChatRequest, model: String, warnings: MutableList<String>): JsonObject? {
    val effort = request.reasoning
    val budget = request.reasoningBudget
    return when {
        budget != null -> config(budget != 0) { put("thinkingBudget", budget) }
        effort == null -> null
        takesLevels(model) -> level(effort, model, warnings)
        else -> budget(effort, model, warnings)
    }
}

/** True for Gemini 3 and later, by the number in the name. */
internal fun takesLevels(model: String): Boolean = (GENERATION.find(model)?.groupValues?.get(1)?.toIntOrNull() ?: 0) >= LEVELS_SINCE

/** False for Pro, and for Flash, not Flash-Lite, from 3.7 on (LiteLLM 1.109.1). */
private fun takesMinimal(model: String): Boolean {
    val (major, minor) = GENERATION.find(model)?.destructured ?: return true
    val isNew = major.toInt() > LEVELS_SINCE || (minor.toIntOrNull() ?: 0) >= WITHOUT_MINIMAL_SINCE
    return "-pro" !in model && (!isNew || "-lite" in model)
}

private fun level(effort: Effort, model: String, warnings: MutableList<String>): JsonObject {
    val lowest = if (takesMinimal(model)) "minimal" else "low"
    if (effort == Effort.NONE) warnings += "reasoning NONE was sent as \"$lowest\": the reasoning of $model cannot be turned off"
    if (effort == Effort.MINIMAL && lowest != "minimal") warnings += "reasoning MINIMAL was sent as \"$lowest\", the lowest level of $model"
    if (effort == Effort.MAX) warnings += "reasoning MAX was sent as \"high\", the highest level of the Gemini API"
    val lacksMedium = effort == Effort.MEDIUM && WITHOUT_MEDIUM.containsMatchIn(model)
    if (lacksMedium) warnings += "reasoning MEDIUM was sent as \"high\": $model has the levels low and high only"
    val level = when (effort) {
        Effort.NONE, Effort.MINIMAL -> lowest
        Effort.LOW -> "low"
        Effort.MEDIUM -> if (lacksMedium) "high" else "medium"
        Effort.HIGH, Effort.MAX -> "high"
    }
    return config(effort != Effort.NONE) { put("thinkingLevel", level) }
}

private fun budget(effort: Effort, model: String, warnings: MutableList<String>): JsonObject {
    val isPro = "-pro" in model
    if (effort == Effort.NONE && isPro) {
        warnings += "reasoning NONE was sent as $MIN_PRO_BUDGET tokens: the reasoning of $model cannot be turned off"
    }
    val tokens = when (effort) {
        Effort.NONE -> if (isPro) MIN_PRO_BUDGET else 0
        Effort.MINIMAL -> MIN_BUDGETS.firstOrNull { (kind) -> kind in model }?.second ?: 1
        Effort.LOW -> LOW_BUDGET
        Effort.MEDIUM -> MEDIUM_BUDGET
        Effort.HIGH -> HIGH_BUDGET
        Effort.MAX -> MAX_BUDGET
    }
    return config(tokens != 0) { put("thinkingBudget", tokens) }
}

private fun config(includeThoughts: Boolean, amount: JsonObjectBuilder.() -> Unit) = buildJsonObject {
    put("includeThoughts", includeThoughts)
    amount()
}

private val GENERATION = Regex("gemini-(\\d{1,3})(?:\\.(\\d{1,3}))?")
private const val LEVELS_SINCE = 3

/** The minor version of Gemini 3. */
private const val WITHOUT_MINIMAL_SINCE = 7

/** Gemini 3 Pro; 3.1 Pro has it. */
private val WITHOUT_MEDIUM = Regex("gemini-3-pro")
private const val MIN_PRO_BUDGET = 128
private const val MIN_LITE_BUDGET = 512

/** The smallest budgets, by a part of the model's name. */
private val MIN_BUDGETS = listOf("-pro" to MIN_PRO_BUDGET, "-lite" to MIN_LITE_BUDGET)
private const val LOW_BUDGET = 1024
private const val MEDIUM_BUDGET = 2048
private const val HIGH_BUDGET = 4096

/** The largest budget that every model with budgets accepts. */
private const val MAX_BUDGET = 24_576
