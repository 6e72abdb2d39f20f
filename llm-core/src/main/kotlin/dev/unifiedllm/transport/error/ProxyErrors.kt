package dev.unifiedllm.transport.error

import dev.unifiedllm.LlmException
import dev.unifiedllm.LlmException.Network
import dev.unifiedllm.LlmException.Timeout
import java.net.ConnectException
import java.net.ProtocolException
import java.net.UnknownHostException
import java.net.http.HttpConnectTimeoutException
import java.nio.channels.UnresolvedAddressException
import javax.net.ssl.SSLException
import kotlin.time.Duration

/**
 * The proxy of a request, without its login.
 *
 * @property address the host and the port
 * @property source what names the proxy: a variable, a property
 * @property exclusion how to exclude a host, such as "by no_proxy"
 */
internal class ProxyInUse(val address: String, val source: String, val exclusion: String, val hasLogin: Boolean)

/**
 * What went wrong at [proxy] before it passed a request on; null if the failure is not the proxy's.
 *
 * @param causes of the failure, outermost first
 * @param connectTimeout that has passed, if the failure is that
 */
internal fun proxyFailure(
    causes: List<Throwable>,
    host: String,
    proxy: ProxyInUse,
    connectTimeout: Duration?,
    cause: Throwable,
    details: LlmException.Details,
): LlmException? {
    fun has(vararg types: Class<out Throwable>) = causes.any { it.isAny(types) }
    val subject = details.model?.let { "$it cannot be reached: " }.orEmpty()
    val status = causes.firstNotNullOfOrNull { it.message?.let(TUNNEL_FAILED::find) }?.groupValues?.get(1)
    if (has(HttpConnectTimeoutException::class.java)) {
        return Timeout(
            "${subject}the proxy ${proxy.named()} opened no connection to $host ${connectTimeout?.let { "within $it" } ?: "in time"}. " +
                "${proxy.remedy()} Or raise timeouts.connect.",
            Timeout.Phase.CONNECT,
            cause,
            details,
        )
    }
    val problem = when {
        has(SSLException::class.java) -> return null // the connection to the host is open
        status != null -> "the proxy ${proxy.named()} refused to open a connection to $host (status $status)."
        has(UnknownHostException::class.java, UnresolvedAddressException::class.java) -> "the host name of the proxy ${proxy.named()} cannot be resolved."
        has(ProtocolException::class.java, NumberFormatException::class.java) -> "the proxy ${proxy.named()} does not respond with HTTP."
        has(ConnectException::class.java) -> "the proxy ${proxy.named()} refused the connection. Is it running?"
        else -> "the proxy ${proxy.named()} closed the connection before it opened one to $host."
    }
    return Network("$subject$problem ${proxy.remedy()}", Network.Phase.PROXY, cause, details)
}

/** The exception for the status 407 of [proxy]. @param isTunnel true if the request is for https:// */
internal fun proxyLoginRequired(host: String, proxy: ProxyInUse, isTunnel: Boolean, details: LlmException.Details): Network {
    val subject = details.model?.let { "$it cannot be reached: " }.orEmpty()
    val isUnsent = isTunnel && sendsNoBasic()
    val problem = when {
        !proxy.hasLogin -> {
            val variable = if (proxy.source.endsWith("_proxy", ignoreCase = true)) proxy.source else "https_proxy"
            "requires a login for $host (status 407). Set the user and the password in the variable $variable: http://user:password@${proxy.address}." +
                if (isUnsent) " For an https:// address also start the JVM with $ALLOW_BASIC, without which the JDK sends no Basic login." else ""
        }
        isUnsent ->
            "requires a login for $host (status 407), and the JDK did not send it: for an https:// address it sends no Basic login. Start the JVM " +
                "with $ALLOW_BASIC, or use a proxy without a login."
        else ->
            "did not accept the user and the password for $host (status 407), or wants another login than Basic. Check them in the variable for the " +
                "proxy: special characters are written as %40, %3A, %2F …"
    }
    return Network("${subject}the proxy ${proxy.named()} $problem", Network.Phase.PROXY, details = details)
}

/** What to do about a proxy that does not let a request through, if it is not known which one it is. */
internal const val PROXY_REMEDY: String =
    "Check the proxy (https_proxy, or https.proxyHost and http.proxyHost), or exclude the host from it (no_proxy, http.nonProxyHosts). If it requires a " +
        "login, set it in the proxy's URL: http://user:password@host:port. With httpClient(client) the proxy is that of your Ktor client."

/** The words of the JDK's client. */
internal val TUNNEL_FAILED: Regex = Regex("^Tunnel failed, got: (\\d+)")

private fun ProxyInUse.named() = "$address ($source)"

private fun ProxyInUse.remedy() = "Check the proxy that $source names, or exclude the host $exclusion."

private fun Throwable.isAny(types: Array<out Class<out Throwable>>) = types.any { it.isInstance(this) }

private const val DISABLED_SCHEMES = "jdk.http.auth.tunneling.disabledSchemes"
private const val ALLOW_BASIC = "-D$DISABLED_SCHEMES= (nothing after the =; in a notebook or an IDE in the variable JAVA_TOOL_OPTIONS)"

/** The JDK reads the property when its client is loaded; its own configuration disables Basic. */
private fun sendsNoBasic(): Boolean = System.getProperty(DISABLED_SCHEMES)?.split(',')?.any { it.trim().equals("basic", ignoreCase = true) } ?: true
