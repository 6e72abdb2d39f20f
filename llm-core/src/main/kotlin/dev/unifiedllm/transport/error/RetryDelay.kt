package dev.unifiedllm.transport.error

import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.contentOrNull
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds

/**
 * Reads how long an error asks to wait, from its fields and from those of its details: Google's `retryDelay` ("34.5s"), `retry_after` (seconds),
 * `retry_after_ms` and their other spellings. Null if it has none with a positive time.
 */
internal fun retryDelay(error: JsonObject): Duration? =
    delayIn(error) ?: CONTAINERS.firstNotNullOfOrNull { name -> objects(error[name]).firstNotNullOfOrNull(::delayIn) }

/** Reads how long the [text] of an error asks to wait, such as "Please try again in 1m13.5s" and "retry after 20 seconds". Null if it names no time. */
internal fun retryDelayIn(text: String): Duration? = WAIT.find(text)?.let { time(it.groupValues[1]) }

/** The object, or the objects of the list, and the headers in them that a gateway passes on. */
private fun objects(json: JsonElement?): List<JsonObject> {
    val found = if (json is JsonArray) json.filterIsInstance<JsonObject>() else listOfNotNull(json as? JsonObject)
    return found + found.mapNotNull { it["headers"] as? JsonObject }
}

private fun delayIn(json: JsonObject): Duration? {
    for ((name, value) in json) {
        val unit = FIELDS[name.filter { it.isLetter() }.lowercase()] ?: continue
        val text = (value as? JsonPrimitive)?.contentOrNull?.trim() ?: continue
        val number = text.toDoubleOrNull()
        // A greater number is not a delay, but a point in time.
        val delay = if (number == null) time(text) else unit.takeIf { number > 0 && number < MAX_NUMBER }?.times(number)
        if (delay != null) return delay
    }
    return null
}

/** The sum of the times in [text], such as `1m13.5s`; null if it is not positive. */
private fun time(text: String): Duration? {
    val seconds = TIME.findAll(text).sumOf { it.groupValues[1].toDouble() * secondsOf(it.groupValues[2].lowercase()) }
    return seconds.coerceAtMost(MAX_NUMBER).seconds.takeIf { it.isPositive() }
}

private fun secondsOf(unit: String): Double = when {
    unit.startsWith("ms") || unit.startsWith("milli") -> 0.001
    unit.startsWith("m") -> 60.0
    unit.startsWith("h") -> 3600.0
    unit.startsWith("d") -> 86_400.0
    else -> 1.0
}

/** The fields with a delay, and the unit of their numbers. */
private val FIELDS: Map<String, Duration> = mapOf(
    "retrydelay" to 1.seconds,
    "retryafter" to 1.seconds,
    "retryafterseconds" to 1.seconds,
    "retryafterms" to 1.milliseconds,
    "estimatedtime" to 1.seconds,
)

private val CONTAINERS = listOf("details", "metadata", "data")
private const val MAX_NUMBER = 1e9
private const val UNITS = "milliseconds?|msecs?|ms|seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|d"
private const val NUMBER = """\d{1,18}(?:\.\d{1,9})?"""
private val TIME = Regex("""($NUMBER) ?($UNITS)(?![a-z])""", RegexOption.IGNORE_CASE)
private val WAIT = Regex(
    """\b(?:again|retry|retrying|wait)(?: in| after| for| at least| about| approximately)* ((?:$NUMBER ?(?:$UNITS)(?![a-z])[ ,]{0,2}(?:and )?)+)""",
    RegexOption.IGNORE_CASE,
)
