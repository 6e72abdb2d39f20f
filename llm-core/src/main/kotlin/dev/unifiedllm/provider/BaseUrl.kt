package dev.unifiedllm.provider

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ModelId
import java.net.URI
import java.net.URISyntaxException

private val LOOPBACK = setOf("localhost", "127.0.0.1", "::1", "[::1]", "0.0.0.0", "host.docker.internal", "model-runner.docker.internal")

internal fun hostOf(url: String): String = URI(url).host?.lowercase().orEmpty()

/**
 * True if a variable puts another server in the place of this row's own, whose names are then all its own. The row's address itself, or one
 * below its host such as that of a region, is no other server; but at home, where many run, each is.
 */
internal fun Provider.isReplaced(environment: (String) -> String?): Boolean {
    val base = baseUrlEnv.firstNotNullOfOrNull { name -> environment(name)?.trim()?.ifEmpty { null } } ?: return false
    val own = baseUrl?.takeIf { '{' !in it }?.let(::hostOf) ?: return true
    val host = try {
        hostOf(base)
    } catch (_: URISyntaxException) {
        return true
    }
    return isLoopback(own) || (host != own && !host.endsWith(".$own"))
}

private val IPV4 = Regex("""\d{1,3}(\.\d{1,3}){3}""")

/** 127.0.0.1 and 10.0.0.1 are addresses; 127.example.com and 10.example.com are anyone's. */
private fun isAddressIn(host: String, vararg nets: String) = IPV4.matches(host) && nets.any { host.startsWith(it) }

internal fun isLoopback(host: String): Boolean = host in LOOPBACK || isAddressIn(host, "127.") || host.endsWith(".localhost")

/** A host of the user's own: loopback, a private address, or a name without a public ending. */
internal fun isPrivateHost(host: String): Boolean = isLoopback(host) ||
    isAddressIn(host, "10.", "192.168.", *Array(16) { "172.${16 + it}." }) ||
    ('.' !in host && ':' !in host) ||
    host.endsWith(".local") ||
    host.endsWith(".internal") ||
    host.endsWith(".lan")

/**
 * The base URL in [text], checked: http or https, a host, no user or password in it, no query; the wire's own path and slashes at its end
 * are cut off.
 *
 * @param origin where it was set, for the message
 * @param parameter the only one that may stand in a query, which is cut off: see [queryParameter]
 */
internal fun baseUrl(text: String, origin: String, model: ModelId, parameter: String? = null): String {
    fun wrong(what: String): Nothing =
        throw LlmException.Configuration("The base URL for $model, set by $origin, $what. Set it like https://host/v1.", details = details(model))

    val uri = try {
        URI(text.trim())
    } catch (_: URISyntaxException) {
        wrong("is not a URL")
    }
    val scheme = uri.scheme?.lowercase()
    if (scheme != "http" && scheme != "https") wrong("does not begin with https:// or http://")
    if (uri.host.isNullOrEmpty()) wrong("has no host, or one with characters that host names do not have")
    if (uri.rawUserInfo != null) wrong("has a user or password in it; give the key as an API key")
    val isForeign = uri.rawQuery?.split('&')?.any { it.substringBefore('=') != parameter } ?: false
    if (isForeign || uri.rawFragment != null) wrong("has a query")
    if (uri.port > MAX_PORT) wrong("has a port above $MAX_PORT")
    val path = (scheme + uri.toString().substring(scheme.length)).substringBefore('?').trimEnd('/')
    return ENDS.fold(path) { url, end ->
        if (url.endsWith(end, ignoreCase = true)) url.dropLast(end.length) else url
    }.trimEnd('/').replace(VERSION_TWICE, "/v1")
}

/** The wires' own paths, which people paste along. */
private val ENDS = listOf("/chat/completions", "/completions", "/api/chat", "/responses", "/embeddings", "/images/generations")
private const val MAX_PORT = 65_535
private val VERSION_TWICE = Regex("(/v1){2,}$")

/** The value of the query's parameter [name] in [url]; null if there is none. */
internal fun queryParameter(url: String, name: String): String? =
    url.substringAfter('?', "").split('&').firstOrNull { it.startsWith("$name=") }?.substringAfter('=')?.trim()?.ifEmpty { null }

internal fun details(model: ModelId): LlmException.Details = LlmException.Details(model)
