package dev.unifiedllm.chat

/** The formats in which models return images. */
internal enum class ImageFormat(val mediaType: String, val extension: String) {
    PNG("image/png", "png"),
    JPEG("image/jpeg", "jpg"),
    WEBP("image/webp", "webp"),
    GIF("image/gif", "gif"),
    BMP("image/bmp", "bmp"),
    AVIF("image/avif", "avif"),
    SVG("image/svg+xml", "svg"),
    ;

    companion object {
        /** The format of a file with this content; null if it is none of these. */
        fun of(bytes: ByteArray): ImageFormat? = mediaTypeOf(bytes)?.let(::ofMediaType)

        fun ofMediaType(mediaType: String): ImageFormat? = entries.firstOrNull { it.mediaType == mediaType }

        /** The format that the ending of the file [name] means; null if it means none. */
        fun ofName(name: String): ImageFormat? = mediaTypeOfName(name)?.let(::ofMediaType)
    }
}
