package dev.unifiedllm

import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.demo.demoPrice
import dev.unifiedllm.middleware.noPrice
import dev.unifiedllm.pricing.ImagePrices
import dev.unifiedllm.pricing.Price
import dev.unifiedllm.pricing.PriceCatalog
import dev.unifiedllm.pricing.PriceFile
import dev.unifiedllm.pricing.setPrice
import dev.unifiedllm.provider.ModelAbilities
import dev.unifiedllm.provider.Target
import dev.unifiedllm.provider.hostOf
import dev.unifiedllm.provider.isRunByUser
import java.time.LocalDate
import java.util.concurrent.atomic.AtomicReference

/**
 * The prices of one client: those set in code, then those of its files, then those that a proxy told, then those of the catalogue, which is the packed one
 * until it is replaced. Thread-safe: a call is billed by the prices of the moment at which its response is complete.
 */
internal class Prices(builder: LlmBuilder, names: ModelNames) {
    private val set: Map<ModelId, Price> = builder.prices.mapKeys { (id, _) -> names.billed(id) }
    private val files: List<PriceFile> = builder.priceFiles.reversed()
    private val ofFiles: Map<ModelId, Price> = builder.priceFiles.flatMap { it.prices.entries }.associate { (id, price) -> names.billed(id) to price }
    private val current = AtomicReference(Sheets(null, emptyMap()))

    /** @property catalog null for the packed one @property told the prices of the models of proxies, by the proxy's id */
    private class Sheets(val catalog: PriceCatalog?, val told: Map<String, Map<String, Price>>)

    private val Sheets.prices: PriceCatalog get() = catalog ?: PriceCatalog.packed

    /** The prices that the user has set for [id]; null if there are none. */
    fun set(id: ModelId, region: String? = null): Price? = set[id] ?: ofFiles[id] ?: files.firstNotNullOfOrNull { it.catalog.find(id, null, region) }

    fun isSet(id: ModelId): Boolean = set(id) != null

    private fun told(id: ModelId): Price? = current.get().told[id.provider.substringBefore('/')]?.get(id.name)

    /**
     * Who bills for [target], and at which price: the one place where that is decided.
     *
     * A price of the user's counts first. Nobody bills for a server on this machine, or for a provider that is marked as free. Another server of the user's
     * may be one for which somebody pays. The price of a provider in the catalogue also holds behind the base URL of a gateway, unless the response says that
     * another model worked on it. A proxy bills what it tells.
     *
     * @param reported the model as the response names it; null if it does not say, or before there is one
     */
    fun billing(target: Target, reported: String? = null): BillingRule {
        val id = target.id
        val region = target.region
        val sheets = current.get()
        set(id, region)?.let { return BillingRule(BillingRule.Kind.SET, it, "its price is set (${it.source})") }
        target.whyFree?.let { return BillingRule(BillingRule.Kind.FREE, null, it) }
        told(id)?.let { return BillingRule(BillingRule.Kind.TOLD, it, "the server told its price (${it.source})") }
        val price = sheets.prices.find(id, reported, region) ?: return unpriced(target, reported)
        if (reported != null && target.isElsewhere && !sheets.prices.isModelOf(id, reported)) {
            val why = "the server at ${hostOf(target.baseUrl)} responded as \"$reported\", which is no model of ${target.provider.id}; ${remedy(target)}"
            return BillingRule(BillingRule.Kind.UNKNOWN, null, why)
        }
        val place = if (target.isElsewhere) ", of which ${hostOf(target.baseUrl)} is taken for a gateway" else ""
        return BillingRule(BillingRule.Kind.LISTED, price, "${target.provider.id} bills for it$place (${price.source}, ${price.asOf})")
    }

    private fun unpriced(target: Target, reported: String?): BillingRule {
        val id = target.id
        val why = when {
            target.isOfOllamaCloud -> "ollama.com bills for $id, and no price is known for it; ${remedy(target)}"
            target.isRunByUser && !target.isOnThisMachine ->
                "the server of ${target.provider.id} is on another machine (${hostOf(target.baseUrl)}), for which somebody may pay; ${remedy(target)}"
            target.provider.quirks.costHeader != null ->
                "${target.provider.id} reported no cost, and no price is known for $id: " +
                    "llm.importPrices(\"${target.provider.id.substringBefore('/')}\") takes those that the proxy knows; or ${remedy(target)}"
            else -> noPrice(id, reported)
        }
        return BillingRule(BillingRule.Kind.UNKNOWN, null, why)
    }

    private fun remedy(target: Target): String =
        "${setPrice(target.id.toString())}; or mark ${target.provider.id} as free, if nobody bills for it: free = true"

    /** The price of another model at [target], of which it is told in a response; null if none is known. */
    fun ofOther(target: Target, name: String): Price? {
        val id = ModelId(target.id.provider, name)
        return set(id, target.region) ?: current.get().prices.find(id, null, target.region)
    }

    /** The prices of the images of [target], by their size and quality; null if none are known, or a price was set. */
    fun ofImages(target: Target): ImagePrices? = if (isSet(target.id)) null else ImagePrices.of(target.id, target.region)

    /** The price of [id], which runs in [region]; null if none is known. */
    fun of(id: ModelId, region: String?): Price? = set(id, region) ?: told(id) ?: current.get().prices.find(id, null, region)

    /** True if nobody bills for [target]. A price that was set is billed. */
    fun isFree(target: Target): Boolean = target.isFree && !isSet(target.id)

    fun demo(id: ModelId): Price = set[id] ?: ofFiles[id] ?: demoPrice

    /** Replaces the catalogue by [file]. @throws LlmException.Configuration if that has too few prices; then nothing is changed */
    fun replace(file: PriceFile): PriceRefresh {
        while (true) {
            val old = current.get()
            val new = old.prices.replacedBy(file)
            val before = old.prices.pricedModels
            if (new.pricedModels * 2 < before) {
                val models = file.catalog.pricedModels // the corrections that stay are not the file's
                throw LlmException.Configuration(
                    "The prices in ${file.source} were not taken: they are of $models ${if (models == 1) "model" else "models"}, and those in use " +
                        "are of $before. The prices in use stay those of ${old.prices.source}, ${old.prices.asOf}. Check the file; to add prices to the " +
                        "catalogue, set it in the settings of the client: prices(file).",
                )
            }
            if (current.compareAndSet(old, Sheets(new, old.told))) {
                return PriceRefresh(file.source, file.asOf, before, new.pricedModels, emptyList(), FromKotlin.CALL)
            }
        }
    }

    /** Takes what the proxy called [provider] told: the [prices] of its models, by their names. @param unpriced its models without a price */
    fun take(provider: String, prices: Map<String, Price>, source: String, asOf: LocalDate, unpriced: List<ModelId>): PriceRefresh {
        val old = current.getAndUpdate { Sheets(it.catalog, it.told + (provider to prices)) }
        return PriceRefresh(source, asOf, old.told[provider].orEmpty().size, prices.size, unpriced, FromKotlin.CALL)
    }
}

/** What the model [id] can do, by the packed catalogue; null if it is not listed. */
internal fun abilities(id: ModelId): ModelAbilities? =
    PriceCatalog.packed.abilities(id)?.let { (letters, input, output) -> ModelAbilities.of(letters, input, output) }
