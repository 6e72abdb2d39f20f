package dev.unifiedllm.provider

import java.net.URI
import java.net.URISyntaxException

private val LOOPBACK = setOf("localhost", "127.0.0.1", "::1", "[::1]", "0.0.0.0", "host.docker.internal", "model-runner.docker.internal")

/** The host of [url] in lower case; empty if it has none. */
internal fun hostOf(url: String): String = URI(url).host?.lowercase().orEmpty()

/**
 * True if a variable puts another server in the place of this provider's, so that every model name is for that server.
 *
 * The provider's own host and its subdomains, such as those of regions, are not another server. A provider on this machine is replaced by any
 * variable, since many servers use the same address there.
 */
internal fun Provider.isReplaced(environment: Environment): Boolean {
    val variable = environment.first(baseUrlEnv) ?: return false
    val ownHost = baseUrl?.takeIf { '{' !in it }?.let(::hostOf) ?: return true
    val host = try {
        hostOf(variable.value)
    } catch (_: URISyntaxException) {
        return true
    }
    return isLoopback(ownHost) || (host != ownHost && !host.endsWith(".$ownHost"))
}

/** True if [host] is in one of the domains that are named in this row. */
internal fun Provider.isAt(host: String): Boolean = hosts.any { host.endsWith(it) }

private val IPV4 = Regex("""\d{1,3}(\.\d{1,3}){3}""")

/** Compares addresses only: 10.0.0.1 is in the network "10.", and the public name 10.example.com is not. */
private fun isAddressIn(host: String, vararg networks: String) = IPV4.matches(host) && networks.any { host.startsWith(it) }

internal fun isLoopback(host: String): Boolean = host in LOOPBACK || isAddressIn(host, "127.") || host.endsWith(".localhost")

/** True for a host in the user's own network: loopback, a private address, or a name without a public top-level domain. */
internal fun isPrivateHost(host: String): Boolean = isLoopback(host) ||
    isAddressIn(host, "10.", "192.168.", *Array(16) { "172.${16 + it}." }) ||
    ('.' !in host && ':' !in host) ||
    host.endsWith(".local") ||
    host.endsWith(".internal") ||
    host.endsWith(".lan")
