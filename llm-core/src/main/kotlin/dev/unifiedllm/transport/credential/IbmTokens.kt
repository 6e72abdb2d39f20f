package dev.unifiedllm.transport.credential

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ApiKey
import dev.unifiedllm.provider.Target
import dev.unifiedllm.provider.hostOf
import dev.unifiedllm.provider.isPrivateHost
import java.time.Clock
import java.util.concurrent.ConcurrentHashMap

/**
 * IBM's access tokens: the API key is exchanged for one
 * ([IAM](https://cloud.ibm.com/docs/account?topic=account-iamtoken_from_apikey), read 2026-11-21), which lasts an hour.
 * `WATSONX_IAM_URL` replaces the public cloud's endpoint.
 */
internal class IbmTokens(private val environment: (String) -> String?, private val endpoint: TokenEndpoint, private val clock: Clock) {
    private val caches = ConcurrentHashMap<Pair<String, String>, TokenCache>()

    fun credential(target: Target, key: ApiKey): Credential = Credential { request ->
        val details = LlmException.Details(target.id)
        val url = environment(ENDPOINT_VARIABLE)?.trim()?.ifEmpty { null } ?: DEFAULT_ENDPOINT
        for (address in listOf(url, request.url)) {
            if (!address.startsWith("https://") && !isPrivateHost(hostOf(address))) {
                throw LlmException.Configuration(
                    "IBM's key or token for ${target.id} would travel unencrypted to ${hostOf(address)}. Use https://.",
                    details = details,
                )
            }
        }
        val form = mapOf("grant_type" to GRANT, "apikey" to key.reveal())
        val token = caches.computeIfAbsent(url to key.reveal()) { TokenCache(clock) }.get {
            endpoint.token(url, form, clock, details, "Check the key in the variable ${target.provider.apiKeyEnv.first()}: is it whole, and not revoked?")
        }
        request.withHeaders(listOf("Authorization" to "Bearer $token"))
    }

    private companion object {
        const val ENDPOINT_VARIABLE = "WATSONX_IAM_URL"
        const val DEFAULT_ENDPOINT = "https://iam.cloud.ibm.com/identity/token"
        const val GRANT = "urn:ibm:params:oauth:grant-type:apikey"
    }
}
