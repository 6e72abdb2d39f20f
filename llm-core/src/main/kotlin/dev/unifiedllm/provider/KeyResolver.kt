package dev.unifiedllm.provider

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ApiKey
import dev.unifiedllm.chat.ModelId

/** An API key. @property variable that it came from; null if the user set it in code, or it is the one that the server has from its documentation */
internal class ResolvedKey(val key: ApiKey, val variable: String?)

/** Finds the API key for a model: set in code, else in a variable of the provider's row. */
internal class KeyResolver(private val environment: Environment) {
    /**
     * The key; null if the provider needs none, or takes a credential that is obtained later.
     *
     * @param row the provider that the base URL means
     * @param requestedRow the provider that the user named
     * @throws LlmException.Configuration if the provider needs a key and there is none, or it cannot be used
     */
    fun resolve(row: Provider, requestedRow: Provider, model: ModelId, settings: ProviderSettings, baseUrl: BaseUrl): ResolvedKey? {
        settings.apiKey?.let { key ->
            requireOnePlace(row, model, baseUrl, "the key in ${settings.place ?: "code"}")
            return ResolvedKey(key, variable = null)
        }
        settings.keyVariable?.let { name ->
            val variable = environment.first(listOf(name)) ?: throw noKey(name, model)
            if (!variable.isOfFolder) requireOnePlace(row, model, baseUrl, name)
            return ResolvedKey(parsed(variable, model), name)
        }
        if (row.auth == Provider.Auth.AWS && settings.aws?.isIdentity == true) return null
        if (row.auth == Provider.Auth.NONE || row.apiKeyEnv.isEmpty()) return null
        if (row.isKeptFrom(baseUrl)) {
            if (row.auth == Provider.Auth.OPTIONAL || row.auth == Provider.Auth.AWS) return null
            throw LlmException.Configuration(
                "The base URL for $model was set in ${settings.place ?: "code"}, so its key is not taken from the environment. " +
                    "${besideBaseUrl(requestedRow.id, settings)}.",
                details = LlmException.Details(model),
            )
        }
        variable(row, requestedRow, settings, baseUrl)?.let {
            if (!it.isOfFolder) requireOnePlace(row, model, baseUrl, it.name)
            return ResolvedKey(parsed(it, model), it.name)
        }
        if (row.auth == Provider.Auth.GOOGLE) requireOnePlace(row, model, baseUrl, "a token of Google")
        if (row.sampleKey != null && baseUrl.url.removeSuffix("/v1") == row.baseUrl) return ResolvedKey(ApiKey.of(row.sampleKey), variable = null)
        if (row.auth in WITHOUT_KEY || environment.first(row.azure?.tokenEnv.orEmpty()) != null) return null
        throw noKey(row, requestedRow, model)
    }

    /**
     * A file in the working folder may be somebody else's: a key that does not stand in it is not sent to the host that it names.
     *
     * @param key what would be sent, for the message
     */
    private fun requireOnePlace(row: Provider, model: ModelId, baseUrl: BaseUrl, key: String) {
        if (!baseUrl.isOfFolder || isLoopback(baseUrl.host) || row.isOwnHost(baseUrl.host)) return
        throw LlmException.Configuration(
            "The base URL for $model is set by ${baseUrl.origin}, a file in the working folder, so $key is not sent to ${baseUrl.host}. " +
                "Set both in that file, or the base URL as a variable of the process.",
            details = LlmException.Details(model),
        )
    }

    private fun noKey(variable: String, model: ModelId) = LlmException.Configuration(
        "No API key for $model. " +
            if (environment.isEmpty(variable)) "The variable $variable is set, but empty. Set it to the key." else "${environment.remedy(variable)}.",
        details = LlmException.Details(model),
    )

    /** The variable whose key is sent to [baseUrl]; null if there is none. */
    fun variable(row: Provider, requestedRow: Provider, settings: ProviderSettings, baseUrl: BaseUrl): Variable? {
        settings.keyVariable?.let { return environment.first(listOf(it)) }
        if (row.auth == Provider.Auth.AWS && settings.aws?.isIdentity == true) return null
        if (row.auth == Provider.Auth.NONE || row.apiKeyEnv.isEmpty() || row.isKeptFrom(baseUrl)) return null
        // Where a variable of OpenAI's names a resource on Azure, the key may stand in OpenAI's variable, too.
        return environment.first(if (baseUrl.isFromCode) row.apiKeyEnv else (row.apiKeyEnv + requestedRow.apiKeyEnv).distinct())
    }

    /** A key from the environment belongs to the host that the environment, or the row, names. */
    private fun Provider.isKeptFrom(baseUrl: BaseUrl) = baseUrl.isFromCode && !isLoopback(baseUrl.host) && !isOwnHost(baseUrl.host)

    private fun parsed(variable: Variable, model: ModelId): ApiKey = try {
        ApiKey.of(variable.value)
    } catch (wrong: IllegalArgumentException) {
        val problem = "${wrong.message}.".replace("?.", "?")
        throw LlmException.Configuration("The key for $model in the variable ${variable.place} cannot be used: $problem", details = LlmException.Details(model))
    }

    private fun noKey(row: Provider, requestedRow: Provider, model: ModelId): LlmException.Configuration {
        val empty = row.apiKeyEnv.firstOrNull(environment::isEmpty)
        val remedy = if (empty != null) "The variable $empty is set, but empty. Set it to the key" else environment.remedy(row.apiKeyEnv.first())
        return LlmException.Configuration(
            "No API key for $model. $remedy; or in code: ${inCode(requestedRow.id, "apiKey", "\"…\"")}.",
            details = LlmException.Details(model),
        )
    }

    private fun Provider.isOwnHost(host: String): Boolean {
        if (isAt(host)) return true
        val ownUrl = baseUrl ?: return false
        return '{' !in ownUrl && hostOf(ownUrl) == host
    }

    private companion object {
        /** Without a key, nothing or a credential of another kind is sent. */
        val WITHOUT_KEY = setOf(Provider.Auth.OPTIONAL, Provider.Auth.AWS, Provider.Auth.GOOGLE)
    }
}
