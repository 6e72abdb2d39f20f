package dev.unifiedllm

import dev.unifiedllm.chat.ApiKey
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.demo.DemoModel
import dev.unifiedllm.provider.Provider
import dev.unifiedllm.provider.ProviderRegistry
import dev.unifiedllm.provider.ProviderSettings

/**
 * A key that was found.
 *
 * @property name of the variable; "apiKey" for one that was set in code
 * @property source where it was found: the variable and its file, or "code"
 * @property masked the beginning that all keys of its provider have, and how long it is: nothing secret
 */
public class FoundKey internal constructor(
    @get:JvmName("name") public val name: String,
    @get:JvmName("source") public val source: String,
    @get:JvmName("masked") public val masked: String,
    @Suppress("UNUSED_PARAMETER") from: FromKotlin,
) {
    override fun toString(): String = "$name: $masked"
}

/**
 * What calls to a model need, and what of it a client has. It has no key.
 *
 * @property model as its provider names it, "provider/model"; as it was given if no provider is known
 * @property provider the provider's name; null if none is known
 * @property isReady true if a request can be sent. Whether the provider takes the key is not known.
 * @property keys the keys that were found in code and in the variables of the provider
 * @property missing the variables that have to be set; empty if [isReady]
 * @property baseUrl where requests are sent; null if that is not known
 * @property baseUrlSource where [baseUrl] was set: "baseUrl in code", a variable, a file, or "the provider's row" for its own
 * @property problem what is missing or wrong, with what to do; null if [isReady]
 */
public class EnvironmentReport internal constructor(
    @get:JvmName("model") public val model: String,
    @get:JvmName("provider") public val provider: String?,
    @get:JvmName("isReady") public val isReady: Boolean,
    @get:JvmName("keys") public val keys: List<FoundKey>,
    @get:JvmName("missing") public val missing: List<String>,
    @get:JvmName("baseUrl") public val baseUrl: String?,
    @get:JvmName("baseUrlSource") public val baseUrlSource: String?,
    @get:JvmName("problem") public val problem: String?,
    @Suppress("UNUSED_PARAMETER") from: FromKotlin,
) {
    override fun toString(): String {
        val found = if (keys.isEmpty()) "no key" else keys.joinToString { "${it.masked} from ${it.source}" }
        val at = baseUrl?.let { " at $it ($baseUrlSource)" }.orEmpty()
        return if (isReady) "$model is ready$at, $found" else "$model is not ready: $problem"
    }
}

internal fun ProviderQueries.validate(model: String): EnvironmentReport = when (val member = members(ModelId.parse(model)).first()) {
    is ModelId -> validate(UnboundModel(member))
    is UnboundModel -> validate(member)
    is GroupModel -> validate((member.targets.first().model as UnboundModel))
    else -> unready(member.id.toString(), "$member is not a model of a provider")
}

private fun unready(model: String, problem: String) =
    EnvironmentReport(model, null, false, emptyList(), emptyList(), null, null, problem, FromKotlin.CALL)

private fun ProviderQueries.validate(model: UnboundModel): EnvironmentReport {
    val id = try {
        names.named(model).let { if (it.provider == DemoModel.PROVIDER) it else names.known(it) }
    } catch (unknown: LlmException.Configuration) {
        return unready(model.id.toString(), unknown.message.orEmpty())
    }
    if (id.provider == DemoModel.PROVIDER) return EnvironmentReport("$id", id.provider, true, emptyList(), emptyList(), null, null, null, FromKotlin.CALL)
    val row = names.registry.find(id.provider)
    val own = names.settings[id.provider] ?: names.settings[id.provider.substringBefore('/')]
    val settings = model.settings.over(own)
    val problem = try {
        target(model, null)
        null
    } catch (wrong: LlmException.Configuration) {
        wrong.message.orEmpty()
    }
    val baseUrl = try {
        names.baseUrl(id, model.settings)
    } catch (_: LlmException.Configuration) { // it is the problem
        null
    }
    val keys = keys(row, settings)
    val missing = if (problem == null) emptyList() else missing(row, settings, hasKey = keys.isNotEmpty(), hasUrl = baseUrl != null)
    return EnvironmentReport("$id", id.provider, problem == null, keys, missing, baseUrl?.url, baseUrl?.origin, problem, FromKotlin.CALL)
}

private fun ProviderQueries.keys(row: Provider?, settings: ProviderSettings): List<FoundKey> {
    val inCode = settings.apiKey?.let { FoundKey("apiKey", settings.place ?: "code", masked(it.reveal()), FromKotlin.CALL) }
    val variables = listOfNotNull(settings.keyVariable) + row?.apiKeyEnv.orEmpty()
    val found = variables.distinct().mapNotNull { name ->
        names.environment.first(listOf(name))?.let { FoundKey(name, it.place, masked(it.value), FromKotlin.CALL) }
    }
    return listOfNotNull(inCode) + found
}

private fun missing(row: Provider?, settings: ProviderSettings, hasKey: Boolean, hasUrl: Boolean): List<String> {
    val key = settings.keyVariable ?: row?.apiKeyEnv?.firstOrNull().takeIf { row?.auth !in WITHOUT_KEY }
    val url = row?.baseUrlEnv?.firstOrNull()
    return listOfNotNull(key.takeUnless { hasKey }, url.takeUnless { hasUrl })
}

private val WITHOUT_KEY = setOf(Provider.Auth.OPTIONAL, Provider.Auth.NONE, Provider.Auth.AWS, Provider.Auth.GOOGLE, null)

/** Only what the keys of a provider have in common, and the length. */
private fun masked(key: String): String {
    val text = try {
        ApiKey.of(key).reveal()
    } catch (_: IllegalArgumentException) {
        return "a text that cannot be a key"
    }
    val prefix = ProviderRegistry.packed.rows.mapNotNull { it.keyPrefix }.filter { text.startsWith(it) }.maxByOrNull { it.length }.orEmpty()
    return "$prefix*** (${text.length} characters)"
}

/** What a call to [model] needs, by the client that is the default now. */
@InternalLlmApi
@JvmSynthetic
public fun defaultEnvironment(model: String): EnvironmentReport = Llm.default.client.queries.validate(model)
