package dev.unifiedllm.chat

import dev.unifiedllm.FromKotlin
import java.io.IOException
import java.io.UncheckedIOException
import java.net.URLDecoder
import java.nio.file.Files
import java.nio.file.Path
import java.util.Base64
import kotlin.time.Duration
import kotlin.time.toJavaDuration

/** The images of one call, in the order in which they arrived: the fold of its deltas, without previews. */
public class ImageResponse private constructor(response: ChatResponse, download: ((String) -> ByteArray)?) {
    @get:JvmName("images")
    public val images: List<GeneratedImage> = response.media.map { GeneratedImage(it, download, FromKotlin.CALL) }

    /** What the model wrote beside the images; empty for models that do not write. */
    @get:JvmName("text")
    public val text: String = response.text

    /** Null while the response is incomplete. */
    @get:JvmName("finishReason")
    public val finishReason: FinishReason? = response.finishReason

    /** Null if the provider did not report it: most bill by the image. */
    @get:JvmName("usage")
    public val usage: Usage? = response.usage

    @get:JvmName("cost")
    public val cost: Cost = response.cost

    /** The model that gave the response; null before one has. */
    @get:JvmName("model")
    public val model: ModelId? = response.model

    @get:JvmName("provider")
    public val provider: String? get() = model?.provider

    /** The provider's id of the HTTP request, to name in a support request; null if it gave none. */
    @get:JvmName("requestId")
    public val requestId: String? = response.requestId

    /** The body of a response that was not streamed, as the provider sent it; null for streams and for bodies above 1 MiB. */
    @get:JvmName("raw")
    public val raw: String? = response.raw

    /** All attempts, in order. The last one gave the response; the others have their error. */
    @get:JvmName("attempts")
    public val attempts: List<Delta.Attempt> = response.attempts

    /** True if another model than the first gave the response. */
    @get:JvmName("fallbackUsed")
    public val fallbackUsed: Boolean = response.fallbackUsed

    /** True if all images come from the cache of the client: no request was sent, and [cost] is zero. */
    @get:JvmName("cached")
    public val cached: Boolean = response.cached

    /** What the responses that came from the cache cost when they were stored; null if none came from it. */
    @get:JvmName("savedCost")
    public val savedCost: Cost? = response.savedCost

    @get:JvmName("warnings")
    public val warnings: List<String> = response.warnings

    /** From sending the call to its end, which may be a failure; until now while it runs. */
    @get:JvmSynthetic
    public val latency: Duration = response.latency

    public fun latency(): java.time.Duration = latency.toJavaDuration()

    /**
     * Writes the images to files and blocks meanwhile: one image to [path], several to `name-1`, `name-2`, … beside it. The extension is that of the
     * image's format, whatever [path] has. Folders are made, files of the same name replaced. An image at a URL is downloaded first.
     *
     * @return the files, in the order of the images
     * @throws IllegalArgumentException if [path] has no name of a file
     * @throws IllegalStateException if there is no image, or one cannot be read, or not be downloaded by this response
     * @throws UncheckedIOException if a download fails, or a file cannot be written
     */
    public fun save(path: Path): List<Path> {
        check(images.isNotEmpty()) { "there is no image to save in the response of $model" }
        requireFileName(path)
        if (images.size == 1) return listOf(images.single().save(path))
        return images.mapIndexed { index, image -> image.save(path.resolveSibling(numbered(path.fileName.toString(), index + 1))) }
    }

    /** As [save] to the path named [path]. */
    public fun save(path: String): List<Path> = save(Path.of(path))

    override fun toString(): String = "ImageResponse($model, ${images.size} images)"

