package dev.unifiedllm.protocol

import dev.unifiedllm.transport.TransportRequest
import kotlin.time.Duration

/**
 * A further request that a response needs, for the stream or the state that its first body names. It is sent with the key, so [url] must be at the
 * provider.
 */
internal class FollowUp(
    val url: String,
    val accept: String = "application/json",
    val method: String = "GET",
    /** How long to wait before it is sent. */
    val delay: Duration = Duration.ZERO,
) {
    /** The request, with the headers of [first]. */
    fun after(first: TransportRequest): TransportRequest =
        TransportRequest(
            url,
            first.headers.filterNot { (name, _) -> name.equals("Accept", ignoreCase = true) } + ("Accept" to accept),
            ByteArray(0),
            method = method,
        )
}
