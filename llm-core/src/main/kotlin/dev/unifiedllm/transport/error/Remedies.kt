package dev.unifiedllm.transport.error

import dev.unifiedllm.provider.Provider

/** What to do about a key that the provider refused, as sentences. */
internal fun keyRemedy(provider: Provider): String =
    "Is the key complete, for this provider, and neither expired nor revoked? Replace it where it is set: ${keyPlace(provider)}."

/** Where the key of [provider] can be set; a key in code counts before one in a variable. */
internal fun keyPlace(provider: Provider): String =
    provider.apiKeyEnv.firstOrNull()?.let { "the variable $it, or in code, which counts first: ${inCode(provider)}" } ?: "in code: ${inCode(provider)}"

/** How to set the key of [provider]: its variable, then code in Kotlin and in Java. */
internal fun setKey(provider: Provider): String =
    provider.apiKeyEnv.firstOrNull()?.let { "set the variable $it, or in code: ${inCode(provider)}" } ?: "set it in code: ${inCode(provider)}"

private fun inCode(provider: Provider): String =
    "provider(\"${provider.id}\") { apiKey = \"…\" } in Kotlin, provider(\"${provider.id}\", p -> p.apiKey(\"…\")) in Java"

/** The base URL of [provider] and where it can be set, as the object of a sentence. */
internal fun baseUrlOf(provider: Provider): String =
    "the base URL (${provider.baseUrlEnv.firstOrNull()?.let { "the variable $it, or " }.orEmpty()}baseUrl in code)"
