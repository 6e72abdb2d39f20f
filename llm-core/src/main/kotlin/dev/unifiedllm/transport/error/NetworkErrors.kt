package dev.unifiedllm.transport.error

import dev.unifiedllm.LlmException
import dev.unifiedllm.LlmException.Network
import dev.unifiedllm.LlmException.Timeout
import dev.unifiedllm.OR_ADD_A_FALLBACK
import dev.unifiedllm.provider.Target
import dev.unifiedllm.provider.isPrivateHost
import java.net.ConnectException
import java.net.ProtocolException
import java.net.SocketException
import java.net.URI
import java.net.UnknownHostException
import java.net.http.HttpConnectTimeoutException
import java.nio.channels.UnresolvedAddressException
import javax.net.ssl.SSLException
import kotlin.time.Duration

/**
 * Makes the exceptions for requests that fail before the head of a response.
 *
 * @param target of the request; null if it does not go to the model, but to a token endpoint
 * @param isStreamed false for a response in one piece: the server may be working on a request that it has not answered yet, so that it is not sent again
 */
internal class NetworkErrors(val details: LlmException.Details, private val target: Target? = null, private val isStreamed: Boolean = true) {
    private val subject = details.model?.let { "$it cannot be reached: " }.orEmpty()

    /**
     * The exception for a request to [uri] that failed with [failure].
     *
     * @param connectTimeout of the request, if it is known
     * @param proxy of the request, if it is known
     * @param isConnected true if the connection was open, through the proxy if there is one, so that the request could be sent
     */
    fun exception(
        failure: Throwable,
        uri: URI,
        connectTimeout: Duration? = null,
        proxy: ProxyInUse? = null,
        isConnected: Boolean = false,
    ): LlmException {
        val host = uri.authority + proxy?.let { " (through the proxy ${it.address})" }.orEmpty()
        val causes = generateSequence(failure) { it.cause }.take(MAX_CAUSES).toList()
        val cause = withoutKey(failure)
        fun network(phase: Network.Phase, problem: String) = Network(subject + problem, phase, cause, details)
        fun has(vararg types: Class<out Throwable>) = causes.any { cause -> types.any { it.isInstance(cause) } }
        if (proxy != null && !isConnected) proxyFailure(causes, uri.authority, proxy, connectTimeout, cause, details)?.let { return it }
        val tunnel = causes.firstNotNullOfOrNull { cause -> cause.message?.let(TUNNEL_FAILED::find) }
        return when {
            has(HttpConnectTimeoutException::class.java) -> noConnection(host, connectTimeout, cause)
            has(UnknownHostException::class.java, UnresolvedAddressException::class.java) ->
                network(Network.Phase.DNS, "the host name ${uri.host ?: host} cannot be resolved. Check ${baseUrl()} and the connection to the network.")
            has(SSLException::class.java) && has(SocketException::class.java) -> network(
                Network.Phase.CONNECT,
                "$host reset the connection during the TLS handshake. Try again. If that happens every time, the server may require a client certificate, or " +
                    "a firewall blocks the connection.",
            )
            has(SSLException::class.java) -> network(Network.Phase.TLS, tlsProblem(causes, host))
            tunnel != null -> network(
                Network.Phase.PROXY,
                "the proxy on the way to $host responded with status ${tunnel.groupValues[1]} and opened no connection. $PROXY_REMEDY",
            )
            uri.scheme == "http" && causes.any { cause -> cause.message?.let(TLS_RECORD::containsMatchIn) == true } ->
                network(Network.Phase.TLS, "the server at $host responded with TLS to a request without it. Set ${baseUrl()} with https://.")
            has(ProtocolException::class.java, NumberFormatException::class.java) -> LlmException.MalformedResponse(
                "${subject}the response of $host is not HTTP${said(causes)}. Is it the address of an API, with the right port and scheme?",
                cause,
                details,
            )
            has(ConnectException::class.java) -> network(Network.Phase.CONNECT, "$host refused the connection. ${whenRefused(uri)}")
            else -> network(
                Network.Phase.SEND,
                "the connection to $host was lost before a response arrived${said(listOf(failure))}. " +
                    (if (uri.scheme == "https") MAYBE_CLIENT_CERTIFICATE else "") + "Try again$OR_ADD_A_FALLBACK",
            )
        }
    }

