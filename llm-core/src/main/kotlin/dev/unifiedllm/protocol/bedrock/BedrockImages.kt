package dev.unifiedllm.protocol.bedrock

import dev.unifiedllm.chat.ImageRequest
import dev.unifiedllm.protocol.Codec
import dev.unifiedllm.protocol.Decoder
import dev.unifiedllm.protocol.ImageObjectDecoder
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
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.TransportRequest
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonObjectBuilder
import kotlinx.serialization.json.add
import kotlinx.serialization.json.addJsonObject
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put
import kotlinx.serialization.json.putJsonArray
import kotlinx.serialization.json.putJsonObject

/**
 * Images of Amazon Bedrock: `POST /model/{id}/invoke`, in the form of the model's maker. Titan and Nova Canvas
 * (docs.aws.amazon.com/nova/latest/userguide/image-gen-access.html), Stability's SDXL and its newer models
 * (docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-stability-diffusion.html). Read 2026-11-26.
 */
internal object BedrockImages : Codec<ImageRequest> {
    override fun encode(request: ImageRequest, target: Target, warnings: MutableList<String>): TransportRequest {
        val name = target.name.lowercase()
        val body = when {
            "amazon.titan-image" in name || "amazon.nova-canvas" in name -> AmazonImage(request, target, warnings, isNova = "nova" in name).json()
            "stability.stable-diffusion-xl" in name -> sdxl(request, target, warnings)
            "stability." in name -> stability(request, target, warnings)
            else -> throw unsupportedImage(target, "Bedrock makes images with amazon.titan-image…, amazon.nova-canvas… and stability.… models.")
        }
        warnUnsupported(API, warnings, "partialImages" to ((request.partialImages ?: 0) > 0))
        val url = withQuery("${target.baseUrl}/model/${encode(target.name)}/invoke", target.query)
        return TransportRequest(url, headers(target, "application/json"), withOptions(body, request.providerOptions, MERGED).toUtf8())
    }

    override fun decoder(target: Target): Decoder = ImageObjectDecoder(target)

    private fun sdxl(request: ImageRequest, target: Target, warnings: MutableList<String>): JsonObject = buildJsonObject {
        putJsonArray("text_prompts") {
            addJsonObject { put("text", request.prompt) }
            request.negativePrompt?.let {
                addJsonObject {
                    put("text", it)
                    put("weight", -1)
                }
            }
        }
        pixels(request, API, warnings)?.let {
            if (request.sources.isEmpty()) {
                put("width", it.width)
                put("height", it.height)
            } else {
                warnings += "size was left out: the result of an edit has the size of its image"
            }
        }
        request.n?.let { put("samples", it) }
        request.style?.let { put("style_preset", it) }
        request.seed?.let { put("seed", it) }
        source(request, target)?.let { put("init_image", it) }
        inlineMask(request, target, API)?.let {
            put("mask_source", "MASK_IMAGE_WHITE")
            put("mask_image", it.base64)
        }
        warnUnsupported(API, warnings, "quality" to (request.quality != null), "format" to (request.format != null))
    }

    private fun stability(request: ImageRequest, target: Target, warnings: MutableList<String>): JsonObject = buildJsonObject {
        put("prompt", request.prompt)
        request.negativePrompt?.let { put("negative_prompt", it) }
        request.seed?.let { put("seed", it) }
        request.format?.let { put("output_format", it) }
        request.style?.let { put("style_preset", it) }
        val source = source(request, target)
        if (source == null) {
            aspectRatio(request, target.id.toString(), STABILITY_RATIOS, warnings)?.let { put("aspect_ratio", it) }
        } else {
            put("image", source)
            if (SD3.containsMatchIn(target.name)) {
                put("mode", "image-to-image")
                put("strength", STRENGTH)
            }
            inlineMask(request, target, API)?.let { put("mask", it.base64) }
            warnUnsupported(API, warnings, "size" to (request.size != null))
        }
        warnUnsupported(API, warnings, "quality" to (request.quality != null), "n" to ((request.n ?: 1) > 1))
    }

    private fun source(request: ImageRequest, target: Target): String? {
        if (request.sources.size > 1) throw unsupportedImage(target, "it changes one image, and there are ${request.sources.size}.")
        return inlineSources(request, target, API).singleOrNull()?.base64
    }

    private const val API = "this model on Bedrock"
    private val MERGED = setOf("imageGenerationConfig", "textToImageParams", "inPaintingParams", "imageVariationParams")
    private val SD3 = Regex("stability\\.(sd3|stable-image-(core|ultra))")
    private val STABILITY_RATIOS = listOf("1:1", "16:9", "9:16", "21:9", "9:21", "2:3", "3:2", "4:5", "5:4")

    /** How far the result may be from the image that is changed, from 0 to 1; required with one. */
    private const val STRENGTH = 0.7
}

/** The body for Titan and Nova Canvas: a task with its parameters. */
private class AmazonImage(
    private val request: ImageRequest,
    private val target: Target,
    private val warnings: MutableList<String>,
    private val isNova: Boolean,
) {
    private val api = if (isNova) "Nova Canvas" else "Titan"

    fun json(): JsonObject = buildJsonObject {
        val sources = inlineSources(request, target, api)
        val mask = inlineMask(request, target, api)
        if (mask != null && sources.size > 1) throw unsupportedImage(target, "a mask belongs to one image, and there are ${sources.size}.")
        when {
            mask != null -> task("INPAINTING", "inPaintingParams") {
                put("image", sources.single().base64)
                put("maskImage", mask.base64)
            }
            sources.isNotEmpty() -> task("IMAGE_VARIATION", "imageVariationParams") { putJsonArray("images") { sources.forEach { add(it.base64) } } }
            else -> task("TEXT_IMAGE", "textToImageParams") { if (isNova) request.style?.let { put("style", it) } }
        }
        val config = buildJsonObject {
            request.n?.let { put("numberOfImages", it) }
            request.quality?.let { put("quality", it) }
            pixels(request, api, warnings)?.takeIf { mask == null }?.let {
                put("width", it.width)
                put("height", it.height)
            }
            request.seed?.let { put("seed", it) }
        }
        if (config.isNotEmpty()) put("imageGenerationConfig", config)
        warnUnsupported(
            api,
            warnings,
            "style" to (request.style != null && (!isNova || sources.isNotEmpty())),
            "size" to (request.size != null && mask != null),
            "format" to (request.format != null),
        )
    }

    private fun JsonObjectBuilder.task(type: String, field: String, more: JsonObjectBuilder.() -> Unit) {
        put("taskType", type)
        putJsonObject(field) {
            put("text", request.prompt)
            request.negativePrompt?.let { put("negativeText", it) }
            more()
        }
    }
}
