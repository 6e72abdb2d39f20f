package dev.unifiedllm.protocol.stability

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ImageRequest
import dev.unifiedllm.protocol.Codec
import dev.unifiedllm.protocol.Decoder
import dev.unifiedllm.protocol.ImageObjectDecoder
import dev.unifiedllm.protocol.Multipart
import dev.unifiedllm.protocol.Protocol
import dev.unifiedllm.protocol.aspectRatio
import dev.unifiedllm.protocol.encode
import dev.unifiedllm.protocol.headers
import dev.unifiedllm.protocol.inlineMask
import dev.unifiedllm.protocol.inlineSources
import dev.unifiedllm.protocol.pixels
import dev.unifiedllm.protocol.toUtf8
import dev.unifiedllm.protocol.unsupportedImage
import dev.unifiedllm.protocol.warnUnsupported
import dev.unifiedllm.protocol.withOptions
import dev.unifiedllm.protocol.withQuery
import dev.unifiedllm.provider.Provider
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.TransportRequest
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.addJsonObject
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.contentOrNull
import kotlinx.serialization.json.put
import kotlinx.serialization.json.putJsonArray

/**
 * Stability AI's own API (platform.stability.ai/docs/api-reference; checked on 2026-11-26 by public callers of it, not by the page). It makes images only:
 * `POST /v2beta/stable-image/{generate|edit|control|upscale}/{service}` with a form, and `POST /v1/generation/{engine}/…` for SDXL.
 */
internal object StabilityImages : Protocol {
    override val name: String = "stability-image"

    override val customServerAuth: Provider.Auth get() = Provider.Auth.BEARER

    override fun encode(request: ChatRequest, target: Target, warnings: MutableList<String>): TransportRequest = throw noChat(target)

    override fun decoder(target: Target): Decoder = throw noChat(target)

    override val images: Codec<ImageRequest> get() = StabilityCodec

    private fun noChat(target: Target) = LlmException.InvalidRequest(
        "${target.id} makes images and does not chat: use image(\"${target.id}\") { … }.",
        LlmException.InvalidRequest.Kind.UNSUPPORTED,
        details = LlmException.Details(target.id),
    )
}

private object StabilityCodec : Codec<ImageRequest> {
    override fun encode(request: ImageRequest, target: Target, warnings: MutableList<String>): TransportRequest {
        if (request.sources.size > 1) throw unsupportedImage(target, "it changes one image, and there are ${request.sources.size}.")
        warnUnsupported(API, warnings, "quality" to (request.quality != null), "partialImages" to ((request.partialImages ?: 0) > 0))
        return if (ENGINE.containsMatchIn(target.name)) engine(request, target, warnings) else service(request, target, warnings)
    }

    override fun decoder(target: Target): Decoder = ImageObjectDecoder(target)

    /** A service of v2beta. Those that generate differ in what they take; the others take an image. */
    private fun service(request: ImageRequest, target: Target, warnings: MutableList<String>): TransportRequest {
        val service = target.name.removePrefix("stable-image-")
        val group = GROUPS.entries.firstOrNull { service in it.value }?.key
        val path = when {
            group != null -> "$group/$service"
            service.startsWith("sd3") -> "generate/sd3"
            else -> "generate/${encode(service)}"
        }
        val takesImage = group != null || service.startsWith("sd3") || service == "ultra"
        if (!takesImage && request.sources.isNotEmpty()) throw unsupportedImage(target, "it makes new images only. Use ultra, sd3.5-large or inpaint.")
        if (group == null && request.mask != null) throw unsupportedImage(target, "it takes no mask. Use stability/inpaint.")
        if (group != null && request.sources.isEmpty()) throw unsupportedImage(target, "it changes an image: add one with image(…).")
        val source = inlineSources(request, target, API).singleOrNull()
        val fields = buildJsonObject {
            put("prompt", request.prompt)
            if (group == null && service.startsWith("sd3") && service != "sd3") put("model", service)
            if (source == null) {
                aspectRatio(request, API, RATIOS, warnings)?.let { put("aspect_ratio", it) }
            } else if (group == null) {
                if (service.startsWith("sd3")) put("mode", "image-to-image")
                put("strength", STRENGTH)
            }
            request.negativePrompt?.let { put("negative_prompt", it) }
            request.seed?.let { put("seed", it) }
            request.style?.let { put("style_preset", it) }
            request.format?.let { put("output_format", it) }
        }
        warnUnsupported(API, warnings, "n" to ((request.n ?: 1) > 1), "size" to (request.size != null && source != null))
        val form = form(withOptions(fields, request.providerOptions, emptySet()))
        source?.let { form.file("image", it) }
        inlineMask(request, target, API)?.let { form.file("mask", it) }
        return request(target, "/v2beta/stable-image/$path", form.bytes(), form.contentType)
    }

