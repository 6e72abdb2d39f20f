package dev.unifiedllm

import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.demo.DemoModel
import dev.unifiedllm.pricing.PriceCatalog
import dev.unifiedllm.provider.ProviderRegistry
import dev.unifiedllm.provider.nearest

/**
 * The models that a name in the settings of a client means, such as that of a limit.
 *
 * @property isKnown true if a provider, a model of one, or an alias has the name
 */
internal class ModelScope(val level: Level, private val name: ModelId?, val isKnown: Boolean) {
    enum class Level { MODEL, PROVIDER, CLIENT }

    /** What it means of the model [id], the most special first. */
    enum class Rank { MODEL, MODEL_ANYWHERE, WIRE_OF_PROVIDER, PROVIDER, CLIENT }

    /** Null if it does not mean the model [id]. */
    fun rank(id: ModelId): Rank? = when {
        name == null -> Rank.CLIENT
        name.toString() == id.toString() -> Rank.MODEL
        isAnyProviders && name.name == id.name -> Rank.MODEL_ANYWHERE
        name.toString() == id.provider -> Rank.WIRE_OF_PROVIDER
        isAnyProviders && name.name == id.provider.substringBefore('/') -> Rank.PROVIDER
        else -> null
    }

    /** True if it means the model [id] of the user's own by its name or by what stands for its provider. */
    fun namesUsers(id: ModelId): Boolean = name != null && !isKnown && (name.toString() == id.toString() || name.toString() == id.provider)

    /** A name without a slash may be that of a provider, or that of a model at any provider. */
    private val isAnyProviders get() = name?.provider?.isEmpty() == true
}

/** Reads the names in the settings of a client: providers, "provider/model", aliases of the client, and models at any provider. */
internal class ModelScopes(builder: LlmBuilder) {
    private val aliases: Map<String, String> = builder.aliases.toMap()
    private val servers: Set<String> = builder.providers.keys.toSet()
    private val registry by lazy { if (builder.rows.isEmpty()) ProviderRegistry.packed else ProviderRegistry.packed.plus(builder.rows.values.toList()) }

    /** @param name empty for all calls of the client */
    fun of(name: String): ModelScope {
        val model = aliases[name] ?: name
        if (model.isEmpty()) return ModelScope(ModelScope.Level.CLIENT, null, isKnown = true)
        val id = canonical(ModelId.parse(model))
        return ModelScope(if ('/' in model) ModelScope.Level.MODEL else ModelScope.Level.PROVIDER, id, name in aliases || isKnown(id))
    }

    /** [id] with the provider's own id instead of another name of it. */
    fun canonical(id: ModelId): ModelId = registry.find(id.provider.ifEmpty { id.name })?.let {
        if (id.provider.isEmpty()) ModelId("", it.id) else ModelId(it.id, id.name)
    } ?: id

    fun aliased(id: ModelId): ModelId = aliases[id.toString()]?.let(ModelId::parse) ?: id

    private fun isKnown(id: ModelId): Boolean {
        val provider = id.provider.ifEmpty { id.name }
        return registry.find(provider) != null || provider in servers || provider == DemoModel.PROVIDER ||
            (id.provider.isEmpty() && PriceCatalog.packed.models.any { it.name == id.name })
    }

    /** Why [name] means nothing, with similar names. */
    fun whyUnknown(name: String): String {
        val near = near(name)
        val remedy = if (near.isEmpty()) ". Correct the name" else ", did you mean ${near.joinToString(" or ") { "\"$it\"" }}?"
        return "no provider, model or alias of this name is known$remedy"
    }

    /** Names similar to [name], or to the provider in it, most similar first. */
    private fun near(name: String): List<String> {
        val provider = name.substringBefore('/')
        val rest = name.substring(provider.length)
        val providers = (registry.near(provider) + nearest(provider, servers)).distinct()
        return (nearest(name, aliases.keys) + providers.map { it + rest }).distinct()
    }
}
