package dev.unifiedllm.chat

import kotlinx.serialization.json.JsonObject
import java.util.function.Consumer

/** A request for images. Null always means: left to the model. Built by [build], changed by [with]; the context is kept. */
public class ImageRequest private constructor(builder: ImageRequestBuilder) : Request(builder.model, builder.context()) {
    /** What the images show or, with [sources], what is changed in them. */
    @get:JvmName("prompt")
    public val prompt: String = requireNotNull(builder.prompt) { "an image needs a prompt: set prompt" }

    /** Width by height in pixels, as in `1024x1024`, or the ratio of the two, as in `16:9`. Wires that have only one of them get that. */
    @get:JvmName("size")
    public val size: String? = builder.size

    /** The provider's own word, such as `hd`. */
    @get:JvmName("quality")
    public val quality: String? = builder.quality

    /** The provider's own word, such as `vivid`. */
    @get:JvmName("style")
    public val style: String? = builder.style

    /** How many images. */
    @get:JvmName("n")
    public val n: Int? = builder.n

    /** Makes the images repeatable, where the provider supports it. */
    @get:JvmName("seed")
    public val seed: Long? = builder.seed

    /** What the images must not show. */
    @get:JvmName("negativePrompt")
    public val negativePrompt: String? = builder.negativePrompt

    /** The file format of the images: `png`, `jpeg` or `webp`. */
    @get:JvmName("format")
    public val format: String? = builder.format

    /** How many previews are streamed before each image. */
    @get:JvmName("partialImages")
    public val partialImages: Int? = builder.partialImages

    /** The images to change; empty for new images. */
    @get:JvmName("sources")
    public val sources: List<Part.Image> = builder.sources.toList()

    /** Marks the part of the first source that is changed; null: all of it. Its form is the provider's. */
    @get:JvmName("mask")
    public val mask: Part.Image? = builder.mask

    /** Additional fields of the request body, sent as they are. */
    @get:JvmName("providerOptions")
    public val providerOptions: JsonObject = builder.providerOptions

    init {
        require(mask == null || sources.isNotEmpty()) { "a mask needs the image that it belongs to: add it with image(…)" }
    }

    /** A copy with the changes that [block] makes; sources it adds come after those that are there. */
    @JvmSynthetic
    public fun with(block: ImageRequestBuilder.() -> Unit): ImageRequest = ImageRequest(ImageRequestBuilder(modelRef, this).apply(block))

    /** A copy with the changes that [block] makes; sources it adds come after those that are there. */
    public fun with(block: Consumer<ImageRequestBuilder>): ImageRequest = with { block.accept(this) }

    override fun withContext(context: CallContext): ImageRequest = ImageRequest(ImageRequestBuilder(modelRef, this, context))

    /** A copy with [sources] and [mask] in place of its own. */
    @JvmSynthetic
    internal fun withSources(sources: List<Part.Image>, mask: Part.Image?): ImageRequest =
        ImageRequest(ImageRequestBuilder(modelRef, this, context).replaceSources(sources, mask))

    private fun fields() =
        listOf(model, prompt, size, quality, style, n, seed, negativePrompt, format, partialImages, sources, mask, providerOptions)

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
