package dev.unifiedllm.protocol.bedrock

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ImageRequest
import dev.unifiedllm.chat.ImageRequestBuilder
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.client
import dev.unifiedllm.transport.LoopbackRequest
import dev.unifiedllm.transport.LoopbackServer
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.types.shouldBeInstanceOf
import kotlinx.coroutines.flow.toList
import kotlinx.serialization.json.Json

private val GIF = "GIF89a-pixels".encodeToByteArray()
private const val GIF_DATA = "R0lGODlhLXBpeGVscw=="

private fun List<Delta>.warnings() = filterIsInstance<Delta.Warning>().map { it.message }

private fun List<Delta>.images() = filterIsInstance<Delta.Media>()

private fun List<Delta>.cost() = (last() as Delta.Finish).cost

private infix fun LoopbackRequest.hasBody(json: String) = Json.parseToJsonElement(body) shouldBe Json.parseToJsonElement(json)

private suspend fun ask(model: String, answer: String, status: Int = 200, block: ImageRequestBuilder.() -> Unit = {}): Pair<List<Delta>, LoopbackRequest> =
    LoopbackServer { whole(answer, status) }.use { server ->
        client("AWS_BEARER_TOKEN_BEDROCK" to "made-up", "AWS_REGION" to "us-east-1", "AWS_BEDROCK_RUNTIME_ENDPOINT" to server.url).use { llm ->
            val request = ImageRequest.build("bedrock/$model") {
                prompt = "a red train"
                block()
            }
            llm.image(request).events().toList() to server.requests.single()
        }
    }

private const val IMAGES = """{"images":["iVBORw0KGgoA"],"error":null}"""
private const val STABILITY = """{"seeds":[7],"finish_reasons":[null],"images":["iVBORw0KGgoA"]}"""
private const val ARTIFACTS = """{"result":"success","artifacts":[{"seed":7,"base64":"iVBORw0KGgoA","finishReason":"SUCCESS"}]}"""

class BedrockImagesSpec : FunSpec({
    test("Titan: a text becomes an image") {
        val (deltas, sent) = ask("amazon.titan-image-generator-v2:0", IMAGES) {
            negativePrompt = "people"
            n = 2
            size = "512x512"
            quality = "standard"
            seed = 7
        }
        sent.path shouldBe "/model/amazon.titan-image-generator-v2%3A0/invoke"
        sent hasBody """{"taskType":"TEXT_IMAGE","textToImageParams":{"text":"a red train","negativeText":"people"},
            "imageGenerationConfig":{"numberOfImages":2,"quality":"standard","width":512,"height":512,"seed":7}}"""
        deltas.images() shouldContainExactly listOf(Delta.Media("image/png", "data:image/png;base64,iVBORw0KGgoA"))
        deltas.cost().shouldBeInstanceOf<Cost.Known>().amount shouldBe Usd.of("0.008")
    }

    test("Nova Canvas: a style is a parameter; a mask makes it inpainting, an image alone a variation") {
        ask("amazon.nova-canvas-v1:0", IMAGES) { style = "SOFT_DIGITAL_PAINTING" }.second hasBody
            """{"taskType":"TEXT_IMAGE","textToImageParams":{"text":"a red train","style":"SOFT_DIGITAL_PAINTING"}}"""
        val inpainting = ask("amazon.nova-canvas-v1:0", IMAGES) {
            image(GIF)
            mask(GIF)
        }
        inpainting.second hasBody """{"taskType":"INPAINTING","inPaintingParams":{"text":"a red train","image":"$GIF_DATA","maskImage":"$GIF_DATA"}}"""
        ask("us.amazon.nova-canvas-v1:0", IMAGES) { image(GIF) }.second hasBody
            """{"taskType":"IMAGE_VARIATION","imageVariationParams":{"text":"a red train","images":["$GIF_DATA"]}}"""
    }

    test("Stability's newer models take a ratio, and an image to change with its strength") {
        ask("stability.stable-image-core-v1:1", STABILITY) {
            size = "16:9"
            seed = 7
            format = "png"
        }.second hasBody """{"prompt":"a red train","seed":7,"output_format":"png","aspect_ratio":"16:9"}"""
        val (deltas, sent) = ask("stability.sd3-5-large-v1:0", STABILITY) { image(GIF) }
        sent hasBody """{"prompt":"a red train","image":"$GIF_DATA","mode":"image-to-image","strength":0.7}"""
        deltas.cost().shouldBeInstanceOf<Cost.Known>().amount shouldBe Usd.of("0.08")
        ask("us.stability.stable-image-inpaint-v1:0", STABILITY) {
            image(GIF)
            mask(GIF)
        }.second hasBody """{"prompt":"a red train","image":"$GIF_DATA","mask":"$GIF_DATA"}"""
    }

    test("SDXL takes weighted prompts, and answers with artifacts") {
        val (deltas, sent) = ask("stability.stable-diffusion-xl-v1", ARTIFACTS) {
            negativePrompt = "people"
            size = "1024x1024"
            style = "anime"
            n = 1
            providerOptions { put("steps", 30) }
        }
        sent hasBody """{"text_prompts":[{"text":"a red train"},{"text":"people","weight":-1}],"width":1024,"height":1024,"samples":1,
            "style_preset":"anime","steps":30}"""
        deltas.images().single().mediaType shouldBe "image/png"
        deltas.cost().shouldBeInstanceOf<Cost.Unknown>()
    }

    test("a model that makes no images is refused before sending") {
        val failure = shouldThrow<LlmException.InvalidRequest> { ask("anthropic.claude-3-haiku-20240307-v1:0", IMAGES) }
        failure.kind shouldBe LlmException.InvalidRequest.Kind.UNSUPPORTED
    }

    test("what the filters stop is ContentFiltered, with an error status and within the response") {
        val refused = """{"message":"This request has been blocked by our content filters. Our filters automatically flagged this prompt."}"""
        shouldThrow<LlmException.ContentFiltered> { ask("amazon.nova-canvas-v1:0", refused, 400) }
        val filtered = """{"seeds":[7],"finish_reasons":["Filter reason: prompt"],"images":[]}"""
        shouldThrow<LlmException.ContentFiltered> { ask("stability.sd3-5-large-v1:0", filtered) }.message!! shouldContain "Filter reason: prompt"
        val blurred = """{"result":"success","artifacts":[{"seed":7,"base64":"iVBORw0KGgoA","finishReason":"CONTENT_FILTERED"}]}"""
        shouldThrow<LlmException.ContentFiltered> { ask("stability.stable-diffusion-xl-v1", blurred) }
        val inBody = """{"images":[],"error":"All of the generated images have been blocked by our content filters."}"""
        shouldThrow<LlmException.ContentFiltered> { ask("amazon.titan-image-generator-v2:0", inBody) }
    }
})
