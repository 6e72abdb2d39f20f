package dev.unifiedllm.chat

import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.engine.spec.tempdir
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.ints.shouldBeLessThan
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import java.util.Base64

private fun latin(text: String): ByteArray = text.toByteArray(Charsets.ISO_8859_1)

private val png = latin("\u0089PNG\r\n\u001a\n0123")
private val jpeg = latin("\u00ff\u00d8\u00ff\u00e00123")
private val pdf = latin("%PDF-1.7 0123")
private val wav = latin("RIFF0123WAVEfmt ")
private val mp3 = latin("ID3\u00040123")

private fun data(type: String, bytes: ByteArray) = "data:$type;base64," + Base64.getEncoder().encodeToString(bytes)

private fun user(text: String = "What is it?", block: UserMessageBuilder.() -> Unit): List<Part> =
    ChatRequest.build("p/m") { user(text, block) }.messages.single().parts

private class Built(val title: String, vararg val expected: Part, val block: UserMessageBuilder.() -> Unit)

class UserMessageBuilderSpec : FunSpec({
    val folder = tempdir()

    fun written(name: String, bytes: ByteArray) = folder.resolve(name).also { it.writeBytes(bytes) }.toPath()

    context("a part of a user's message:") {
        withData<Built>(
            { it.title },
            Built("an image at a URL", Part.Image("https://host/cat.png")) { image("https://host/cat.png") },
            Built("an image with a detail level", Part.Image("https://host/cat.png", Detail.HIGH)) { image("https://host/cat.png", Detail.HIGH) },
            Built("an image of a data: URL", Part.Image(data("image/png", png))) { image(data("image/png", png)) },
            Built("an image of a data: URL in capitals and lines", Part.Image(data("image/png", png))) {
                image(data("image/png", png).replace("data:image/png;base64,", "DATA:image/PNG;BASE64,\n"))
            },
            Built("an image at a URL in capitals", Part.Image("https://Host/Cat.png")) { image("HTTPS://Host/Cat.png") },
            Built("an image in a storage", Part.Image("gs://bucket/cat.png")) { image("gs://bucket/cat.png") },
            Built("the bytes of an image", Part.Image(data("image/png", png))) { image(png) },
            Built("the bytes of an image, closely", Part.Image(data("image/jpeg", jpeg), Detail.LOW)) { image(jpeg, detail = Detail.LOW) },
            Built("an image whose type its content does not tell", Part.Image(data("image/tiff", latin("II*\u0000")))) {
                image(latin("II*\u0000"), "image/tiff")
            },
            Built("an image of another type than is given", Part.Image(data("image/jpeg", jpeg))) { image(jpeg, "image/png") },
            Built("an image in a file", Part.Image(data("image/png", png))) { image(written("cat.png", png)) },
            Built("an image in a file with a wrong ending", Part.Image(data("image/jpeg", jpeg))) { image(written("photo.png", jpeg)) },
            Built("an image in a file without an ending", Part.Image(data("image/png", png), Detail.HIGH)) { image(written("upload", png), Detail.HIGH) },
            Built("a PDF in a file", Part.File(data("application/pdf", pdf), "application/pdf", "a.pdf")) { file(written("a.pdf", pdf)) },
            Built("a PDF in a file of another name", Part.File(data("application/pdf", pdf), "application/pdf", "b.bin")) { file(written("b.bin", pdf)) },
            Built("the bytes of a PDF", Part.File(data("application/pdf", pdf), "application/pdf")) { file(pdf) },
            Built("a PDF at a URL", Part.File("https://host/a.pdf?x=1", "application/pdf")) { file("https://host/a.pdf?x=1") },
            Built("a table by its name", Part.File(data("text/csv", latin("a,b")), "text/csv", "t.csv")) { file(latin("a,b"), name = "t.csv") },
            Built("a text", Part.File(data("text/plain", latin("hello")), "text/plain")) { file(latin("hello")) },
            Built("a WAV in a file", Part.File(data("audio/wav", wav), "audio/wav")) { audio(written("a.wav", wav)) },
            Built("the bytes of an MP3", Part.File(data("audio/mpeg", mp3), "audio/mpeg")) { audio(mp3) },
            Built("a sound at a URL", Part.File("https://host/a.mp3", "audio/mpeg")) { audio("https://host/a.mp3") },
            Built("a sound whose type its content does not tell", Part.File(data("audio/aac", latin("x")), "audio/aac")) { audio(latin("x"), "audio/aac") },
        ) { built -> user { built.block(this) } shouldContainExactly listOf(Part.Text("What is it?")) + built.expected }
    }

    context("what has no content that can be sent is refused:") {
        withData<Pair<String, UserMessageBuilder.() -> Unit>>(
            { it.first },
            "an empty image" to { image(ByteArray(0), "image/png") },
            "an empty file of an image" to { image(written("e.png", ByteArray(0))) },
            "an empty document" to { file(ByteArray(0), "text/plain") },
            "an empty sound" to { audio(ByteArray(0), "audio/wav") },
            "a text called an image" to { image(written("t.png", latin("hello"))) },
            "a data URL without a comma" to { image("data:image/png") },
            "a data URL without content" to { image("data:image/png;base64,") },
            "a data URL that is not base64" to { image("data:image/png;base64,!!!!") },
            "a data URL that is cut" to { file("data:application/pdf;base64,JVBER") },
            "a data URL of another alphabet" to { audio("data:audio/wav;base64,_-_-") },
        ) { (_, block) -> shouldThrow<IllegalArgumentException> { user("What is it?") { block() } } }
    }

    test("several parts stand in the order of the calls, with texts between them") {
        user("Compare") {
            text("before:")
            image(png)
            text("after:")
            image(jpeg)
        } shouldContainExactly listOf(
            Part.Text("Compare"),
            Part.Text("before:"),
            Part.Image(data("image/png", png)),
            Part.Text("after:"),
            Part.Image(data("image/jpeg", jpeg)),
        )
    }

    test("an empty text is left out beside an image") {
        user("") { image(png) } shouldContainExactly listOf(Part.Image(data("image/png", png)))
        user("") { } shouldContainExactly listOf(Part.Text(""))
    }

    test("a web page is no image, whatever its name is") {
        shouldThrow<IllegalArgumentException> { user { image(written("page.png", latin("<!doctype html><p>"))) } }.message shouldContain
            "page.png: this is not an image of a known type, but text/html"
        user { image(latin("<svg/>"), "image/svg+xml") }.last() shouldBe Part.Image(data("image/svg+xml", latin("<svg/>")))
    }

    test("nothing of the content is in the text of a message") {
        val large = png + ByteArray(5_000_000)
        val message = ChatRequest.build("p/m") {
            user("look") {
                image(large)
                file(pdf, name = "a.pdf")
                image("https://host/cat.png?token=secret")
            }
        }.messages.single()
        message.toString().length shouldBeLessThan 400
        message.toString() shouldContain "data:image/png, ${large.size} bytes"
        message.toString() shouldNotContain "secret"
        message.toString() shouldNotContain Base64.getEncoder().encodeToString(pdf)
    }
})
