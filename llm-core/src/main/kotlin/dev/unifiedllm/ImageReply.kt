package dev.unifiedllm

import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ImageRequest
import dev.unifiedllm.chat.ImageRequestBuilder
import dev.unifiedllm.chat.ImageResponse
import dev.unifiedllm.chat.ModelId
import kotlinx.coroutines.flow.Flow
import java.util.concurrent.CompletableFuture
import java.util.concurrent.Flow.Publisher

/**
 * A call for images. Nothing is sent before its first terminal.
 *
 * The first of [await], [get], [events] and the others sends the request, once. Later consumers get the same images. The call is cancelled when its last
 * consumer leaves before the end.
 */
public class ImageReply internal constructor(
    @get:JvmSynthetic internal val call: SharedCall<ImageResponse>,
    /** The request as it was built. */
    @InternalLlmApi
    @get:JvmSynthetic
    public val request: ImageRequest,
    @Suppress("UNUSED_PARAMETER") from: FromKotlin,
) : Call<ImageResponse> {
    /** The model that was asked for. [ImageResponse.model] is the one that gave the response. */
    @get:JvmName("model")
    public val model: ModelId get() = call.model

    /** The images that have arrived, also after a failure or a cancellation; null if nothing has. */
    @get:JvmName("partial")
    public val partial: ImageResponse? get() = call.images()

    /** All deltas as they arrive, by the grammar of [Delta]: previews of an image are [Delta.Media] whose `isPartial` is true. */
    @JvmSynthetic
    public fun events(): Flow<Delta> = call.events()

    /** [events] for Java; each subscription begins with the first one. */
    public fun toPublisher(): Publisher<Delta> = events().asPublisher()

    @JvmSynthetic
    override suspend fun await(): ImageResponse = call.await()

    override fun get(): ImageResponse = call.get()

    override fun toFuture(): CompletableFuture<ImageResponse> = call.toFuture()

    override fun cancel(): Unit = call.cancel()

    /** The same request as a new call, not yet sent. */
    public fun again(): ImageReply = ImageReply(call.again(), request, FromKotlin.CALL)

    /** The model. Sends nothing. */
    override fun toString(): String = "ImageReply($model)"
}

/** A call for the images of [request] by the client that [client] gives when the call is sent. */
internal fun imageReply(client: () -> Client, request: ImageRequest): ImageReply =
    ImageReply(SharedCall(client, request.model, { it.prepare(request.modelRef, request) }) { checkNotNull(images()) }, request, FromKotlin.CALL)

private fun SharedCall<ImageResponse>.images(): ImageResponse? = log.response()?.let { ImageResponse.of(it, downloads(it)) }

/** Downloads the images that [response] of this call has at URLs. */
internal fun SharedCall<*>.downloads(response: ChatResponse): (url: String) -> ByteArray =
    { url -> checkNotNull(sentBy) { "no client has made the call" }.images.bytes(url, response.model) }

/** A call for images by the client that is the default when the call is sent. */
@InternalLlmApi
@JvmSynthetic
public fun defaultImageReply(request: ImageRequest): ImageReply = imageReply({ Llm.default.client }, request)

/** A request to the default image model of whichever client gets it. */
@InternalLlmApi
@JvmSynthetic
public fun defaultImageRequest(block: ImageRequestBuilder.() -> Unit): ImageRequest = ImageRequest.build(DefaultImageModel, block)
