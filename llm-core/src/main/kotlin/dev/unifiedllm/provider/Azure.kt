package dev.unifiedllm.provider

import kotlinx.serialization.Serializable
import java.net.URLEncoder

/**
 * How a provider on Azure addresses its models
 * ([Azure OpenAI in Foundry Models, REST reference](https://learn.microsoft.com/azure/ai-foundry/openai/reference), read 2026-11-21).
 */
@Serializable
internal data class Azure(
    /** The path behind the resource's origin; `{model}` is the deployment. */
    val path: String,
    /** The API version that is used if the user sets none; null if the path names one. */
    val apiVersion: String? = null,
    /** The same for `/models`, the path of every model in Foundry. */
    val modelsApiVersion: String = "2024-05-01-preview",
    /** Variables that hold the API version; the first that is set counts. */
    val apiVersionEnv: List<String> = emptyList(),
    /** If one of these is set, no key is needed: it holds an Entra token, or what an Entra token is obtained with. */
    val tokenEnv: List<String> = emptyList(),
    /** True if hosts that are not Azure's serve one model at their origin and take the key as a bearer token. */
    val bearerElsewhere: Boolean = false,
)

/** The query parameter with the API version. */
internal const val API_VERSION: String = "api-version"

/** Where a model is. @property url before the wire's path. @property query parameters of every request */
internal class AzureAddress(val url: String, val query: Map<String, String>)

/**
 * The address of [model] at [baseUrl], which is a resource's origin, a path that ends at `/openai/v1`, at a deployment or at `/models`, or the
 * origin of a user's gateway.
 *
 * @param variableVersion the API version in a variable; null if none is set. The version in the base URL counts first
 */
internal fun Provider.azureAddress(azure: Azure, baseUrl: BaseUrl, variableVersion: String?, model: String): AzureAddress {
    fun at(url: String, version: String?) = AzureAddress(url, version?.let { mapOf(API_VERSION to it) }.orEmpty())
    val base = baseUrl.url
    val urlVersion = baseUrl.apiVersion
    val setVersion = urlVersion ?: variableVersion
    val origin = "$base/".substringBefore(DEPLOYMENTS).trimEnd('/').removeSuffix("/openai")
    val undatedVersion = urlVersion?.takeUnless { it.first().isDigit() } // "preview"; Azure refuses a dated version beside a path that names one
    // The oldest hosts have no /models.
    val path = if (azure.path == MODELS && baseUrl.host.endsWith(".openai.azure.com")) "$DEPLOYMENTS{model}" else azure.path
    return when {
        base.endsWith("/v1") -> at(base, undatedVersion)
        azure.apiVersion == null -> at(origin + path, undatedVersion)
        base.endsWith(MODELS) -> at(base, setVersion ?: azure.modelsApiVersion)
        DEPLOYMENTS in base -> at(base, setVersion ?: azure.apiVersion)
        azure.bearerElsewhere && !isAt(baseUrl.host) -> at(base, urlVersion)
        else -> at(origin + path.replace("{model}", pathSegment(model)), setVersion ?: if (path == MODELS) azure.modelsApiVersion else azure.apiVersion)
    }
}

private const val MODELS = "/models"
private const val DEPLOYMENTS = "/openai/deployments/"

private fun pathSegment(text: String): String = URLEncoder.encode(text, Charsets.UTF_8).replace("+", "%20")

/** The row as it is at [address]: API versions without `max_completion_tokens` take `max_tokens`, and hosts that are not Azure's a bearer token. */
internal fun Provider.fittedTo(address: AzureAddress?): Provider {
    if (address == null) return this
    val version = address.query[API_VERSION]
    val isOld = version != null && version < "2024-09"
    val takesBearer = azure?.bearerElsewhere == true && !isAt(hostOf(address.url))
    return copy(quirks = if (isOld) quirks.copy(maxTokensField = "max_tokens") else quirks, auth = if (takesBearer) Provider.Auth.BEARER else auth)
}
