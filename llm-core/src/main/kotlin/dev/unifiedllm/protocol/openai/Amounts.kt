package dev.unifiedllm.protocol.openai

import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonKind
import java.math.BigDecimal

/** Reads an amount of money, which some servers send as a string; null, which means not reported, if it is negative, no number, or beyond all reason. */
internal fun JsonCursor.amount(): BigDecimal? {
    val amount = if (kind() == JsonKind.STRING) string().trim().takeIf { AMOUNT.matches(it) }?.toBigDecimalOrNull() else decimalOrNull()
    return amount?.takeIf { it.signum() >= 0 && it.scale() <= MAX_SCALE && it.precision() - it.scale() <= MAX_DIGITS }
}

/** Reads a flag, which some servers send as a string or a number. */
internal fun JsonCursor.flag(): Boolean = when (kind()) {
    JsonKind.STRING -> string().trim().let { it.equals("true", ignoreCase = true) || it == "1" }
    JsonKind.NUMBER -> longOrNull() == 1L
    else -> booleanOrNull() == true
}

/** A number whose exponent is small: a text may be anything. */
private val AMOUNT = Regex("""\d{1,40}(\.\d{1,40})?([eE][+-]?\d{1,2})?""")

/** The most digits after the point. */
private const val MAX_SCALE = 40

/** The most digits before the point: xAI counts in units of which a dollar has ten thousand million. */
private const val MAX_DIGITS = 24
