package dev.unifiedllm

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.ModelRef
import dev.unifiedllm.chat.Period
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.RetryPolicy
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.config.BudgetSettings
import dev.unifiedllm.config.CacheSettings
import dev.unifiedllm.config.Deployment
import dev.unifiedllm.config.DotEnv
import dev.unifiedllm.config.FileSettings
import dev.unifiedllm.config.Placed
import dev.unifiedllm.provider.Environment
import dev.unifiedllm.provider.ProviderRegistry
import dev.unifiedllm.provider.count
import dev.unifiedllm.provider.flag
import dev.unifiedllm.provider.numberWithin
import dev.unifiedllm.provider.word
import java.nio.file.Path
import java.util.concurrent.atomic.AtomicBoolean

/**
 * The settings of a client, each with its source: code, then the file, then variables, then the default.
 *
 * @property environment the variables of the file, of the process and of `.env`
 * @property warnings about the files, with what to do
 * @property dotEnv null if there is none, or it is not read
 * @property deployments names that stand for models with settings of their own
 */
internal class Settled(
    val environment: Environment,
    val file: FileSettings?,
    val dotEnv: DotEnv?,
    val settings: List<Setting>,
    val money: MoneySettings,
    val warnings: List<String>,
    private val temperature: Double?,
    private val maxTokens: Int?,
    val deployments: Map<String, ModelRef>,
) {
    private val areTold = AtomicBoolean(warnings.isEmpty())

    /** [warnings] for the first caller; the empty list then. */
    fun untold(): List<String> = if (areTold.compareAndSet(false, true)) warnings else emptyList()

    /** [request] with the defaults of the client. */
    fun over(request: Request): Request {
        if (request !is ChatRequest) return request
        val sets = (temperature != null && request.temperature == null) || (maxTokens != null && request.maxTokens == null)
        return if (sets) withDefaults(request) else request
    }

    private fun withDefaults(request: ChatRequest) = request.with {
        if (temperature == null) temperature = this@Settled.temperature
        if (maxTokens == null) maxTokens = this@Settled.maxTokens
    }

    companion object {
        val NONE: Settled = Settled(Environment { null }, null, null, emptyList(), MoneySettings(), emptyList(), null, null, emptyMap())
    }
}

/**
 * What the configuration says about the cache, the budgets, the ledger and the shared state. Null: nothing.
 *
 * @property ledger the URL or the path of the ledger @property state the URL of the state that processes share
 */
internal class MoneySettings(
    val cacheApiCalls: Boolean? = null,
    val ignoreCostErrors: Boolean? = null,
    val cache: CacheSettings? = null,
    val budgets: List<BudgetSettings> = emptyList(),
    val ledger: String? = null,
    val state: String? = null,
)

/** Finds what counts, and fills what the code has not set from the file. */
internal fun LlmBuilder.settle(): Settled {
    val dotEnvFile = dotEnvFile()
    val dotEnv = dotEnvFile?.let { file -> DotEnv.read(file, isExpected = sources.dotEnv != null) { it in keyVariables || SECRET.containsMatchIn(it) } }
    val alsoReads = dotEnvFile?.toAbsolutePath()?.normalize()?.toString()
    val environment = sources.process.between(sources.file?.layer, dotEnv?.layer(isOfFolder = sources.dotEnv == null), alsoReads)
    val file = sources.file
    val settings = settings(file, environment)
    val money = MoneySettings(
        cacheApiCalls = file?.cacheApiCalls?.value ?: environment.flag(CACHE_API_CALLS),
        ignoreCostErrors = ignoreCostErrors ?: file?.ignoreCostErrors?.value ?: environment.word(COST_ERRORS, COST_WORDS),
        cache = file?.cache?.value,
        budgets = file?.budgets.orEmpty().map { it.value },
        ledger = file?.ledger?.value,
        state = file?.state?.value,
    )
    file?.let(::fill)
    connect(money)
    val temperature = requestDefaults.temperature ?: file?.temperature?.value ?: environment.numberWithin(TEMPERATURE, 0.0, 2.0, "0.7")
    val maxTokens = requestDefaults.maxTokens ?: file?.maxTokens?.value ?: environment.count(MAX_TOKENS, example = 1000)
    val warnings = file?.warnings.orEmpty() + dotEnv?.warnings.orEmpty()
    val deployments = file?.deployments.orEmpty().mapValues { (name, models) -> deployed(name, models.value) }
    return Settled(environment, file, dotEnv, settings, money, warnings, temperature, maxTokens, deployments).also { settled = it }
}

/** Gives what the code has not set of cache, budget and state to the builder. */
private fun LlmBuilder.connect(money: MoneySettings) {
    if (cache == null && cacheEnabled == null) {
        money.cache?.let { cache = cacheOf(it) }
        cacheEnabled = money.cacheApiCalls
    }
    stateUrl = stateUrl ?: money.state
    for (set in if (budgets.isEmpty()) money.budgets else emptyList()) {
        budget(Usd.of(set.amount), set.per ?: Period.CLIENT) {
            name = set.name
            tag = set.tag
            set.zone?.let { zone = it }
            unknownPrice = set.unknownPrice
            set.whenUnavailable?.let { whenUnavailable = it }
            for (share in set.warnAt) warnAt(share.toDouble())
        }
    }
}