    public companion object {
        /** The response that [deltas] make, as a cache or a test needs it. */
        @JvmStatic
        public fun of(deltas: Iterable<Delta>): ImageResponse = ImageResponse(ChatResponse.of(deltas), null)

        /** @param download the bytes at a URL; null if nothing can be downloaded */
        @JvmSynthetic
        internal fun of(response: ChatResponse, download: ((String) -> ByteArray)?): ImageResponse = ImageResponse(response, download)

        private fun numbered(name: String, number: Int): String {
            val isImage = ImageFormat.ofName(name) != null
            val stem = if (isImage) name.substringBeforeLast('.') else name
            return "$stem-$number" + if (isImage) name.substring(stem.length) else ""
        }
    }
}

/** An image that a model made. */
public class GeneratedImage internal constructor(
    media: Delta.Media,
    private val download: ((String) -> ByteArray)?,
    @Suppress("UNUSED_PARAMETER") from: FromKotlin,
) {
    /** An http(s) URL, which may expire soon, or a data: URL. */
    @get:JvmName("url")
    public val url: String = media.url

    /** As in `image/png`; with a star in place of the format if the provider does not say it. */
    @get:JvmName("mediaType")
    public val mediaType: String = media.mediaType

    /** The prompt from which the image was made, if the provider changed it; null if it did not, or does not say. */
    @get:JvmName("revisedPrompt")
    public val revisedPrompt: String? = media.revisedPrompt

    /** True if the image came within the response: [bytes] then takes no download. */
    @get:JvmName("isInline")
    public val isInline: Boolean get() = url.startsWith("data:", ignoreCase = true)

    private val content: ByteArray by lazy {
        inlineBytes(url) ?: checkNotNull(download) { "The image is at ${shownUrl(url)}, and this response cannot download it: it was made of deltas." }(url)
    }

    /**
     * The bytes of the file. Blocks for the download of an image at a URL.
     *
     * @throws IllegalStateException if it cannot be read, or not be downloaded by this response
     * @throws UncheckedIOException if the download fails
     */
    public fun bytes(): ByteArray = content.clone()

    /**
     * Writes the image to [path], with the extension of its format, and blocks meanwhile.
     *
     * @return the file
     * @throws IllegalArgumentException if [path] has no name of a file
     * @throws IllegalStateException if the image cannot be read, or is at a URL and cannot be downloaded by this response
     * @throws UncheckedIOException if the download fails, or the file cannot be written
     */
    public fun save(path: Path): Path {
        requireFileName(path)
        val bytes = content
        val format = ImageFormat.of(bytes) ?: ImageFormat.ofMediaType(mediaType)
        val name = path.fileName.toString()
        val named = ImageFormat.ofName(name)
        val file = when {
            format == null || format == named -> path
            named == null -> path.resolveSibling("$name.${format.extension}")
            else -> path.resolveSibling("${name.substringBeforeLast('.')}.${format.extension}")
        }
        try {
            file.parent?.let(Files::createDirectories)
            Files.write(file, bytes)
        } catch (failure: IOException) {
            throw UncheckedIOException("The image cannot be written to $file (${failure.javaClass.simpleName}).", failure)
        }
        return file
    }

    override fun toString(): String = "GeneratedImage($mediaType, ${shownUrl(url)})"
}

private fun requireFileName(path: Path) =
    require(!path.fileName?.toString().isNullOrEmpty() && !Files.isDirectory(path)) { "an image is saved in a file, but \"$path\" is a folder. Name a file." }

/** The bytes in a `data:` URL; null for another URL. @throws IllegalStateException if it is malformed */
private fun inlineBytes(url: String): ByteArray? {
    if (!url.startsWith("data:", ignoreCase = true)) return null
    val data = url.substringAfter(',', "")
    val isBase64 = url.substringBefore(',').endsWith(";base64", ignoreCase = true)
    return try {
        if (isBase64) Base64.getDecoder().decode(data) else URLDecoder.decode(data.replace("+", "%2B"), Charsets.UTF_8).encodeToByteArray()
    } catch (broken: IllegalArgumentException) {
        throw IllegalStateException("The image cannot be read: what the provider sent is not base64, or is cut.", broken)
    }
}
