package dev.unifiedllm.transport.error

import dev.unifiedllm.provider.Provider

/** What to do about a key that the provider refused, as sentences. */
internal fun keyRemedy(provider: Provider): String =
    "Is the key complete, for this provider, and neither expired nor revoked? To replace it, ${setKey(provider)}."

/** How to set the key of [provider]: its variable, then code in Kotlin and in Java. */
internal fun setKey(provider: Provider): String {
    val code = "provider(\"${provider.id}\") { apiKey = \"…\" } in Kotlin, provider(\"${provider.id}\", p -> p.apiKey(\"…\")) in Java"
    return provider.apiKeyEnv.firstOrNull()?.let { "set the variable $it, or in code: $code" } ?: "set it in code: $code"
}

/** The base URL of [provider] and where it can be set, as the object of a sentence. */
internal fun baseUrlOf(provider: Provider): String =
    "the base URL (${provider.baseUrlEnv.firstOrNull()?.let { "the variable $it, or " }.orEmpty()}baseUrl in code)"
