package dev.unifiedllm.protocol

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.provider.Provider.Auth
import dev.unifiedllm.provider.Target
import java.net.URLEncoder

/** The headers that every wire sends: what it takes, who we are, the key where one header carries it, those of the row, those of the user. */
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
    own: Map<String, String> = emptyMap(),
): List<Pair<String, String>> {
    val headers = LinkedHashMap<String, Pair<String, String>>()
    fun set(name: String, value: String) = headers.put(name.lowercase(), name to value)
    set("Accept", accept)
    set("User-Agent", USER_AGENT)
    more.forEach(::set)
    for ((name, value) in target.provider.quirks.extraHeaders) set(name, value.replace("{key}", target.key?.reveal().orEmpty()))
    own.forEach(::set)
    target.key?.reveal()?.let { key ->
        when (target.provider.auth) {
            Auth.BEARER, Auth.OPTIONAL, Auth.AWS, Auth.GOOGLE -> set("Authorization", "Bearer $key")
            Auth.X_API_KEY -> set("x-api-key", key)
            Auth.API_KEY -> set("api-key", key)
            Auth.X_GOOG_API_KEY -> set("x-goog-api-key", key)
            Auth.TOKEN -> set("Authorization", "Token $key")
            Auth.NONE, Auth.IBM -> Unit // a credential makes the header
        }
    }
    return headers.values.toList()
}

/** [url] with the parameters of the target, the wire and the user. */
internal fun withQuery(url: String, request: ChatRequest, target: Target, vararg own: Pair<String, String>): String =
    withQuery(url, request, *target.query.toList().toTypedArray(), *own)

/** [url] with the parameters of the wire and the user. */
internal fun withQuery(url: String, request: ChatRequest, vararg own: Pair<String, String>): String = withQuery(url, own.toMap() + request.extraQuery)

/** [url] with [parameters]. */
internal fun withQuery(url: String, parameters: Map<String, String>): String {
    if (parameters.isEmpty()) return url
    val query = parameters.entries.joinToString("&") { (name, value) -> "${encode(name)}=${encode(value)}" }
    return if ('?' in url) "$url&$query" else "$url?$query"
}

/** [text] as one segment of a path, or one name or value of a query. */
internal fun encode(text: String): String = URLEncoder.encode(text, Charsets.UTF_8).replace("+", "%20")

private val USER_AGENT = "unified-llm/" + (Protocol::class.java.getPackage()?.implementationVersion ?: "dev")
