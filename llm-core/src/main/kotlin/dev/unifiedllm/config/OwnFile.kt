package dev.unifiedllm.config

import dev.unifiedllm.chat.BudgetPolicy
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Period
import dev.unifiedllm.chat.RetryPolicy
import dev.unifiedllm.chat.Timeouts
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.pricing.Price
import dev.unifiedllm.provider.ProviderSettings
import java.math.BigDecimal
import java.nio.file.Path
import java.time.DateTimeException
import java.time.ZoneId

/** The settings of a JSON file in the form of docs/configuration.md. Its keys are the names of the builder. */
internal fun ownSettings(text: ConfigText, wires: Set<String>): FileSettings = OwnFile(JsonDocument(text), FileSettings(text.file), wires).read()

/** The paths of all keys that such a file can have, `*` for a name of the user's. */
internal fun ownKeys(): Set<String> {
    val file = Path.of("llm.json")
    val document = JsonDocument(ConfigText(file, "{}"))
    OwnFile(document, FileSettings(file), emptySet()).read()
    return document.keys
}

private class OwnFile(private val document: JsonDocument, private val settings: FileSettings, private val wires: Set<String>) {
    private val root = document.root

    fun read(): FileSettings {
        models()
        rules()
        switches()
        root.sections("providers", ::provider)
        root.sections("limits", ::limit)
        root.sections("prices", ::price)
        money()
        root.done()
        return settings
    }

    private fun models() {
        settings.defaultModel = root.text("defaultModel")?.also { model("defaultModel", it.value) }
        settings.aliases += root.textsByName("aliases").onEach { (_, model) -> model("aliases", model.value) }
        settings.routes += root.textsByName("routes").onEach { (_, model) -> model("routes", model.value) }
        settings.fallbacks = fallbacks("fallback")
        settings.contextWindowFallbacks = fallbacks("contextWindowFallback")
        settings.contentPolicyFallbacks = fallbacks("contentPolicyFallback")
        val defaults = root.section("defaults")
        settings.temperature = defaults.number("temperature")?.also { if (it.value !in 0.0..2.0) defaults.wrong("temperature", "must be from 0 to 2") }
        settings.maxTokens = defaults.count("maxTokens")?.also { if (it.value <= 0) defaults.wrong("maxTokens", "must be positive") }
        defaults.done()
    }

    private fun fallbacks(name: String) = root.texts(name)?.also { models -> models.value.forEach { model(name, it) } }

    private fun model(name: String, model: String) = root.checked(name) { ModelId.parse(model) }

    private fun rules() {
        settings.timeouts = timeouts(root.section("timeouts"))
        root.sections("modelTimeouts") { name, section -> timeouts(section)?.let { settings.modelTimeouts[name] = it } }
        val retry = root.section("retry")
        val policy = RetryPolicy.Builder(null)
        retry.count("maxRetries")?.let { retry.checked("maxRetries") { policy.maxRetries = it.value } }
        retry.duration("baseDelay")?.let { retry.checked("baseDelay") { policy.baseDelay = it.value } }
        retry.duration("maxDelay")?.let { retry.checked("maxDelay") { policy.maxDelay = it.value } }
        retry.duration("maxRetryAfter")?.let { retry.checked("maxRetryAfter") { policy.maxRetryAfter = it.value } }
        retry.done()
        if (!retry.isEmpty) settings.retry = Placed(policy.build(), retry.place)
    }

    private fun timeouts(section: JsonSection): Placed<Timeouts>? {
        val timeouts = Timeouts.Builder(null)
        section.duration("connect")?.let { section.checked("connect") { timeouts.connect = it.value } }
        section.duration("firstByte")?.let { section.checked("firstByte") { timeouts.firstByte = it.value } }
        section.duration("idle")?.let { section.checked("idle") { timeouts.idle = it.value } }
        section.duration("noContent")?.let { section.checked("noContent") { timeouts.noContent = it.value } }
        section.duration("total")?.let { section.checked("total") { timeouts.total = it.value } }
        section.done()
        return if (section.isEmpty) null else Placed(timeouts.build(), section.place)
    }

    private fun switches() {
        settings.enableFallback = root.flag("enableFallback")
        settings.fallbackOnAnyError = root.flag("fallbackOnAnyError")
        settings.enableCostTracking = root.flag("enableCostTracking")
        settings.ignoreCostErrors = root.flag("ignoreCostErrors")
        settings.verbose = root.flag("verbose")
        settings.detailedErrors = root.flag("detailedErrors")
        settings.thinkTags = root.flag("thinkTags")
        settings.maxIterations = positive("maxIterations")
        settings.maxConcurrentStreams = positive("maxConcurrentStreams")
    }

    private fun positive(name: String) = root.count(name)?.also { if (it.value <= 0) root.wrong(name, "must be positive") }

