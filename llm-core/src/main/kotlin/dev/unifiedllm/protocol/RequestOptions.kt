package dev.unifiedllm.protocol

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Effort
import dev.unifiedllm.provider.ModelRule
import dev.unifiedllm.provider.Target
import dev.unifiedllm.provider.rule
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.contentOrNull
import kotlinx.serialization.json.doubleOrNull
import kotlin.math.abs

/** [body] without the fields that the model refuses. Adds a warning for each. */
internal fun withoutRefused(body: JsonObject, target: Target, warnings: MutableList<String>, request: ChatRequest? = null): JsonObject {
    val rule = target.provider.quirks.rule(target.name) ?: return body
    if (rule.takesWithoutReasoning && request != null && !request.reasons(rule)) return body
    val refused = rule.refuses.filter { field -> body[field].let { it != null && !(field == "temperature" && it.isOne) } }
    for (field in refused) warnings += "${target.id} does not take $field: it was left out"
    return JsonObject(body - refused.toSet())
}

/** True if the model reasons about this request: by its effort, which the provider options may set as well, or by default. */
private fun ChatRequest.reasons(rule: ModelRule): Boolean {
    val option = providerOptions["reasoning_effort"] ?: (providerOptions["reasoning"] as? JsonObject)?.get("effort")
    val effort = (option as? JsonPrimitive)?.contentOrNull ?: reasoning?.name ?: return rule.reasonsByDefault
    return !effort.equals(Effort.NONE.name, ignoreCase = true)
}

private val JsonElement.isOne: Boolean get() = (this as? JsonPrimitive)?.doubleOrNull == 1.0

/** The name of [effort] on the wire. */
internal fun effort(effort: Effort, target: Target, warnings: MutableList<String>): String {
    val rule = target.provider.quirks.rule(target.name)
    if (rule != null && rule.efforts.isNotEmpty()) return nearest(effort, rule.efforts, target, warnings)
    if (effort != Effort.MAX) return effort.name.lowercase()
    rule?.maxEffort?.let { return it }
    warnings += "reasoning MAX was sent as \"high\", the highest known effort of this model"
    return "high"
}

/** [effort] if the model takes it, else the nearest of its [efforts]: the higher one of two, and none only for none. */
private fun nearest(effort: Effort, efforts: List<String>, target: Target, warnings: MutableList<String>): String {
    val name = effort.name.lowercase()
    if (name in efforts) return name
    val others = efforts.filter { it != Effort.NONE.name.lowercase() }.asReversed()
    val sent = others.minBy { abs(Effort.valueOf(it.uppercase()).ordinal - effort.ordinal) }
    warnings += "reasoning $effort was sent as \"$sent\": ${target.id} takes ${efforts.joinToString()} only"
    return sent
}

/** The name of the effort for a model that knows three. */
internal val Effort.ofThree: String get() = when (this) {
    Effort.NONE, Effort.MINIMAL, Effort.LOW -> "low"
    Effort.MEDIUM -> "medium"
    Effort.HIGH, Effort.MAX -> "high"
}

/**
 * [body] with the provider options. The lists `tools` and `include` are joined, so that built-in tools stand beside the request's own; a single value counts as
 * a list of one. The objects named in [merged] are merged, with the same lists joined. Other fields are replaced.
 */
internal fun withOptions(body: JsonObject, options: JsonObject, merged: Set<String>): JsonObject {
    if (options.isEmpty()) return body
    val all = body.toMutableMap()
    for ((name, value) in options) {
        val field = body[name]
        all[name] = when {
            name in JOINED && field is JsonArray -> JsonArray((field + (value as? JsonArray ?: listOf(value))).distinct())
            name in merged && field is JsonObject && value is JsonObject -> withOptions(field, value, emptySet())
            else -> value
        }
    }
    return JsonObject(all)
}

private val JOINED = setOf("tools", "include")
