package dev.unifiedllm.protocol

import dev.unifiedllm.transport.TransportRequest
import kotlin.time.Duration

/** A further request that an answer needs: a stream, a state or an end that the response before it only named. It carries the key: its [url] must be the provider's own. */
internal class FollowUp(
    val url: String,
    val accept: String = "application/json",
    val method: String = "GET",
    /** How long to wait before it is sent. */
    val delay: Duration = Duration.ZERO,
) {
    /** As it is sent after [first], whose headers it takes over. */
    fun after(first: TransportRequest): TransportRequest =
        TransportRequest(
            url,
            first.headers.filterNot { (name, _) ->
                name.equals("Accept", ignoreCase = true)
            } + ("Accept" to accept),
            ByteArray(0),
            method = method,
        )
}
