package dev.unifiedllm.transport.credential

import dev.unifiedllm.transport.TransportRequest

/** Authenticates requests where that takes more than a key in a header: a signature, or a token that must be fetched. Thread-safe. */
internal fun interface Credential {
    /**
     * Returns [request] with the headers that authenticate it. The result must be sent unchanged: a signature covers all of it.
     *
     * @throws dev.unifiedllm.LlmException.Authentication if the provider of tokens refuses one
     * @throws dev.unifiedllm.LlmException.Configuration if the credentials are missing or cannot be used
     */
    suspend fun sign(request: TransportRequest): TransportRequest
}
