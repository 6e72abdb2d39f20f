package dev.unifiedllm.transport.credential

import dev.unifiedllm.LlmException
import dev.unifiedllm.provider.Target
import dev.unifiedllm.provider.hostOf
import dev.unifiedllm.provider.isPrivateHost
import java.time.Clock
import java.util.concurrent.ConcurrentHashMap

/**
 * Entra's tokens for Azure: `AZURE_AD_TOKEN` as it is, else one got for the application that `AZURE_TENANT_ID`, `AZURE_CLIENT_ID` and
 * `AZURE_CLIENT_SECRET` name
 * ([client credentials](https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow), read 2026-11-21).
 * `AZURE_AUTHORITY_HOST` and `AZURE_SCOPE` replace the public cloud's endpoint and scope. Variables are read anew for each request.
 */
internal class EntraTokens(private val environment: (String) -> String?, private val endpoint: TokenEndpoint, private val clock: Clock) {
    private val caches = ConcurrentHashMap<List<String>, TokenCache>()

    fun credential(target: Target): Credential = Credential { request ->
        val details = LlmException.Details(target.id)
        val host = hostOf(request.url)
        if (request.url.startsWith("http://") && !isPrivateHost(host)) {
            throw LlmException.Configuration("Entra's token for ${target.id} would travel unencrypted to $host. Use https://.", details = details)
        }
        request.withHeaders(listOf("Authorization" to "Bearer ${token(details)}"))
    }

    private suspend fun token(details: LlmException.Details): String {
        variable("AZURE_AD_TOKEN")?.let { return it.removePrefix("Bearer ") }
        val (tenant, client, secret) = VARIABLES.map { name ->
            variable(name) ?: throw LlmException.Configuration(
                "${details.model} has no key, and the variable $name is not set. Set AZURE_API_KEY, AZURE_AD_TOKEN, or all of ${VARIABLES.joinToString(", ")}.",
                details = details,
            )
        }
        val authority = (variable("AZURE_AUTHORITY_HOST") ?: DEFAULT_AUTHORITY).trimEnd('/').let { if ("://" in it) it else "https://$it" }
        if (!authority.startsWith("https://") && !isPrivateHost(hostOf(authority))) {
            throw LlmException.Configuration("AZURE_AUTHORITY_HOST is no https URL. Set it like $DEFAULT_AUTHORITY.", details = details)
        }
        val scope = variable("AZURE_SCOPE") ?: DEFAULT_SCOPE
        val form = mapOf("grant_type" to "client_credentials", "client_id" to client, "client_secret" to secret, "scope" to scope)
        val url = "$authority/$tenant/oauth2/v2.0/token"
        return caches.computeIfAbsent(listOf(url) + form.values) { TokenCache(clock) }.get {
            endpoint.token(
                url,
                form,
                clock,
                details,
                "Check ${VARIABLES.joinToString(", ")}: is the secret still valid, and may the application use the resource?",
            )
        }
    }

    private fun variable(name: String): String? = environment(name)?.trim()?.ifEmpty { null }

    private companion object {
        val VARIABLES = listOf("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET")
        const val DEFAULT_AUTHORITY = "https://login.microsoftonline.com"
        const val DEFAULT_SCOPE = "https://cognitiveservices.azure.com/.default"
    }
}
