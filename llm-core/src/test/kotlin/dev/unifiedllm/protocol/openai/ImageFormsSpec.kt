package dev.unifiedllm.protocol.openai

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ImageRequest
import dev.unifiedllm.chat.ImageRequestBuilder
import dev.unifiedllm.chat.ImageResponse
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.client
import dev.unifiedllm.transport.LoopbackExchange
import dev.unifiedllm.transport.LoopbackRequest
import dev.unifiedllm.transport.LoopbackServer
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldEndWith
import io.kotest.matchers.string.shouldStartWith
import io.kotest.matchers.types.shouldBeInstanceOf
import kotlinx.coroutines.flow.toList

/** Bytes that begin as a GIF does, and are text. */
private val GIF = "GIF89a-pixels".encodeToByteArray()
private const val GIF_URL = "data:image/gif;base64,R0lGODlhLXBpeGVscw=="
private const val PLAIN = """{"data":[{"url":"https://example.org/a.png"}]}"""

private const val TWO = """{"data":[{"url":"https://example.org/a.png"},{"url":"https://example.org/b.png"}]}"""

/** The deltas of a request to [model], and what was sent. */
private suspend fun ask(
    model: String,
    answer: LoopbackExchange.() -> Unit = { whole(PLAIN) },
    block: ImageRequestBuilder.() -> Unit = {},
): Pair<List<Delta>, List<LoopbackRequest>> = LoopbackServer { answer() }.use { server ->
    val variables = mapOf(
        "OPENAI_BASE_URL" to "/v1",
        "XAI_API_BASE" to "/v1",
        "TOGETHER_AI_API_BASE" to "/v1",
        "FIREWORKS_API_BASE" to "/inference/v1",
        "AZURE_API_BASE" to "",
    ).mapValues { server.url + it.value } +
        listOf("OPENAI", "XAI", "TOGETHER", "FIREWORKS", "AZURE").associate { "${it}_API_KEY" to "sk-test" }
    client(*variables.toList().toTypedArray()).use { llm ->
        val request = ImageRequest.build(model) {
            prompt = "a red train"
            block()
        }
        llm.image(request).events().toList() to server.requests
    }
}

private fun List<Delta>.warnings() = filterIsInstance<Delta.Warning>().map { it.message }

/** The parts of a form: the lines of the head, without the boundary, and the content. */
private fun LoopbackRequest.parts(): List<Pair<String, String>> {
    val boundary = header("content-type")!!.substringAfter("boundary=")
    body shouldEndWith "--$boundary--\r\n"
    return body.removeSuffix("--$boundary--\r\n").split("--$boundary\r\n").drop(1)
        .map { it.substringBefore("\r\n\r\n") to it.substringAfter("\r\n\r\n").removeSuffix("\r\n") }
}

