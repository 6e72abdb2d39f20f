package dev.unifiedllm.transport

import dev.unifiedllm.LlmException
import dev.unifiedllm.transport.error.ProxyInUse
import java.io.IOException
import java.net.InetAddress
import java.net.InetSocketAddress
import java.net.Proxy
import java.net.ProxySelector
import java.net.SocketAddress
import java.net.URI
import java.net.URLDecoder
import java.net.UnknownHostException
import java.util.Base64

/**
 * Chooses the proxy of each request. What the JVM is set to decides: the properties of the scheme, or a ProxySelector of the program. Without them the
 * variables `https_proxy`, `http_proxy`, `all_proxy` and `no_proxy` do, the lower case names before the upper case ones.
 *
 * The variables are read once, at the first request. The JVM is asked for each request. Thread-safe.
 *
 * @param variables looks a variable up; may block
 * @param isOwn true for the hosts that the variables do not apply to: those of this machine
 */
internal class Proxies(private val variables: (String) -> String?, private val isOwn: (host: String) -> Boolean = { false }) : ProxySelector() {
    private val read by lazy { ProxyVariables(variables) }

    /**
     * The proxy for a request to [uri]; null for none.
     *
     * @throws LlmException.Configuration if the variable that names it cannot be used
     */
    fun proxyOf(uri: URI, details: LlmException.Details = LlmException.Details.NONE): HttpProxy? {
        val jvm = getDefault()
        val property = listOf("${uri.scheme}.proxyHost", "proxyHost").firstOrNull { !System.getProperty(it).isNullOrEmpty() }
        return when {
            jvm == null -> null // ProxySelector.setDefault(null): no proxy
            jvm.javaClass.name != JDK_SELECTOR -> jvm.proxyOf(uri, "the ProxySelector of this program", "in it")
            property != null -> jvm.proxyOf(uri, property, "by the property http.nonProxyHosts")
            System.getProperty("java.net.useSystemProxies").toBoolean() -> jvm.proxyOf(uri, "the settings of this system", "there")
            isOwn(uri.plainHost) -> null
            else -> read.proxyOf(uri, details)
        }
    }

    private fun ProxySelector.proxyOf(uri: URI, source: String, exclusion: String): HttpProxy? {
        val proxy = select(uri)?.firstOrNull()?.takeIf { it.type() == Proxy.Type.HTTP } ?: return null // the JDK's client has no SOCKS
        val address = proxy.address() as? InetSocketAddress ?: return null
        return HttpProxy(address.hostString, address.port, source, exclusion, read.authorizationFor(address.hostString, address.port))
    }

    override fun select(uri: URI): List<Proxy> = listOf(proxyOf(uri)?.toJdk() ?: Proxy.NO_PROXY)

    override fun connectFailed(uri: URI, address: SocketAddress, failure: IOException): Unit = Unit

    private companion object {
        const val JDK_SELECTOR = "sun.net.spi.DefaultProxySelector"
    }
}

/**
 * A proxy that is spoken to by HTTP.
 *
 * @param source what names it, for messages
 * @param exclusion how to exclude a host from it, for messages
 * @property authorization the value of the header Proxy-Authorization; null without a login. A secret
 */
internal class HttpProxy(private val host: String, private val port: Int, source: String, exclusion: String, val authorization: String?) {
    val facts = ProxyInUse(if (':' in host) "[$host]:$port" else "$host:$port", source, exclusion, authorization != null)

    fun isAt(host: String, port: Int): Boolean = this.host.equals(host, ignoreCase = true) && this.port == port

    /** The name is looked up by the JDK's client, on its own threads. */
    fun toJdk(): Proxy = Proxy(Proxy.Type.HTTP, InetSocketAddress.createUnresolved(host, port))

    override fun toString(): String = facts.address
}

/** What the variables say, read when this is made. */
private class ProxyVariables(lookup: (String) -> String?) {
    private val excluded = NoProxy(lookup.first("no_proxy")?.second.orEmpty())
    private val exclusion = "by no_proxy"
    private val all = lookup.first("all_proxy")
    private val chosen = mapOf("http" to (lookup.first("http_proxy") ?: all), "https" to (lookup.first("https_proxy") ?: all))

    fun proxyOf(uri: URI, details: LlmException.Details): HttpProxy? {
        val (name, value) = chosen[uri.scheme] ?: return null
        if (excluded.holds(uri.plainHost, uri.portOrDefault)) return null
        return parse(name, value) { problem ->
            throw LlmException.Configuration("The proxy in the variable $name cannot be used: $problem, or exclude ${uri.host} by no_proxy.", details = details)
        }
    }

