package dev.unifiedllm.pricing

import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import java.math.BigDecimal
import java.math.RoundingMode

/** A row of a price map has something that is no price. The message ends a sentence about the row. */
internal class BadPriceException(message: String) : IllegalArgumentException(message)

/**
 * A model in LiteLLM's price map ([github.com/BerriAI/litellm](https://github.com/BerriAI/litellm), `model_prices_and_context_window.json`), as a row of our
 * table: its columns are described in llm-core/tools/pack_prices.py and derive_billing.py, which make the packed table of the same map.
 */
internal class LiteLlmRow(private val id: String, private val json: JsonObject) {
    val provider: String? = text("litellm_provider")

    /** @throws BadPriceException if a price is negative, or no number */
    fun cells(): List<String> {
        prices(json)
        val base = BASE.map { perMillion(json.given(it) ?: firstRange?.given(it)) }
        val billing = listOf(tiers(), services(), factors(), search(), offPeak())
        val limits = listOf("max_input_tokens", "max_output_tokens").map { (json[it] as? JsonPrimitive)?.content?.toLongOrNull()?.toString().orEmpty() }
        val media = listOf("", "", perMillion(json.given("output_cost_per_image_token") ?: firstRange?.given("output_cost_per_image_token")), "")
        val cached = listOf("input_cost_per_image_token", CACHED_AUDIO, "cache_read_input_image_token_cost").map { perMillion(json.given(it)) }
        return listOf(id, provider.orEmpty(), text("mode").orEmpty()) + base + billing + media + limits + listOf("", "") + cached
    }

    /** Checks all numbers of [json] that are prices. */
    private fun prices(json: JsonObject) {
        for ((name, value) in json) {
            when {
                value is JsonObject -> prices(value)
                value is JsonArray -> value.filterIsInstance<JsonObject>().forEach(::prices)
                "cost" in name || "multiplier" in name -> json.given(name)
            }
        }
    }

    private fun text(name: String): String? = (json[name] as? JsonPrimitive)?.takeIf { it.isString }?.content

    private val ranges: List<Pair<Long, JsonObject>> by lazy {
        (json["tiered_pricing"] as? JsonArray).orEmpty().filterIsInstance<JsonObject>().mapNotNull { tier ->
            val from = (tier["range"] as? JsonArray)?.firstOrNull()?.let { number(it, "range") } ?: return@mapNotNull null
            from.toLong() to tier
        }.sortedBy { it.first }
    }

    private val firstRange: JsonObject? get() = ranges.firstOrNull { it.first == 0L }?.second

    private fun tiers(): String {
        if ("tiered_pricing" !in json) return longContext("", listOf(REASONING)).joinToString(";")
        return ranges.filter { it.first > 0 }.joinToString(";") { (from, tier) -> "$from:${prices(tier, FIELDS + REASONING)}" }
    }

    private fun longContext(suffix: String, more: List<String> = emptyList()): List<String> {
        val name = Regex("input_cost_per_token_above_(\\d+)k_tokens$suffix")
        val limits = json.keys.mapNotNull { name.matchEntire(it)?.groupValues?.get(1)?.toLongOrNull() }.filter { it < MAX_LIMIT }.toSortedSet()
        return limits.map { limit -> "${limit * THOUSAND}:${prices(json, (FIELDS + more).map { "${it}_above_${limit}k_tokens$suffix" })}" }
    }

    private fun services(): String = SERVICES.mapNotNull { (suffix, name) ->
        if (json.given("input_cost_per_token_$suffix") == null) return@mapNotNull null
        val rates = prices(json, (FIELDS + AUDIO + CACHED_AUDIO).map { "${it}_$suffix" })
        (listOf("$name=$rates") + longContext("_$suffix")).joinToString("|")
    }.joinToString(";")

    private fun factors(): String {
        val special = json["provider_specific_entry"] as? JsonObject
        val found = listOf("us", "eu", "fast").map { it to special?.given(it) } +
            listOf("us", "eu").map { "@$it" to json.given("regional_processing_uplift_multiplier_$it") } +
            ("@" to json.given("regional_endpoint_uplift_multiplier"))
        return found.mapNotNull { (name, factor) -> factor?.let { "$name=${plain(it)}" } }.joinToString(";")
    }

