package dev.unifiedllm.protocol.openai

import dev.unifiedllm.chat.ImageRequest
import dev.unifiedllm.protocol.Codec
import dev.unifiedllm.protocol.Decoder
import dev.unifiedllm.protocol.ImageObjectDecoder
import dev.unifiedllm.protocol.aspectRatio
import dev.unifiedllm.protocol.encode
import dev.unifiedllm.protocol.headers
import dev.unifiedllm.protocol.pixels
import dev.unifiedllm.protocol.unsupportedImage
import dev.unifiedllm.protocol.warnUnsupported
import dev.unifiedllm.protocol.withOptions
import dev.unifiedllm.protocol.withQuery
import dev.unifiedllm.provider.ImageForm
import dev.unifiedllm.provider.Target
import dev.unifiedllm.provider.rule
import dev.unifiedllm.transport.TransportRequest
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put

/**
 * Images of providers with a path for each model, as Fireworks serves them beside OpenAI's wire: `…/workflows/{model}/text_to_image` and
 * `…/image_generation/{model}` (docs.fireworks.ai/api-reference/generate-a-new-image-from-a-text-prompt; checked on 2026-11-26 by public callers of it,
 * not by the page).
 */
internal object ModelPathImages : Codec<ImageRequest> {
    override fun encode(request: ImageRequest, target: Target, warnings: MutableList<String>): TransportRequest {
        if (request.sources.isNotEmpty()) throw unsupportedImage(target, "it makes new images only. Choose a model that changes images.")
        val isWorkflow = target.provider.quirks.rule(target.name)?.images == ImageForm.WORKFLOW
        val api = "${target.id}"
        val body = buildJsonObject {
            put("prompt", request.prompt)
            request.negativePrompt?.let { if (isWorkflow) warnUnsupported(api, warnings, "negativePrompt" to true) else put("negative_prompt", it) }
            request.seed?.let { put("seed", it) }
            if (isWorkflow) {
                aspectRatio(request, api, RATIOS, warnings)?.let { put("aspect_ratio", it) }
                warnUnsupported(api, warnings, "n" to ((request.n ?: 1) > 1))
            } else {
                pixels(request, api, warnings)?.let {
                    put("width", it.width)
                    put("height", it.height)
                }
                request.n?.let { put("samples", it) }
            }
        }
        warnUnsupported(
            api,
            warnings,
            "quality" to (request.quality != null),
            "style" to (request.style != null),
            "format" to (request.format != null),
            "partialImages" to ((request.partialImages ?: 0) > 0),
            hint = "if the model has one, set it by providerOptions { put(…) }",
        )
        val model = target.name.split('/').joinToString("/", transform = ::encode)
        val path = if (isWorkflow) "/workflows/$model/text_to_image" else "/image_generation/$model"
        val bytes = withOptions(body, request.providerOptions, emptySet()).toString().encodeToByteArray()
        return TransportRequest(withQuery(target.baseUrl + path, target.query), headers(target, "application/json"), bytes)
    }

    override fun decoder(target: Target): Decoder = ImageObjectDecoder(target)

    /** Those of FLUX. */
    private val RATIOS = listOf("1:1", "16:9", "9:16", "21:9", "9:21", "3:2", "2:3", "4:5", "5:4", "4:3", "3:4")
}
