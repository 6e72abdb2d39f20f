package dev.unifiedllm.pricing

import dev.unifiedllm.chat.Billing
import dev.unifiedllm.chat.Usage
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import java.math.BigDecimal
import java.math.RoundingMode
import java.time.Instant
import java.time.ZoneOffset
import java.util.zip.GZIPInputStream

/** A JSON text that is packed in the test resources. */
internal fun packedJson(name: String): String =
    GZIPInputStream(RawPrices::class.java.getResourceAsStream("/prices/$name")!!).use { it.readBytes().decodeToString() }

/** What a request used, each token in one counter only. */
internal data class Used(
    val text: Long = 0,
    val cached: Long = 0,
    val cachedAudio: Long = 0,
    val cachedImage: Long = 0,
    val written: Long = 0,
    val written1h: Long = 0,
    val audioIn: Long = 0,
    val imageIn: Long = 0,
    val output: Long = 0,
    val reasoning: Long = 0,
    val audioOut: Long = 0,
    val imageOut: Long = 0,
    val service: String? = null,
    val searches: Long = 0,
    val searchSize: String? = null,
    val conditions: List<String> = emptyList(),
) {
    /** All input tokens, by which the length of the request is measured. */
    val length: Long get() = text + cached + cachedAudio + cachedImage + written + written1h + audioIn + imageIn
}

/** The counters as our decoders report them. */
internal fun Used.toUsage() = Usage.build {
    val used = this@toUsage
    inputTokens = used.length
    outputTokens = used.output + used.reasoning + used.audioOut + used.imageOut
    cacheReadTokens = used.cached + used.cachedAudio + used.cachedImage
    cacheWriteTokens = used.written + used.written1h
    cacheWrite1hTokens = used.written1h
    reasoningTokens = used.reasoning
    audioInputTokens = used.audioIn
    audioOutputTokens = used.audioOut
    imageTokens = used.imageOut
    billing = Billing(
        used.service,
        used.conditions.toSet(),
        used.searches.takeIf { it > 0 },
        used.searchSize,
        used.imageIn,
        cachedAudioTokens = used.cachedAudio,
        cachedImageTokens = used.cachedImage,
    )
}

/**
 * The second implementation of prices: LiteLLM's map as it was published, read by the names of its fields at the time of the question. It shares no code with
 * the packed table, its scripts or [LiteLlmRow].
 */
internal object RawPrices {
    val rows: Map<String, JsonObject> by lazy {
        Json.parseToJsonElement(packedJson("litellm_model_prices_2026-11-21.json.gz")).jsonObject.mapValues { it.value.jsonObject } - "sample_spec"
    }

    private fun JsonObject.usd(field: String): BigDecimal? =
        (this[field] as? JsonPrimitive)?.content?.toBigDecimalOrNull()?.setScale(DIGITS, RoundingMode.HALF_EVEN) // some are 1.8000000000000001e-06

    /** True if the map has a price for the tokens of [id]: it writes zeros for unknown prices. */
    fun isPriced(id: String): Boolean = rows.getValue(id).let { row ->
        listOf(IN, OUT).any { field -> (row.usd(field) ?: range(row, 0)?.usd(field) ?: BigDecimal.ZERO).signum() > 0 }
    }

    /** The range of a table by length that starts at [from]. */
    private fun range(row: JsonObject, from: Long): JsonObject? = ranges(row).firstOrNull { it.first == from }?.second

    private fun ranges(row: JsonObject): List<Pair<Long, JsonObject>> = (row["tiered_pricing"] as? JsonArray).orEmpty().map { it.jsonObject }
        .mapNotNull { tier -> (tier["range"] as? JsonArray)?.let { it[0].jsonPrimitive.content.toBigDecimal().toLong() to tier } }

    /** The bounds above which a request of [service] has other prices. */
    private fun bounds(row: JsonObject, service: String): List<Long> =
        row.keys.filter { it.startsWith("${IN}_above_") && it.endsWith("k_tokens$service") }
            .map { it.removePrefix("${IN}_above_").removeSuffix("k_tokens$service").toLong() * 1000 }

