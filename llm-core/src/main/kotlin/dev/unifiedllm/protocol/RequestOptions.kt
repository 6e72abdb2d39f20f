package dev.unifiedllm.protocol

import dev.unifiedllm.chat.Effort
import dev.unifiedllm.provider.Target
import dev.unifiedllm.provider.rule
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.doubleOrNull

/** [body] without what the model refuses, each with a warning. */
internal fun withoutRefused(body: JsonObject, target: Target, warnings: MutableList<String>, reasoning: Effort? = null): JsonObject {
    val rule = target.provider.quirks.rule(target.name) ?: return body
    if (rule.takesWithoutReasoning && reasoning == Effort.NONE) return body
    val refused = rule.refuses.filter { field -> body[field].let { it != null && !(field == "temperature" && it.isOne) } }
    for (field in refused) warnings += "${target.id} does not take $field: it was left out"
    return JsonObject(body - refused.toSet())
}

private val JsonElement.isOne: Boolean get() = (this as? JsonPrimitive)?.doubleOrNull == 1.0

/** The wire's word for [effort]. */
internal fun effort(effort: Effort, target: Target, warnings: MutableList<String>): String {
    if (effort != Effort.MAX) return effort.name.lowercase()
    target.provider.quirks.rule(target.name)?.maxEffort?.let { return it }
    warnings += "reasoning MAX was sent as \"high\", the most that is known of this model"
    return "high"
}

/** The word for an effort where three are known. */
internal val Effort.ofThree: String get() = when (this) {
    Effort.NONE, Effort.MINIMAL, Effort.LOW -> "low"
    Effort.MEDIUM -> "medium"
    Effort.HIGH, Effort.MAX -> "high"
}

/** [body] with the raw options over it: lists of tools and of what to include grow, objects in [merged] take the fields, all else is replaced. */
internal fun withOptions(body: JsonObject, options: JsonObject, merged: Set<String>): JsonObject {
    if (options.isEmpty()) return body
    val all = body.toMutableMap()
    for ((name, value) in options) {
        val own = body[name]
        all[name] = when {
            name in GROWING && own is JsonArray && value is JsonArray -> JsonArray((own + value).distinct())
            name in merged && own is JsonObject && value is JsonObject -> JsonObject(own + value)
            else -> value
        }
    }
    return JsonObject(all)
}

private val GROWING = setOf("tools", "include")
