package dev.unifiedllm.provider

import kotlinx.serialization.Serializable
import java.net.URLEncoder

/**
 * How a row on Azure addresses its models
 * ([Azure OpenAI in Foundry Models, REST reference](https://learn.microsoft.com/azure/ai-foundry/openai/reference), read 2026-11-21).
 */
@Serializable
internal data class Azure(
    /** What follows the resource's origin; `{model}` is the deployment. */
    val path: String,
    /** The API's version where none is set; null where the path has one in it. */
    val apiVersion: String? = null,
    /** The same below `/models`, the path of all that Foundry serves. */
    val modelsApiVersion: String = "2024-05-01-preview",
    /** Variables with the API's version, the first that is set. */
    val apiVersionEnv: List<String> = emptyList(),
    /** One of these stands for a key: a token of Entra's, or what one is got by. */
    val tokenEnv: List<String> = emptyList(),
    /** Hosts other than Azure's own serve one model at their origin, and take the key as a bearer key. */
    val bearerElsewhere: Boolean = false,
)

/** The parameter that Azure wants in its URLs. */
internal const val API_VERSION: String = "api-version"

/** Where a model is: the URL before the wire's own path, and what its query has in it. */
internal class AzureAddress(val url: String, val query: Map<String, String>)

/**
 * The address of [model] at [base], which may be a resource's origin, a path down to `/openai/v1`, to a deployment or to `/models`, or the origin
 * of a gateway of the user's.
 *
 * @param given the API's version in the base URL; null for none
 * @param set the version in the environment; null for none
 */
internal fun Provider.azureAddress(azure: Azure, base: String, given: String?, set: String?, model: String): AzureAddress {
    fun at(url: String, version: String?) = AzureAddress(url, version?.let { mapOf(API_VERSION to it) }.orEmpty())
    val version = given ?: set ?: azure.apiVersion
    val origin = "$base/".substringBefore(DEPLOYMENTS).trimEnd('/').removeSuffix("/openai")
    val besidePath = given?.takeUnless { it.first().isDigit() } // where the path has the version, a dated one is refused
    // The oldest hosts have no /models.
    val path = if (azure.path == MODELS && hostOf(base).endsWith(".openai.azure.com")) "$DEPLOYMENTS{model}" else azure.path
    return when {
        base.endsWith("/v1") -> at(base, besidePath)
        azure.apiVersion == null -> at(origin + path, besidePath)
        base.endsWith(MODELS) -> at(base, given ?: set ?: azure.modelsApiVersion)
        DEPLOYMENTS in base -> at(base, version)
        azure.bearerElsewhere && !isAt(base) -> at(base, given)
        else -> at(origin + path.replace("{model}", segment(model)), if (path == MODELS) given ?: set ?: azure.modelsApiVersion else version)
    }
}

private const val MODELS = "/models"
private const val DEPLOYMENTS = "/openai/deployments/"

private fun segment(text: String): String = URLEncoder.encode(text, Charsets.UTF_8).replace("+", "%20")

/** The row as it is at [address]: versions before `max_completion_tokens` take `max_tokens` only. */
internal fun Provider.fitted(azure: Azure, address: AzureAddress): Provider {
    val version = address.query[API_VERSION]
    val isOld = version != null && version < "2024-09"
    val takesBearer = azure.bearerElsewhere && !isAt(address.url)
    return copy(quirks = if (isOld) quirks.copy(maxTokensField = "max_tokens") else quirks, auth = if (takesBearer) Provider.Auth.BEARER else auth)
}

/** True if [url] is on one of the hosts that mean this row. */
internal fun Provider.isAt(url: String): Boolean = hosts.isNotEmpty() && hostOf(url).let { host -> hosts.any { host.endsWith(it) } }
