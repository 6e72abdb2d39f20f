package dev.unifiedllm.pricing

import java.math.BigDecimal
import java.time.DayOfWeek
import java.time.Instant
import java.time.LocalTime
import java.time.ZoneOffset

/** A row of the packed table. Its columns are described in llm-core/tools/pack_prices.py. */
internal class PriceRow(private val cells: List<String>) {
    val id: String get() = cells[ID]
    val provider: String get() = cell(PROVIDER)
    val mode: String get() = cell(MODE)
    val services: Set<String> get() = entries(SERVICES, '=').map { it.first }.toSet()
    val abilities: String get() = cell(ABILITIES)
    val maxInputTokens: Long? get() = cell(MAX_IN).toLongOrNull()
    val maxOutputTokens: Long? get() = cell(MAX_OUT).toLongOrNull()

    /** True for a model that passes requests on to others: its price is a fee on top of that of the model that responds. */
    val isRouter: Boolean get() = ROUTER.containsMatchIn(id)

    /** True if tokens have a price: a row of zeros does not know it. */
    val isPriced: Boolean get() = listOf(IN, OUT).any { (decimal(it)?.signum() ?: 0) > 0 }

    private fun cell(column: Int): String = cells.getOrElse(column) { "" }

    private fun entries(column: Int, separator: Char): List<Pair<String, String>> =
        cell(column).split(';').filter { it.isNotEmpty() }.map { it.substringBefore(separator) to it.substringAfter(separator) }

    /**
     * The rates at [time]; null if there are none, or if both are 0: the table also has zeros for unknown prices.
     *
     * @param region where the model runs; null if that is not known. Null is returned if the price depends on it.
     */
    fun terms(region: String?, time: Instant): Pair<RateTable, Terms>? {
        val base = Rates(
            decimal(IN),
            decimal(OUT),
            decimal(CACHE_READ),
            decimal(CACHE_WRITE),
            decimal(CACHE_WRITE_1H),
            decimal(REASONING),
            decimal(AUDIO_IN),
            decimal(AUDIO_OUT),
            decimal(IMAGE_OUT),
            decimal(IMAGE_IN),
            decimal(CACHE_READ_AUDIO),
            decimal(CACHE_READ_IMAGE),
        )
        if (!isPriced) return null
        val factors = entries(FACTORS, '=').associate { (name, factor) -> name to factor.toBigDecimal() }
        val uplift = uplift(factors, region) ?: return null
        val rates = offPeak(time)?.let { base.copy(input = it.input, output = it.output, cacheRead = it.cacheRead) } ?: base
        val table = RateTable(rates, longContext(cell(TIERS), ';'))
        val services = entries(SERVICES, '=').associate { (name, rates) ->
            name to RateTable(service(rates.substringBefore('|')), longContext(rates.substringAfter('|', ""), '|'))
        }
        val terms = Terms(services, factors, search())
        return if (uplift == BigDecimal.ONE) table to terms else table.changed { it * uplift } to terms.changed { it * uplift }
    }

    /** The factor for the place of the endpoint: `@PLACE`, or `@` for every place but `global`. Null if it is not known. */
    private fun uplift(factors: Map<String, BigDecimal>, region: String?): BigDecimal? {
        factors["@$region"]?.let { return it }
        val elsewhere = factors["@"] ?: return BigDecimal.ONE
        return if (region == null) null else elsewhere.takeUnless { region == "global" } ?: BigDecimal.ONE
    }

    private fun search(): SearchFee? {
        val (unit, fees) = cell(SEARCH).split(':').takeIf { it.size == 2 } ?: return null
        return SearchFee(SearchFee.Unit.valueOf(unit.uppercase()), SIZES.zip(fees.split('/').map { it.toBigDecimal() }).toMap())
    }

    private fun offPeak(time: Instant): Rates? {
        val cell = cell(OFF_PEAK).ifEmpty { return null }
        val now = time.atOffset(ZoneOffset.UTC)
        val isOffPeak = cell.substringAfter('@').split(';').any { window -> isWithin(now.dayOfWeek, now.toLocalTime(), window) }
        if (!isOffPeak) return null
        val (input, output, cacheRead) = decimals(cell.substringBefore('@'))
        return Rates(input, output, cacheRead)
    }

    private fun isWithin(day: DayOfWeek, time: LocalTime, window: String): Boolean = '0' + day.value in window.substringBefore(':') &&
        window.substringAfter(':').split(',').any { hours ->
            val (from, to) = hours.split('-').map(LocalTime::parse)
            time >= from && (to == LocalTime.MIDNIGHT || time < to)
        }

    private fun longContext(text: String, separator: Char): List<LongContext> = text.split(separator).filter { it.isNotEmpty() }.map { tier ->
        val (above, rates) = tier.split(':')
        LongContext(above.toLong(), rates(decimals(rates)).copy(reasoning = decimals(rates).getOrNull(REASONING_OF_TIER)))
    }

    private fun service(text: String): Rates = decimals(text).let {
        rates(it).copy(audioIn = it.getOrNull(AUDIO_OF_SERVICE), cacheReadAudio = it.getOrNull(CACHE_READ_AUDIO_OF_SERVICE))
    }

    private fun rates(numbers: List<BigDecimal?>) =
        Rates(numbers[0], numbers[1], numbers.getOrNull(2), numbers.getOrNull(CACHE_WRITE_OF_TIER), numbers.getOrNull(CACHE_WRITE_1H_OF_TIER))

    private fun decimals(text: String): List<BigDecimal?> = text.split('/').map { it.ifEmpty { null }?.toBigDecimal() }

    private fun decimal(column: Int): BigDecimal? = cell(column).ifEmpty { null }?.toBigDecimal()

    private companion object {
        const val ID = 0
        const val PROVIDER = 1
        const val MODE = 2
        const val IN = 3
        const val OUT = 4
        const val CACHE_READ = 5
        const val CACHE_WRITE = 6
        const val CACHE_WRITE_1H = 7
        const val REASONING = 8
        const val AUDIO_IN = 9
        const val AUDIO_OUT = 10
        const val TIERS = 11
        const val SERVICES = 12
        const val FACTORS = 13
        const val SEARCH = 14
        const val OFF_PEAK = 15
        const val IMAGE_OUT = 18
        const val MAX_IN = 20
        const val MAX_OUT = 21
        const val ABILITIES = 22
        const val IMAGE_IN = 24
        const val CACHE_READ_AUDIO = 25
        const val CACHE_READ_IMAGE = 26

        const val CACHE_WRITE_OF_TIER = 3
        const val CACHE_WRITE_1H_OF_TIER = 4
        const val REASONING_OF_TIER = 5
        const val AUDIO_OF_SERVICE = 5
        const val CACHE_READ_AUDIO_OF_SERVICE = 6

        val SIZES = listOf("low", "medium", "high")
        val ROUTER = Regex("(^|/)model[-_]router$")
    }
}
