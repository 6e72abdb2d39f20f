package dev.unifiedllm.provider

import dev.unifiedllm.LlmException

/**
 * The variable [name] as a switch: true, yes, on and 1, or false, no, off and 0, in upper or lower case. Null if it is absent or empty.
 *
 * @throws LlmException.Configuration if it is set to something else
 */
internal fun Environment.flag(name: String): Boolean? {
    val value = get(name) ?: return null
    return WORDS[value.lowercase()] ?: wrong(name, "true or false", value)
}

/** As [flag] for a variable that other programs read, too: null also if it is set to something else, such as `DEBUG=app:*`. */
internal fun Environment.sharedFlag(name: String): Boolean? = get(name)?.lowercase()?.let(WORDS::get)

/**
 * The variable [name] as a number above zero, such as a duration in seconds: `300` or `2.5`. Null if it is absent or empty.
 *
 * @param example a value that may be set, for the message
 * @throws LlmException.Configuration if it is set to something else
 */
internal fun Environment.positiveNumber(name: String, example: String = "10"): Double? {
    val value = get(name) ?: return null
    val number = value.takeIf(DECIMAL::matches)?.toDoubleOrNull()
    return number?.takeIf { it > 0 && it.isFinite() } ?: wrong(name, "a positive number, such as $example,", value)
}

/**
 * The variable [name] as a whole number of at least [min]. Null if it is absent or empty.
 *
 * @param example a value that may be set, for the message
 * @throws LlmException.Configuration if it is set to something else
 */
internal fun Environment.count(name: String, min: Int = 1, example: Int = 10): Int? {
    val value = get(name) ?: return null
    val number = value.takeIf { it.all { char -> char in '0'..'9' } }?.toIntOrNull()
    val wanted = if (min == 1) "a positive number" else "a whole number, $min or more"
    return number?.takeIf { it >= min } ?: wrong(name, "$wanted, such as $example,", value)
}

/**
 * The variable [name] as a decimal number from [min] to [max], such as a temperature. Null if it is absent or empty.
 *
 * @throws LlmException.Configuration if it is set to something else
 */
internal fun Environment.numberWithin(name: String, min: Double, max: Double, example: String): Double? {
    val value = get(name) ?: return null
    val wanted = "a number from ${min.toInt()} to ${max.toInt()}, such as $example,"
    return value.takeIf(DECIMAL::matches)?.toDoubleOrNull()?.takeIf { it in min..max } ?: wrong(name, wanted, value)
}

/**
 * The variable [name] as the meaning of one of [words]. Null if it is absent or empty.
 *
 * @throws LlmException.Configuration if it is set to something else
 */
internal fun <T : Any> Environment.word(name: String, words: Map<String, T>): T? {
    val value = get(name) ?: return null
    return words[value.lowercase()] ?: wrong(name, words.keys.joinToString(" or "), value)
}

private fun Environment.wrong(name: String, wanted: String, value: String): Nothing {
    // What was set may be a key that stands in the wrong variable.
    val shown = if (value.length <= MAX_SHOWN && value.all { it.isLetterOrDigit() || it in "+-.,_" }) "is \"$value\"" else "is something else"
    throw LlmException.Configuration("The variable ${place(name)} must be $wanted but $shown. Correct it or unset it.")
}

private val WORDS = listOf("true", "yes", "on", "1").associateWith { true } + listOf("false", "no", "off", "0").associateWith { false }
private val DECIMAL = Regex("""\d{1,9}(\.\d{0,9})?""")
private const val MAX_SHOWN = 12
