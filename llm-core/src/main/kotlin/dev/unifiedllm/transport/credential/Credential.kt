package dev.unifiedllm.transport.credential

import dev.unifiedllm.transport.TransportRequest

/** Adds to a request what proves who sends it, where that is more than a key in a header. Thread-safe. */
internal fun interface Credential {
    /**
     * [request] with its proof; nothing of the rest may change afterwards.
     *
     * @throws dev.unifiedllm.LlmException.Authentication if no proof can be had
     */
    suspend fun sign(request: TransportRequest): TransportRequest
}
