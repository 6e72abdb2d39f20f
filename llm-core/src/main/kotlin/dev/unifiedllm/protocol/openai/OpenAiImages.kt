package dev.unifiedllm.protocol.openai

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ImageRequest
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.protocol.Codec
import dev.unifiedllm.protocol.Decoder
import dev.unifiedllm.protocol.encode
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.members
import dev.unifiedllm.protocol.json.tokens
import dev.unifiedllm.protocol.malformed
import dev.unifiedllm.protocol.withoutRefused
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.TransportRequest
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put

/**
 * `POST …/images/generations`, as OpenAI documents it (platform.openai.com/docs/api-reference/images, read 2026-11-21) and others speak it.
 *
 * Whether an image comes as a URL, which may be gone after an hour, or as its bytes, is left to the model: `response_format` is refused by some.
 */
internal object OpenAiImages : Codec<ImageRequest> {
    override fun encode(request: ImageRequest, target: Target, warnings: MutableList<String>): TransportRequest {
        val body = buildJsonObject {
            put("model", target.name)
            put("prompt", request.prompt)
            request.count?.let { put("n", it) }
            request.size?.let { put("size", it) }
            request.quality?.let { put("quality", it) }
        }
        return post(target, "/images/generations", withoutRefused(body, target, warnings))
    }

    override fun decoder(target: Target): Decoder = OpenAiImagesDecoder(target)
}

private class OpenAiImagesDecoder(target: Target) : OpenAiListDecoder(target) {
    private val images = mutableListOf<Image>()

    private class Image(val url: String?, val base64: String?, val type: String?, val prompt: String?)

    override fun element(position: Int) {
        var url: String? = null
        var base64: String? = null
        var type: String? = null
        var prompt: String? = null
        json.members(ELEMENT) { member ->
            when (member) {
                0 -> url = json.stringOrNull()?.ifEmpty { null }
                1 -> base64 = json.stringOrNull()?.ifEmpty { null }
                2 -> type = json.stringOrNull()?.ifEmpty { null }
                3 -> prompt = json.stringOrNull()?.ifEmpty { null }
            }
        }
        if (url == null && base64 == null) throw malformed("element $position of its list has no image")
        images += Image(url, base64, type, prompt)
    }

    override fun content(format: String?): List<Delta> =
        images.mapNotNull { it.prompt }.distinct().map { Delta.Warning("the provider changed the prompt: $it") } + images.map { media(it, format) }

    private fun media(image: Image, format: String?): Delta.Media {
        val stated = image.type ?: format?.let { "image/$it" }
        val data = image.base64
        if (data == null) return image.url!!.let { url -> Delta.Media(stated ?: typeOfUrl(url) ?: ANY, url) }
        val type = stated ?: BEGINNINGS.entries.firstOrNull { data.startsWith(it.key) }?.value ?: ANY
        return Delta.Media(type, "data:$type;base64,$data")
    }

    /** By the ending of its path, or what a data: URL says. */
    private fun typeOfUrl(url: String): String? {
        if (url.startsWith("data:")) return url.substring("data:".length).substringBefore(',').substringBefore(';').ifEmpty { null }
        return ENDINGS[url.substringBefore('?').substringBefore('#').substringAfterLast('/').substringAfterLast('.', "").lowercase()]
    }

    /** Most models count no tokens, which is nothing to warn of. What comes out of one is images, unless it tells them apart. */
    override fun usage(counted: OpenAiUsage, out: MutableList<Delta>): Usage? {
        val all = counted.usage() ?: return null
        return Usage.build {
            inputTokens = all.inputTokens
            outputTokens = all.outputTokens
            cacheReadTokens = all.cacheReadTokens
            imageTokens = all.imageTokens ?: all.outputTokens
        }
    }

    private companion object {
        /** An image whose type nobody states. */
        const val ANY = "image/*"
        val ELEMENT = JsonNames("url", "b64_json", "mime_type", "revised_prompt")
        val ENDINGS = mapOf(
            "png" to "image/png",
            "jpg" to "image/jpeg",
            "jpeg" to "image/jpeg",
            "webp" to "image/webp",
            "gif" to "image/gif",
            "svg" to "image/svg+xml",
        )

        /** The first bytes of files, in base64. */
        val BEGINNINGS = mapOf("iVBORw0KGgo" to "image/png", "/9j/" to "image/jpeg", "UklGR" to "image/webp", "R0lGOD" to "image/gif")
    }
}
