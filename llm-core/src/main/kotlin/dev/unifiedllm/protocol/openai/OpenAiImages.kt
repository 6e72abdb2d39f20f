package dev.unifiedllm.protocol.openai

import dev.unifiedllm.chat.ImageRequest
import dev.unifiedllm.protocol.Codec
import dev.unifiedllm.protocol.Decoder
import dev.unifiedllm.protocol.Multipart
import dev.unifiedllm.protocol.aspectRatio
import dev.unifiedllm.protocol.headers
import dev.unifiedllm.protocol.inlineMask
import dev.unifiedllm.protocol.inlineSources
import dev.unifiedllm.protocol.pixels
import dev.unifiedllm.protocol.toUtf8
import dev.unifiedllm.protocol.unsupportedImage
import dev.unifiedllm.protocol.warnUnsupported
import dev.unifiedllm.protocol.withOptions
import dev.unifiedllm.protocol.withQuery
import dev.unifiedllm.protocol.withoutRefused
import dev.unifiedllm.provider.ImageForm
import dev.unifiedllm.provider.Target
import dev.unifiedllm.provider.rule
import dev.unifiedllm.transport.TransportRequest
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonObjectBuilder
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.addJsonObject
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.contentOrNull
import kotlinx.serialization.json.put
import kotlinx.serialization.json.putJsonArray
import kotlinx.serialization.json.putJsonObject

/**
 * `POST …/images/generations` and `…/images/edits`, as OpenAI documents them (platform.openai.com/docs/api-reference/images, read 2026-11-21) and other
 * providers serve them: xAI (docs.x.ai/docs/guides/image-generations), Together (docs.together.ai/reference/post-images-generations), Azure.
 *
 * The model decides whether an image comes as a URL, which may expire after an hour, or as base64: some models refuse `response_format`.
 */
internal object OpenAiImages : Codec<ImageRequest> {
    const val PATH: String = "/images/generations"
    const val EDITS_PATH: String = "/images/edits"

    override fun encode(request: ImageRequest, target: Target, warnings: MutableList<String>): TransportRequest {
        val form = target.imageForm
        if (form == ImageForm.WORKFLOW || form == ImageForm.ARTIFACTS) return ModelPathImages.encode(request, target, warnings)
        val fields = withoutRefused(buildJsonObject { fields(request, target, form, warnings) }, target, warnings)
        val streamed = if ("partial_images" in fields) JsonObject(fields + ("stream" to JsonPrimitive(true))) else fields
        val body = withOptions(streamed, request.providerOptions, emptySet())
        val accept = if (isStreamed(body)) "text/event-stream" else "application/json"
        if (request.sources.isNotEmpty() && form == ImageForm.SIZE) return form(request, target, body, accept)
        val path = if (request.sources.isNotEmpty() && form == ImageForm.ASPECT_RATIO) EDITS_PATH else PATH
        return TransportRequest(withQuery(target.baseUrl + path, target.query), headers(target, accept), body.toUtf8())
    }

    private fun JsonObjectBuilder.fields(request: ImageRequest, target: Target, form: ImageForm, warnings: MutableList<String>) {
        val rule = target.provider.quirks.rule(target.name)
        put("model", target.name)
        put("prompt", request.prompt)
        request.n?.takeUnless { it == 1 && rule?.refuses.orEmpty().contains("n") }?.let { put("n", it) }
        when (form) {
            ImageForm.ASPECT_RATIO -> aspectRatio(request, "${target.id}", RATIOS, warnings)?.let { put("aspect_ratio", it) }
            ImageForm.WIDTH_AND_HEIGHT -> pixels(request, "${target.id}", warnings)?.let {
                put("width", it.width)
                put("height", it.height)
            }
            else -> request.size?.let { put("size", it) }
        }
        request.quality?.let { put("quality", it) }
        request.style?.let { put("style", it) }
        request.seed?.let { put("seed", it) }
        request.negativePrompt?.let { put("negative_prompt", it) }
        request.format?.let { put("output_format", it) }
        request.partialImages?.let { put("partial_images", it) }
        if (form == ImageForm.ASPECT_RATIO) sources(request, warnings)
        if (form == ImageForm.WIDTH_AND_HEIGHT && request.sources.isNotEmpty()) source(request, target, warnings)
    }

    /** xAI takes up to three images, each by its URL, which may be a `data:` URL. */
    private fun JsonObjectBuilder.sources(request: ImageRequest, warnings: MutableList<String>) {
        warnUnsupported("xAI", warnings, "mask" to (request.mask != null))
        if (request.sources.size == 1) {
            putJsonObject("image") { source(request.sources.single().url) }
        } else if (request.sources.isNotEmpty()) {
            putJsonArray("images") { request.sources.forEach { addJsonObject { source(it.url) } } }
        }
    }

    private fun JsonObjectBuilder.source(url: String) {
        put("url", url)
        put("type", "image_url")
    }

    private fun JsonObjectBuilder.source(request: ImageRequest, target: Target, warnings: MutableList<String>) {
        val source = request.sources.singleOrNull() ?: throw unsupportedImage(target, "it changes one image, and there are ${request.sources.size}.")
        put("image_url", source.url)
        warnUnsupported("${target.id}", warnings, "mask" to (request.mask != null))
    }

    /** An edit: the fields and the images as a form. */
    private fun form(request: ImageRequest, target: Target, body: JsonObject, accept: String): TransportRequest {
        val form = Multipart()
        for ((name, value) in body) form.field(name, (value as? JsonPrimitive)?.contentOrNull ?: value.toString())
        val sources = inlineSources(request, target, API)
        sources.forEach { form.file(if (sources.size == 1) "image" else "image[]", it) }
        inlineMask(request, target, API)?.let { form.file("mask", it) }
        return TransportRequest(withQuery(target.baseUrl + EDITS_PATH, target.query), headers(target, accept), form.bytes(), form.contentType)
    }

    /** True if images to change are sent by their URLs, or not at all. */
    fun takesUrls(target: Target): Boolean = target.imageForm != ImageForm.SIZE

    override fun decoder(target: Target): Decoder = OpenAiImagesDecoder(target, 1)

    override fun decoder(request: ImageRequest, target: Target): Decoder {
        val form = target.imageForm
        return if (form == ImageForm.WORKFLOW || form == ImageForm.ARTIFACTS) ModelPathImages.decoder(target) else OpenAiImagesDecoder(target, request.n ?: 1)
    }

    private fun isStreamed(body: JsonObject): Boolean = (body["stream"] as? JsonPrimitive)?.contentOrNull == "true"

    private const val API = "the form of an image edit"

    /** Those of xAI. */
    private val RATIOS = listOf("1:1", "16:9", "9:16", "4:3", "3:4", "3:2", "2:3", "2:1", "1:2", "20:9", "9:20")
}

/** How the model is asked for images. */
private val Target.imageForm: ImageForm get() = provider.quirks.rule(name)?.images ?: ImageForm.SIZE
