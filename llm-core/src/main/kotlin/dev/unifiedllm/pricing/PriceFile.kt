package dev.unifiedllm.pricing

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Usd
import kotlinx.serialization.SerializationException
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import java.io.IOException
import java.math.BigDecimal
import java.nio.file.Files
import java.nio.file.Path
import java.time.LocalDate
import java.time.format.DateTimeParseException

/**
 * The prices of a JSON object with a model a member, in LiteLLM's form or in our own.
 *
 * @property table the models in LiteLLM's form, as [PriceCatalog] keeps them
 * @property prices the models in our own form
 * @property source who states the prices
 * @property asOf the day on which they were read
 */
internal class PriceFile private constructor(
    val table: Map<String, List<String>>,
    val prices: Map<ModelId, Price>,
    val source: String,
    val asOf: LocalDate,
) {
    val catalog: PriceCatalog by lazy { PriceCatalog(table, source, asOf, prices) }

    companion object {
        const val MAX_BYTES: Int = 32 * 1024 * 1024

        /** Members of a row in our own form: US dollars per million tokens, or for each search or image. */
        private val RATES: Map<String, (Price.Builder, Usd) -> Unit> = mapOf(
            "inputPerMillion" to { builder, usd -> builder.inputPerMillion = usd },
            "outputPerMillion" to { builder, usd -> builder.outputPerMillion = usd },
            "cacheReadPerMillion" to { builder, usd -> builder.cacheReadPerMillion = usd },
            "cacheWritePerMillion" to { builder, usd -> builder.cacheWritePerMillion = usd },
            "perWebSearch" to { builder, usd -> builder.perWebSearch = usd },
            "perImage" to { builder, usd -> builder.perImage = usd },
            "cost_per_1k_input_tokens" to { builder, usd -> builder.inputPerMillion = usd * THOUSAND },
            "cost_per_1k_output_tokens" to { builder, usd -> builder.outputPerMillion = usd * THOUSAND },
        )
        private val FACTS = setOf("provider", "litellm_provider", "source", "checked", "name", "task_type", "mode", "max_tokens")
        private const val THOUSAND = 1_000L
        private const val SAMPLE = "sample_spec" // LiteLLM's map describes itself in it

        /** Reads [file]. @throws LlmException.Configuration if it cannot be read, or a row is wrong */
        fun read(file: Path, today: LocalDate): PriceFile {
            val bytes = try {
                if (Files.size(file) > MAX_BYTES) wrong("$file", "it is larger than $MAX_BYTES bytes")
                Files.readAllBytes(file)
            } catch (unreadable: IOException) {
                wrong("$file", "the file cannot be read (${unreadable.javaClass.simpleName})", unreadable)
            }
            return parse(bytes.decodeToString(), "$file", "${file.fileName}", today)
        }

        /**
         * @param origin where [text] is from, for messages
         * @param source who states the prices
         * @throws LlmException.Configuration if it is no JSON object, or a row is wrong
         */
        fun parse(text: String, origin: String, source: String, today: LocalDate): PriceFile {
            val json = try {
                Json.parseToJsonElement(text.removePrefix("\uFEFF")) as? JsonObject
            } catch (broken: SerializationException) {
                wrong(origin, "it is not JSON", broken)
            }
            return of(json ?: wrong(origin, "it is no JSON object"), origin, source, today)
        }

        /** As [parse], for rows that have been read. */
        fun of(rows: Map<String, JsonElement>, origin: String, source: String, today: LocalDate): PriceFile {
            val table = HashMap<String, List<String>>()
            val prices = HashMap<ModelId, Price>()
            var unknown: String? = null
            for ((id, value) in rows) {
                if (id == SAMPLE) continue
                val row = value as? JsonObject ?: wrong(origin, "the row \"$id\" is no JSON object")
                try {
                    when {
                        row.keys.any { it in RATES } -> ownPrice(id, row, source, today).let { (model, price) -> prices[model] = price }
                        LiteLlmRow.isRow(row) -> table[id] = liteLlm(id, row)
                        else -> unknown = unknown ?: id
                    }
                } catch (bad: IllegalArgumentException) {
                    wrong(origin, "the row \"$id\" ${if (bad is BadPriceException) bad.message else "is wrong: ${bad.message}"}", bad)
                }
            }
            // LiteLLM's map has more than models in it.
            if (unknown != null && table.isEmpty()) wrong(origin, "the row \"$unknown\" has no price")
            if (table.isEmpty() && prices.isEmpty()) wrong(origin, "it has no row")
            return PriceFile(table, prices, source, today)
        }

        private fun liteLlm(id: String, row: JsonObject): List<String> {
            val read = LiteLlmRow(id, row)
            if (read.provider == null && '/' !in id) throw BadPriceException("names no provider: set litellm_provider, or write \"provider/$id\"")
            return read.cells()
        }

        private fun ownPrice(id: String, row: JsonObject, source: String, today: LocalDate): Pair<ModelId, Price> {
            val unknown = row.keys.firstOrNull { it !in RATES && it !in FACTS }
            if (unknown != null) throw BadPriceException("has the member \"$unknown\", which is none of ${(RATES.keys + FACTS).joinToString()}")
            val provider = row.text("provider") ?: row.text("litellm_provider")
            if (provider == null && '/' !in id) throw BadPriceException("names no provider: set provider, or write \"provider/$id\"")
            val builder = Price.Builder()
            for ((name, set) in RATES) row.amount(name)?.let { set(builder, Usd.of(it)) }
            val checked = row.text("checked")?.let(::date) ?: today
            val model = if (provider == null) ModelId.parse(id) else ModelId(provider, id.removePrefix("$provider/"))
            return model to builder.build(row.text("source") ?: source, checked)
        }

        private fun JsonObject.text(name: String): String? = (this[name] as? JsonPrimitive)?.takeIf { it.isString }?.content?.ifBlank { null }

        private fun JsonObject.amount(name: String): BigDecimal? {
            val value = this[name]?.takeUnless { it is JsonNull } ?: return null
            val amount = LiteLlmRow.decimal((value as? JsonPrimitive)?.content.orEmpty()) ?: throw BadPriceException("has a $name that is no number")
            return if (amount.signum() < 0) throw BadPriceException("has a negative $name") else amount
        }

        private fun date(text: String): LocalDate = try {
            LocalDate.parse(text)
        } catch (_: DateTimeParseException) {
            throw BadPriceException("has a date in \"checked\" that is not like 2026-11-27")
        }

        private fun wrong(origin: String, problem: String, cause: Throwable? = null): Nothing = throw LlmException.Configuration(
            "The prices in $origin were not taken: $problem. Correct it: a JSON object with a model a member, as " +
                "{\"my/model\": {\"inputPerMillion\": 0.10, \"outputPerMillion\": 0.20}}, or LiteLLM's model_prices_and_context_window.json.",
            cause,
        )
    }
}