    /** An engine of v1: JSON for a new image, a form for an image that is changed. */
    private fun engine(request: ImageRequest, target: Target, warnings: MutableList<String>): TransportRequest {
        val pixels = pixels(request, API, warnings)
        warnUnsupported(API, warnings, "format" to (request.format != null), "size" to (pixels != null && request.sources.isNotEmpty()))
        val path = "/v1/generation/${encode(target.name)}/"
        val settings = buildJsonObject {
            request.n?.let { put("samples", it) }
            request.seed?.let { put("seed", it) }
            request.style?.let { put("style_preset", it) }
        }
        if (request.sources.isEmpty()) {
            val body = buildJsonObject {
                putJsonArray("text_prompts") {
                    addJsonObject { put("text", request.prompt) }
                    request.negativePrompt?.let {
                        addJsonObject {
                            put("text", it)
                            put("weight", -1)
                        }
                    }
                }
                pixels?.let {
                    put("width", it.width)
                    put("height", it.height)
                }
            }
            val bytes = withOptions(JsonObject(body + settings), request.providerOptions, emptySet()).toUtf8()
            return request(target, path + "text-to-image", bytes, "application/json")
        }
        val form = Multipart().field("text_prompts[0][text]", request.prompt).field("text_prompts[0][weight]", "1")
        request.negativePrompt?.let { form.field("text_prompts[1][text]", it).field("text_prompts[1][weight]", "-1") }
        form(withOptions(settings, request.providerOptions, emptySet()), form)
        form.file("init_image", inlineSources(request, target, API).single())
        val mask = inlineMask(request, target, API)
        mask?.let { form.field("mask_source", "MASK_IMAGE_WHITE").file("mask_image", it) }
        return request(target, path + if (mask == null) "image-to-image" else "image-to-image/masking", form.bytes(), form.contentType)
    }

    private fun form(fields: JsonObject, form: Multipart = Multipart()): Multipart = form.also {
        for ((name, value) in fields) it.field(name, (value as? JsonPrimitive)?.contentOrNull ?: value.toString())
    }

    /** The base URL may end with the version of either API. */
    private fun request(target: Target, path: String, body: ByteArray, contentType: String): TransportRequest {
        val base = target.baseUrl.replace(VERSION, "")
        return TransportRequest(withQuery(base + path, target.query), headers(target, "application/json"), body, contentType)
    }

    private const val API = "Stability AI"
    private val VERSION = Regex("/v(1|2beta)$")
    private val ENGINE = Regex("^(stable-diffusion-(xl|v1|512|768)|sdxl)")
    private val RATIOS = listOf("1:1", "16:9", "9:16", "21:9", "9:21", "2:3", "3:2", "4:5", "5:4")
    private val GROUPS = mapOf(
        "edit" to setOf("inpaint", "outpaint", "erase", "search-and-replace", "search-and-recolor", "remove-background"),
        "control" to setOf("sketch", "structure", "style"),
        "upscale" to setOf("fast", "conservative"),
    )

    /** How far the result may be from the image that is changed, from 0 to 1; required with one. */
    private const val STRENGTH = 0.7
}
