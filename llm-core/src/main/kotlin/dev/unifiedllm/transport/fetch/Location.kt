package dev.unifiedllm.transport.fetch

import java.net.Inet4Address
import java.net.Inet6Address
import java.net.InetAddress
import java.net.URI
import java.net.URISyntaxException

/**
 * A URL that may be fetched, as far as its text tells. The addresses of its host are checked by [isPublic].
 *
 * @property host in lower case, without the brackets of an IPv6 address and without a dot at the end
 * @property path with the query
 */
internal class Location private constructor(private val uri: URI, private val origin: Origin, val path: String, private val trusted: Origin?) {
    val isHttps: Boolean get() = origin.isHttps
    val host: String get() = origin.host
    val port: Int get() = origin.port

    /** True if it is at the server that the user chose. */
    val isTrusted: Boolean get() = origin == trusted

    /** True if [host] is an address, not a name. */
    val isAddress: Boolean get() = ':' in host || IPV4.matches(host)

    /** The value of the header `Host`. */
    val authority: String
        get() {
            val name = if (':' in host) "[$host]" else host
            return if (port == Origin.port(-1, isHttps)) name else "$name:$port"
        }

    /** The location to which this one redirects. @throws FetchException if it may not be fetched */
    fun redirectedTo(target: String): Location {
        val next = try {
            of(uri.resolve(target).toString(), trusted)
        } catch (_: IllegalArgumentException) {
            refuse("it redirects to something that is not a URL")
        }
        if (isHttps && !next.isHttps) refuse("it redirects from https to http")
        return next
    }

    companion object {
        private const val FIRST_OPEN_PORT = 1024
        private const val MAX_PORT = 65_535
        private const val BYTE = "(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)"

        /** Four decimal numbers without leading zeros. Other forms, such as 127.1 or 0x7f000001, mean different addresses to different programs. */
        private val IPV4 = Regex("$BYTE\\.$BYTE\\.$BYTE\\.$BYTE")
        private val NUMBER = Regex("\\d+|0[xX][0-9a-fA-F]*")

        /** Ends of names that are served within a network. */
        private val PRIVATE = listOf(".localhost", ".local", ".internal", ".intranet", ".lan", ".home.arpa")

        /** @param trusted a server that may be anywhere; null for none. @throws FetchException if it may not be fetched */
        fun of(url: String, trusted: Origin? = null): Location {
            val uri = try {
                URI(url)
            } catch (_: URISyntaxException) {
                refuse("it is not a valid URL")
            }
            val isHttps = uri.scheme.equals("https", ignoreCase = true)
            if (!isHttps && !uri.scheme.equals("http", ignoreCase = true)) refuse("its scheme is neither https nor http")
            if (uri.rawAuthority.orEmpty().contains('@')) refuse("it has a user name")
            val host = uri.host?.let(::plainHost) ?: refuse("its host is not a valid name or address")
            val origin = Origin(isHttps, host, Origin.port(uri.port, isHttps))
            if (origin != trusted) check(origin)
            val ascii = URI(uri.toASCIIString())
            val path = ascii.rawPath.orEmpty().ifEmpty { "/" } + ascii.rawQuery?.let { "?$it" }.orEmpty()
            return Location(uri, origin, path, trusted)
        }

        private fun check(origin: Origin) {
            checkHost(origin.host)
            val port = origin.port
            if (port != Origin.HTTPS && port != Origin.HTTP && port !in FIRST_OPEN_PORT..MAX_PORT) refuse("its port $port is not one of the web")
        }

        private fun checkHost(host: String) {
            if (':' in host) {
                if ('%' in host) refuse("its address names a network interface")
                return
            }
            if (NUMBER.matches(host.substringAfterLast('.'))) {
                if (!IPV4.matches(host)) refuse("its host is not a valid name or address")
            } else if ('.' !in host || PRIVATE.any { host.endsWith(it) }) {
                refuse("its host is in a private network")
            }
        }
    }
}

/** A server: the scheme, the host in lower case and the port of its URLs. */
internal data class Origin(val isHttps: Boolean, val host: String, val port: Int) {
    companion object {
        const val HTTPS = 443
        const val HTTP = 80

        /** The port, or that of the scheme if [port] is negative. */
        fun port(port: Int, isHttps: Boolean): Int = if (port >= 0) {
            port
        } else if (isHttps) {
            HTTPS
        } else {
            HTTP
        }

        /** Null if [url] is no http(s) URL with a host. */
        fun of(url: String): Origin? {
            val uri = try {
                URI(url)
            } catch (_: URISyntaxException) {
                return null
            }
            val isHttps = uri.scheme.equals("https", ignoreCase = true)
            if (!isHttps && !uri.scheme.equals("http", ignoreCase = true)) return null
            val host = uri.host?.let(::plainHost) ?: return null
            return Origin(isHttps, host, port(uri.port, isHttps))
        }
    }
}

private fun plainHost(host: String): String = host.lowercase().removeSurrounding("[", "]").removeSuffix(".")

/** True if [address] is on the public internet: in no network that is private, of this machine, or reserved. */
internal fun isPublic(address: InetAddress): Boolean = when (address) {
    is Inet4Address -> isPublic4(address.address)
    is Inet6Address -> isPublic6(address.address)
    else -> false
}

private fun isPublic4(bytes: ByteArray): Boolean = RESERVED_4.none { (network, bits) -> isIn(bytes, network, bits) }

/** Addresses that stand for an IPv4 address (NAT64) are public if that one is. */
private fun isPublic6(bytes: ByteArray): Boolean = when {
    isIn(bytes, NAT64, NAT64_BITS) -> isPublic4(bytes.copyOfRange(bytes.size - 4, bytes.size))
    else -> isIn(bytes, GLOBAL, GLOBAL_BITS) && RESERVED_6.none { (network, bits) -> isIn(bytes, network, bits) }
}

private fun isIn(address: ByteArray, network: ByteArray, bits: Int): Boolean = (0 until bits).all { bit ->
    val mask = 0x80 shr (bit % 8)
    (address[bit / 8].toInt() and mask) == (network[bit / 8].toInt() and mask)
}

/** An address literal: no name is looked up. */
private fun literal(text: String): ByteArray = InetAddress.getByName(text).address

private fun networks(vararg all: String): List<Pair<ByteArray, Int>> = all.map { literal(it.substringBefore('/')) to it.substringAfter('/').toInt() }

/**
 * IANA's special-purpose networks (iana.org/assignments/iana-ipv4-special-registry), with multicast and what is reserved above it; and the address at which
 * Azure's machines reach their platform (learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16).
 */
private val RESERVED_4 = networks(
    "168.63.129.16/32",
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24",
    "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
)

/** The only networks that are given out, and within them those that are not, or that stand for IPv4 addresses (Teredo, 6to4). */
private val GLOBAL = literal("2000::")
private const val GLOBAL_BITS = 3
private val RESERVED_6 = networks("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
private val NAT64 = literal("64:ff9b::")
private const val NAT64_BITS = 96
