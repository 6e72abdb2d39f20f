package dev.unifiedllm.protocol.openai

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ImageRequest
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.chat.imageRequest
import dev.unifiedllm.protocol.answer
import dev.unifiedllm.transport.LoopbackServer
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.types.shouldBeInstanceOf
import kotlinx.coroutines.flow.toList

private fun request(model: String, size: String? = null, quality: String? = null, strict: Boolean = false) =
    imageRequest(ModelId.parse(model), "a red train", size, quality, 2).with { this.strict = strict }

private suspend fun ask(request: ImageRequest, answer: String, status: Int = 200, check: (LoopbackServer) -> Unit = {}): List<Delta> =
    LoopbackServer { whole(answer, status) }.use { server ->
        val environment = listOf("OPENAI", "XAI").flatMap { listOf("${it}_API_KEY" to "sk-test", "${it}_API_BASE" to server.url + "/v1") }.toMap()
        Llm.builder().retry { maxRetries = 0 }.environment { environment[it] }.build().use { llm ->
            llm.model(request.model.toString()).stream(request).toList().also { check(server) }
        }
    }

private const val PLAIN = """{"data":[{"url":"https://example.org/a"}]}"""

class OpenAiImagesSpec : FunSpec({
    test("an image request has prompt, number, size and quality; the response has tokens and their price") {
        val answer = """{"created":1,"output_format":"webp","data":[{"b64_json":"UklGRg=="},{"b64_json":"UklGRg=="}],
            "usage":{"input_tokens":10,"output_tokens":100,"total_tokens":110,"input_tokens_details":{"text_tokens":10,"image_tokens":0}}}"""
        val deltas = ask(request("openai/gpt-image-1", "1024x1024", "high"), answer) { server ->
            val sent = server.requests.single()
            sent.path shouldBe "/v1/images/generations"
            sent.header("authorization") shouldBe "Bearer sk-test"
            sent.body shouldBe """{"model":"gpt-image-1","prompt":"a red train","n":2,"size":"1024x1024","quality":"high"}"""
        }
        val image = Delta.Media("image/webp", "data:image/webp;base64,UklGRg==")
        deltas.dropLast(1) shouldBe listOf(Delta.Start(null, ModelId.parse("openai/gpt-image-1")), image, image)
        val finish = deltas.last() as Delta.Finish
        finish.usage shouldBe Usage.build {
            inputTokens = 10
            outputTokens = 100
            imageTokens = 100
        }
        // 10 tokens at 5 dollars per million, 100 image tokens at 40
        finish.cost.shouldBeInstanceOf<Cost.Known>().amount shouldBe Usd.of("0.00405")
    }

    test("text beside the images has its own price") {
        val answer = """{"data":[{"url":"https://example.org/a.png"}],
            "usage":{"input_tokens":10,"output_tokens":100,"output_tokens_details":{"image_tokens":90,"text_tokens":10}}}"""
        val finish = ask(request("openai/gpt-image-1.5"), answer).last() as Delta.Finish
        finish.usage?.imageTokens shouldBe 90
        // 10 tokens at 5 dollars per million, 10 at 10, 90 at 32
        finish.cost.shouldBeInstanceOf<Cost.Known>().amount shouldBe Usd.of("0.00303")
    }

    context("the type is the stated one, else that of the URL or of the first bytes") {
        withData(
            """"url":"https://example.org/a.png","mime_type":"image/jpeg"""" to "image/jpeg",
            """"url":"https://example.org/a.JPG?x=b.png"""" to "image/jpeg",
            """"url":"https://example.org/a.webp#b"""" to "image/webp",
            """"url":"data:image/gif;base64,R0lGOD"""" to "image/gif",
            """"url":"https://example.org/png"""" to "image/*",
            """"b64_json":"iVBORw0KGgoAAAA"""" to "image/png",
            """"b64_json":"/9j/4AAQ"""" to "image/jpeg",
            """"b64_json":"AAAA","url":null""" to "image/*",
        ) { (element, type) ->
            val media = ask(request("openai/any"), """{"data":[{$element}]}""").filterIsInstance<Delta.Media>().single()
            media.mediaType shouldBe type
            if (media.url.startsWith("data:")) media.url.substringBefore(';') shouldBe "data:$type"
        }
    }

    test("a changed prompt is one warning; missing tokens are no warning") {
        val prompt = """"revised_prompt":"A train, red""""
        val answer = """{"data":[{"url":"https://a","revised_prompt":""},{"url":"https://b",$prompt},{"url":"https://c",$prompt}]}"""
        val deltas = ask(request("openai/dall-e-3").with { n = 1 }, answer)
        deltas.filterIsInstance<Delta.Warning>() shouldBe listOf(Delta.Warning("the provider changed the prompt: A train, red"))
        (deltas.last() as Delta.Finish).usage shouldBe null
        deltas.filterIsInstance<Delta.Media>().map { it.revisedPrompt } shouldBe listOf(null, "A train, red", "A train, red")
    }

    test("a setting that the model refuses is left out with a warning, or fails a strict call") {
        val asked = listOf(
            request("xai/grok-imagine-image").with { seed = 7 } to "seed",
            request("openai/dall-e-2", quality = "hd") to "quality",
            request("openai/dall-e-2").with { style = "vivid" } to "style",
            request("openai/gpt-image-1").with { negativePrompt = "people" } to "negative_prompt",
        )
        for ((request, field) in asked) {
            val deltas = ask(request, PLAIN) { it.requests.single().body shouldBe """{"model":"${request.model.name}","prompt":"a red train","n":2}""" }
            deltas.first() shouldBe Delta.Warning("${request.model} does not take $field: it was left out")
        }
        shouldThrow<LlmException.InvalidRequest> {
            ask(request("openai/dall-e-2", quality = "hd", strict = true), PLAIN) { it.requests.shouldBeEmpty() }
        }.message shouldContain "does not take quality"
    }

    test("dall-e-3 makes one image: the number is left out with a warning, unless it is one") {
        val two = ask(request("openai/dall-e-3"), PLAIN) { it.requests.single().body shouldBe """{"model":"dall-e-3","prompt":"a red train"}""" }
        two.first() shouldBe Delta.Warning("openai/dall-e-3 does not take n: it was left out")
        ask(request("openai/dall-e-3").with { n = 1 }, PLAIN).first().shouldBeInstanceOf<Delta.Start>()
    }

    test("the cost that the provider reports is used") {
        val answer = """{"data":[{"url":"https://example.org/a.jpeg","mime_type":"image/jpeg"}],"usage":{"cost_in_usd_ticks":200000000}}"""
        val finish = ask(request("xai/grok-imagine-image"), answer).last() as Delta.Finish
        finish.cost shouldBe Cost.Known(Usd.of("0.02"), "xai")
        finish.usage shouldBe null
    }

    test("a response without an image is malformed") {
        for (answer in listOf("""{"created":1}""", """{"data":[]}""", """{"data":[{"revised_prompt":"a"}]}""", """{"data":["a"]}""")) {
            shouldThrow<LlmException.MalformedResponse> { ask(request("openai/any"), answer) }
        }
    }

    test("errors are typed, and that of a server without images says that it may not serve them") {
        shouldThrow<LlmException.NotFound> { ask(request("openai/any"), "{}", 404) }.message shouldContain "for /images/generations, and that"
        shouldThrow<LlmException.ContentFiltered> { ask(request("openai/any"), """{"error":{"code":"contentFilter","message":"no"}}""", 400) }
    }
})
