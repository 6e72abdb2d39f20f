package dev.unifiedllm

import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.ModelRef
import dev.unifiedllm.demo.DemoModel
import dev.unifiedllm.pricing.PriceCatalog
import dev.unifiedllm.provider.BaseUrl
import dev.unifiedllm.provider.Environment
import dev.unifiedllm.provider.Provider
import dev.unifiedllm.provider.ProviderRegistry
import dev.unifiedllm.provider.ProviderSettings
import dev.unifiedllm.provider.Target
import dev.unifiedllm.provider.TargetResolver
import dev.unifiedllm.provider.isReplaced
import dev.unifiedllm.transport.credential.AwsProfiles

/** What names of models mean for one client: its aliases, its default model, its providers. */
internal class ModelNames(builder: LlmBuilder) {
    val environment: Environment = builder.variables
    private val aliases: Map<String, ModelId> = builder.aliases.mapValues { ModelId.parse(it.value) }
    private val defaultModel: String? = builder.defaultModel

    /** Names that stand for models with settings of their own. */
    val deployments: Map<String, ModelRef> = builder.settled?.deployments.orEmpty()

    val registry: ProviderRegistry = if (builder.rows.isEmpty()) ProviderRegistry.packed else ProviderRegistry.packed.plus(builder.rows.values.toList())

    /** What the user set in code, by provider. */
    val settings: Map<String, ProviderSettings> = builder.providers.mapKeys { (name, _) -> registry.find(name)?.id ?: name }

    private val resolver = TargetResolver(
        registry,
        Protocols,
        environment,
        settings,
        AwsProfiles(environment)::region,
        catalogue = { PriceCatalog.packed.models },
    )

    /** The most output tokens of models that were registered with a limit. */
    val outputLimits: Map<ModelId, Int> = builder.maxTokens.mapKeys { (id, _) -> billed(id) }

    fun aliased(id: ModelId): ModelId = aliases[id.toString()] ?: id

    /**
     * The default model: that of the client, then that of the environment, which may name another one for requests with images. The provider of
     * a name without prefix and family is chosen by what is set.
     *
     * @throws LlmException.Configuration if none is set
     */
    fun default(hasImages: Boolean = false): ModelId {
        defaultModel?.let { return chosen(ModelId.parse(it)) }
        return ofVariable(if (hasImages) VISION_VARIABLES else DEFAULT_VARIABLES)?.let(::chosen) ?: throw LlmException.Configuration(
            "No model was named and there is no default model. Set the variable ${DEFAULT_VARIABLES.first()}, or name a model, as in " +
                "chat(\"ollama/llama3\") { … } (Kotlin) or llm.chat(\"ollama/llama3\", c -> …) (Java).",
        )
    }

    private fun chosen(id: ModelId): ModelId {
        val isAlias = id.toString().let { it in aliases || it in deployments }
        return if (isAlias) id else resolver.ofDefault(id)?.let { ModelId(it.id, id.name) } ?: id
    }

    /** The provider of a default model without prefix and family; null if none of those that may be is set up. */
    fun byWhatIsSet(): Provider? = resolver.byWhatIsSet()

    /** The base URL of [id], and where it was set. @throws LlmException.Configuration if there is none, or it cannot be used */
    fun baseUrl(id: ModelId, settings: ProviderSettings): BaseUrl = resolver.baseUrl(id, settings)

    /** [id] with its provider's own id. @throws LlmException.Configuration if no provider is known */
    fun known(id: ModelId): ModelId = resolver.found(id)

    /** The model of the variable LITELLM_DEFAULT_IMAGE_MODEL. @throws LlmException.Configuration if it is not set */
    fun defaultImageModel(): ModelId = ofVariable(listOf(IMAGE_VARIABLE)) ?: throw LlmException.Configuration(
        "No model was named and there is no default image model. Set the variable $IMAGE_VARIABLE, or name a model, as in " +
            "image(\"openai/gpt-image-1\") { … } (Kotlin) or llm.image(\"openai/gpt-image-1\", i -> …) (Java).",
    )

    private fun ofVariable(names: List<String>): ModelId? {
        val variable = environment.first(names) ?: return null
        return try {
            ModelId.parse(variable.value)
        } catch (wrong: IllegalArgumentException) {
            throw LlmException.Configuration("The variable ${variable.place} names no model: ${wrong.message}. Correct it or unset it.", wrong)
        }
    }

    /** [id] as this client's prices are keyed: with the provider's own id instead of an alias. */
    fun canonical(id: ModelId): ModelId = registry.find(id.provider)?.let { ModelId(it.id, id.name) } ?: id

    /** The model of which [id] is a name in the settings of prices: that of an alias, of a family, or with the provider's own id. */
    fun billed(id: ModelId): ModelId = aliased(id).let { if (it.provider.isEmpty()) found(it) else canonical(it) }

    /**
     * The model that `openai("ollama/llama3")` means: a known prefix inside the name wins, unless the outer provider has a model of that name. Null if there
     * is none.
     */
    fun innerProvider(id: ModelId): ModelId? {
        if ('/' !in id.name) return null
        val inner = ModelId.parse(id.name)
        val isKnown = inner.provider == DemoModel.PROVIDER || registry.find(inner.provider).let { it != null && it.id != id.provider }
        val isReplaced = registry.find(id.provider)?.isReplaced(environment) == true // the server behind the base URL has names of its own
        return inner.takeIf { isKnown && !isReplaced && !PriceCatalog.packed.lists(id) }
    }

    /** The name of [model], for which an alias may stand. */
    fun named(model: UnboundModel): ModelId = if (model.isPlain || model.id.provider.isEmpty()) aliased(model.id) else model.id

    /** As [innerProvider], for [model] if it accepts a prefix. @param name as [named] gives it */
    fun innerOf(model: UnboundModel, name: ModelId): ModelId? = if (model.acceptsProviderPrefix) innerProvider(name) else null

    /** @throws LlmException.Configuration if there is no such provider: a wrong name of a fallback is told before the fallback is needed */
    fun checkProvider(id: ModelId) {
        val name = aliased(id)
        if (name.provider != DemoModel.PROVIDER) resolver.found(name)
    }

    /** [id] with its provider's own id, as limits of its provider hold for it; [id] itself if there is no such provider. */
    fun found(id: ModelId): ModelId = try {
        if (id.provider == DemoModel.PROVIDER) id else resolver.found(id)
    } catch (_: LlmException.Configuration) {
        id
    }

    /** The variable whose key is sent with a request to [id], which may be another one, or none, behind another base URL; null if there is none. */
    fun keyVariable(id: ModelId): String? = resolver.keyVariable(id)

    /** @param inner the model that [name] means by a prefix inside it; null for none */
    fun target(name: ModelId, inner: ModelId?, settings: ProviderSettings): Target {
        if (inner == null) return resolver.resolve(name, settings)
        val target = resolver.resolve(inner, settings.copy(apiKey = null, aws = null))
        return target.withWarning("\"${name.name}\" has a provider's prefix: ${target.provider.id} was used, not ${name.provider}")
    }

    private companion object {
        const val IMAGE_VARIABLE = "LITELLM_DEFAULT_IMAGE_MODEL"
        val DEFAULT_VARIABLES = listOf("MODEL", "LITELLM_DEFAULT_TEXT_MODEL")
        val VISION_VARIABLES = listOf("LITELLM_DEFAULT_VISION_MODEL") + DEFAULT_VARIABLES
    }
}