    private fun provider(name: String, section: JsonSection) {
        val baseUrl = section.text("baseUrl")
        val keyVariable = section.text("keyVariable")
        if (keyVariable != null && !VARIABLE.matches(keyVariable.value)) {
            section.wrong("keyVariable", "must be the name of a variable that holds the key, such as MY_SERVER_KEY, not a key")
        }
        val protocol = section.text("protocol")
        if (protocol != null && protocol.value !in wires) section.wrong("protocol", "must be one of ${wires.sorted().joinToString()}")
        val allowInsecure = section.flag("allowInsecure")?.value ?: false
        val free = section.flag("free")?.value ?: false
        if (section.has("apiKey")) section.wrong("apiKey", "is not read: a file is no place for a key. Set keyVariable to the name of a variable that holds it")
        section.done()
        if (section.isEmpty) return
        settings.providers[name] = Placed(
            ProviderSettings(
                baseUrl = baseUrl?.value,
                allowInsecure = allowInsecure,
                protocol = protocol?.value,
                isFree = free,
                keyVariable = keyVariable?.value,
                place = section.place,
            ),
            section.place,
        )
    }

    private fun limit(name: String, section: JsonSection) {
        val requests = section.count("requestsPerMinute")?.also { if (it.value <= 0) section.wrong("requestsPerMinute", "must be positive") }
        val tokens = section.long("tokensPerMinute")?.also { if (it.value <= 0) section.wrong("tokensPerMinute", "must be positive") }
        val parallel = section.count("maxParallel")?.also { if (it.value <= 0) section.wrong("maxParallel", "must be positive") }
        section.done()
        if (!section.isEmpty) settings.limits[name] = Placed(Limit(requests?.value, tokens?.value, parallel?.value), section.place)
    }

    private fun price(name: String, section: JsonSection) {
        val price = Price.Builder()
        section.amount("inputPerMillion")?.let { price.inputPerMillion = Usd.of(it.value) }
        section.amount("outputPerMillion")?.let { price.outputPerMillion = Usd.of(it.value) }
        section.amount("cacheReadPerMillion")?.let { price.cacheReadPerMillion = Usd.of(it.value) }
        section.amount("cacheWritePerMillion")?.let { price.cacheWritePerMillion = Usd.of(it.value) }
        section.amount("perWebSearch")?.let { price.perWebSearch = Usd.of(it.value) }
        section.amount("perImage")?.let { price.perImage = Usd.of(it.value) }
        section.done()
        if (section.isEmpty) return
        model("prices", name)
        settings.prices[name] = Placed(root.checked("prices") { price.build(settings.file.fileName.toString()) }, section.place)
    }

    private fun money() {
        settings.cacheApiCalls = root.flag("cacheApiCalls")
        val cache = root.section("cache")
        val store = cache.text("store")?.also { if (it.value !in STORES) cache.wrong("store", "must be one of ${STORES.joinToString()}") }
        val ttl = cache.duration("ttl")?.also { if (!it.value.isPositive()) cache.wrong("ttl", "must be positive") }
        val namespace = cache.text("namespace")
        val maxEntries = cache.count("maxEntries")?.also { if (it.value <= 0) cache.wrong("maxEntries", "must be positive") }
        if (store?.value == "redis" && maxEntries != null) cache.wrong("maxEntries", "is for memory and disk: the limit of Redis is that of its server")
        cache.done()
        if (!cache.isEmpty) settings.cache = Placed(CacheSettings(store?.value, ttl?.value, namespace?.value, maxEntries?.value), cache.place)
        root.sectionOrList("budget") { budget(it)?.let(settings.budgets::add) }
        settings.ledger = root.text("ledger")
        settings.state = root.text("state")
    }

    private fun budget(budget: JsonSection): Placed<BudgetSettings>? {
        val amount = budget.amount("amount")
        val per = budget.text("per")?.also { if (it.value.uppercase() !in PERIODS) budget.wrong("per", "must be one of ${PERIODS.joinToString()}") }
        val name = budget.text("name")
        val tag = budget.text("tag")
        val zone = budget.text("zone")?.let { text ->
            try {
                ZoneId.of(text.value)
            } catch (unknown: DateTimeException) {
                budget.wrong("zone", "must be a time zone such as Europe/Berlin or UTC", unknown)
            }
        }
        val unknownPrice = policy(budget, "unknownPrice")
        val whenUnavailable = policy(budget, "whenUnavailable")
        val warnAt = budget.amounts("warnAt")?.also { shares ->
            if (shares.value.any { it.signum() <= 0 || it > BigDecimal.ONE }) budget.wrong("warnAt", "must be shares from 0 to 1, such as [0.8]")
        }
        budget.done()
        if (budget.isEmpty) return null
        if (amount == null) budget.wrong("amount", "is missing. Set it to the US dollars that may be spent")
        val period = per?.value?.uppercase()?.let(Period::valueOf)
        val set = BudgetSettings(amount.value, period, name?.value, tag?.value, zone, unknownPrice, whenUnavailable, warnAt?.value.orEmpty())
        return Placed(set, budget.place)
    }

    private fun policy(section: JsonSection, name: String): BudgetPolicy? = section.text(name)?.value?.let { text ->
        BudgetPolicy.entries.find { it.name.equals(text, ignoreCase = true) } ?: section.wrong(name, "must be refuse or allow")
    }

    private companion object {
        val VARIABLE = Regex("[A-Z_][A-Z0-9_]{0,63}")
        val STORES = listOf("memory", "disk", "redis")
        val PERIODS = Period.entries.map { it.name }
    }
}
