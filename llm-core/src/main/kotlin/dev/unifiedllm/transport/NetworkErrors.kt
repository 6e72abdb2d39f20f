package dev.unifiedllm.transport

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
    val causes = generateSequence<Throwable>(failure) { it.cause }.take(MAX_CAUSES).toList()
    return when {
        causes.any { it is HttpConnectTimeoutException } ->
            Timeout("$host did not accept a connection in time. Is the address right, and reachable from here?", Timeout.Phase.CONNECT, failure, details)
        causes.any { it is UnknownHostException || it is UnresolvedAddressException } ->
            Network("The host $host is not known. Check the base URL, and the connection to the network.", Network.Phase.DNS, failure, details)
        causes.any { it is SSLException } -> Network(tlsProblem(causes, host), Network.Phase.TLS, failure, details)
        causes.any { it is ProtocolException || it is NumberFormatException } ->
            LlmException.MalformedResponse("What $host answered is not HTTP. Is it the address of an API, with the right port and scheme?", failure, details)
        causes.any { it is ConnectException } -> Network(
            "$host refused the connection. Is the server running there?",
            Network.Phase.CONNECT,
            failure,
            details,
        )
        else -> Network(
            "The connection to $host was lost before a response came" + (failure.message?.let { " ($it)" } ?: "") + "." +
                (if (uri.scheme == "https") MAYBE_CLIENT_CERTIFICATE else ""),
            Network.Phase.SEND,
            failure,
            details,
        )
    }
}

internal fun firstByteTimeout(host: String, deadlines: HeadDeadlines, cause: Throwable? = null) = Timeout(
    "$host sent no response within ${deadlines.firstByte}. Raise timeouts.firstByte, or check that the server is well.",
    Timeout.Phase.FIRST_BYTE,
    cause,
    deadlines.details,
)

private const val MAX_CAUSES = 8
