package dev.unifiedllm.chat

import dev.unifiedllm.InternalLlmApi
import dev.unifiedllm.LlmDsl
import java.io.UncheckedIOException
import java.nio.file.Path

/**
 * Adds images, documents and sounds to a user's text, in the order of the calls.
 *
 * What is given as bytes or as a file is read and encoded now, once. Its media type is found by its content; one that is given counts where the content
 * does not tell. What is given as a URL is not read here: the provider fetches it, or the library does when the call is sent.
 */
@LlmDsl
public class UserMessageBuilder @InternalLlmApi constructor(text: String) {
    private val parts: MutableList<Part> = mutableListOf(Part.Text(text))

    /** A text after the parts before it. */
    public fun text(text: String): UserMessageBuilder = apply { parts += Part.Text(text) }

    /** An image at an http(s) URL, or a data: URL. A provider that reads from a storage takes its URL (gs:, s3:), too. */
    @JvmOverloads
    public fun image(url: String, detail: Detail? = null): UserMessageBuilder {
        val checked = checkedUrl(url)
        require(isRemote(checked) || checked.startsWith("data:image/")) {
            "an image is named by an http(s) or data:image URL; for a file use image(Path.of(\"…\"))"
        }
        return apply { parts += Part.Image(checked, detail) }
    }

    /**
     * The bytes of an image, sent within the request.
     *
     * @param mediaType as in `image/tiff`; needed if the content does not tell it
     * @throws IllegalArgumentException if it is no image
     */
    @JvmOverloads
    public fun image(bytes: ByteArray, mediaType: String? = null, detail: Detail? = null): UserMessageBuilder {
        require(mediaType == null || mediaType.startsWith("image/")) { "the type of an image is as in image/png, not \"$mediaType\"" }
        return image(imageUrl(bytes, mediaType, "the bytes"), detail)
    }

    /**
     * The image in [file], read now.
     *
     * @throws UncheckedIOException if it cannot be read
     * @throws IllegalArgumentException if it is no image
     */
    @JvmOverloads
    public fun image(file: Path, detail: Detail? = null): UserMessageBuilder = image(imageUrl(file), detail)

    /**
     * A document at an http(s) or data: URL, or of a storage that the provider reads (gs:, s3:).
     *
     * @param mediaType as in `application/pdf`; null: by the ending of the URL
     * @throws IllegalArgumentException if it has no ending that tells the type
     */
    @JvmOverloads
    public fun file(url: String, mediaType: String? = null, name: String? = null): UserMessageBuilder {
        val checked = checkedUrl(url)
        require(isRemote(checked) || checked.startsWith("data:")) { "a document is named by an http(s) or data URL; for a file use file(Path.of(\"…\"))" }
        val type = mediaType ?: if (checked.startsWith("data:")) typeOfDataUrl(checked) else mediaTypeOfName(url)
        requireNotNull(type) { "the URL of a document does not tell its type: name it, as in file(url, \"application/pdf\")" }
        return apply { parts += Part.File(checked, type, name) }
    }

    /**
     * The bytes of a document, sent within the request.
     *
     * @param mediaType as in `application/pdf`; null: by its content, or by the ending of [name]
     * @throws IllegalArgumentException if neither tells the type
     */
    @JvmOverloads
    public fun file(bytes: ByteArray, mediaType: String? = null, name: String? = null): UserMessageBuilder {
        requireContent(bytes, name ?: "the document")
        val type = mediaType ?: mediaTypeOf(bytes) ?: name?.let(::mediaTypeOfName) ?: "text/plain".takeIf { isText(bytes) }
        requireNotNull(type) { "the content of ${name ?: "the document"} does not tell its type: name it, as in file(bytes, \"application/pdf\")" }
        return file(dataUrl(type, bytes), type, name)
    }

    /**
     * The document in [file], read now.
     *
     * @param mediaType null: by its content, or by the ending of its name
     * @param name null: that of the file
     * @throws UncheckedIOException if it cannot be read
     * @throws IllegalArgumentException if its type cannot be told
     */
    @JvmOverloads
    public fun file(file: Path, mediaType: String? = null, name: String? = null): UserMessageBuilder =
        file(read(file, "file"), mediaType, name ?: file.fileName.toString())

    /** A sound at an http(s) or data: URL. @param mediaType as in `audio/wav`; null: by the ending of the URL */
    @JvmOverloads
    public fun audio(url: String, mediaType: String? = null): UserMessageBuilder {
        val checked = checkedUrl(url)
        require(isRemote(checked) || checked.startsWith("data:audio/")) {
            "a sound is named by an http(s) or data:audio URL; for a file use audio(Path.of(\"…\"))"
        }
        val type = mediaType ?: if (checked.startsWith("data:")) typeOfDataUrl(checked) else mediaTypeOfName(url)
        require(type != null && type.startsWith("audio/")) { "the URL of a sound does not tell its type: name it, as in audio(url, \"audio/wav\")" }
        return apply { parts += Part.File(checked, type) }
    }

    /**
     * The bytes of a sound, sent within the request.
     *
     * @param mediaType as in `audio/aac`; needed if the content does not tell it
     * @throws IllegalArgumentException if it is no sound
     */
    @JvmOverloads
    public fun audio(bytes: ByteArray, mediaType: String? = null): UserMessageBuilder {
        require(mediaType == null || mediaType.startsWith("audio/")) { "the type of a sound is as in audio/wav, not \"$mediaType\"" }
        return audioPart(bytes, mediaType, "the bytes")
    }

    /**
     * The sound in [file], read now.
     *
     * @throws UncheckedIOException if it cannot be read
     * @throws IllegalArgumentException if it is no sound
     */
    public fun audio(file: Path): UserMessageBuilder =
        audioPart(read(file, "audio file"), mediaTypeOfName(file.fileName.toString())?.takeIf { it.startsWith("audio/") }, file.toString())

    private fun audioPart(bytes: ByteArray, otherwise: String?, subject: String): UserMessageBuilder {
        requireContent(bytes, subject)
        val found = mediaTypeOf(bytes)
        val mayBeSound = found == null || found == "video/mp4" || found == "video/webm"
        val type = found?.takeIf { it.startsWith("audio/") } ?: otherwise.takeIf { mayBeSound }
        require(type != null) {
            "$subject: this is not a sound of a known type${seenAs(found)}. If it is one, name its type, as in audio(bytes, \"audio/aac\")"
        }
        return apply { parts += Part.File(dataUrl(type, bytes), type) }
    }

    @JvmSynthetic
    internal fun build(): Message = Message(Role.USER, parts.filterNot { it is Part.Text && it.text.isEmpty() }.ifEmpty { parts.take(1) })

    private companion object {
        val SCHEMES = listOf("https://", "http://", "gs://", "s3://")

        fun isRemote(url: String) = SCHEMES.any { url.startsWith(it) }

        fun typeOfDataUrl(url: String): String = url.substring("data:".length).substringBefore(',').substringBefore(';').ifEmpty { "text/plain" }
    }
}