private fun cacheOf(settings: CacheSettings): CacheBuilder {
    val cache = CacheBuilder().anyTemperature(true)
    when (settings.store) {
        "disk" -> settings.maxEntries?.let { cache.memory().disk(maxEntries = it) } ?: cache.memory().disk()
        "redis" -> cache.redis()
        else -> settings.maxEntries?.let(cache::memory) ?: cache.memory()
    }
    cache.ttl = settings.ttl
    settings.namespace?.let(cache::namespace)
    return cache
}

/** The file whose variables count after those of the process; null if none is read. */
private fun LlmBuilder.dotEnvFile(): Path? {
    val isOn = sources.readsDotEnv ?: (!sources.isReplaced && sources.process.flag(DotEnv.SWITCH) ?: true)
    return if (isOn) sources.dotEnv ?: DotEnv.usual else null
}

private fun deployed(name: String, models: List<Deployment>): ModelRef {
    val targets = models.map { UnboundModel(ModelId.parse(it.model), it.settings) }
    return targets.singleOrNull() ?: Models.group(name) { targets.forEach { target(it) } }
}

/** What [file] sets and the code does not. */
private fun LlmBuilder.fill(file: FileSettings) {
    defaultModel = defaultModel ?: file.defaultModel?.value
    enableFallback = enableFallback ?: file.enableFallback?.value
    fallbackOnAnyError = fallbackOnAnyError ?: file.fallbackOnAnyError?.value
    enableCostTracking = enableCostTracking ?: file.enableCostTracking?.value
    verbose = verbose ?: file.verbose?.value
    detailedErrors = detailedErrors ?: file.detailedErrors?.value
    thinkTags = thinkTags ?: file.thinkTags?.value
    maxIterations = maxIterations ?: file.maxIterations?.value
    streams = streams ?: file.maxConcurrentStreams?.value
    fill(callSettings.fallbacks, file.fallbacks)
    fill(callSettings.contextWindowFallbacks, file.contextWindowFallbacks)
    fill(callSettings.contentPolicyFallbacks, file.contentPolicyFallbacks)
    file.timeouts?.value?.let { limits -> callSettings.timeouts = callSettings.timeouts?.over(limits) ?: limits }
    file.retry?.value?.let { policy -> callSettings.retry = callSettings.retry?.over(policy) ?: policy }
    for ((name, model) in file.aliases) aliases.putIfAbsent(name, model.value)
    for ((name, models) in file.deployments) models.value.singleOrNull()?.let { aliases.putIfAbsent(name, it.model) }
    for ((name, own) in file.providers) providers[name] = providers[name]?.over(own.value) ?: own.value
    for ((name, limits) in file.modelTimeouts) modelTimeouts[name] = modelTimeouts[name]?.over(limits.value) ?: limits.value
    for ((task, model) in file.routes) routes.tasks.putIfAbsent(task, ModelId.parse(model.value))
    for ((name, price) in file.prices) prices.putIfAbsent(ModelId.parse(name), price.value)
    for ((name, limit) in file.limits) {
        val own = limits.getOrPut(name, ::RateLimitBuilder)
        own.requestsPerMinute = own.requestsPerMinute ?: limit.value.requestsPerMinute
        own.tokensPerMinute = own.tokensPerMinute ?: limit.value.tokensPerMinute
        own.maxParallel = own.maxParallel ?: limit.value.maxParallel
    }
}

/** This policy; that of [other] where it sets nothing. */
private fun RetryPolicy.over(other: RetryPolicy): RetryPolicy = RetryPolicy.Builder(this).also {
    it.maxRetries = maxRetries ?: other.maxRetries
    it.baseDelay = baseDelay ?: other.baseDelay
    it.maxDelay = maxDelay ?: other.maxDelay
    it.maxRetryAfter = maxRetryAfter ?: other.maxRetryAfter
    it.onInterrupted = onInterrupted ?: other.onInterrupted
}.build()

private fun fill(models: MutableList<ModelRef>, others: Placed<List<String>>?) {
    if (models.isEmpty()) others?.value?.mapTo(models) { ModelId.parse(it) }
}

private val keyVariables: Set<String> by lazy { ProviderRegistry.packed.rows.flatMapTo(hashSetOf()) { it.apiKeyEnv } }
private val SECRET = Regex("(KEY|TOKEN|SECRET|PASSWORD)$")
internal const val CACHE_API_CALLS: String = "CACHE_API_CALLS"
internal const val COST_ERRORS: String = "MSWEA_COST_TRACKING"
internal const val TEMPERATURE: String = "TEMPERATURE"
internal const val MAX_TOKENS: String = "MAX_TOKENS"
private val COST_WORDS = mapOf("ignore_errors" to true, "default" to false)
