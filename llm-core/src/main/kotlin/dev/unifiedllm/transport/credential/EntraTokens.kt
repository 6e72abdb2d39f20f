package dev.unifiedllm.transport.credential

import dev.unifiedllm.LlmException
import dev.unifiedllm.provider.Environment
import dev.unifiedllm.provider.Target
import dev.unifiedllm.provider.hostOf
import dev.unifiedllm.provider.isPrivateHost
import java.time.Clock
import java.util.concurrent.ConcurrentHashMap

/**
 * Authenticates requests to Azure by Entra tokens: the token in `AZURE_AD_TOKEN`, else one fetched for the application that `AZURE_TENANT_ID`,
 * `AZURE_CLIENT_ID` and `AZURE_CLIENT_SECRET` name
 * ([client credentials](https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow), read 2026-11-21).
 * `AZURE_AUTHORITY_HOST` and `AZURE_SCOPE` replace the endpoint and scope of the public cloud. The variables are read again for each request.
 */
internal class EntraTokens(private val environment: Environment, private val endpoint: TokenEndpoint, private val clock: Clock) {
    private val caches = ConcurrentHashMap<List<String>, TokenCache>()

    fun credential(target: Target): Credential = Credential { request ->
        val details = LlmException.Details(target.id)
        val host = hostOf(request.url)
        if (request.url.startsWith("http://") && !isPrivateHost(host)) {
            throw LlmException.Configuration("The Entra token for ${target.id} would be sent unencrypted to $host. Use https://.", details = details)
        }
        request.withHeaders(listOf("Authorization" to "Bearer ${token(details)}"))
    }

    private suspend fun token(details: LlmException.Details): String {
        environment["AZURE_AD_TOKEN"]?.let { return it.removePrefix("Bearer ") }
        val (tenant, client, secret) = VARIABLES.map { name ->
            environment[name] ?: throw LlmException.Configuration(
                "${details.model} has no key, and the variable $name is not set. Set AZURE_API_KEY, AZURE_AD_TOKEN, or all of ${VARIABLES.joinToString(", ")}.",
                details = details,
            )
        }
        val authority = (environment["AZURE_AUTHORITY_HOST"] ?: DEFAULT_AUTHORITY).trimEnd('/').let { if ("://" in it) it else "https://$it" }
        if (!authority.startsWith("https://") && !isPrivateHost(hostOf(authority))) {
            throw LlmException.Configuration(
                "AZURE_AUTHORITY_HOST is not an https URL, which ${details.model} needs. Set it as in $DEFAULT_AUTHORITY.",
                details = details,
            )
        }
        if (environment.isOfFolder("AZURE_AUTHORITY_HOST") && !environment.isOfFolder(VARIABLES.last())) {
            throw LlmException.Configuration(
                "${VARIABLES.last()} is not sent to ${hostOf(authority)}, which ${environment.place("AZURE_AUTHORITY_HOST")} names, a file in the working " +
                    "folder. Set both in that file, or both as variables of the process.",
                details = details,
            )
        }
        val scope = environment["AZURE_SCOPE"] ?: DEFAULT_SCOPE
        val form = mapOf("grant_type" to "client_credentials", "client_id" to client, "client_secret" to secret, "scope" to scope)
        val url = "$authority/$tenant/oauth2/v2.0/token"
        return caches.computeIfAbsent(listOf(url) + form.values) { TokenCache(clock) }.get {
            endpoint.token(
                url,
                form,
                clock,
                details,
                "Check ${VARIABLES.joinToString(", ")}: is the secret still valid, and does the application have access to the resource?",
            )
        }
    }

    private companion object {
        val VARIABLES = listOf("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET")
        const val DEFAULT_AUTHORITY = "https://login.microsoftonline.com"
        const val DEFAULT_SCOPE = "https://cognitiveservices.azure.com/.default"
    }
}
