package dev.unifiedllm.protocol.openai

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Effort
import dev.unifiedllm.protocol.effort
import dev.unifiedllm.provider.Quirks.ReasoningForm
import dev.unifiedllm.provider.Target
import dev.unifiedllm.provider.rule
import kotlinx.serialization.json.JsonObjectBuilder
import kotlinx.serialization.json.put
import kotlinx.serialization.json.putJsonObject

/** Adds the reasoning settings of [request] in the form that the provider, or one of its models, takes. */
internal fun JsonObjectBuilder.reasoning(request: ChatRequest, target: Target, warnings: MutableList<String>) {
    val budget = request.reasoningBudget
    if (request.reasoning == null && budget == null) return
    val rule = target.provider.quirks.rule(target.name)
    val form = rule?.reasoning ?: target.provider.quirks.reasoning.form
    val isOn = if (budget != null) budget > 0 else request.reasoning != Effort.NONE
    val takesBudget = form == ReasoningForm.OBJECT || form == ReasoningForm.ENABLE_THINKING
    if (budget != null && budget > 0 && !takesBudget) warnings += NO_BUDGET
    when (form) {
        ReasoningForm.EFFORT -> reasoningEffort(request, target, warnings)
        ReasoningForm.OBJECT -> putJsonObject("reasoning") {
            if (budget != null) put("max_tokens", budget) else request.reasoning?.let { put("effort", effort(it, target, warnings)) }
        }
        ReasoningForm.THINKING -> putJsonObject("thinking") { put("type", if (isOn) "enabled" else "disabled") }
        ReasoningForm.ENABLE_THINKING -> {
            put("enable_thinking", isOn)
            if (isOn) budget?.let { put("thinking_budget", it) }
        }
    }
    val isSwitch = form == ReasoningForm.THINKING || form == ReasoningForm.ENABLE_THINKING
    if (isSwitch && isOn && rule?.effortLevels == true && request.reasoning != Effort.NONE) reasoningEffort(request, target, warnings)
}

private fun JsonObjectBuilder.reasoningEffort(request: ChatRequest, target: Target, warnings: MutableList<String>) {
    request.reasoning?.let { put("reasoning_effort", effort(it, target, warnings)) }
}

private const val NO_BUDGET = "reasoningBudget is not part of this wire and was left out; set reasoning = Effort.… instead"
