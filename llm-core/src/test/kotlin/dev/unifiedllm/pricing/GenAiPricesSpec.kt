package dev.unifiedllm.pricing

import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.ints.shouldBeGreaterThan
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import java.math.BigDecimal
import java.math.RoundingMode
import java.time.Instant

/** Our names of the providers of genai-prices. Those that it splits by the host behind Hugging Face are not compared: their models have other names here. */
private val providers = mapOf(
    "anthropic" to "anthropic", "openai" to "openai", "google" to "gemini", "aws" to "bedrock", "azure" to "azure", "groq" to "groq", "mistral" to "mistral",
    "cohere" to "cohere", "deepseek" to "deepseek", "x-ai" to "xai", "perplexity" to "perplexity", "together" to "together_ai", "fireworks" to "fireworks_ai",
    "openrouter" to "openrouter", "cerebras" to "cerebras", "moonshotai" to "moonshot", "minimax" to "minimax", "novita" to "novita", "voyageai" to "voyage",
    "ovhcloud" to "ovhcloud",
)
private val MODES = setOf("chat", "responses", "embedding", "completion")
private const val READ_ON = "2026-08-21"
private val noon = Instant.parse("2026-11-25T02:00:00Z") // in DeepSeek's peak hours

private fun matches(rule: JsonObject, name: String): Boolean {
    val (kind, value) = rule.entries.single()
    val text = (value as? JsonPrimitive)?.content?.lowercase().orEmpty()
    val lower = name.lowercase()
    return when (kind) {
        "or" -> value.jsonArray.any { matches(it.jsonObject, name) }
        "and" -> value.jsonArray.all { matches(it.jsonObject, name) }
        "equals" -> lower == text
        "starts_with" -> lower.startsWith(text)
        "ends_with" -> lower.endsWith(text)
        "contains" -> text in lower
        "regex" -> Regex((value as JsonPrimitive).content).containsMatchIn(lower)
        else -> error("an unknown rule: $kind")
    }
}

/** The prices on the day on which the table was read: some have the day from which they hold. */
private fun onThatDay(prices: JsonElement): JsonObject = if (prices is JsonArray) {
    val dated = prices.map { it.jsonObject }.filter { each ->
        each["constraint"]?.jsonObject.let { it == null || (it["start_date"]?.jsonPrimitive?.content ?: "9") <= READ_ON }
    }
    dated.last()["prices"]!!.jsonObject
} else {
    prices.jsonObject
}

private fun JsonObject.perMillion(field: String): BigDecimal? =
    this[field]?.let { (it as? JsonObject)?.get("base") ?: it }?.jsonPrimitive?.content?.toBigDecimal()

private fun plain(number: BigDecimal) = number.stripTrailingZeros().toPlainString()

/** Our prices against those of genai-prices, for the models in both: each difference is listed with its reason. */
class GenAiPricesSpec : FunSpec({
    fun resource(name: String) = GenAiPricesSpec::class.java.getResourceAsStream("/prices/$name")!!.bufferedReader().readLines().drop(1).map { it.split('\t') }

    test("each price that differs from genai-prices is listed, with a reason") {
        var compared = 0
        val differing = linkedMapOf<String, String>()
        for (provider in Json.parseToJsonElement(packedJson("genai_prices_2026-08-21.json.gz")).jsonArray.map { it.jsonObject }) {
            val ours = providers[provider["id"]!!.jsonPrimitive.content] ?: continue
            for (row in PriceCatalog.packed.rows) {
                val name = nameAt(ours, row) ?: continue
                if (row.mode !in MODES) continue
                val model = provider["models"]!!.jsonArray.map { it.jsonObject }
                    .firstOrNull { model -> model["match"]?.jsonObject?.let { matches(it, name) } == true } ?: continue
                val price = row.terms("global", noon)?.let { (table, terms) -> Price.of("", null, table, terms) } ?: continue
                if ((price.inputPerMillion?.amount?.signum() ?: 0) == 0) continue
                compared++
                val theirs = onThatDay(model["prices"]!!)
                val found = listOf(
                    "input" to price.inputPerMillion,
                    "output" to price.outputPerMillion,
                    "cache_read" to price.cacheReadPerMillion,
                    "cache_write" to price.cacheWritePerMillion,
                ).mapNotNull { (field, usd) ->
                    val their = theirs.perMillion("${field}_mtok") ?: return@mapNotNull null
                    val our = usd?.amount?.setScale(DIGITS, RoundingMode.HALF_EVEN) ?: return@mapNotNull null
                    if (our.compareTo(their) == 0) null else "$field ${plain(our)}/${plain(their)}"
                }
                if (found.isNotEmpty()) differing["$ours\t${row.id}\t${model["id"]!!.jsonPrimitive.content}"] = found.joinToString("; ")
            }
        }
        val reasons = resource("genai-groups.tsv").associate { it[0] to it[1] }
        val listed = resource("genai-differences.tsv").associate { "${it[1]}\t${it[2]}\t${it[3]}" to it[4] }
        val groups = resource("genai-differences.tsv").groupingBy { it[0] }.eachCount()
        println("genai-prices: $compared models in both, ${compared - differing.size} equal, ${differing.size} differ:")
        for ((group, count) in groups) println("genai-prices: $count $group: ${reasons[group]}")
        groups.keys.filter { reasons[it].isNullOrBlank() }.shouldBeEmpty()
        differing.filter { listed[it.key] != it.value }.map { "not listed: ${it.key}\t${it.value}" }.shouldBeEmpty()
        (listed - differing.keys).map { "listed, but no more different: ${it.key}" }.shouldBeEmpty()
        compared shouldBeGreaterThan 500
    }
})

private const val DIGITS = 6

/** The name of the model of [row] at [provider]; null if it is another provider's. */
private fun nameAt(provider: String, row: PriceRow): String? = when {
    row.id.startsWith("$provider/") -> row.id.removePrefix("$provider/")
    providers.values.any { row.id.startsWith("$it/") } -> null
    row.provider == provider || row.provider.startsWith("${provider}_") || row.provider.startsWith("$provider-") -> row.id
    else -> null
}
