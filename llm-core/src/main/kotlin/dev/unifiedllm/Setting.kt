package dev.unifiedllm

import dev.unifiedllm.chat.RetryRules
import dev.unifiedllm.chat.Timeouts
import dev.unifiedllm.config.FileSettings
import dev.unifiedllm.config.Placed
import dev.unifiedllm.provider.Environment
import dev.unifiedllm.store.sql.DatabaseUrl
import java.net.URI
import java.net.URISyntaxException
import java.nio.file.InvalidPathException

/**
 * A setting of a client, and where it comes from.
 *
 * @property name of the builder's setting
 * @property value as text; "none" if it is not set and has no default. It has no key
 * @property source "code", the file's name and line, the name of the variable, or "default"
 */
public class Setting internal constructor(
    @get:JvmName("name") public val name: String,
    @get:JvmName("value") public val value: String,
    @get:JvmName("source") public val source: String,
    @Suppress("UNUSED_PARAMETER") from: FromKotlin,
) {
    override fun toString(): String = "$name: $value ($source)"
}

/** The settings of this builder, of [file] and of [environment]. To be called before the file fills the builder. */
internal fun LlmBuilder.settings(file: FileSettings?, environment: Environment): List<Setting> = SettingList(environment).apply {
    add("defaultModel", defaultModel, file?.defaultModel, "none", "MODEL", "LITELLM_DEFAULT_TEXT_MODEL")
    add("defaultVisionModel", defaultModel, null, "the default model", "LITELLM_DEFAULT_VISION_MODEL")
    add("defaultImageModel", null, null, "none", "LITELLM_DEFAULT_IMAGE_MODEL")
    add("temperature", requestDefaults.temperature, file?.temperature, "none", TEMPERATURE)
    add("maxTokens", requestDefaults.maxTokens, file?.maxTokens, "none", MAX_TOKENS)
    limits(callSettings.timeouts, file?.timeouts)
    add("retry.maxRetries", callSettings.retry?.maxRetries, file?.retry.part { it.maxRetries }, "${RetryRules.DEFAULT.maxRetries}", "MAX_RETRY")
    add("maxIterations", maxIterations, file?.maxIterations, "10", "MAX_ITERATIONS")
    add("enableFallback", enableFallback, file?.enableFallback, "true", "LITELLM_FALLBACK_ENABLED")
    add("fallback", callSettings.fallbacks.takeIf { it.isNotEmpty() }?.joinToString { it.id.toString() }, file?.fallbacks.part { it.joinToString() }, "none")
    add("enableCostTracking", enableCostTracking, file?.enableCostTracking, "true", "LITELLM_COST_TRACKING")
    add("ignoreCostErrors", ignoreCostErrors, file?.ignoreCostErrors, "false", COST_ERRORS)
    add("verbose", verbose, file?.verbose, "false", "LITELLM_VERBOSE", "DEBUG")
    add("detailedErrors", detailedErrors, file?.detailedErrors, "false", "DETAILED_ERROR")
    add("cacheApiCalls", cacheEnabled, file?.cacheApiCalls, "false", CACHE_API_CALLS)
    add("maxConcurrentStreams", streams, file?.maxConcurrentStreams, "100")
    names("aliases", aliases.keys, file?.let { it.aliases.mapValues { alias -> alias.value.place } + it.deployments.mapValues { alias -> alias.value.place } })
    names("providers", providers.keys, file?.providers?.mapValues { it.value.place })
    names("limits", limits.keys, file?.limits?.mapValues { it.value.place })
    names("prices", prices.keys.map { "$it" }, file?.prices?.mapValues { it.value.place })
    names("routes", routes.tasks.keys, file?.routes?.mapValues { it.value.place })
    if (budgets.isNotEmpty() || file == null || file.budgets.isEmpty()) {
        add("budgets", budgets.takeIf { it.isNotEmpty() }?.joinToString(), null, "none")
    } else {
        for (budget in file.budgets) add("budgets", null, Placed(budget.value.toString(), budget.place), "none")
    }
    add("ledger", ledgerPlace?.let(::withoutPassword), file?.ledger.part(::withoutPassword), "off", LEDGER, show = ::withoutPassword)
    add("cache", cache, file?.cache, "none")
    add("state", stateUrl?.let(::withoutPassword), file?.state.part(::withoutPassword), "none")
}.all

private fun <T, R : Any> Placed<T>?.part(read: (T) -> R?): Placed<R>? = this?.let { placed -> read(placed.value)?.let { Placed(it, placed.place) } }

/** [place] of a database or a server, without user and password. */
private fun withoutPassword(place: String): String {
    if (':' !in place) return place // a word or a file
    return try {
        if (place.startsWith("redis")) redisAddress(URI(place)) ?: UNREADABLE else DatabaseUrl.of(place).address
    } catch (_: URISyntaxException) { // its message has the URL
        UNREADABLE
    } catch (_: InvalidPathException) {
        UNREADABLE
    } catch (_: LlmException.Configuration) {
        UNREADABLE
    }
}

private fun redisAddress(uri: URI): String? = uri.host?.let { "${uri.scheme}://$it" + if (uri.port < 0) "" else ":${uri.port}" }

private const val UNREADABLE = "a place that cannot be read"

private class SettingList(private val environment: Environment) {
    val all = mutableListOf<Setting>()

    /** @param code what the builder has; what it has from the file is the file's */
    fun add(name: String, code: Any?, file: Placed<Any>?, default: String, vararg variables: String, show: (String) -> String = { it }) {
        val variable = environment.first(variables.asIterable())
        when {
            code != null && code != file?.value -> add(name, "$code", "code")
            file != null -> add(name, "${file.value}", file.place)
            variable != null -> add(name, show(variable.value).take(MAX_SHOWN), variable.place)
            else -> add(name, default, "default")
        }
    }

    fun limits(code: Timeouts?, file: Placed<Timeouts>?) {
        add("timeouts.total", code?.total, file.part { it.total }, "10m", "REQUEST_TIMEOUT")
        add("timeouts.connect", code?.connect, file.part { it.connect }, "5s")
        add("timeouts.firstByte", code?.firstByte, file.part { it.firstByte }, "1m")
        add("timeouts.idle", code?.idle, file.part { it.idle }, "1m")
        add("timeouts.noContent", code?.noContent, file.part { it.noContent }, "5m")
    }

    /** The names of a map, by their source. */
    fun names(name: String, code: Collection<String>, file: Map<String, String>?) {
        val own = code.filter { it !in file.orEmpty() }
        if (own.isNotEmpty()) add(name, own.joinToString { it.ifEmpty { "all calls" } }, "code")
        for ((source, names) in file.orEmpty().entries.groupBy({ it.value.substringBefore(", line") }, { it.key })) {
            add(name, names.joinToString { it.ifEmpty { "all calls" } }, source)
        }
    }

    private fun add(name: String, value: String, source: String) {
        all += Setting(name, value, source, FromKotlin.CALL)
    }

    private companion object {
        const val MAX_SHOWN = 100
    }
}
