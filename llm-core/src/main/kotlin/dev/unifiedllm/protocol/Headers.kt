package dev.unifiedllm.protocol

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.provider.Provider.Auth
import dev.unifiedllm.provider.Target
import java.net.URLEncoder

/**
 * The headers of a request: accepted type, user agent, [more] of the wire, those of the provider's row, those of the user, and the key if a header carries
 * it. A later header replaces an earlier one of the same name.
 */
internal fun headers(
    target: Target,
    request: ChatRequest,
    streamType: String = "text/event-stream",
    more: Map<String, String> = emptyMap(),
): List<Pair<String, String>> =
    headers(target, if (request.delivery == Delivery.STREAM) streamType else "application/json", more, request.extraHeaders)

internal fun headers(
    target: Target,
    accept: String,
    more: Map<String, String> = emptyMap(),
    ofUser: Map<String, String> = emptyMap(),
): List<Pair<String, String>> {
    val headers = LinkedHashMap<String, Pair<String, String>>()
    fun set(name: String, value: String) = headers.put(name.lowercase(), name to value)
    set("Accept", accept)
    set("User-Agent", USER_AGENT)
    more.forEach(::set)
    for ((name, value) in target.provider.quirks.extraHeaders) set(name, value.replace("{key}", target.key?.reveal().orEmpty()))
    ofUser.forEach(::set)
    target.key?.reveal()?.let { key ->
        when (target.provider.auth) {
            Auth.BEARER, Auth.OPTIONAL, Auth.AWS, Auth.GOOGLE -> set("Authorization", "Bearer $key")
            Auth.X_API_KEY -> set("x-api-key", key)
            Auth.API_KEY -> set("api-key", key)
            Auth.X_GOOG_API_KEY -> set("x-goog-api-key", key)
            Auth.TOKEN -> set("Authorization", "Token $key")
            Auth.NONE, Auth.IBM -> Unit // IBM: the credential adds the header
        }
    }
    return headers.values.toList()
}

/** [url] with the query parameters of the target, those of the wire and those of the user. */
internal fun withQuery(url: String, request: ChatRequest, target: Target, vararg ofWire: Pair<String, String>): String =
    withQuery(url, request, *target.query.toList().toTypedArray(), *ofWire)

/** [url] with the query parameters of the wire and those of the user. */
internal fun withQuery(url: String, request: ChatRequest, vararg ofWire: Pair<String, String>): String =
    withQuery(url, ofWire.toMap() + request.extraQuery)

/** [url] with the query [parameters]. */
internal fun withQuery(url: String, parameters: Map<String, String>): String {
    if (parameters.isEmpty()) return url
    val query = parameters.entries.joinToString("&") { (name, value) -> "${encode(name)}=${encode(value)}" }
    return if ('?' in url) "$url&$query" else "$url?$query"
}

/** Encodes [text] as a path segment, or as the name or value of a query parameter. */
internal fun encode(text: String): String = URLEncoder.encode(text, Charsets.UTF_8).replace("+", "%20")

private val USER_AGENT = "unified-llm/" + (Protocol::class.java.getPackage()?.implementationVersion ?: "dev")
