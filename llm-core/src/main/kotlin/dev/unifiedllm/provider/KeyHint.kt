package dev.unifiedllm.provider

/**
 * That the key of this target looks like the key of another provider, as a sentence. Null if it does not, or if the target is not at the provider's own host,
 * because a proxy may take keys of any form.
 */
internal val Target.keyHint: String?
    get() {
        val text = key?.reveal() ?: return null
        val owner = PREFIXED.filter { text.startsWith(it.keyPrefix!!) }.maxByOrNull { it.keyPrefix!!.length } ?: return null
        val isOwn = owner.id == provider.id || owner.apiKeyEnv.any { it in provider.apiKeyEnv } || owner.bearerEnv.any { it in provider.bearerEnv }
        val ownUrl = provider.baseUrl?.takeIf { '{' !in it } ?: return null
        val host = hostOf(baseUrl)
        if (isOwn || isLoopback(host) || hostOf(ownUrl) != host) return null
        return "The key for $id begins with \"${owner.keyPrefix}\", as keys of ${owner.id} do: is it the key of another provider?"
    }

private val PREFIXED: List<Provider> by lazy { ProviderRegistry.packed.rows.filter { it.keyPrefix != null } }
