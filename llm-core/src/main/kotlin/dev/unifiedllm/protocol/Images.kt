package dev.unifiedllm.protocol

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ImageRequest
import dev.unifiedllm.chat.isBase64
import dev.unifiedllm.provider.Target
import kotlin.math.abs
import kotlin.math.ln

/** Width by height in pixels. */
internal class Pixels(val width: Int, val height: Int)

/** The pixels in [ImageRequest.size]; null if it is none, or a ratio. */
internal val ImageRequest.pixels: Pixels?
    get() = size?.let(PIXELS::matchEntire)?.destructured?.let { (width, height) -> Pixels(width.toInt(), height.toInt()) }
        ?.takeIf { it.width > 0 && it.height > 0 }

/** The pixels of [ImageRequest.size] for an [api] without a field for a ratio. Adds a warning if it is one. */
internal fun pixels(request: ImageRequest, api: String, warnings: MutableList<String>): Pixels? {
    val size = request.size ?: return null
    return request.pixels.also { if (it == null) warnings += "size $size was left out: $api takes width by height in pixels, as in 1024x1024" }
}

/** The ratio of [ImageRequest.size] for an [api] that chooses the pixels itself. For a size in pixels it is the nearest of its [ratios], with a warning. */
internal fun aspectRatio(request: ImageRequest, api: String, ratios: List<String>, warnings: MutableList<String>): String? {
    val size = request.size ?: return null
    val pixels = request.pixels ?: return size
    val wanted = ln(pixels.width.toDouble() / pixels.height)
    val nearest = ratios.minBy { ratio -> abs(wanted - ln(ratio.substringBefore(':').toDouble() / ratio.substringAfter(':').toDouble())) }
    warnings += "size $size was sent as the ratio $nearest: $api chooses the number of pixels"
    return nearest
}

/**
 * An image that came as base64, perhaps as a whole `data:` URL, in lines, or in the alphabet for URLs.
 *
 * @param stated its type, if the response states it; otherwise it is that of the first bytes
 */
internal fun base64Image(base64: String, stated: String? = null, revisedPrompt: String? = null, isPartial: Boolean = false): Delta.Media {
    val url = DataUrl.parse(base64)
    val data = (url?.base64 ?: base64).let { text -> if (text.any { it.isWhitespace() || it == '-' || it == '_' }) standardBase64(text) else text }
    val type = stated ?: url?.mediaType ?: imageTypeOf(data) ?: ANY_IMAGE
    return Delta.Media(type, "data:$type;base64,$data", isPartial, revisedPrompt)
}

private fun standardBase64(text: String) = text.filterNot(Char::isWhitespace).replace('-', '+').replace('_', '/')

/** [image], the product of an image model. @throws LlmException.MalformedResponse if it is not base64, or is cut */
internal fun whole(image: Delta.Media, target: Target): Delta.Media =
    if (isBase64(image.url.substringAfter(','))) image else throw malformed(target, "its image is not base64, or is cut")

/** The sources of an edit as the content of `data:` URLs: [OutgoingMedia] has fetched http(s) URLs. @throws LlmException.InvalidRequest for other schemes */
internal fun inlineSources(request: ImageRequest, target: Target, api: String): List<DataUrl> = request.sources.map { inline(it.url, target, api) }

/** The mask of an edit as the content of a `data:` URL; null if there is none. @throws LlmException.InvalidRequest as [inlineSources] */
internal fun inlineMask(request: ImageRequest, target: Target, api: String): DataUrl? = request.mask?.let { inline(it.url, target, api) }

private fun inline(url: String, target: Target, api: String): DataUrl = DataUrl.parse(url)
    ?: throw unsupportedImage(target, "$api takes the bytes of an image, not a URL of this scheme. Give the bytes or the file: image(Path.of(\"…\")).")

/** The failure for a request whose source images cannot be sent: without them the result would be another one. */
internal fun unsupportedImage(target: Target, why: String): LlmException =
    LlmException.InvalidRequest("${target.id}: $why", LlmException.InvalidRequest.Kind.UNSUPPORTED, details = LlmException.Details(target.id))

/** The failure for a response without an image, because the provider's filter removed it. @param why the provider's words */
internal fun filteredImage(target: Target, why: String?): LlmException = LlmException.ContentFiltered(
    "${target.id} made no image: its content filter stopped it${why?.let { " (${it.trimEnd('.')})" }.orEmpty()}. Change the wording.",
    details = LlmException.Details(target.id),
)

private val PIXELS = Regex("""(\d{1,5})\s*[xX×]\s*(\d{1,5})""")
