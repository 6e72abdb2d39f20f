package dev.unifiedllm.protocol.gemini

import dev.unifiedllm.chat.ImageRequest
import dev.unifiedllm.protocol.Codec
import dev.unifiedllm.protocol.DataUrl
import dev.unifiedllm.protocol.Decoder
import dev.unifiedllm.protocol.ImageObjectDecoder
import dev.unifiedllm.protocol.aspectRatio
import dev.unifiedllm.protocol.headers
import dev.unifiedllm.protocol.inlineMask
import dev.unifiedllm.protocol.inlineSources
import dev.unifiedllm.protocol.toUtf8
import dev.unifiedllm.protocol.unsupportedImage
import dev.unifiedllm.protocol.warnUnsupported
import dev.unifiedllm.protocol.withOptions
import dev.unifiedllm.protocol.withQuery
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.TransportRequest
import kotlinx.serialization.json.JsonArrayBuilder
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonObjectBuilder
import kotlinx.serialization.json.add
import kotlinx.serialization.json.addJsonObject
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put
import kotlinx.serialization.json.putJsonArray
import kotlinx.serialization.json.putJsonObject

/**
 * Images of Google's models: those of Gemini by `…:generateContent` (ai.google.dev/gemini-api/docs/image-generation), those of Imagen by `…:predict`
 * (ai.google.dev/gemini-api/docs/imagen, cloud.google.com/vertex-ai/generative-ai/docs/model-reference/imagen-api). Read 2026-11-26.
 *
 * @param url the URL of the model of a target
 */
internal class GoogleImages(private val isVertex: Boolean, private val url: (Target) -> String) : Codec<ImageRequest> {
    private val api = if (isVertex) "Vertex AI" else "the Gemini API"

    override fun encode(request: ImageRequest, target: Target, warnings: MutableList<String>): TransportRequest {
        val isImagen = target.isImagen
        val body = if (isImagen) predict(request, target, warnings) else generate(request, target, warnings)
        warnUnsupported(
            api,
            warnings,
            "style" to (request.style != null),
            "partialImages" to ((request.partialImages ?: 0) > 0),
        )
        val call = withQuery(url(target) + if (isImagen) ":predict" else ":generateContent", target.query)
        return TransportRequest(call, headers(target, "application/json"), withOptions(body, request.providerOptions, MERGED).toUtf8())
    }

    override fun decoder(target: Target): Decoder =
        if (target.isImagen) ImageObjectDecoder(target, isFilteredIfEmpty = true) else GeminiImagesDecoder(target, GeminiGenerateDecoder(target))

    private val Target.isImagen: Boolean get() = name.substringAfterLast('/').let { it.startsWith("imagen") || it.startsWith("imagegeneration") }

    private fun generate(request: ImageRequest, target: Target, warnings: MutableList<String>): JsonObject = buildJsonObject {
        putJsonArray("contents") {
            addJsonObject {
                put("role", "user")
                putJsonArray("parts") {
                    addJsonObject { put("text", request.prompt) }
                    inlineSources(request, target, api).forEach { inlineData(it) }
                }
            }
        }
        putJsonObject("generationConfig") {
            putJsonArray("responseModalities") {
                add("TEXT")
                add("IMAGE")
            }
            val image = buildJsonObject {
                aspectRatio(request, target.id.toString(), GEMINI_RATIOS, warnings)?.let { put("aspectRatio", it) }
                request.quality?.let { resolution(it, "imageSize", warnings) }
                request.format?.let { if (isVertex) putJsonObject("imageOutputOptions") { put("mimeType", "image/$it") } }
            }
            if (image.isNotEmpty()) put("imageConfig", image)
            request.seed?.let { put("seed", it) }
        }
        warnUnsupported(
            "Gemini",
            warnings,
            "n" to ((request.n ?: 1) > 1),
            "negativePrompt" to (request.negativePrompt != null),
            "mask" to (request.mask != null),
            hint = "say it in the prompt",
        )
        warnUnsupported(api, warnings, "format" to (request.format != null && !isVertex))
    }

    private fun JsonArrayBuilder.inlineData(image: DataUrl) {
        addJsonObject {
            putJsonObject("inlineData") {
                put("mimeType", image.mediaType)
                put("data", image.base64)
            }
        }
    }

    private fun predict(request: ImageRequest, target: Target, warnings: MutableList<String>): JsonObject = buildJsonObject {
        putJsonArray("instances") {
            addJsonObject {
                put("prompt", request.prompt)
                if (request.sources.isNotEmpty()) references(request, target)
            }
        }
        putJsonObject("parameters") {
            put("sampleCount", request.n ?: 1)
            aspectRatio(request, target.id.toString(), IMAGEN_RATIOS, warnings)?.let { put("aspectRatio", it) }
            request.quality?.let { resolution(it, "sampleImageSize", warnings) }
            request.format?.let { putJsonObject("outputOptions") { put("mimeType", "image/$it") } }
            put("includeRaiReason", true)
            if (request.mask != null) put("editMode", "EDIT_MODE_INPAINT_INSERTION")
            if (isVertex) {
                request.negativePrompt?.let { put("negativePrompt", it) }
                request.seed?.let {
                    put("seed", it)
                    put("addWatermark", false)
                    warnings += "the watermark was turned off: Imagen takes a seed only without it"
                }
            }
        }
        if (!isVertex) warnUnsupported(api, warnings, "seed" to (request.seed != null), "negativePrompt" to (request.negativePrompt != null))
    }

    /** The images of an edit, as references with numbers. */
    private fun JsonObjectBuilder.references(request: ImageRequest, target: Target) {
        if (!isVertex) throw unsupportedImage(target, "Imagen changes images at Vertex AI only. Use a Gemini model with images, or vertex_ai/${target.name}.")
        putJsonArray("referenceImages") {
            inlineSources(request, target, api).forEachIndexed { index, image -> reference(index + 1, "REFERENCE_TYPE_RAW", image) }
            inlineMask(request, target, api)?.let { mask ->
                reference(request.sources.size + 1, "REFERENCE_TYPE_MASK", mask) {
                    putJsonObject("maskImageConfig") { put("maskMode", "MASK_MODE_USER_PROVIDED") }
                }
            }
        }
    }

    private fun JsonArrayBuilder.reference(id: Int, type: String, image: DataUrl, more: JsonObjectBuilder.() -> Unit = {}) {
        addJsonObject {
            put("referenceType", type)
            put("referenceId", id)
            putJsonObject("referenceImage") { put("bytesBase64Encoded", image.base64) }
            more()
        }
    }

    /** Google's quality is a resolution. Another word is left out with a warning. */
    private fun JsonObjectBuilder.resolution(quality: String, field: String, warnings: MutableList<String>) {
        if (RESOLUTION.matches(quality)) {
            put(field, quality.replace('k', 'K'))
        } else {
            warnings += "quality $quality was left out: $api takes a resolution, as in 2K"
        }
    }

    private companion object {
        val MERGED = setOf("generationConfig", "parameters")
        val RESOLUTION = Regex("0\\.5[kK]|512(px)?|[124][kK]")
        val IMAGEN_RATIOS = listOf("1:1", "3:4", "4:3", "9:16", "16:9")
        val GEMINI_RATIOS = IMAGEN_RATIOS + listOf("2:3", "3:2", "4:5", "5:4", "21:9")
    }
}