    /** The login in a variable that names this proxy too. */
    fun authorizationFor(host: String, port: Int): String? = chosen.values.filterNotNull().firstNotNullOfOrNull { (name, value) ->
        parse(name, value) { return@firstNotNullOfOrNull null }.takeIf { it.isAt(host, port) }?.authorization
    }

    private inline fun parse(name: String, value: String, fail: (String) -> Nothing): HttpProxy {
        val scheme = value.substringBefore("://", "http").lowercase()
        if (scheme.startsWith("socks")) fail("the JDK's HTTP client does not support SOCKS. Set an http:// proxy, or a Ktor client with httpClient(client)")
        if (scheme == "https") fail("it begins with https://, and the JDK's HTTP client speaks to proxies without TLS only. Set it with http://")
        if (scheme != "http") fail("its scheme is $scheme. Set it as http://host:port")
        val authority = value.substringAfter("://").substringBefore('/').substringBefore('?')
        val server = SERVER.matchEntire(authority.substringAfterLast('@')) ?: fail(FORM)
        val port = server.groupValues[2].ifEmpty { "80" }.toIntOrNull()?.takeIf { it in 1..MAX_PORT } ?: fail(FORM)
        val login = authority.substringBeforeLast('@', "").ifEmpty { null }?.let { decoded(it) ?: fail(FORM) }
        return HttpProxy(server.groupValues[1].removeSurrounding("[", "]"), port, name, exclusion, login?.let { "Basic ${base64(it)}" })
    }

    /** "user:password"; null if an escape is wrong. */
    private fun decoded(login: String): String? = try {
        val (user, password) = listOf(login.substringBefore(':'), login.substringAfter(':', "")).map {
            URLDecoder.decode(it.replace("+", "%2B"), Charsets.UTF_8)
        }
        "$user:$password"
    } catch (_: IllegalArgumentException) {
        null
    }

    private fun base64(text: String) = Base64.getEncoder().encodeToString(text.encodeToByteArray())

    private companion object {
        const val MAX_PORT = 65_535
        const val FORM = "it is not of the form http://user:password@host:port. Write special characters of the user and the password as %40, %3A, %2F … there"
        val SERVER = Regex("""(\[[0-9A-Fa-f:.]+]|[^:\[\]@\s]+)(?::(\d{1,5}))?""")

        /** The value of the variable [name], or of its upper case name, and the name that has it. */
        fun ((String) -> String?).first(name: String): Pair<String, String>? =
            listOf(name, name.uppercase()).firstNotNullOfOrNull { key -> this.invoke(key)?.trim()?.ifEmpty { null }?.let { key to it } }
    }
}

/**
 * The hosts in a variable `no_proxy`, between commas or spaces: `example.com` and `.example.com` and `*.example.com` are that host and its subdomains, an
 * address is itself, `*` is every host. With a port an entry is for that port only. Networks (10.0.0.0/8) are not supported.
 */
internal class NoProxy(text: String) {
    private val entries = text.lowercase().split(',', ' ', '\t', '\n', ';').filter { it.isNotEmpty() }.map(::entry)

    fun holds(host: String, port: Int): Boolean {
        val name = plain(host)
        return entries.any { (entry, only) -> (only == null || only == port) && (entry.isEmpty() || entry == name || name.endsWith(".$entry")) }
    }

    private fun entry(text: String): Pair<String, Int?> {
        val end = text.substringAfterLast(':', "").toIntOrNull()
        val hasPort = end != null && (text.count { it == ':' } == 1 || "]:" in text)
        val host = if (hasPort) text.substringBeforeLast(':') else text
        return plain(host).removePrefix("*").removePrefix(".") to end.takeIf { hasPort }
    }

    /** In lower case, without brackets and the dot at the end. An IPv6 address has many forms. */
    private fun plain(host: String): String {
        val name = host.lowercase().removeSurrounding("[", "]").removeSuffix(".")
        return try {
            if (IPV6.matches(name)) InetAddress.getByName(name).hostAddress else name // no look-up: it is an address
        } catch (_: UnknownHostException) {
            name
        }
    }

    private companion object {
        val IPV6 = Regex("(?=.*:.*:)[0-9a-f:]+(\\d+\\.\\d+\\.\\d+\\.\\d+)?")
    }
}

private val URI.plainHost: String get() = host.orEmpty().lowercase().removeSurrounding("[", "]")

private val URI.portOrDefault: Int get() = if (port >= 0) {
    port
} else if (scheme == "https") {
    443
} else {
    80
}
