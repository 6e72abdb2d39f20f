package dev.unifiedllm.chat

import dev.unifiedllm.InternalLlmApi
import dev.unifiedllm.LlmDsl
import java.util.function.Consumer

/** A request for images. Null always means: left to the model. Built by [build], changed by [with]; the context is kept. */
public class ImageRequest private constructor(builder: ImageRequestBuilder) : Request(builder.model, builder.context()) {
    @get:JvmName("prompt")
    public val prompt: String = requireNotNull(builder.prompt) { "an image needs a prompt: set prompt" }

    /** Width by height in pixels, as in `1024x1024`. */
    @get:JvmName("size")
    public val size: String? = builder.size

    /** The provider's own word, such as `hd`. */
    @get:JvmName("quality")
    public val quality: String? = builder.quality

    /** How many images. */
    @get:JvmName("count")
    public val count: Int? = builder.count

    /** A copy with the changes that [block] makes. */
    @JvmSynthetic
    public fun with(block: ImageRequestBuilder.() -> Unit): ImageRequest = ImageRequest(ImageRequestBuilder(modelRef, this).apply(block))

    /** A copy with the changes that [block] makes. */
    public fun with(block: Consumer<ImageRequestBuilder>): ImageRequest = with { block.accept(this) }

    override fun withContext(context: CallContext): ImageRequest = ImageRequest(ImageRequestBuilder(modelRef, this, context))

    private fun fields() = listOf(model, prompt, size, quality, count)

    /** Equal in what is sent; the context does not count. */
    override fun equals(other: Any?): Boolean = other is ImageRequest && fields() == other.fields()

    override fun hashCode(): Int = fields().hashCode()

    override fun toString(): String = "ImageRequest($model)"

    public companion object {
        /** @throws IllegalArgumentException if [model] is no model's name, there is no prompt, or a setting is out of its range */
        @JvmSynthetic
        public fun build(model: String, block: ImageRequestBuilder.() -> Unit): ImageRequest = build(ModelId.parse(model), block)

        @JvmStatic
        public fun build(model: String, block: Consumer<ImageRequestBuilder>): ImageRequest = build(ModelId.parse(model), block)

        @JvmSynthetic
        public fun build(model: ModelRef, block: ImageRequestBuilder.() -> Unit): ImageRequest =
            ImageRequest(ImageRequestBuilder(model, null).apply(block))

        @JvmStatic
        public fun build(model: ModelRef, block: Consumer<ImageRequestBuilder>): ImageRequest = build(model) { block.accept(this) }
    }
}

/** Builds an [ImageRequest]. */
@LlmDsl
public class ImageRequestBuilder @InternalLlmApi constructor(model: ModelRef, from: ImageRequest?, context: CallContext? = from?.context) :
    RequestBuilder<ImageRequestBuilder>(model, context) {
    /** @throws IllegalArgumentException if it is blank */
    @get:JvmSynthetic @set:JvmSynthetic
    public var prompt: String? = from?.prompt
        set(value) {
            require(value == null || value.isNotBlank()) { "an image needs a prompt, this one is blank" }
            field = value
        }

    /** Width by height in pixels, as in `1024x1024`; null: left to the model. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var size: String? = from?.size

    /** The provider's own word, such as `hd`; null: left to the model. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var quality: String? = from?.quality

    /** How many images; null: left to the model. @throws IllegalArgumentException if it is not positive */
    @get:JvmSynthetic @set:JvmSynthetic
    public var count: Int? = from?.count
        set(value) {
            require(value == null || value > 0) { "count must be positive, was $value" }
            field = value
        }

    /** @throws IllegalArgumentException if it is blank */
    public fun prompt(prompt: String): ImageRequestBuilder = apply { this.prompt = prompt }

    public fun size(size: String): ImageRequestBuilder = apply { this.size = size }

    public fun quality(quality: String): ImageRequestBuilder = apply { this.quality = quality }

    /** @throws IllegalArgumentException if it is not positive */
    public fun count(count: Int): ImageRequestBuilder = apply { this.count = count }
}
