package dev.unifiedllm.chat

/** A request to a model: a chat, an image, or embeddings. */
public sealed class Request(
    /** The model that was named or given. A client finds out when the call starts what it stands for. */
    @get:JvmName("modelRef") public val modelRef: ModelRef,
    @get:JvmName("context") public val context: CallContext,
) {
    /** The id of [modelRef]. */
    @get:JvmName("model")
    public val model: ModelId get() = modelRef.id

    /** The same request with another context. */
    public abstract fun withContext(context: CallContext): Request
}

/** True if the request has something in the words of a provider: headers, query parameters, options. */
internal val Request.hasOptions: Boolean
    get() = when (this) {
        is ChatRequest -> extraHeaders.isNotEmpty() || extraQuery.isNotEmpty() || providerOptions.isNotEmpty()
        is ImageRequest -> providerOptions.isNotEmpty()
        is EmbeddingRequest -> providerOptions.isNotEmpty()
    }

/** This request without what was set in the words of a provider. */
internal fun Request.withoutOptions(): Request = when (this) {
    is ChatRequest -> with { clearOptions() }
    is ImageRequest -> with { clearOptions() }
    is EmbeddingRequest -> with { clearOptions() }
}
