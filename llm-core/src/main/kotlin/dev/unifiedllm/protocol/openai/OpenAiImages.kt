package dev.unifiedllm.protocol.openai

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ImageRequest
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.protocol.ANY_IMAGE
import dev.unifiedllm.protocol.Codec
import dev.unifiedllm.protocol.Decoder
import dev.unifiedllm.protocol.encode
import dev.unifiedllm.protocol.imageTypeOf
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
 * `POST …/images/generations`, as OpenAI documents it (platform.openai.com/docs/api-reference/images, read 2026-11-21) and other providers serve it.
 *
 * The model decides whether an image comes as a URL, which may expire after an hour, or as base64: some models refuse `response_format`.
 */
internal object OpenAiImages : Codec<ImageRequest> {
    const val PATH: String = "/images/generations"

    override fun encode(request: ImageRequest, target: Target, warnings: MutableList<String>): TransportRequest {
        val body = buildJsonObject {
            put("model", target.name)
            put("prompt", request.prompt)
            request.count?.let { put("n", it) }
            request.size?.let { put("size", it) }
            request.quality?.let { put("quality", it) }
        }
        return post(target, PATH, withoutRefused(body, target, warnings))
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
        json.members(Element) { member ->
            when (member) {
                Element.URL -> url = json.stringOrNull()?.ifEmpty { null }
                Element.B64_JSON -> base64 = json.stringOrNull()?.ifEmpty { null }
                Element.MIME_TYPE -> type = json.stringOrNull()?.ifEmpty { null }
                Element.REVISED_PROMPT -> prompt = json.stringOrNull()?.ifEmpty { null }
            }
        }
        if (url == null && base64 == null) throw malformed("element $position of its list has no image")
        images += Image(url, base64, type, prompt)
    }

    override fun content(format: String?): List<Delta> =
        images.mapNotNull { it.prompt }.distinct().map { Delta.Warning("the provider changed the prompt: $it") } + images.map { media(it, format) }

    private fun media(image: Image, format: String?): Delta.Media {
        val statedType = image.type ?: format?.let { "image/$it" }
        val data = image.base64
        if (data == null) return image.url!!.let { url -> Delta.Media(statedType ?: typeOfUrl(url) ?: ANY_IMAGE, url) }
        val type = statedType ?: imageTypeOf(data) ?: ANY_IMAGE
        return Delta.Media(type, "data:$type;base64,$data")
    }

    /** The type that the file extension of [url] means, or that a data: URL states; null if neither is known. */
    private fun typeOfUrl(url: String): String? {
        if (url.startsWith("data:")) return url.substring("data:".length).substringBefore(',').substringBefore(';').ifEmpty { null }
        return EXTENSIONS[url.substringBefore('?').substringBefore('#').substringAfterLast('/').substringAfterLast('.', "").lowercase()]
    }

    /** Most models report no tokens, which is no reason for a warning. All output tokens are image tokens, unless the model reports these. */
    override fun usage(reported: OpenAiUsage, out: MutableList<Delta>): Usage? {
        val all = reported.usage() ?: return null
        return Usage.build {
            inputTokens = all.inputTokens
            outputTokens = all.outputTokens
            cacheReadTokens = all.cacheReadTokens
            imageTokens = all.imageTokens ?: all.outputTokens
        }
    }

    private companion object {
        val EXTENSIONS = mapOf(
            "png" to "image/png",
            "jpg" to "image/jpeg",
            "jpeg" to "image/jpeg",
            "webp" to "image/webp",
            "gif" to "image/gif",
            "svg" to "image/svg+xml",
        )
    }

    private object Element : JsonNames("url", "b64_json", "mime_type", "revised_prompt") {
        const val URL = 0
        const val B64_JSON = 1
        const val MIME_TYPE = 2
        const val REVISED_PROMPT = 3
    }
}