    private fun search(): String {
        val fees = (json["search_context_cost_per_query"] as? JsonObject)?.takeIf { it.isNotEmpty() } ?: return ""
        val bySize = listOf("low", "medium", "high").map { fees.given("search_context_size_$it") }
        if (bySize.any { it == null }) return ""
        val owner = provider.orEmpty()
        val unit = when {
            (owner == "perplexity" && text("mode") == "chat" && "citation_cost_per_token" !in json) || "-search-" in id -> "request"
            (owner.startsWith("gemini") || owner.startsWith("vertex_ai")) && "claude" !in id && text("web_search_billing_unit") != "per_query" -> "prompt"
            else -> "query"
        }
        return "$unit:${bySize.joinToString("/") { plain(it!!) }}"
    }

    private fun offPeak(): String {
        val found = json["off_peak_pricing"] as? JsonObject ?: return ""
        val windows = (found["windows"] as? JsonArray).orEmpty().filterIsInstance<JsonObject>().mapNotNull { window ->
            val days = (window["weekdays"] as? JsonArray)?.map { (it as? JsonPrimitive)?.content?.takeIf(DAY::matches) ?: return "" }?.joinToString("")
            val stated = window["hours_utc"]
            val hours = ((stated as? JsonArray) ?: listOfNotNull(stated)).map { (it as? JsonPrimitive)?.content?.takeIf(HOURS::matches) ?: return "" }
            days?.let { "$it:${hours.joinToString(",")}" }
        }
        return if (windows.isEmpty()) "" else prices(found, FIELDS.take(OFF_PEAK_RATES)) + "@" + windows.joinToString(";")
    }

    private fun prices(from: JsonObject, fields: List<String>): String = fields.joinToString("/") { perMillion(from.given(it)) }

    private fun JsonObject.given(name: String): BigDecimal? = this[name]?.takeUnless { it is JsonNull || it !is JsonPrimitive }?.let { number(it, name) }

    private fun number(value: JsonElement, name: String): BigDecimal {
        val number = decimal((value as? JsonPrimitive)?.content.orEmpty()) ?: throw BadPriceException("has a $name that is no number")
        return if (number.signum() < 0) throw BadPriceException("has a negative $name") else number
    }

    private fun perMillion(price: BigDecimal?): String = price?.let { plain(it.movePointRight(MILLION).setScale(DIGITS, RoundingMode.HALF_EVEN)) }.orEmpty()

    private fun plain(number: BigDecimal): String = number.stripTrailingZeros().toPlainString()

    internal companion object {
        private val FIELDS = listOf(
            "input_cost_per_token",
            "output_cost_per_token",
            "cache_read_input_token_cost",
            "cache_creation_input_token_cost",
            "cache_creation_input_token_cost_above_1hr",
        )
        private const val REASONING = "output_cost_per_reasoning_token"
        private const val AUDIO = "input_cost_per_audio_token"
        private const val CACHED_AUDIO = "cache_read_input_audio_token_cost"
        private val BASE = FIELDS + REASONING + AUDIO + "output_cost_per_audio_token"
        private val SERVICES =
            listOf("flex" to "flex", "priority" to "priority", "batches" to "batch", "ultrafast" to "ultrafast", "balanced" to "balanced")
        private val DAY = Regex("[1-7]")
        private val HOURS = Regex("([01]\\d|2[0-3]):[0-5]\\d-([01]\\d|2[0-3]):[0-5]\\d")
        private const val OFF_PEAK_RATES = 3
        private const val MILLION = 6
        private const val DIGITS = 9
        private const val THOUSAND = 1_000L
        private const val MAX_LIMIT = 1_000_000_000L

        /** The most digits of a price, before and after the point: a text may be anything. */
        private const val MAX_DIGITS = 40
        private val NUMBER = Regex("-?\\d{1,40}(\\.\\d{1,40})?([eE][+-]?\\d{1,2})?")

        /** The number in [text]; null if it is none, or beyond all reason. */
        fun decimal(text: String): BigDecimal? =
            text.trim().takeIf(NUMBER::matches)?.toBigDecimal()?.takeIf { it.precision() - it.scale() <= MAX_DIGITS && it.scale() <= 2 * MAX_DIGITS }

        /** True if [json] is a row of such a map, with or without a price. */
        fun isRow(json: JsonObject): Boolean = "litellm_provider" in json || "mode" in json || json.keys.any { "cost_per_" in it }
    }
}
