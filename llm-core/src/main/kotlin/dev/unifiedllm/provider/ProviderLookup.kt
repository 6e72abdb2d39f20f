package dev.unifiedllm.provider

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ModelId

/** A model at a provider. @property name the model's name at [provider] */
internal class ProviderModelName(val provider: Provider, val name: String)

/**
 * Finds the provider that a model's id means, and the model's name there. The order is that of docs/providers.md, "How a target is found".
 *
 * @param settings what the user set in code, by provider; a name that is not in the registry is a server that the user added
 */
internal class ProviderLookup(
    private val registry: ProviderRegistry,
    private val wires: Wires<*>,
    private val environment: Environment,
    private val settings: Map<String, ProviderSettings>,
    private val families: ModelFamilies,
    catalogue: () -> Collection<ModelId>,
) {
    private val unknownNames = UnknownNames(registry, catalogue)

    /** @throws LlmException.Configuration if [id] names no provider, or one that is unknown or not served */
    fun find(id: ModelId): ProviderModelName =
        throughProxy(id) ?: byPrefix(id) ?: onCustomServer(id) ?: onAzure(id) ?: onReplacedServer(id) ?: byFamily(id)
            ?: throw LlmException.Configuration(unknownNames.message(id, family(id)), details = LlmException.Details(id))

    /** The provider that is set up, the first of Azure, OpenAI or the server in its place, and Anthropic; null if none of them is. */
    fun byWhatIsSet(): Provider? = PREFERRED.mapNotNull(registry::find).firstOrNull(::isSetUp)

    /**
     * The provider of the default model [id], which names none, by what is set: Azure for a name that its deployments may have, else for a name of no family
     * the first one that is set up. Null: as [find] says. A name that is similar to that of another model may be a wrong one of that.
     */
    fun ofDefault(id: ModelId): Provider? = when {
        mayBeAzures(id) -> registry.find(AZURE)
        id.provider.isNotEmpty() || throughProxy(id) != null || family(id) != null || unknownNames.isLikeOthers(id.name) -> null
        else -> byWhatIsSet()
    }

    /** True if [id] names no provider, Azure is set up, and no other provider's family has the name. */
    private fun mayBeAzures(id: ModelId): Boolean = when {
        id.provider.isNotEmpty() || throughProxy(id) != null || registry.find(id.name) != null -> false
        else -> family(id) in AZURES && registry.find(AZURE)?.let(::isSetUp) == true
    }

    /** `USE_LITELLM_PROXY` sends every model to the proxy, under its whole id. */
    private fun throughProxy(id: ModelId): ProviderModelName? {
        val proxy = registry.find(PROXY)?.takeIf { environment["USE_LITELLM_PROXY"].toBoolean() } ?: return null
        return if (id.provider == proxy.id || id.provider in proxy.aliases) null else ProviderModelName(proxy, id.toString())
    }

    /** A row's name has one segment or two: `openai`, `openai/responses`. */
    private fun byPrefix(id: ModelId): ProviderModelName? {
        if (id.provider.isEmpty()) return null
        val second = id.name.substringBefore('/', "")
        if (second.isNotEmpty()) registry.find("${id.provider}/$second")?.let { return ProviderModelName(it, id.name.substring(second.length + 1)) }
        return registry.find(id.provider)?.let { ProviderModelName(it, id.name) }
    }

    private fun onCustomServer(id: ModelId): ProviderModelName? {
        val server = if (id.provider.isEmpty()) return null else settings[id.provider] ?: return null
        val wire = server.protocol?.let(wires::named) ?: wires.default
        return ProviderModelName(Provider(id.provider, wire.name, auth = wire.customServerAuth, local = true), id.name)
    }

    /** A server that a variable puts in OpenAI's place gets every other id, whole. */
    private fun onReplacedServer(id: ModelId): ProviderModelName? =
        registry.find(OPENAI)?.takeIf { it.isReplaced(environment) }?.let { ProviderModelName(it, id.toString()) }

    /** Deployments on Azure have names of the user's. Those of OpenAI's family are there if OpenAI is not set up. */
    private fun onAzure(id: ModelId): ProviderModelName? {
        if (!mayBeAzures(id)) return null
        if (family(id) != null && registry.find(OPENAI)?.let(::isSetUp) == true) return null
        return registry.find(AZURE)?.let { ProviderModelName(it, id.name) }
    }

    /** True if a key is found, or credentials are, and, where it has none of its own, a base URL. */
    private fun isSetUp(row: Provider): Boolean {
        val own = settings[row.id]
        val hasKey = own?.apiKey != null || own?.keyVariable != null || environment.first(row.apiKeyEnv + row.azure?.tokenEnv.orEmpty()) != null
        val hasUrl = own?.baseUrl != null || environment.first(row.baseUrlEnv) != null
        return if (row.azure != null) hasKey && (hasUrl || environment.first(RESOURCE) != null) else hasKey || hasUrl
    }

    private fun byFamily(id: ModelId): ProviderModelName? = family(id)?.let(registry::find)?.let { ProviderModelName(it, id.name) }

    /** The provider of a model name without prefix that only this provider has. */
    private fun family(id: ModelId): String? = if (id.provider.isEmpty()) families.provider(id.name) else null

    private companion object {
        const val OPENAI = "openai"
        const val PROXY = "litellm_proxy"
        const val AZURE = "azure"

        /** The order in which a provider is chosen by what is set. */
        val PREFERRED = listOf(AZURE, OPENAI, "anthropic")

        /** The families that Azure's deployments may have; null: none. */
        val AZURES = setOf(null, OPENAI)

        /** Variables that stand in Azure's base URL. */
        val RESOURCE = listOf("AZURE_RESOURCE_NAME", "AZURE_RESOURCE")
    }
}
