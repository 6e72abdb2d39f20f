package dev.unifiedllm.pricing

import dev.unifiedllm.chat.ModelId
import kotlinx.serialization.Serializable
import kotlinx.serialization.json.Json
import java.io.InputStream
import java.math.BigDecimal
import java.time.LocalDate
import java.util.zip.GZIPInputStream

/**
 * Prices by provider and model. A model that is not listed has no price: the price of another provider is never used for it.
 *
 * @param corrections prices that replace those of [table]
 */
internal class PriceCatalog(private val table: Map<String, List<String>>, private val source: String, private val asOf: LocalDate?, corrections: Corrections?) {
    private val corrected: Map<ModelId, Price> = corrections?.prices.orEmpty().associate { row ->
        ModelId(row.provider, row.model) to
            Price.of(
                row.source ?: corrections!!.source,
                LocalDate.parse(row.checked ?: corrections!!.checked),
                Price.Rates(row.inputPerMillion, row.outputPerMillion, row.cacheReadPerMillion, row.cacheWritePerMillion),
            )
    }

    /**
     * Returns the price of [id], or that of [reported], the name of the model in the provider's response.
     *
     * Null if neither is listed, or if both rates are 0: the table also has zeros for unknown prices.
     */
    fun find(id: ModelId, reported: String? = null): Price? = price(id) ?: reported?.takeIf { it != id.name }?.let { price(ModelId(id.provider, it)) }

    /** True if the table has a row for [id], with or without a price. */
    fun lists(id: ModelId): Boolean = row(id) != null

    /** All models in the table. */
    val models: List<ModelId>
        get() = table.values.map { row ->
            val id = row[0]
            if ('/' in id) ModelId(id.substringBefore('/'), id.substringAfter('/')) else ModelId(row[PROVIDER], id)
        } + corrected.keys

    /** Returns the letters of the abilities of [id] and its limits of input and output tokens; null if it is not listed. */
    fun abilities(id: ModelId): Triple<String, Long?, Long?>? =
        row(id)?.let { Triple(it.getOrElse(ABILITIES) { "" }, it.getOrNull(MAX_IN)?.toLongOrNull(), it.getOrNull(MAX_OUT)?.toLongOrNull()) }

    private fun price(id: ModelId): Price? {
        corrected[id]?.let { return it }
        val row = row(id) ?: return null
        val rates = Price.Rates(
            row.decimal(IN),
            row.decimal(OUT),
            row.decimal(CACHE_READ),
            row.decimal(CACHE_WRITE),
            row.decimal(CACHE_WRITE_1H),
            row.decimal(REASONING),
            row.decimal(AUDIO_IN),
            row.decimal(AUDIO_OUT),
            row.decimal(IMAGE_OUT),
        )
        if ((rates.input?.signum() ?: 0) == 0 && (rates.output?.signum() ?: 0) == 0) return null
        return Price.of(source, asOf, rates, tiers(row.getOrElse(TIERS) { "" }))
    }

    /** Most rows are named "provider/model"; some have the model alone as their name and the provider in a column. */
    private fun row(id: ModelId): List<String>? {
        val provider = SAME_PRICES[id.provider] ?: id.provider.substringBefore('/')
        return table["$provider/${id.name}"]
            ?: table["${provider.replace('_', '-')}/${id.name}"]
            ?: table[id.name]?.takeIf { row -> row.getOrNull(PROVIDER).let { it == provider || it == provider + CHAT } }
    }

    private fun tiers(cell: String): List<Price.Tier> = cell.split(';').filter { it.isNotEmpty() }.map { text ->
        val (above, prices) = text.split(':')
        val rates = prices.split('/').map { it.ifEmpty { null }?.toBigDecimal() }
        Price.Tier(above.toLong(), Price.Rates(rates[0], rates[1], rates.getOrNull(2), rates.getOrNull(3)))
    }

    private fun List<String>.decimal(column: Int): BigDecimal? = getOrNull(column)?.takeIf { it.isNotEmpty() }?.toBigDecimal()

    @Serializable
    internal class Corrections(val source: String, val checked: String, val prices: List<Row>) {
        @Serializable
        internal class Row(
            val provider: String,
            val model: String,
            @Serializable(DecimalSerializer::class) val inputPerMillion: BigDecimal,
            @Serializable(DecimalSerializer::class) val outputPerMillion: BigDecimal,
            @Serializable(DecimalSerializer::class) val cacheReadPerMillion: BigDecimal? = null,
            @Serializable(DecimalSerializer::class) val cacheWritePerMillion: BigDecimal? = null,
            /** The page or the recordings that state the price; null for the source of the list. */
            val source: String? = null,
            val checked: String? = null,
            val reason: String,
        )
    }

    companion object {
        private const val PROVIDER = 1

        /** The suffix of the provider name under which some providers' chat models are listed. */
        private const val CHAT = "_chat"
        private const val IN = 3
        private const val OUT = 4
        private const val CACHE_READ = 5
        private const val CACHE_WRITE = 6
        private const val CACHE_WRITE_1H = 7
        private const val REASONING = 8
        private const val AUDIO_IN = 9
        private const val AUDIO_OUT = 10
        private const val TIERS = 11
        private const val IMAGE_OUT = 16
        private const val MAX_IN = 18
        private const val MAX_OUT = 19
        private const val ABILITIES = 20
        private const val FOLDER = "/dev/unifiedllm/pricing"

        /** Provider names whose prices are listed under another name of the same service. */
        private val SAME_PRICES = mapOf("ai21_chat" to "ai21", "cohere_chat" to "cohere", "ollama_chat" to "ollama", "opencode-go" to "opencode_go")

        /** The table in the jar, read at first use. */
        val packed: PriceCatalog by lazy {
            val corrections = Json.decodeFromString(Corrections.serializer(), resource("$FOLDER/prices.json").use { it.readBytes().decodeToString() })
            resource("$FOLDER/prices.tsv.gz").use { read(GZIPInputStream(it), corrections) }
        }

        /**
         * Reads a table that llm-core/tools/pack_prices.py wrote: a line with the source and its date, a line of column names, then the rows.
         */
        fun read(stream: InputStream, corrections: Corrections?): PriceCatalog {
            val lines = stream.bufferedReader().lineSequence().iterator()
            val (_, source, date) = lines.next().split('\t')
            lines.next()
            val table = HashMap<String, List<String>>(TABLE_SIZE)
            for (line in lines) if (line.isNotEmpty()) line.split('\t').let { table[it[0]] = it }
            return PriceCatalog(table, source, LocalDate.parse(date), corrections)
        }

        private const val TABLE_SIZE = 8192

        private fun resource(name: String): InputStream =
            checkNotNull(PriceCatalog::class.java.getResourceAsStream(name)) { "the jar lacks $name" }
    }
}
