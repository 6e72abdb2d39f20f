package dev.unifiedllm.transport.error

import dev.unifiedllm.LlmException
import dev.unifiedllm.LlmException.Network
import dev.unifiedllm.LlmException.Timeout
import java.net.ConnectException
import java.net.ProtocolException
import java.net.URI
import java.net.UnknownHostException
import java.net.http.HttpConnectTimeoutException
import java.nio.channels.UnresolvedAddressException
import javax.net.ssl.SSLException

/** The exception for an exchange with [uri] that failed before the head of a response. */
internal fun networkError(failure: Throwable, uri: URI, details: LlmException.Details): LlmException {
    val host = uri.authority
    val cannot = details.model?.let { "$it cannot be asked: " }.orEmpty()
    val causes = generateSequence<Throwable>(failure) { it.cause }.take(MAX_CAUSES).toList()
    fun network(phase: Network.Phase, problem: String) = Network(cannot + problem, phase, failure, details)
    return when {
        causes.any { it is HttpConnectTimeoutException } -> Timeout(
            "$cannot$host did not accept a connection in time. Is the address right, and reachable from here?",
            Timeout.Phase.CONNECT,
            failure,
            details,
        )
        causes.any { it is UnknownHostException || it is UnresolvedAddressException } ->
            network(Network.Phase.DNS, "the host $host is not known. Check the base URL, and the connection to the network.")
        causes.any { it is SSLException } -> network(Network.Phase.TLS, tlsProblem(causes, host))
        causes.any { it is ProtocolException || it is NumberFormatException } -> LlmException.MalformedResponse(
            "${cannot}what $host answered is not HTTP. Is it the address of an API, with the right port and scheme?",
            failure,
            details,
        )
        causes.any { it is ConnectException } -> network(Network.Phase.CONNECT, "$host refused the connection. Is the server running there?")
        else -> network(
            Network.Phase.SEND,
            "the connection to $host was lost before a response came${failure.message?.let { " ($it)" }.orEmpty()}. Try again, or add a fallback." +
                if (uri.scheme == "https") MAYBE_CLIENT_CERTIFICATE else "",
        )
    }
}

private const val MAX_CAUSES = 8
