package dev.unifiedllm.protocol

import dev.unifiedllm.chat.ChatRequest

/**
 * Adds a warning for each of [options] that is true. An option is true if the request sets it and [api] has no field for it.
 *
 * @param hint what the caller can do instead; null if there is no other way
 */
internal fun warnUnsupported(api: String, warnings: MutableList<String>, vararg options: Pair<String, Boolean>, hint: String? = null) {
    val why = "$api has no field for it" + hint?.let { " ($it)" }.orEmpty()
    for ((name, isSet) in options) if (isSet) warnings += "$name was left out: $why"
}

/** Adds a warning that [api] cannot be asked for JSON without a schema. */
internal fun warnJsonWithoutSchema(api: String, warnings: MutableList<String>) {
    warnings += "ResponseFormat.Json was left out: $api returns JSON by a schema only (use ResponseFormat.JsonSchema, or ask for JSON in the prompt)"
}

/** The temperature of [request], lowered to 1.0 with a warning if it is higher; null if none is set. */
internal fun temperatureUpToOne(request: ChatRequest, api: String, warnings: MutableList<String>): Double? {
    val temperature = request.temperature ?: return null
    if (temperature > 1.0) warnings += "temperature $temperature was lowered to 1.0, the maximum of $api"
    return minOf(temperature, 1.0)
}

/** The stop sequences of [request] without blank ones, which [api] refuses. Adds a warning if some are left out. */
internal fun nonBlankStops(request: ChatRequest, api: String, warnings: MutableList<String>): List<String> {
    val stops = request.stop.filter { it.isNotBlank() }
    if (stops.size < request.stop.size) warnings += "a blank stop sequence was left out: $api refuses it"
    return stops
}
