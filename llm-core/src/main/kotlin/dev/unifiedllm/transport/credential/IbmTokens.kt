package dev.unifiedllm.transport.credential

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ApiKey
import dev.unifiedllm.provider.Environment
import dev.unifiedllm.provider.Target
import dev.unifiedllm.provider.hostOf
import dev.unifiedllm.provider.isPrivateHost
import dev.unifiedllm.transport.error.keyRemedy
import java.time.Clock
import java.util.concurrent.ConcurrentHashMap

/**
 * Authenticates requests by IBM access tokens, which are valid for an hour and are fetched with the API key
 * ([IAM](https://cloud.ibm.com/docs/account?topic=account-iamtoken_from_apikey), read 2026-11-21).
 * `WATSONX_IAM_URL` replaces the endpoint of the public cloud.
 */
internal class IbmTokens(private val environment: Environment, private val endpoint: TokenEndpoint, private val clock: Clock) {
    private val caches = ConcurrentHashMap<Pair<String, String>, TokenCache>()

    fun credential(target: Target, key: ApiKey): Credential = Credential { request ->
        val details = LlmException.Details(target.id)
        val url = environment[ENDPOINT_VARIABLE] ?: DEFAULT_ENDPOINT
        for (address in listOf(url, request.url)) {
            if (!address.startsWith("https://") && !isPrivateHost(hostOf(address))) {
                throw LlmException.Configuration(
                    "The IBM key or token for ${target.id} would be sent unencrypted to ${hostOf(address)}. Use https://.",
                    details = details,
                )
            }
        }
        if (environment.isOfFolder(ENDPOINT_VARIABLE) && target.provider.apiKeyEnv.none(environment::isOfFolder)) {
            throw LlmException.Configuration(
                "The key for ${target.id} is not sent to ${hostOf(url)}, which ${environment.place(ENDPOINT_VARIABLE)} names, a file in the working folder. " +
                    "Set both in that file, or both as variables of the process.",
                details = details,
            )
        }
        val form = mapOf("grant_type" to GRANT, "apikey" to key.reveal())
        val token = caches.computeIfAbsent(url to key.reveal()) { TokenCache(clock) }.get {
            endpoint.token(url, form, clock, details, keyRemedy(target.provider))
        }
        request.withHeaders(listOf("Authorization" to "Bearer $token"))
    }

    private companion object {
        const val ENDPOINT_VARIABLE = "WATSONX_IAM_URL"
        const val DEFAULT_ENDPOINT = "https://iam.cloud.ibm.com/identity/token"
        const val GRANT = "urn:ibm:params:oauth:grant-type:apikey"
    }
}
