package dev.unifiedllm.provider

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ModelId
import java.net.URI
import java.net.URISyntaxException

/**
 * The base URL of a target.
 *
 * @property url without a slash at its end
 * @property isFromCode true if the user set it in code; a key from a variable is then not sent to it
 * @property apiVersion the version of Azure's API that the text had in its query
 * @property origin where it was set, for messages
 * @property isOfFolder true if it, or a part of it, stands in a file that was found in the working folder
 */
internal class BaseUrl(
    val url: String,
    val isFromCode: Boolean,
    val apiVersion: String? = null,
    val origin: String = ROW,
    val isOfFolder: Boolean = false,
) {
    /** In lower case. */
    val host: String = hostOf(url)

    companion object {
        /** The origin of the base URL in the row of the provider. */
        const val ROW: String = "the provider's row"
    }
}

/**
 * Checks the base URL in [text]: http or https, a host, no user or password, no query. Slashes at its end and the paths of requests are removed.
 *
 * @param origin where it was set, for the message
 * @param requestPaths the paths of requests, longest first
 * @param parameter the only query parameter that is allowed; it is removed: see [queryParameter]
 * @throws LlmException.Configuration if it cannot be used
 */
internal fun parseBaseUrl(text: String, origin: String, model: ModelId, requestPaths: List<String>, parameter: String? = null): String {
    fun wrong(problem: String): Nothing = throw LlmException.Configuration(
        "The base URL for $model, set by $origin, $problem. Set it like https://host/v1.",
        details = LlmException.Details(model),
    )

    val uri = try {
        URI(text.trim())
    } catch (_: URISyntaxException) {
        wrong("is not a URL")
    }
    val scheme = uri.scheme?.lowercase()
    if (scheme != "http" && scheme != "https") wrong("does not begin with https:// or http://")
    if (uri.host.isNullOrEmpty()) wrong("has no host, or one with characters that are not allowed in host names")
    if (uri.rawUserInfo != null) wrong("has a user or password in it; set the key as an API key")
    val hasOtherParameters = uri.rawQuery?.split('&')?.any { it.substringBefore('=') != parameter } ?: false
    if (hasOtherParameters || uri.rawFragment != null) wrong("has a query")
    if (uri.port > MAX_PORT) wrong("has a port above $MAX_PORT")
    val url = (scheme + uri.toString().substring(scheme.length)).substringBefore('?').trimEnd('/')
    val requestPath = requestPaths.firstOrNull { url.endsWith(it, ignoreCase = true) }.orEmpty()
    return url.dropLast(requestPath.length).trimEnd('/').replace(REPEATED_VERSION, "/v1")
}

private const val MAX_PORT = 65_535
private val REPEATED_VERSION = Regex("(/v1){2,}$")

/** The value of the query parameter [name] in [url]; null if it has none. */
internal fun queryParameter(url: String, name: String): String? =
    url.substringAfter('?', "").split('&').firstOrNull { it.startsWith("$name=") }?.substringAfter('=')?.trim()?.ifEmpty { null }
