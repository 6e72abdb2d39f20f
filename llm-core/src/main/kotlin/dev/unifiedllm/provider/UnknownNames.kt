package dev.unifiedllm.provider

import dev.unifiedllm.chat.ModelId

/**
 * Writes the error message for a model id that names no provider, or an unknown one.
 *
 * @param catalogue all models that have a price, from which similar names are suggested
 */
internal class UnknownNames(private val registry: ProviderRegistry, private val catalogue: () -> Collection<ModelId>) {
    /** @param family the provider to which the model's name belongs; null if that is not known */
    fun message(id: ModelId, family: String?): String {
        val provider = family ?: id.provider
        val reason = NotServed.reason(provider)
        return when {
            reason != null -> notServed(id, provider, reason, isFamily = family != null)
            id.provider.isEmpty() -> withoutProvider(id)
            else -> unknownProvider(id)
        }
    }

    /** True if [name] is that of a provider, or similar to that of a model: it may be a wrong name of that. */
    fun isLikeOthers(name: String): Boolean = registry.find(name) != null || similarModels(name).isNotEmpty()

    private fun notServed(id: ModelId, provider: String, reason: String, isFamily: Boolean): String =
        "The provider \"$provider\"${if (isFamily) ", to which \"$id\" belongs," else ""} is known, but not supported ($reason). " +
            "Use the model at another provider, or through a LiteLLM proxy: \"litellm_proxy/${id.name}\"."

    private fun withoutProvider(id: ModelId): String {
        if (registry.find(id.name) != null) return "\"$id\" is a provider. Name one of its models, as in \"$id/…\"."
        val similar = similarModels(id.name).ifEmpty { listOf("openai/$id", "ollama/$id") }
        return "\"$id\" does not name a provider. Write \"provider/model\", as in ${quoted(similar)}, or set OPENAI_BASE_URL to a server that has the model."
    }

    private fun unknownProvider(id: ModelId): String {
        val similar = registry.near(id.provider).map { "$it/${id.name}" }
        val suggestion = if (similar.isEmpty()) "" else "Did you mean ${quoted(similar)}? "
        return "No provider is called \"${id.provider}\". ${suggestion}The part before the first \"/\" names the provider. Add a server of your own by " +
            "configure { provider(\"${id.provider}\") { baseUrl = \"https://…/v1\" } } (Kotlin), " +
            "Llm.builder().provider(\"${id.provider}\", p -> p.baseUrl(\"https://…/v1\")) (Java)."
    }

    private fun quoted(names: List<String>): String = names.joinToString(" or ") { "\"$it\"" }

    /** Models of that name, or that begin with it; then those whose names are similar. */
    private fun similarModels(name: String): List<String> {
        val models = catalogue().filter { registry.find(it.provider) != null }.groupBy { it.name.substringAfterLast('/').lowercase() }
        val same = models.keys.filter { it == name.lowercase() || it.startsWith(name.lowercase()) }.sortedBy { it.length }
        return (same + nearest(name, models.keys)).distinct().flatMap(models::getValue).map { it.toString() }.distinct().take(MAX_SUGGESTIONS)
    }

    private companion object {
        const val MAX_SUGGESTIONS = 4
    }
}
