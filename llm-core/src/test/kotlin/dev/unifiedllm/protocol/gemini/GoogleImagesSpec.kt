package dev.unifiedllm.protocol.gemini

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
        client(
            "GEMINI_API_KEY" to "made-up",
            "GEMINI_API_BASE" to server.url + "/v1beta",
            "VERTEX_ACCESS_TOKEN" to "made-up",
            "VERTEXAI_API_BASE" to server.url + "/v1/projects/p/locations/us-central1",
        ).use { llm ->
            val request = ImageRequest.build(model) {
                prompt = "a red train"
                block()
            }
            llm.image(request).events().toList() to server.requests.single()
        }
    }

private const val IMAGE = """{"candidates":[{"content":{"parts":[{"text":"Here it is."},{"inlineData":{"mimeType":"image/png","data":"iVBORw0KGgoA"}}]},
    "finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":1290,"totalTokenCount":1300,
    "candidatesTokensDetails":[{"modality":"IMAGE","tokenCount":1290}]}}"""
private const val PREDICTION = """{"predictions":[{"mimeType":"image/png","bytesBase64Encoded":"iVBORw0KGgoA","prompt":"A red steam train"}]}"""

class GoogleImagesSpec : FunSpec({
    test("Gemini: an image is content of the response, with its tokens and their price") {
        val (deltas, sent) = ask("gemini/gemini-2.5-flash-image", IMAGE) {
            size = "16:9"
            quality = "2K"
            seed = 7
        }
        sent.path shouldBe "/v1beta/models/gemini-2.5-flash-image:generateContent"
        sent.header("x-goog-api-key") shouldBe "made-up"
        sent hasBody """{"contents":[{"role":"user","parts":[{"text":"a red train"}]}],"generationConfig":{"responseModalities":["TEXT","IMAGE"],
            "imageConfig":{"aspectRatio":"16:9","imageSize":"2K"},"seed":7}}"""
        deltas.images() shouldContainExactly listOf(Delta.Media("image/png", "data:image/png;base64,iVBORw0KGgoA"))
        // 10 tokens at 0.30 dollars per million, 1290 image tokens at 30
        deltas.cost().shouldBeInstanceOf<Cost.Known>().amount shouldBe Usd.of("0.038703")
    }

    test("Gemini: the image to change is inline data; what it has no field for is a warning") {
        val (deltas, sent) = ask("gemini/gemini-2.5-flash-image", IMAGE) {
            image(GIF)
            n = 2
            style = "vivid"
            size = "1024x1024"
        }
        sent hasBody """{"contents":[{"role":"user","parts":[{"text":"a red train"},{"inlineData":{"mimeType":"image/gif","data":"$GIF_DATA"}}]}],
            "generationConfig":{"responseModalities":["TEXT","IMAGE"],"imageConfig":{"aspectRatio":"1:1"}}}"""
        deltas.warnings() shouldContainExactly listOf(
            "size 1024x1024 was sent as the ratio 1:1: gemini/gemini-2.5-flash-image chooses the number of pixels",
            "n was left out: Gemini has no field for it (say it in the prompt)",
            "style was left out: the Gemini API has no field for it",
        )
    }

    test("Gemini: a response without an image is a failure that says why") {
        fun without(reason: String, text: String) = """{"candidates":[{"content":{"parts":[{"text":"$text"}]},"finishReason":"$reason"}]}"""
        val filtered = """{"candidates":[{"finishReason":"IMAGE_SAFETY"}]}"""
        shouldThrow<LlmException.ContentFiltered> { ask("gemini/gemini-2.5-flash-image", filtered) }.message!! shouldContain "IMAGE_SAFETY"
        val blocked = """{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"}}"""
        shouldThrow<LlmException.ContentFiltered> { ask("gemini/gemini-2.5-flash-image", blocked) }
        val words = shouldThrow<LlmException.MalformedResponse> { ask("gemini/gemini-2.5-flash-image", without("STOP", "I cannot draw.")) }
        words.message!! shouldContain "it has no image (finish reason STOP), but text: I cannot draw."
    }

    test("Imagen: parameters of a prediction, the changed prompt and the price of an image") {
        val (deltas, sent) = ask("gemini/imagen-4.0-generate-001", PREDICTION) {
            n = 1
            size = "16:9"
            quality = "2K"
            format = "jpeg"
            seed = 7
        }
        sent.path shouldBe "/v1beta/models/imagen-4.0-generate-001:predict"
        sent hasBody """{"instances":[{"prompt":"a red train"}],"parameters":{"sampleCount":1,"aspectRatio":"16:9","sampleImageSize":"2K",
            "outputOptions":{"mimeType":"image/jpeg"},"includeRaiReason":true}}"""
        deltas.images().single().revisedPrompt shouldBe "A red steam train"
        deltas.warnings() shouldContainExactly listOf("seed was left out: the Gemini API has no field for it")
        deltas.cost().shouldBeInstanceOf<Cost.Known>().amount shouldBe Usd.of("0.04")
    }

    test("Imagen at Vertex AI: seed, negative prompt, and an edit with a mask as references") {
        val (_, sent) = ask("vertex_ai/imagen-3.0-capability-001", PREDICTION) {
            seed = 7
            negativePrompt = "people"
            image(GIF)
            mask(GIF)
        }
        sent.path shouldBe "/v1/projects/p/locations/us-central1/publishers/google/models/imagen-3.0-capability-001:predict"
        sent hasBody """{"instances":[{"prompt":"a red train","referenceImages":[
            {"referenceType":"REFERENCE_TYPE_RAW","referenceId":1,"referenceImage":{"bytesBase64Encoded":"$GIF_DATA"}},
            {"referenceType":"REFERENCE_TYPE_MASK","referenceId":2,"referenceImage":{"bytesBase64Encoded":"$GIF_DATA"},
            "maskImageConfig":{"maskMode":"MASK_MODE_USER_PROVIDED"}}]}],
            "parameters":{"sampleCount":1,"includeRaiReason":true,"editMode":"EDIT_MODE_INPAINT_INSERTION","negativePrompt":"people","seed":7,
            "addWatermark":false}}"""
    }

    test("Imagen: images that the filter removed are a warning, or a failure if none is left") {
        val some = """{"predictions":[{"mimeType":"image/png","bytesBase64Encoded":"iVBORw0KGgoA"},{"raiFilteredReason":"Support codes: 58061214"}]}"""
        val (deltas) = ask("gemini/imagen-4.0-generate-001", some) { n = 2 }
        deltas.warnings() shouldContainExactly listOf("an image is missing: the provider reported \"Support codes: 58061214\"")
        for (none in listOf("""{"predictions":[{"raiFilteredReason":"Support codes: 58061214"}]}""", "{}")) {
            shouldThrow<LlmException.ContentFiltered> { ask("gemini/imagen-4.0-generate-001", none) }
        }
        shouldThrow<LlmException.MalformedResponse> { ask("gemini/imagen-4.0-generate-001", """{"predictions":[]}""") }
    }

    test("Imagen changes no images outside of Vertex AI: the request is refused before sending") {
        shouldThrow<LlmException.InvalidRequest> { ask("gemini/imagen-4.0-generate-001", PREDICTION) { image(GIF) } }.message!! shouldContain "Vertex AI only"
    }
})
