package dev.unifiedllm.pricing

import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import java.io.InputStream
import java.math.BigDecimal
import java.time.LocalDate

/**
 * What an image call made.
 *
 * @property count how many images arrived, without previews
 * @property size as it was requested; null if it was left to the model, as [quality]
 * @property hasSources true if the call changed images: they are billed as input by models that are billed by tokens
 */
internal class MadeImages(val count: Int, val size: String?, val quality: String?, val hasSources: Boolean)

/** The prices of the images of one model. */
internal class ImagePrices(private val model: ModelId, private val rows: List<Row>, private val source: String, private val asOf: LocalDate) {
    /** A row of images.tsv, as llm-core/tools/derive_images.py describes it. */
    class Row(private val quality: String, private val size: String, val usd: BigDecimal, val source: String?, val checked: LocalDate?) {
        fun fits(made: MadeImages): Boolean = fitsQuality(made.quality) && fitsSize(made.size?.lowercase())

        private fun fitsQuality(asked: String?) =
            quality.isEmpty() || (if (asked == null) quality.endsWith(DEFAULT) else quality.removeSuffix(DEFAULT).equals(asked, ignoreCase = true))

        private fun fitsSize(asked: String?): Boolean {
            val own = size.removeSuffix(DEFAULT)
            if (size.isEmpty()) return true
            if (asked == null) return size.endsWith(DEFAULT)
            if (!own.startsWith(UP_TO)) return own == asked
            val (width, height) = sides(own.removePrefix(UP_TO))!!
            return sides(asked)?.let { it.first <= width && it.second <= height } == true
        }

        private fun sides(size: String): Pair<Int, Int>? =
            Regex("(\\d{1,5})x(\\d{1,5})").matchEntire(size)?.destructured?.let { (width, height) -> width.toInt() to height.toInt() }

        private companion object {
            const val DEFAULT = "*"
            const val UP_TO = "<="
        }
    }

    /** The highest price of one image, whatever its size and quality. */
    val dearest: BigDecimal? get() = rows.maxOfOrNull { it.usd }

    fun cost(made: MadeImages): Cost {
        val row = rows.firstOrNull { it.fits(made) }
        if (row != null) return Cost.Known(Usd.of(row.usd) * made.count.toLong(), row.source ?: source, row.checked ?: asOf)
        val left = listOfNotNull("size".takeIf { made.size == null }, "quality".takeIf { made.quality == null })
        val asked = listOfNotNull(made.size?.let { "of size $it" }, made.quality?.let { "of quality $it" }).joinToString(" and ")
        if (left.isEmpty()) return Cost.Unknown("no price is known for images of $model $asked")
        return Cost.Unknown("the price of an image of $model depends on its ${left.joinToString(" and ")}, which the request leaves to the model")
    }

    companion object {
        private const val ORIGIN = 5

        private class Table(val source: String, val asOf: LocalDate, val rows: Map<String, List<Row>>)

        private val packed: Table by lazy {
            val stream = checkNotNull(ImagePrices::class.java.getResourceAsStream("/dev/unifiedllm/pricing/images.tsv")) { "the jar lacks images.tsv" }
            stream.use(::read)
        }

        private fun read(stream: InputStream): Table {
            val lines = stream.bufferedReader().readLines().map { it.split('\t') }
            val (_, source, date) = lines[0]
            val rows = lines.drop(2).groupBy({ "${it[0]}/${it[1]}" }) { row(it[2], it[3], it[4], it.drop(ORIGIN)) }
            return Table(source, LocalDate.parse(date), rows)
        }

        private fun row(quality: String, size: String, usd: String, origin: List<String>) =
            Row(quality, size, usd.toBigDecimal(), origin.getOrNull(0)?.ifEmpty { null }, origin.getOrNull(1)?.ifEmpty { null }?.let(LocalDate::parse))

        /** The prices of the images of [id]; null if none are known. @param region where it runs; null if that is not known */
        fun of(id: ModelId, region: String?): ImagePrices? = PriceNames.tables(id.provider).firstNotNullOfOrNull { provider ->
            PriceNames.of(provider, id.name, region).firstNotNullOfOrNull { packed.rows["$provider/$it"] }
        }?.let { ImagePrices(id, it, packed.source, packed.asOf) }
    }
}

/**
 * The cost of [made]: by its tokens, if the provider reported them and they have a [price], else by the image.
 *
 * @param images null if no prices of images are known
 * @return null if neither is known
 */
internal fun imageCost(usage: Usage?, price: Price?, images: ImagePrices?, made: MadeImages): Cost? {
    price?.perImage?.let { return Cost.Known(it * made.count.toLong(), price.source, price.asOf) }
    val hasTokens = usage?.inputTokens != null && (usage.outputTokens ?: 0) > 0
    return when {
        price != null && price.isOfTokens && hasTokens -> price.cost(usage)
        images == null -> price?.cost(usage)
        price != null && price.isOfTokens && made.hasSources ->
            Cost.Unknown("the provider did not report the tokens, and the images that were changed are billed by theirs")
        else -> images.cost(made)
    }
}
