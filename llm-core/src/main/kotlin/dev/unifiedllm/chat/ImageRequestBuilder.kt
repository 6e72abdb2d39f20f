package dev.unifiedllm.chat

import dev.unifiedllm.InternalLlmApi
import dev.unifiedllm.LlmDsl
import java.io.UncheckedIOException
import java.nio.file.Path

/** Builds an [ImageRequest]: source images are added by functions, settings are assigned. A setting that is null is left to the model. */
@LlmDsl
public class ImageRequestBuilder @InternalLlmApi constructor(model: ModelRef, from: ImageRequest?, context: CallContext? = from?.context) :
    RequestBuilder<ImageRequestBuilder>(model, context, from?.providerOptions) {
    @get:JvmSynthetic
    internal val sources: MutableList<Part.Image> = from?.sources.orEmpty().toMutableList()

    @get:JvmSynthetic
    internal var mask: Part.Image? = from?.mask
        private set

    /** What the images show or, with source images, what is changed in them. @throws IllegalArgumentException if it is blank */
    @get:JvmSynthetic @set:JvmSynthetic
    public var prompt: String? = from?.prompt
        set(value) {
            require(value == null || value.isNotBlank()) { "an image needs a prompt, this one is blank" }
            field = value
        }

    /** Width by height in pixels, as in `1024x1024`, or the ratio of the two, as in `16:9`. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var size: String? = from?.size

    /** The provider's own word, such as `hd`. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var quality: String? = from?.quality

    /** The provider's own word, such as `vivid`. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var style: String? = from?.style

    /** How many images. @throws IllegalArgumentException if it is not positive */
    @get:JvmSynthetic @set:JvmSynthetic
    public var n: Int? = from?.n
        set(value) {
            require(value == null || value > 0) { "n must be positive, was $value" }
            field = value
        }

    /** Makes the images repeatable, where the provider supports it. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var seed: Long? = from?.seed

    /** What the images must not show. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var negativePrompt: String? = from?.negativePrompt

    /** The file format of the images. @throws IllegalArgumentException if it is not `png`, `jpeg` or `webp` */
    @get:JvmSynthetic @set:JvmSynthetic
    public var format: String? = from?.format
        set(value) {
            require(value == null || value in FORMATS) { "format must be ${FORMATS.joinToString(" or ")}, was $value" }
            field = value
        }

    /** How many previews are streamed before each image: `Delta.Media` whose `isPartial` is true. @throws IllegalArgumentException if it is negative */
    @get:JvmSynthetic @set:JvmSynthetic
    public var partialImages: Int? = from?.partialImages
        set(value) {
            require(value == null || value >= 0) { "partialImages must not be negative, was $value" }
            field = value
        }

    /** Adds an image to change: a data: URL, or an http(s) URL, which the provider or, if it does not, the library fetches. */
    public fun image(url: String): ImageRequestBuilder = apply { sources += source(url) }

    /** Adds the bytes of an image to change, whose format is that of its first bytes. @throws IllegalArgumentException if that is not known */
    public fun image(bytes: ByteArray): ImageRequestBuilder = apply { sources += source(bytes) }

    /** Adds the bytes of an image to change, of type [mediaType], as in `image/png`. */
    public fun image(bytes: ByteArray, mediaType: String): ImageRequestBuilder = apply { sources += source(bytes, mediaType) }

    /** Adds the image in [file], read now. @throws UncheckedIOException if it cannot be read */
    public fun image(file: Path): ImageRequestBuilder = apply { sources += source(file) }

    /** The part of the first image that is changed: an image of the same size. Its form is the provider's. */
    public fun mask(url: String): ImageRequestBuilder = apply { mask = source(url) }

    /** The part of the first image that is changed: the bytes of an image of the same size. */
    public fun mask(bytes: ByteArray): ImageRequestBuilder = apply { mask = source(bytes) }

    /** The part of the first image that is changed: the image in [file], read now. @throws UncheckedIOException if it cannot be read */
    public fun mask(file: Path): ImageRequestBuilder = apply { mask = source(file) }

    /** @throws IllegalArgumentException if it is blank */
    public fun prompt(prompt: String): ImageRequestBuilder = apply { this.prompt = prompt }

    public fun size(size: String): ImageRequestBuilder = apply { this.size = size }

    public fun quality(quality: String): ImageRequestBuilder = apply { this.quality = quality }

    public fun style(style: String): ImageRequestBuilder = apply { this.style = style }

    /** @throws IllegalArgumentException if it is not positive */
    public fun n(n: Int): ImageRequestBuilder = apply { this.n = n }

    public fun seed(seed: Long): ImageRequestBuilder = apply { this.seed = seed }

    public fun negativePrompt(prompt: String): ImageRequestBuilder = apply { negativePrompt = prompt }

    /** @throws IllegalArgumentException if it is not `png`, `jpeg` or `webp` */
    public fun format(format: String): ImageRequestBuilder = apply { this.format = format }

    /** @throws IllegalArgumentException if it is negative */
    public fun partialImages(count: Int): ImageRequestBuilder = apply { partialImages = count }

    @JvmSynthetic
    internal fun replaceSources(images: List<Part.Image>, mask: Part.Image?): ImageRequestBuilder = apply {
        sources.clear()
        sources += images
        this.mask = mask
    }

    private fun source(url: String): Part.Image {
        val checked = checkedUrl(url)
        require(checked.startsWith("https://") || checked.startsWith("http://") || checked.startsWith("data:image/")) {
            "an image is named by an http(s) or data:image URL; for a file use image(Path.of(\"…\"))"
        }
        return Part.Image(checked)
    }

    private fun source(bytes: ByteArray, mediaType: String? = null): Part.Image {
        require(mediaType == null || mediaType.startsWith("image/")) { "the type of an image is as in image/png, not \"$mediaType\"" }
        return Part.Image(imageUrl(bytes, mediaType, "the bytes"))
    }

    private fun source(file: Path) = Part.Image(imageUrl(file))

    private companion object {
        val FORMATS = listOf("png", "jpeg", "webp")
    }
}
