package dev.unifiedllm

import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.provider.Provider
import dev.unifiedllm.provider.ProviderSettings
import dev.unifiedllm.provider.hostOf
import dev.unifiedllm.provider.isLoopback

/** Where a client finds the key of a provider. */
public enum class KeySource {
    /** It was set in code. */
    CODE,

    /** It is in a variable: see [ProviderStatus.variable]. */
    VARIABLE,

    /** No key: credentials of AWS or Google, which are looked up when a request is sent. */
    CREDENTIALS,

    /** The provider needs none. */
    NOT_NEEDED,

    /** The provider needs one, and there is none. */
    MISSING,
}

/**
 * A provider, and what a client knows to call it. It has the names of variables, and no key.
 *
 * @property id the name for `chat`, as in "groq"
 * @property key where the key is found
 * @property variable the variable whose key is sent to the base URL; null unless [key] is [KeySource.VARIABLE]. A key from a variable is not sent to another
 * host that was set in code
 * @property variables the variables that may hold the key, the first of which counts most
 * @property isReady true if a request can be sent: key and base URL are known. Whether the provider takes the key is not known.
 * @property problem what is missing or wrong, with what to do; null if [isReady]
 * @property isLocal true for a server that runs on this machine. Whether it does now is not known.
 */
public class ProviderStatus internal constructor(
    @get:JvmName("id") public val id: String,
    @get:JvmName("key") public val key: KeySource,
    @get:JvmName("variable") public val variable: String?,
    @get:JvmName("variables") public val variables: List<String>,
    @get:JvmName("isReady") public val isReady: Boolean,
    @get:JvmName("problem") public val problem: String?,
    @get:JvmName("isLocal") public val isLocal: Boolean,
    @Suppress("UNUSED_PARAMETER") from: FromKotlin,
) {
    override fun toString(): String {
        val words = listOfNotNull(key.name.lowercase().replace('_', ' '), variable)
        return "$id: ${if (isReady) words.joinToString(", ", "ready (", ")") else problem}"
    }
}

/** The providers of the client: those with a key first, then those that need none, then the others, each by name. Sends nothing; may read files. */
internal fun ProviderQueries.providers(): List<ProviderStatus> {
    val own = names.settings.keys.filter { names.registry.find(it) == null }.map { statusOf(it, null) }
    val rows = names.registry.rows.filterNot { '/' in it.id }.map { statusOf(it.id, it) }
    return (own + rows).sortedWith(compareBy<ProviderStatus> { !it.isReady || it.key == KeySource.MISSING }.thenBy { it.key.ordinal }.thenBy { it.id })
}

/** @param row null for a server that the user added */
private fun ProviderQueries.statusOf(id: String, row: Provider?): ProviderStatus {
    val variable = try {
        names.keyVariable(ModelId(id, ProviderQueries.ANY_MODEL))
    } catch (_: LlmException.Configuration) { // such as no base URL: where the key would be sent is not known
        names.environment.first(row?.apiKeyEnv.orEmpty())?.name
    }
    val (target, problem) = try {
        names.target(ModelId(id, ProviderQueries.ANY_MODEL), null, ProviderSettings()) to null
    } catch (missing: LlmException.Configuration) {
        null to withoutModel(missing.message.orEmpty(), id)
    }
    val key = when {
        names.settings[id]?.apiKey != null -> KeySource.CODE
        variable != null -> KeySource.VARIABLE
        row == null || row.auth == Provider.Auth.OPTIONAL || row.auth == Provider.Auth.NONE -> KeySource.NOT_NEEDED
        row.auth == Provider.Auth.AWS || row.auth == Provider.Auth.GOOGLE || target != null -> KeySource.CREDENTIALS
        else -> KeySource.MISSING
    }
    val isLocal = if (target == null) row?.local == true else isLoopback(hostOf(target.baseUrl))
    return ProviderStatus(id, key, variable.takeIf { key == KeySource.VARIABLE }, row?.apiKeyEnv.orEmpty(), target != null, problem, isLocal, FromKotlin.CALL)
}

/** The name of the model that stands for any other is left out. */
internal fun withoutModel(message: String, id: String): String =
    message.replace("$id/${ProviderQueries.ANY_MODEL}", id).replace("\"${ProviderQueries.ANY_MODEL}\"", "\"…\"")

/** The providers of the client that is the default now. */
@InternalLlmApi
@JvmSynthetic
public fun defaultProviders(): List<ProviderStatus> = Llm.default.client.queries.providers()