    /** The amount for [used]; null if the map does not tell it. */
    fun cost(id: String, used: Used, region: String? = null, time: Instant = Instant.parse("2026-11-25T12:00:00Z")): BigDecimal? {
        val row = rows.getValue(id)
        val service = used.service?.let { "_" + (if (it == "batch") "batches" else it) }.orEmpty()
        if (service.isNotEmpty() && "$IN$service" !in row) return null
        val isLong = (bounds(row, "") + ranges(row).map { it.first }.filter { it > 0 }).any { used.length > it }
        val bound = bounds(row, service).filter { used.length > it }.maxOrNull()
        if (service.isNotEmpty() && isLong && bound == null) return null
        val tier = if (service.isEmpty()) ranges(row).filter { it.first < used.length }.maxByOrNull { it.first }?.second else null
        val above = bound?.let { "_above_${it / 1000}k_tokens" }.orEmpty()
        val rates = Rates(row, above, service, tier, ranges(row).firstOrNull { it.first == 0L }?.second, offPeak(row, time))
        val tokens = rates.sum(used) ?: return null
        val factor = used.conditions.fold(uplift(row, region) ?: return null) { product, name ->
            product * ((row["provider_specific_entry"] as? JsonObject)?.usd(name) ?: return null)
        }
        return tokens * factor + (fee(id, row, used) ?: return null)
    }

    /** The factor for the place; null if it depends on a place that is not known. */
    private fun uplift(row: JsonObject, region: String?): BigDecimal? {
        row.usd("regional_processing_uplift_multiplier_$region")?.let { return it }
        val elsewhere = row.usd("regional_endpoint_uplift_multiplier") ?: return BigDecimal.ONE
        return if (region == "global") BigDecimal.ONE else elsewhere.takeIf { region != null }
    }

    private fun fee(id: String, row: JsonObject, used: Used): BigDecimal? {
        val fees = row["search_context_cost_per_query"] as? JsonObject ?: return BigDecimal.ZERO.takeIf { used.searches == 0L }
        val provider = row["litellm_provider"]!!.jsonPrimitive.content
        val isSearcher = "-search-" in id || (provider == "perplexity" && row["mode"]!!.jsonPrimitive.content == "chat" && "citation_cost_per_token" !in row)
        val isOnce = (provider.startsWith("gemini") || provider.startsWith("vertex_ai")) && "claude" !in id &&
            row["web_search_billing_unit"]?.jsonPrimitive?.content != "per_query"
        val count = if (isSearcher) {
            1
        } else if (isOnce) {
            minOf(1, used.searches)
        } else {
            used.searches
        }
        if (count == 0L) return BigDecimal.ZERO
        val bySize = fees.mapKeys { it.key.removePrefix("search_context_size_") }.mapValues { it.value.jsonPrimitive.content.toBigDecimal() }
        val each = bySize[used.searchSize] ?: bySize.values.distinctBy { it.stripTrailingZeros() }.singleOrNull() ?: return null
        return each * BigDecimal(count)
    }

    private fun offPeak(row: JsonObject, time: Instant): JsonObject? {
        val cheap = row["off_peak_pricing"] as? JsonObject ?: return null
        val now = time.atOffset(ZoneOffset.UTC)
        val minute = now.hour * 60 + now.minute
        val isCheap = (cheap["windows"] as JsonArray).map { it.jsonObject }.any { window ->
            val hours = window["hours_utc"].let { if (it is JsonArray) it.map { each -> each.jsonPrimitive.content } else listOf(it!!.jsonPrimitive.content) }
            (window["weekdays"] as JsonArray).any { it.jsonPrimitive.content.toInt() == now.dayOfWeek.value } && hours.any { span ->
                val (from, to) = span.split('-').map { it.substringBefore(':').toInt() * 60 + it.substringAfter(':').toInt() }
                minute >= from && (to == 0 || minute < to)
            }
        }
        return cheap.takeIf { isCheap }
    }