    /**
     * The exception for a request to [host], which did not accept a connection in time.
     *
     * @param connectTimeout null if it is not known
     * @param raise how to raise it
     */
    fun noConnection(host: String, connectTimeout: Duration?, cause: Throwable, raise: String = "raise timeouts.connect"): Timeout = Timeout(
        "$subject$host did not accept a connection ${connectTimeout?.let { "within $it" } ?: "in time"}. " +
            "Check ${baseUrl()} and the network, $raise$OR_ADD_A_FALLBACK",
        Timeout.Phase.CONNECT,
        cause,
        details,
    )

    /** The exception for a request to [host] to which no response has come within [firstByte]. */
    fun noResponse(host: String, firstByte: Duration, cause: Throwable? = null): Timeout = Timeout(
        "${details.model?.let { "$it at " }.orEmpty()}$host sent no response within $firstByte. " +
            "Check that the server is running and not overloaded, raise timeouts.firstByte$OR_ADD_A_FALLBACK",
        Timeout.Phase.FIRST_BYTE,
        cause,
        if (isStreamed) details else LlmException.Details(details.model, details.status, details.requestId, shouldRetry = false, details.retryAfter),
    )

    /** The exception for the status 407 of [proxy] for a request to [uri]. */
    fun proxyLogin(uri: URI, proxy: ProxyInUse): Network = proxyLoginRequired(uri.authority, proxy, uri.scheme == "https", details)

    /** The exception for a request to [host] that has waited for [waited] while [limit] others ran. */
    fun noStream(host: String, limit: Int, waited: Duration): Timeout = Timeout(
        "${details.model?.let { "$it at " }.orEmpty()}$host: the request was not sent, because $limit requests to it were running for $waited " +
            "(maxConcurrentStreams). Raise maxConcurrentStreams of the client if the server allows more, or make fewer calls at a time$OR_ADD_A_FALLBACK",
        Timeout.Phase.POOL,
        details = details,
    )

    /** [failure], or a stand-in for it if the key is in its message. */
    fun withoutKey(failure: Throwable): Throwable = withoutKey(failure, target?.key?.reveal())

    /** What the first of [causes] with a number or a line of the response in its message says, in brackets; empty if none says anything. */
    private fun said(causes: List<Throwable>): String {
        val cause = causes.firstOrNull { it is ProtocolException || it is NumberFormatException } ?: causes.first()
        return cause.message?.let { text -> " (${quote(text, target?.key?.reveal()).filterNot { it.isISOControl() }.take(MAX_SAID)})" }.orEmpty()
    }

    private fun whenRefused(uri: URI): String {
        val isOwn = isPrivateHost(uri.host.orEmpty())
        return when {
            target == null -> "Is the server running?"
            isOwn && target.wire.refusedHint(target) != null -> target.wire.refusedHint(target)!!
            uri.port == OLLAMA_PORT -> ollamaHint(target.name)
            target.provider.local || isOwn -> "Is the server running at ${target.baseUrl}? If it is elsewhere, change ${baseUrl()}."
            else -> "Check ${baseUrl()}: is the server running there?"
        }
    }

    private fun baseUrl(): String = target?.let { baseUrlOf(it.provider) } ?: "the address"

    private companion object {
        const val MAX_CAUSES = 8
        const val OLLAMA_PORT = 11434
        const val MAX_SAID = 300

        /** The first bytes of an alert or a handshake message in TLS, which the JDK's client repeats as the beginning of a status line. */
        val TLS_RECORD = Regex("[\\u0015\\u0016]\\u0003[\\u0000-\\u0004]")
    }
}

/** What to do when an Ollama server refuses the connection. */
internal fun ollamaHint(model: String): String = "Is Ollama running? Start it by \"ollama serve\", and install the model by \"ollama pull $model\"."
