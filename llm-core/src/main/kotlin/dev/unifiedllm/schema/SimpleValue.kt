package dev.unifiedllm.schema

import java.math.BigDecimal
import java.math.BigInteger
import java.net.URI
import java.time.Duration
import java.time.Instant
import java.time.LocalDate
import java.time.LocalDateTime
import java.time.LocalTime
import java.time.OffsetDateTime
import java.time.Period
import java.time.Year
import java.time.YearMonth
import java.time.ZonedDateTime
import java.util.UUID

/**
 * A Java class whose values are one JSON string, number or boolean.
 *
 * @property format the format of the string, as JSON schema names it; null for none
 * @property parse reads the text of the value; throws a RuntimeException if it cannot be read
 */
internal class SimpleValue(val jsonType: String, val format: String?, val parse: (String) -> Any) {
    companion object {
        private fun string(format: String? = null, parse: (String) -> Any) = SimpleValue("string", format, parse)

        private fun integer(parse: (BigDecimal) -> Any) = SimpleValue("integer", null) { parse(BigDecimal(it)) } // 5.0 is an integer, too

        private fun number(parse: (String) -> Any) = SimpleValue("number", null, parse)

        private val BOXED: Map<Class<*>, Class<*>> = listOf(
            Boolean::class,
            Byte::class,
            Short::class,
            Int::class,
            Long::class,
            Float::class,
            Double::class,
            Char::class,
        ).associate { it.javaPrimitiveType!! to it.javaObjectType }

        private val values: Map<Class<*>, SimpleValue> = mapOf(
            String::class.java to string { it },
            CharSequence::class.java to string { it },
            Char::class.javaObjectType to string { it.single() },
            Boolean::class.javaObjectType to SimpleValue("boolean", null) { it.toBooleanStrict() },
            Byte::class.javaObjectType to integer { it.byteValueExact() },
            Short::class.javaObjectType to integer { it.shortValueExact() },
            Int::class.javaObjectType to integer { it.intValueExact() },
            Long::class.javaObjectType to integer { it.longValueExact() },
            BigInteger::class.java to integer { it.bounded().toBigIntegerExact() },
            Year::class.java to integer { Year.of(it.intValueExact()) },
            Float::class.javaObjectType to number { text -> text.toFloat().also { require(it.isFinite()) } },
            Double::class.javaObjectType to number { text -> text.toDouble().also { require(it.isFinite()) } },
            BigDecimal::class.java to number { BigDecimal(it) },
            Number::class.java to number { BigDecimal(it) },
            LocalDate::class.java to string("date", LocalDate::parse),
            LocalTime::class.java to string(null, LocalTime::parse), // "time" has an offset
            LocalDateTime::class.java to string(null, LocalDateTime::parse), // "date-time" has an offset
            Instant::class.java to string("date-time") { OffsetDateTime.parse(it).toInstant() },
            OffsetDateTime::class.java to string("date-time", OffsetDateTime::parse),
            ZonedDateTime::class.java to string("date-time", ZonedDateTime::parse),
            YearMonth::class.java to string(null, YearMonth::parse),
            Duration::class.java to string("duration", Duration::parse),
            Period::class.java to string("duration", Period::parse),
            UUID::class.java to string("uuid", UUID::fromString),
            URI::class.java to string(null, URI::create),
        )

        /** A number such as 1e999999999 would take all memory as an integer. */
        private fun BigDecimal.bounded() = also { require(it.precision().toLong() - it.scale() <= MAX_DIGITS) }

        private const val MAX_DIGITS = 10_000

        /** Null if [type] is none. */
        fun of(type: Class<*>): SimpleValue? = values[BOXED[type] ?: type]
    }
}
