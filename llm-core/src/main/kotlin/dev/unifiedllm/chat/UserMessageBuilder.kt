package dev.unifiedllm.chat

import dev.unifiedllm.InternalLlmApi
import dev.unifiedllm.LlmDsl
import java.io.IOException
import java.io.UncheckedIOException
import java.nio.file.Files
import java.nio.file.Path
import java.util.Base64

/** Adds images to a user's text. */
@LlmDsl
public class UserMessageBuilder @InternalLlmApi constructor(text: String) {
    private val parts: MutableList<Part> = mutableListOf(Part.Text(text))

    /** An image at an http(s) URL, which the provider fetches itself, or a data: URL. */
    public fun image(url: String): UserMessageBuilder {
        require(url.startsWith("https://") || url.startsWith("http://") || url.startsWith("data:image/")) {
            "an image is named by an http(s) or data:image URL; for a file use image(Path.of(\"…\"))"
        }
        return apply { parts += Part.Image(url) }
    }

    /** The bytes of an image of type [mediaType], as in `image/png`; sent within the request. */
    public fun image(bytes: ByteArray, mediaType: String): UserMessageBuilder {
        require(mediaType.startsWith("image/")) { "the type of an image is as in image/png, not \"$mediaType\"" }
        return image("data:$mediaType;base64,${Base64.getEncoder().encodeToString(bytes)}")
    }

    /**
     * The image in [file], read now. Its name must end as images do: .png, .jpg, .jpeg, .gif, .webp.
     *
     * @throws UncheckedIOException if it cannot be read
     */
    public fun image(file: Path): UserMessageBuilder {
        val ending = file.fileName.toString().substringAfterLast('.', "").lowercase()
        val type = requireNotNull(TYPES[ending]) { "$file does not end as images do: ${TYPES.keys.joinToString { ".$it" }}" }
        val bytes = try {
            Files.readAllBytes(file)
        } catch (failure: IOException) {
            throw UncheckedIOException("The image $file cannot be read (${failure.javaClass.simpleName}).", failure)
        }
        return image(bytes, type)
    }

    /** A document at an http(s) URL, which the provider fetches itself. */
    @JvmOverloads
    public fun file(url: String, mediaType: String, name: String? = null): UserMessageBuilder {
        require(url.startsWith("https://") || url.startsWith("http://") || url.startsWith("data:")) { "a document is named by an http(s) or data URL" }
        return apply { parts += Part.File(url, mediaType, name) }
    }

    /** The bytes of a document of type [mediaType], as in `application/pdf`; sent within the request. */
    @JvmOverloads
    public fun file(bytes: ByteArray, mediaType: String, name: String? = null): UserMessageBuilder =
        file("data:$mediaType;base64,${Base64.getEncoder().encodeToString(bytes)}", mediaType, name)

    @JvmSynthetic
    internal fun build(): Message = Message(Role.USER, parts.toList())

    private companion object {
        val TYPES = mapOf("png" to "image/png", "jpg" to "image/jpeg", "jpeg" to "image/jpeg", "gif" to "image/gif", "webp" to "image/webp")
    }
}
