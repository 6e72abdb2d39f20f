package dev.unifiedllm

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.EmbeddingRequest
import dev.unifiedllm.chat.EmbeddingResponse
import dev.unifiedllm.chat.ModelId
import kotlinx.coroutines.flow.Flow
import java.util.concurrent.CompletableFuture
import java.util.concurrent.Flow.Publisher

/**
 * A call for embeddings. Nothing is sent before its first terminal.
 *
 * The first of [await], [get], [events] and the others sends the texts, in as many requests as the provider's limits need. Later consumers get the same
 * vectors, or the same failure. The call is cancelled when its last consumer leaves before the end.
 *
 * The vectors come together, when all have arrived: they are of one model. If a request fails and there is a fallback, all texts go to the next model.
 */
public class EmbeddingReply internal constructor(
    @get:JvmSynthetic internal val call: SharedCall<EmbeddingResponse>,
    @get:JvmSynthetic internal val request: EmbeddingRequest,
    @Suppress("UNUSED_PARAMETER") from: FromKotlin,
) : Call<EmbeddingResponse> {
    /** The model that was asked for. [EmbeddingResponse.model] is the one that gave the vectors. */
    @get:JvmName("model")
    public val model: ModelId get() = call.model

    /** All deltas as they arrive, by the grammar of [Delta]. Failed attempts and waits of all requests come at once, the vectors when all have arrived. */
    @JvmSynthetic
    public fun events(): Flow<Delta> = call.events()

    /** [events] for Java; each subscription begins with the first one. */
    public fun toPublisher(): Publisher<Delta> = events().asPublisher()

    @JvmSynthetic
    override suspend fun await(): EmbeddingResponse = call.await()

    override fun get(): EmbeddingResponse = call.get()

    override fun toFuture(): CompletableFuture<EmbeddingResponse> = call.toFuture()

    override fun cancel(): Unit = call.cancel()

    /** The same request as a new call, not yet sent. */
    public fun again(): EmbeddingReply = EmbeddingReply(call.again(), request, FromKotlin.CALL)

    /** The model. Sends nothing. */
    override fun toString(): String = "EmbeddingReply($model)"
}

/** A call for the vectors of [request] by the client that [client] gives when the call is sent. */
internal fun embeddingReply(client: () -> Client, request: EmbeddingRequest): EmbeddingReply {
    val call = SharedCall(client, request.model, { it.prepare(request.modelRef, request) }) { log -> EmbeddingResponse.of(checkNotNull(log.response())) }
    return EmbeddingReply(call, request, FromKotlin.CALL)
}

/** A call for embeddings by the client that is the default when the call is sent. */
@InternalLlmApi
@JvmSynthetic
public fun defaultEmbeddingReply(request: EmbeddingRequest): EmbeddingReply = embeddingReply({ Llm.default.client }, request)
