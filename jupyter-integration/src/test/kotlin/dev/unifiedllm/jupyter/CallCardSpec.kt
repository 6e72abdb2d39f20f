package dev.unifiedllm.jupyter

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.EmbeddingResponse
import dev.unifiedllm.chat.ImageResponse
import dev.unifiedllm.chat.ModelId
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldEndWith
import io.kotest.matchers.string.shouldNotContain
import io.kotest.matchers.string.shouldStartWith
import java.util.Base64

private val painter = ModelId("openai", "gpt-image-1")

/** The head of a file of this type, and as many zeros as make [size] bytes. */
private fun file(head: String, size: Int = 40) = head.toByteArray(Charsets.ISO_8859_1).copyOf(size)

private val png = file("\u0089PNG\r\n\u001a\n")

private fun data(bytes: ByteArray, type: String = "image/png") = "data:$type;base64,${Base64.getEncoder().encodeToString(bytes)}"

private fun images(vararg media: Delta.Media) = ImageResponse.of(listOf(start(painter), *media, finish()))

private fun card(vararg media: Delta.Media) = resultCard(images(*media)).shouldNotBeNull()

class CallCardSpec : FunSpec({
    test("images are embedded, with the revised prompt, the cost and the time below") {
        val rendered = card(Delta.Media("image/png", data(png)), Delta.Media("image/png", data(png), revisedPrompt = "A <red> train"))
        val page = rendered.page()
        page.all("img").map { it.attr("src") } shouldContainExactly listOf(data(png), data(png))
        page.texts(".ullm-note") shouldContainExactly listOf("Revised prompt: A <red> train")
        page.footer shouldStartWith "openai/gpt-image-1 · 2 images · $ n/a · "
        page.state shouldBe "done"
        rendered.text shouldStartWith "[image/png, 40 bytes]\n[image/png, 40 bytes, Revised prompt: A <red> train]\nopenai/gpt-image-1 · 2 images"
    }

    context("the type of an image is that of its content where the provider does not say it") {
        withData("image/png" to "\u0089PNG", "image/jpeg" to "\u00ff\u00d8\u00ff", "image/gif" to "GIF89a", "image/webp" to "RIFFxxxxWEBP") { (type, head) ->
            card(Delta.Media("image/*", data(file(head), "image/x"))).page().all("img").single().attr("src") shouldStartWith "data:$type;base64,"
        }
    }

    test("an image in plain data: text, such as an SVG, is embedded as base64") {
        val src = card(Delta.Media("image/svg+xml", "data:image/svg+xml,<svg onload='alert(1)'/>")).page().all("img").single().attr("src")
        src shouldBe data("<svg onload='alert(1)'/>".encodeToByteArray(), "image/svg+xml")
    }

    test("images beyond 8 MB in all are not embedded, and the note says so") {
        val large = data(file("\u0089PNG", 5_000_000))
        val page = card(Delta.Media("image/png", large), Delta.Media("image/png", large), Delta.Media("image/png", data(png))).page()
        page.all("img").size shouldBe 2
        page.texts(".ullm-note") shouldContainExactly listOf("image/png, 5.0 MB: too large to be kept in a notebook. Save it to a file to see it")
    }

    test("an image that cannot be downloaded is a link with its host") {
        val page = card(Delta.Media("image/png", "https://images.example/a.png?sig=1")).page()
        page.all("img").shouldBeEmpty()
        page.all("a").single().attr("href") shouldBe "https://images.example/a.png?sig=1"
        page.texts("a") shouldContainExactly listOf("image at images.example")
    }

    test("what browsers do not show is named with its size") {
        card(Delta.Media("audio/wav", data(ByteArray(12_345), "audio/wav"))).page().texts(".ullm-note") shouldContainExactly
            listOf("audio/wav, 12 kB: not shown here")
        card(Delta.Media("text/html", data("<b>".encodeToByteArray(), "text/html"))).page().texts(".ullm-note") shouldContainExactly
            listOf("text/html, 3 bytes: not shown here")
        card(Delta.Media("image/png", "data:image/png;base64,=")).page().texts(".ullm-note") shouldContainExactly listOf("image: cannot be read")
    }

    test("embeddings: how many, the first numbers, tokens and cost") {
        val vectors = listOf(Delta.Embedding(0, floatArrayOf(1f, -0.5f)), Delta.Embedding(1, FloatArray(300)))
        val rendered = resultCard(EmbeddingResponse.of(listOf(start(), *vectors.toTypedArray(), finish()))).shouldNotBeNull()
        val page = rendered.page()
        page.answer.wholeText() shouldStartWith "2 vectors of 2 numbers"
        page.texts(".ullm-call") shouldContainExactly
            listOf("[1.0000, -0.5000]", "[0.0000, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000, …]")
        page.footer shouldStartWith "openai/gpt-4o · 10 in · $ n/a · "
        rendered.text shouldStartWith "2 vectors of 2 numbers\n[1.0000, -0.5000]\n"
    }

    test("of many embeddings the first five are shown") {
        val vectors = (0 until 1000).map { Delta.Embedding(it, FloatArray(2)) }
        val page = resultCard(EmbeddingResponse.of(listOf(start()) + vectors + finish())).shouldNotBeNull().page()
        page.texts(".ullm-call").size shouldBe 6
        page.texts(".ullm-call").last() shouldBe "…"
        page.answer.wholeText() shouldStartWith "1,000 vectors of 2 numbers"
    }

    test("a count of tokens says whether it is an estimate, and by whom") {
        Llm.create().use { llm ->
            val rendered = resultCard(llm.countTokens("demo/echo") { user("How long is this?") }.await()).shouldNotBeNull()
            rendered.page().answer.wholeText() shouldStartWith "about "
            rendered.page().footer shouldStartWith "estimated by "
            rendered.text shouldContain " tokens\nestimated by "
        }
    }

    test("an empty list is not a list of models, and other values have no card") {
        resultCard(emptyList<Any>()).shouldBeNull()
        resultCard(listOf(1)).shouldBeNull()
        resultCard("x").shouldBeNull()
    }

    test("a call that is not sent, waits, or failed") {
        Waiting("demo/painter").card(CardState.NEW).page().answer.wholeText() shouldContain "show()"
        Waiting("demo/painter").card(CardState.NEW).page().footer shouldBe "demo/painter · not sent"
        Waiting("demo/painter").card(CardState.WAITING).page().footer shouldBe "demo/painter · waiting for the result"
        val failed = Waiting("demo/painter").card(CardState.FAILED, LlmException.Overloaded("busy <b>"))
        failed.page().texts(".ullm-error div") shouldContainExactly listOf("busy <b>", "LlmException.Overloaded")
        failed.text shouldBe "Overloaded: busy <b>\ndemo/painter · failed"
    }

    test("a preview is shown while the image is made") {
        val preview = Waiting("demo/painter").card(CardState.STREAMING, preview = Picture(data(png), "image/png"))
        preview.page().all("img").single().attr("src") shouldBe data(png)
        preview.text shouldEndWith "waiting for the result"
    }

    test("the bytes of an image are not in the plain text") {
        card(Delta.Media("image/png", data(file("\u0089PNG", 4_000)))).text shouldNotContain "base64"
    }
})
