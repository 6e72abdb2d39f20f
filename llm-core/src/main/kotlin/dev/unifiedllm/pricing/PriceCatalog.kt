package dev.unifiedllm.pricing

import dev.unifiedllm.chat.ModelId
import kotlinx.serialization.Serializable
import kotlinx.serialization.json.Json
import java.io.InputStream
import java.math.BigDecimal
import java.time.Instant
import java.time.LocalDate
import java.util.zip.GZIPInputStream

/**
 * Prices by provider and model. A model that is not listed has no price: the price of another provider is never used for it.
 *
 * @property source who states the prices
 * @property asOf the day on which they were read
 * @property corrected prices that replace those of [table]
 */
internal class PriceCatalog(
    private val table: Map<String, List<String>>,
    val source: String,
    val asOf: LocalDate?,
    private val corrected: Map<ModelId, Price>,
) {
    /** @param corrections prices that replace those of [table] */
    constructor(table: Map<String, List<String>>, source: String, asOf: LocalDate?, corrections: Corrections?) :
        this(table, source, asOf, corrections?.byModel().orEmpty())

    /** The prices of [file] instead of these. Corrections of models that it does not list stay. */
    fun replacedBy(file: PriceFile): PriceCatalog {
        val listed = PriceCatalog(file.table, file.source, file.asOf, file.prices)
        return PriceCatalog(file.table, file.source, file.asOf, corrected.filterKeys { !listed.lists(it) } + file.prices)
    }

    /** How many models have a price. */
    val pricedModels: Int by lazy { table.values.count { PriceRow(it).isPriced } + corrected.size }

    /**
     * Returns the price of the model that responded: that of [reported], its name in the response, or that of [id], by which it was requested. Null if
     * neither is listed, or if the price depends on a region that is not known.
     *
     * @param region where the model runs; null if that is not known
     * @param time when it responded: some prices depend on the hour
     */
    fun find(id: ModelId, reported: String? = null, region: String? = null, time: Instant = Instant.now()): Price? {
        val asked = Lookup(id, region, time)
        val answered = reported?.takeIf { it != id.name }?.let { Lookup(ModelId(id.provider, it), region, time) }
        return when {
            asked.isRouter -> answered?.price?.let { asked.plusFee(it) }
            answered == null || isVariant(id.name, answered.id.name) -> asked.price
            isSnapshot(id.name, answered.id.name) -> asked.price ?: answered.price
            answered.isRouter -> null
            else -> answered.price ?: asked.price.takeIf { mayBe(id, answered.id.name) }
        }
    }

    /** The model that [id] names, in the table. */
    private inner class Lookup(val id: ModelId, private val region: String?, private val time: Instant) {
        private val row = row(id, region)
        val isRouter: Boolean get() = row?.isRouter == true
        val price: Price? by lazy {
            corrected[id] ?: row?.terms(region, time)?.let { (rates, terms) -> Price.of(source, asOf, rates, terms) }
        }

        /** [price] with the fee of this router for each input token, in whatever way it is counted. */
        fun plusFee(price: Price): Price? {
            val fee = this.price?.inputPerMillion?.amount ?: return null
            return price.changed { it + Rates(fee, null, fee, fee, fee, null, fee) }
        }
    }

    /**
     * True if [reported], the name in a response, may mean the model [id]: its provider lists it, or one of the two names is a part of the other. A name of
     * three characters or fewer says nothing.
     */
    fun isModelOf(id: ModelId, reported: String): Boolean {
        val asked = id.name.substringAfterLast('/').lowercase()
        val answered = reported.substringAfterLast('/').lowercase()
        val other = ModelId(id.provider, reported)
        return answered.length < SHORTEST || asked in answered || answered in asked || lists(other) || other in corrected
    }

    /** True if the table has a row for [id], with or without a price. */
    fun lists(id: ModelId): Boolean = row(id) != null

    /** All models in the table. */
    val models: List<ModelId>
        get() = table.values.map { row ->
            val id = row[0]
            if ('/' in id) ModelId(id.substringBefore('/'), id.substringAfter('/')) else ModelId(PriceRow(row).provider, id)
        } + corrected.keys

    /** Returns the letters of the abilities of [id] and its limits of input and output tokens; null if it is not listed. */
    fun abilities(id: ModelId): Triple<String, Long?, Long?>? = row(id)?.let { Triple(it.abilities, it.maxInputTokens, it.maxOutputTokens) }

    /** The row of [id]; null if there is none. Most rows are named "provider/model"; some have the model alone as their name and the provider in a column. */
    fun row(id: ModelId, region: String? = null): PriceRow? = PriceNames.tables(id.provider).firstNotNullOfOrNull { provider ->
        PriceNames.of(provider, id.name, region).firstNotNullOfOrNull { name ->
            table["$provider/$name"] ?: table["${provider.replace('_', '-')}/$name"] ?: table[name]?.takeIf { isOf(provider, PriceRow(it).provider) }
        }
    }?.let(::PriceRow)

    /** All rows. */
    val rows: Collection<PriceRow> get() = table.values.map(::PriceRow)

    @Serializable
    internal class Corrections(val source: String, val checked: String, val prices: List<Row>) {
        fun byModel(): Map<ModelId, Price> = prices.associate { row ->
            val rates = Rates(row.inputPerMillion, row.outputPerMillion, row.cacheReadPerMillion, row.cacheWritePerMillion)
            ModelId(row.provider, row.model) to Price.of(row.source ?: source, LocalDate.parse(row.checked ?: checked), RateTable(rates))
        }

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
        private const val FOLDER = "/dev/unifiedllm/pricing"

        /** Suffixes of a provider's name in the table, for the kinds of its models. */
        private val KINDS = Regex("_chat|_converse|-.*")

        private fun isOf(provider: String, column: String) = column == provider || (column.startsWith(provider) && KINDS.matches(column.removePrefix(provider)))

        /** Endings of names of models that are served at a price of their own. Some responses name the model without them. */
        private val VARIANT = Regex("""-(fast|spot|us|eu|customtools)|[:@][^/]*""")
        private val SNAPSHOT = Regex("""-\d[\d-]*""")

        /** What [asked] has behind [reported], both without folders; null if it is no longer form of it. */
        private fun ending(asked: String, reported: String): String? {
            val long = asked.substringAfterLast('/')
            val short = reported.substringAfterLast('/')
            return if (long.startsWith(short) && long.length > short.length) long.substring(short.length) else null
        }

        private fun isVariant(asked: String, reported: String) = ending(asked, reported)?.let(VARIANT::matches) == true

        private fun isSnapshot(asked: String, reported: String) = ending(asked, reported)?.let(SNAPSHOT::matches) == true

        /** False if [reported] is surely not [id]: the name of a deployment says nothing about its model, and a fine-tuned one has another price. */
        private fun mayBe(id: ModelId, reported: String): Boolean {
            if (PriceNames.tables(id.provider).none { it in PriceNames.deployments }) return true
            return (reported.startsWith(id.name) || id.name.startsWith(reported)) && ".ft-" !in reported
        }

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
        private const val SHORTEST = 4

        private fun resource(name: String): InputStream =
            checkNotNull(PriceCatalog::class.java.getResourceAsStream(name)) { "the jar lacks $name" }
    }
}
