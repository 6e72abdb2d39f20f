package dev.unifiedllm

import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.demo.demoPrice
import dev.unifiedllm.pricing.ImagePrices
import dev.unifiedllm.pricing.Price
import dev.unifiedllm.pricing.PriceCatalog
import dev.unifiedllm.provider.ModelAbilities
import dev.unifiedllm.provider.Target

/** The prices of one client: those set in code, then those of the packed catalogue. */
internal class Prices(builder: LlmBuilder, names: ModelNames) {
    private val set: Map<ModelId, Price> = builder.prices.mapKeys { (id, _) -> names.canonical(id) }

    fun isSet(id: ModelId): Boolean = id in set

    /** The price of [id] that was set in code; null if none was. */
    fun set(id: ModelId): Price? = set[id]

    /** The price of what [target] responded. @param reported the model as the provider names it; null if it does not say */
    fun of(target: Target, reported: String?): Price? = set[target.id] ?: PriceCatalog.packed.find(target.id, reported, target.region)

    /** The prices of the images of [target], by their size and quality; null if none are known, or a price was set in code. */
    fun ofImages(target: Target): ImagePrices? = if (isSet(target.id)) null else ImagePrices.of(target.id, target.region)

    /** The price of [id], which runs in [region]; null if none is known. */
    fun of(id: ModelId, region: String?): Price? = set[id] ?: PriceCatalog.packed.find(id, null, region)

    /** True if nobody bills for [target]. A price that was set in code is billed. */
    fun isFree(target: Target): Boolean = target.isFree && !isSet(target.id)

    fun demo(id: ModelId): Price = set[id] ?: demoPrice
}

/** What the model [id] can do, by the packed catalogue; null if it is not listed. */
internal fun abilities(id: ModelId): ModelAbilities? =
    PriceCatalog.packed.abilities(id)?.let { (letters, input, output) -> ModelAbilities.of(letters, input, output) }