    /**
     * @param above the end of the fields for long requests
     * @param service the end of the fields for a service tier
     * @param tier the range of the request
     * @param first the range of short requests
     * @param cheap the prices of the hour
     */
    private class Rates(val row: JsonObject, val above: String, val service: String, val tier: JsonObject?, val first: JsonObject?, val cheap: JsonObject?) {
        private val isUsual = above.isEmpty() && service.isEmpty() && tier === first

        /** What the request pays. */
        private fun own(field: String): BigDecimal? = when {
            tier != null && tier !== first -> tier.usd(field)
            above.isNotEmpty() -> row.usd(field + above + service) ?: if (field == IN || field == OUT) row.usd(field + service) else null
            service.isNotEmpty() -> row.usd(field + service)
            cheap?.usd(field) != null && field in HOURLY -> cheap.usd(field)
            else -> row.usd(field) ?: first?.usd(field)
        } ?: if (tier != null && (field == IN || field == OUT)) usual(field) else null

        /** What a short request in the standard tier pays. */
        private fun usual(field: String): BigDecimal? = row.usd(field) ?: first?.usd(field)

        /** A counter without a price of its own is a part of the next of [wholes] and has its price, unless their usual prices differ. */
        private fun rate(field: String, vararg wholes: String): BigDecimal? {
            own(field)?.let { return it }
            val whole = wholes.firstOrNull() ?: return null
            val usualWhole = wholes.firstNotNullOfOrNull(::usual)
            val isAlike = usual(field).let { it == null || (usualWhole != null && it.compareTo(usualWhole) == 0) }
            return if (isAlike) rate(whole, *wholes.drop(1).toTypedArray()) else null
        }

        /** The table has no prices of images in a service tier. */
        private fun image(): BigDecimal? = if (isUsual) {
            rate(IMAGE, IN)
        } else {
            own(IN).takeIf { usual(IMAGE).let { it == null || it.compareTo(usual(IN) ?: it.negate()) == 0 } }
        }

        fun sum(used: Used): BigDecimal? {
            val input = listOf(
                used.text to { own(IN) },
                used.cached to { rate(READ, IN) },
                used.cachedAudio to { if (usual(READ) == null) rate(READ_AUDIO, AUDIO, IN) else rate(READ_AUDIO, READ) },
                used.cachedImage to { if (usual(READ) == null) rate(READ_IMAGE, IMAGE, IN) else rate(READ_IMAGE, READ) },
                used.written to { rate(WRITE, IN) },
                used.written1h to { rate(WRITE + "_above_1hr", WRITE, IN) },
                used.audioIn to { rate(AUDIO, IN) },
                used.imageIn to { image() },
            )
            val output = listOf(
                used.output to { own(OUT) },
                used.reasoning to { rate(REASONING, OUT) },
                used.audioOut to { if (isUsual) row.usd("output_cost_per_audio_token") else null },
                used.imageOut to { if (isUsual) row.usd("output_cost_per_image_token") else null },
            )
            return (input + output).filter { it.first > 0 }.fold(BigDecimal.ZERO) { sum, (count, rate) -> sum + (rate() ?: return null) * BigDecimal(count) }
        }
    }

    private const val DIGITS = 15
    private const val IN = "input_cost_per_token"
    private const val OUT = "output_cost_per_token"
    private const val READ = "cache_read_input_token_cost"
    private const val READ_AUDIO = "cache_read_input_audio_token_cost"
    private const val READ_IMAGE = "cache_read_input_image_token_cost"
    private const val WRITE = "cache_creation_input_token_cost"
    private const val AUDIO = "input_cost_per_audio_token"
    private const val IMAGE = "input_cost_per_image_token"
    private const val REASONING = "output_cost_per_reasoning_token"
    private val HOURLY = setOf(IN, OUT, READ)
}