class ImageFormsSpec : FunSpec({
    test("OpenAI: all settings of a new image are fields") {
        val (deltas, sent) = ask("openai/gpt-image-1", { whole(TWO) }) {
            size = "1536x1024"
            quality = "low"
            n = 2
            format = "webp"
            providerOptions { put("background", "transparent") }
        }
        sent.single().path shouldBe "/v1/images/generations"
        sent.single().body shouldBe """{"model":"gpt-image-1","prompt":"a red train","n":2,"size":"1536x1024","quality":"low",""" +
            """"output_format":"webp","background":"transparent"}"""
        deltas.warnings().shouldBeEmpty()
    }

    test("fewer images than were asked for come with a warning") {
        val (deltas, _) = ask("openai/gpt-image-1") { n = 2 }
        deltas.warnings() shouldContainExactly listOf("2 images were asked for, and 1 came")
    }

    context("an image that is no base64, or is cut, is no image:") {
        withData<String>({ "\"$it\"" }, "!!!", "A", "iVBORw0KGgoAA") { base64 ->
            // a name that begins with ! would turn the test off
            shouldThrow<LlmException.MalformedResponse> { ask("openai/gpt-image-1", { whole("""{"data":[{"b64_json":"$base64"}]}""") }) }
                .message!! shouldContain "its image is not base64, or is cut"
        }
    }

    test("an error that is a flag has its words beside it") {
        shouldThrow<LlmException> { ask("openai/gpt-image-1", { whole("""{"error":true,"message":"no credit left"}""") }) }.message!! shouldContain
            "no credit left"
    }

    test("base64 of another alphabet, or in lines, is an image") {
        val (deltas, _) = ask("openai/gpt-image-1", { whole("""{"data":[{"b64_json":"iVBORw0KGgo_-\nAA="}]}""") })
        deltas.filterIsInstance<Delta.Media>().single().url shouldBe "data:image/png;base64,iVBORw0KGgo/+AA="
    }

    test("OpenAI: an image is changed by a form with the fields, the image and the mask") {
        val (deltas, sent) = ask("openai/gpt-image-1") {
            image(GIF)
            mask(GIF)
            size = "1024x1024"
            n = 1
        }
        val request = sent.single()
        request.path shouldBe "/v1/images/edits"
        request.header("content-type")!! shouldStartWith "multipart/form-data; boundary="
        request.parts() shouldContainExactly listOf(
            "Content-Disposition: form-data; name=\"model\"" to "gpt-image-1",
            "Content-Disposition: form-data; name=\"prompt\"" to "a red train",
            "Content-Disposition: form-data; name=\"n\"" to "1",
            "Content-Disposition: form-data; name=\"size\"" to "1024x1024",
            "Content-Disposition: form-data; name=\"image\"; filename=\"image.gif\"\r\nContent-Type: image/gif" to "GIF89a-pixels",
            "Content-Disposition: form-data; name=\"mask\"; filename=\"mask.gif\"\r\nContent-Type: image/gif" to "GIF89a-pixels",
        )
        deltas.filterIsInstance<Delta.Media>().single().url shouldBe "https://example.org/a.png"
    }

    test("OpenAI: several images are a list, and an image in a private network is refused before sending") {
        val (_, sent) = ask("openai/gpt-image-1") {
            image(GIF)
            image(GIF_URL)
        }
        sent.single().parts().map { it.first.substringAfter("name=").substringBefore(';') }.takeLast(2) shouldBe listOf("\"image[]\"", "\"image[]\"")
        val failure = shouldThrow<LlmException.InvalidRequest> { ask("openai/gpt-image-1") { image("https://printer.local/cat.png") } }
        failure.kind shouldBe LlmException.InvalidRequest.Kind.BAD_REQUEST
        failure.message!! shouldContain "Image 1 of the request at printer.local cannot be fetched"
    }

    test("Azure: the path names the deployment") {
        val (_, sent) = ask("azure/dall-e-3") { quality = "hd" }
        sent.single().path shouldBe "/openai/deployments/dall-e-3/images/generations?api-version=2024-10-21"
        sent.single().header("api-key") shouldBe "sk-test"
    }

    test("previews are partial media, and the response has the final image only") {
        fun event(type: String, more: String) = "event: $type\ndata: {\"type\":\"$type\",$more}\n\n"
        val (deltas, sent) = ask(
            "openai/gpt-image-1",
            {
                sse(
                    event("image_generation.partial_image", """"b64_json":"iVBORw0KGgoA","partial_image_index":0,"output_format":"png","quality":"low""""),
                    event("image_generation.partial_image", """"b64_json":"iVBORw0KGgoB","partial_image_index":1,"output_format":"png""""),
                    event(
                        "image_generation.completed",
                        """"b64_json":"iVBORw0KGgoC","output_format":"png","usage":{"input_tokens":10,"output_tokens":100,"total_tokens":110,""" +
                            """"input_tokens_details":{"text_tokens":10,"image_tokens":0}}""",
                    ),
                )
            },
        ) { partialImages = 2 }
        sent.single().body shouldBe """{"model":"gpt-image-1","prompt":"a red train","partial_images":2,"stream":true}"""
        sent.single().header("accept") shouldBe "text/event-stream"
        deltas.dropLast(1) shouldContainExactly listOf(
            Delta.Start(null, ModelId.parse("openai/gpt-image-1")),
            Delta.Media("image/png", "data:image/png;base64,iVBORw0KGgoA", isPartial = true),
            Delta.Media("image/png", "data:image/png;base64,iVBORw0KGgoB", isPartial = true),
            Delta.Media("image/png", "data:image/png;base64,iVBORw0KGgoC"),
        )
        val response = ImageResponse.of(deltas)
        response.images.single().url shouldEndWith "KGgoC"
        response.cost.shouldBeInstanceOf<Cost.Known>().amount shouldBe Usd.of("0.00405") // 10 tokens at 5 dollars per million, 100 at 40
    }

    test("a stream of previews that ends before its image is cut, and an error in it is typed") {
        val partial = "data: {\"type\":\"image_edit.partial_image\",\"b64_json\":\"iVBORw0KGgoA\"}\n\n"
        shouldThrow<LlmException.StreamInterrupted> { ask("openai/gpt-image-1", { sse(partial) }) { partialImages = 1 } }
        val error = "event: error\ndata: {\"type\":\"error\",\"error\":{\"code\":\"moderation_blocked\",\"message\":\"Your request was rejected.\"}}\n\n"
        shouldThrow<LlmException.ContentFiltered> { ask("openai/gpt-image-1", { sse(partial, error) }) { partialImages = 1 } }
    }

    test("images in the input of an edit have their own price") {
        val answer = """{"data":[{"b64_json":"iVBORw0KGgoA"}],"usage":{"input_tokens":110,"output_tokens":100,
            "input_tokens_details":{"text_tokens":10,"image_tokens":100}}}"""
        val (deltas) = ask("openai/gpt-image-1", { whole(answer) }) { image(GIF) }
        // 10 tokens at 5 dollars per million, 100 images in the input at 10, 100 image tokens at 40
        (deltas.last() as Delta.Finish).cost.shouldBeInstanceOf<Cost.Known>().amount shouldBe Usd.of("0.00505")
    }

    test("xAI: the size becomes a ratio, and images to change are URLs in JSON") {
        val (deltas, made) = ask("xai/grok-imagine-image") { size = "1024x576" }
        made.single().body shouldBe """{"model":"grok-imagine-image","prompt":"a red train","aspect_ratio":"16:9"}"""
        deltas.warnings() shouldContainExactly listOf("size 1024x576 was sent as the ratio 16:9: xai/grok-imagine-image chooses the number of pixels")
        val (_, ratio) = ask("xai/grok-imagine-image") { size = "2:1" }
        ratio.single().body shouldContain "\"aspect_ratio\":\"2:1\""
        val (_, changed) = ask("xai/grok-imagine-image") { image(GIF) }
        changed.single().path shouldBe "/v1/images/edits"
        changed.single().body shouldBe """{"model":"grok-imagine-image","prompt":"a red train","image":{"url":"$GIF_URL","type":"image_url"}}"""
        val (_, several) = ask("xai/grok-imagine-image") {
            image("https://example.org/a.png")
            image(GIF)
        }
        several.single().body shouldContain """"images":[{"url":"https://example.org/a.png","type":"image_url"},{"url":"$GIF_URL","type":"image_url"}]"""
    }

    test("xAI: what its moderation rejects is ContentFiltered") {
        val answer = """{"code":"invalid-argument","error":"Generated image rejected by content moderation."}"""
        shouldThrow<LlmException.ContentFiltered> { ask("xai/grok-imagine-image", { whole(answer, 400) }) }
    }

    test("Together: the size is width and height, and the image to change is a URL") {
        val (deltas, sent) = ask("together_ai/black-forest-labs/FLUX.1-schnell", { whole(TWO) }) {
            size = "1024x768"
            seed = 7
            n = 2
            negativePrompt = "people"
            quality = "hd"
            image("https://example.org/cat.png")
        }
        sent.single().path shouldBe "/v1/images/generations"
        sent.single().body shouldBe """{"model":"black-forest-labs/FLUX.1-schnell","prompt":"a red train","n":2,"width":1024,"height":768,"seed":7,""" +
            """"negative_prompt":"people","image_url":"https://example.org/cat.png"}"""
        deltas.warnings() shouldContainExactly listOf("together_ai/black-forest-labs/FLUX.1-schnell does not take quality: it was left out")
        (deltas.last() as Delta.Finish).cost.shouldBeInstanceOf<Cost.Unknown>()
    }

    test("Fireworks: FLUX has a workflow, whose images are a list of base64") {
        val answer = """{"id":"1234567890","base64":["data:image/png;base64,iVBORw0KGgoA"],"finishReason":"SUCCESS","seed":7}"""
        val (deltas, sent) = ask("fireworks_ai/accounts/fireworks/models/flux-1-schnell-fp8", { whole(answer) }) {
            size = "16:9"
            seed = 7
        }
        sent.single().path shouldBe "/inference/v1/workflows/accounts/fireworks/models/flux-1-schnell-fp8/text_to_image"
        sent.single().header("accept") shouldBe "application/json"
        sent.single().body shouldBe """{"prompt":"a red train","seed":7,"aspect_ratio":"16:9"}"""
        deltas.take(2) shouldContainExactly listOf(
            Delta.Start("1234567890", ModelId.parse("fireworks_ai/accounts/fireworks/models/flux-1-schnell-fp8")),
            Delta.Media("image/png", "data:image/png;base64,iVBORw0KGgoA"),
        )
    }

    test("Fireworks: SDXL has a path of its own, whose images are artifacts") {
        val answer = """[{"base64":"/9j/4AAQ","finishReason":"SUCCESS","seed":1},{"finishReason":"CONTENT_FILTERED","seed":2}]"""
        val (deltas, sent) = ask("fireworks_ai/accounts/fireworks/models/stable-diffusion-xl-1024-v1-0", { whole(answer) }) {
            size = "1024x1024"
            n = 2
        }
        sent.single().path shouldBe "/inference/v1/image_generation/accounts/fireworks/models/stable-diffusion-xl-1024-v1-0"
        sent.single().body shouldBe """{"prompt":"a red train","width":1024,"height":1024,"samples":2}"""
        deltas.filterIsInstance<Delta.Media>() shouldContainExactly listOf(Delta.Media("image/jpeg", "data:image/jpeg;base64,/9j/4AAQ"))
        deltas.warnings() shouldContainExactly listOf("an image is missing: the provider reported \"CONTENT_FILTERED\"")
    }
})
