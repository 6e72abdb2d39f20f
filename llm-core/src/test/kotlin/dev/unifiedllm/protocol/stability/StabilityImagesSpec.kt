package dev.unifiedllm.protocol.stability

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

private fun List<Delta>.warnings() = filterIsInstance<Delta.Warning>().map { it.message }

private fun List<Delta>.images() = filterIsInstance<Delta.Media>()

private fun List<Delta>.cost() = (last() as Delta.Finish).cost

private infix fun LoopbackRequest.hasBody(json: String) = Json.parseToJsonElement(body) shouldBe Json.parseToJsonElement(json)

private suspend fun ask(
    model: String,
    answer: String = IMAGE,
    status: Int = 200,
    block: ImageRequestBuilder.() -> Unit = {},
): Pair<List<Delta>, LoopbackRequest> =
    LoopbackServer { whole(answer, status) }.use { server ->
        client("STABILITY_API_KEY" to "sk-test", "STABILITY_API_BASE" to server.url + "/v2beta").use { llm ->
            val request = ImageRequest.build("stability/$model") {
                prompt = "a red train"
                block()
            }
            llm.image(request).events().toList() to server.requests.single()
        }
    }

private const val IMAGE = """{"image":"iVBORw0KGgoA","finish_reason":"SUCCESS","seed":7}"""
private const val ARTIFACTS = """{"artifacts":[{"base64":"iVBORw0KGgoA","seed":7,"finishReason":"SUCCESS"}]}"""

/** The names and the contents of a form. */
private val LoopbackRequest.fields: Map<String, String>
    get() {
        val boundary = header("content-type")!!.substringAfter("boundary=")
        return body.split("--$boundary").drop(1).dropLast(1).associate {
            it.substringAfter("name=\"").substringBefore('"') to it.substringAfter("\r\n\r\n").removeSuffix("\r\n")
        }
    }

class StabilityImagesSpec : FunSpec({
    test("a stable image is requested by a form, and comes as JSON") {
        val (deltas, sent) = ask("stable-image-core") {
            size = "16:9"
            negativePrompt = "people"
            seed = 7
            style = "anime"
            format = "png"
        }
        sent.path shouldBe "/v2beta/stable-image/generate/core"
        sent.header("authorization") shouldBe "Bearer sk-test"
        sent.header("accept") shouldBe "application/json"
        sent.fields shouldBe mapOf(
            "prompt" to "a red train",
            "aspect_ratio" to "16:9",
            "negative_prompt" to "people",
            "seed" to "7",
            "style_preset" to "anime",
            "output_format" to "png",
        )
        deltas.images() shouldContainExactly listOf(Delta.Media("image/png", "data:image/png;base64,iVBORw0KGgoA"))
        deltas.cost().shouldBeInstanceOf<Cost.Known>().amount shouldBe Usd.of("0.03")
    }

    test("SD 3.5 is a field of one path, with an image to change and its strength") {
        val (_, sent) = ask("sd3.5-large") { image(GIF) }
        sent.path shouldBe "/v2beta/stable-image/generate/sd3"
        sent.fields shouldBe
            mapOf("prompt" to "a red train", "model" to "sd3.5-large", "mode" to "image-to-image", "strength" to "0.7", "image" to "GIF89a-pixels")
    }

    test("an edit has a path of its own") {
        val (_, sent) = ask("inpaint") {
            image(GIF)
            mask(GIF)
        }
        sent.path shouldBe "/v2beta/stable-image/edit/inpaint"
        sent.fields shouldBe mapOf("prompt" to "a red train", "image" to "GIF89a-pixels", "mask" to "GIF89a-pixels")
    }

    test("SDXL has the first version of the API: JSON for a new image, a form for a change") {
        val (deltas, sent) = ask("stable-diffusion-xl-1024-v1-0", ARTIFACTS) {
            size = "1024x1024"
            negativePrompt = "people"
            n = 2
        }
        sent.path shouldBe "/v1/generation/stable-diffusion-xl-1024-v1-0/text-to-image"
        sent hasBody """{"text_prompts":[{"text":"a red train"},{"text":"people","weight":-1}],"width":1024,"height":1024,"samples":2}"""
        deltas.images().single().url shouldBe "data:image/png;base64,iVBORw0KGgoA"
        val (_, changed) = ask("stable-diffusion-xl-1024-v1-0", ARTIFACTS) { image(GIF) }
        changed.path shouldBe "/v1/generation/stable-diffusion-xl-1024-v1-0/image-to-image"
        changed.fields shouldBe mapOf("text_prompts[0][text]" to "a red train", "text_prompts[0][weight]" to "1", "init_image" to "GIF89a-pixels")
    }

    test("what the model cannot do with an image is refused before sending; other options are warnings") {
        for (refused in listOf<Pair<String, ImageRequestBuilder.() -> Unit>>("core" to { image(GIF) }, "inpaint" to { }, "ultra" to { image(GIF).mask(GIF) })) {
            shouldThrow<LlmException.InvalidRequest> { ask(refused.first, block = refused.second) }
        }
        val (deltas) = ask("core") {
            quality = "hd"
            n = 2
        }
        deltas.warnings() shouldContainExactly listOf("quality", "n").map { "$it was left out: Stability AI has no field for it" }
    }

    test("a refusal is ContentFiltered, with an error status and within the response; another error is not") {
        val flagged = """{"id":"a","name":"content_moderation","errors":["Your request was flagged by our content moderation system."]}"""
        shouldThrow<LlmException.ContentFiltered> { ask("core", flagged, 403) }
        val words = """{"id":"a","name":"invalid_prompts","message":"Invalid prompts detected: One or more prompts contains filtered words."}"""
        shouldThrow<LlmException.ContentFiltered> { ask("stable-diffusion-xl-1024-v1-0", words, 400) }
        shouldThrow<LlmException.ContentFiltered> { ask("core", """{"image":"iVBORw0KGgoA","finish_reason":"CONTENT_FILTERED","seed":7}""") }
        shouldThrow<LlmException.InvalidRequest> { ask("core", """{"id":"a","name":"bad_request","errors":["seed: must be a number"]}""", 400) }
            .message!! shouldContain "seed: must be a number"
    }

    test("a chat with it is refused, and the message says what to write") {
        client("STABILITY_API_KEY" to "sk-test").use { llm ->
            val failure = shouldThrow<LlmException.InvalidRequest> { llm.chat("stability/core", "hello").await() }
            failure.message!! shouldContain "image(\"stability/core\")"
        }
    }
})
