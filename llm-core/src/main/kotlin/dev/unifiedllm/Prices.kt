package dev.unifiedllm

import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.demo.demoPrice
import dev.unifiedllm.pricing.Price
import dev.unifiedllm.pricing.PriceCatalog
import dev.unifiedllm.provider.ModelAbilities

/** The prices of one client: those set in code, then those of the packed catalogue. */
internal class Prices(builder: LlmBuilder, names: ModelNames) {
    private val set: Map<ModelId, Price> = builder.prices.mapKeys { (id, _) -> names.canonical(id) }

    fun isSet(id: ModelId): Boolean = id in set

    /** The price of [id] that was set in code; null if none was. */
    fun set(id: ModelId): Price? = set[id]

    /** @param reported the model as the provider names it; null if it does not say */
    fun of(id: ModelId, reported: String?): Price? = set[id] ?: PriceCatalog.packed.find(id, reported)

    fun demo(id: ModelId): Price = set[id] ?: demoPrice
}

/** What the model [id] can do, by the packed catalogue; null if it is not listed. */
internal fun abilities(id: ModelId): ModelAbilities? =
    PriceCatalog.packed.abilities(id)?.let { (letters, input, output) -> ModelAbilities.of(letters, input, output) }
