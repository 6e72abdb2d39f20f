package dev.unifiedllm.config

import dev.unifiedllm.chat.BudgetPolicy
import dev.unifiedllm.chat.Period
import dev.unifiedllm.chat.RetryPolicy
import dev.unifiedllm.chat.Timeouts
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.pricing.Price
import dev.unifiedllm.provider.Environment
import dev.unifiedllm.provider.ProviderSettings
import java.math.BigDecimal
import java.nio.file.Path
import java.time.ZoneId
import kotlin.time.Duration

/** What a configuration file sets. Null: it does not. Each value has its place. */
internal class FileSettings(val file: Path) {
    /** About the file, with what to do. */
    val warnings: MutableList<String> = mutableListOf()

    /** Variables that count before those of the process. */
    val variables: MutableMap<String, Placed<String>> = linkedMapOf()

    var defaultModel: Placed<String>? = null
    var temperature: Placed<Double>? = null
    var maxTokens: Placed<Int>? = null
    var timeouts: Placed<Timeouts>? = null
    var retry: Placed<RetryPolicy>? = null
    var maxIterations: Placed<Int>? = null
    var maxConcurrentStreams: Placed<Int>? = null
    var enableFallback: Placed<Boolean>? = null
    var fallbackOnAnyError: Placed<Boolean>? = null
    var enableCostTracking: Placed<Boolean>? = null
    var ignoreCostErrors: Placed<Boolean>? = null
    var verbose: Placed<Boolean>? = null
    var detailedErrors: Placed<Boolean>? = null
    var thinkTags: Placed<Boolean>? = null
    var fallbacks: Placed<List<String>>? = null
    var contextWindowFallbacks: Placed<List<String>>? = null
    var contentPolicyFallbacks: Placed<List<String>>? = null

    val aliases: MutableMap<String, Placed<String>> = linkedMapOf()

    /** Names that stand for models with settings of their own. */
    val deployments: MutableMap<String, Placed<List<Deployment>>> = linkedMapOf()
    val providers: MutableMap<String, Placed<ProviderSettings>> = linkedMapOf()
    val modelTimeouts: MutableMap<String, Placed<Timeouts>> = linkedMapOf()
    val routes: MutableMap<String, Placed<String>> = linkedMapOf()
    val limits: MutableMap<String, Placed<Limit>> = linkedMapOf()
    val prices: MutableMap<String, Placed<Price>> = linkedMapOf()

    var cacheApiCalls: Placed<Boolean>? = null
    var cache: Placed<CacheSettings>? = null
    val budgets: MutableList<Placed<BudgetSettings>> = mutableListOf()
    var ledger: Placed<String>? = null
    var state: Placed<String>? = null

    val layer: Environment.Layer? get() = if (variables.isEmpty()) null else Environment.Layer({ variables[it]?.value }) { variables[it]?.place }
}

/** A model at a provider, with settings that hold for it alone. */
internal class Deployment(val model: String, val settings: ProviderSettings)

/** As in `limit("groq") { … }`. Null: no such limit. */
internal class Limit(val requestsPerMinute: Int?, val tokensPerMinute: Long?, val maxParallel: Int?)

/** @property store `memory`, `disk` or `redis`; null: not set */
internal class CacheSettings(val store: String?, val ttl: Duration?, val namespace: String?, val maxEntries: Int?) {
    override fun toString(): String = store ?: "memory"
}

/** @property amount in US dollars @property warnAt shares of [amount], from 0 to 1 */
internal class BudgetSettings(
    val amount: BigDecimal,
    val per: Period?,
    val name: String?,
    val tag: String?,
    val zone: ZoneId?,
    val unknownPrice: BudgetPolicy?,
    val whenUnavailable: BudgetPolicy?,
    val warnAt: List<BigDecimal>,
) {
    override fun toString(): String = "${Usd.of(amount)} per ${(per ?: Period.CLIENT).name.lowercase()}${tag?.let { ", of the tag $it" }.orEmpty()}"
}
