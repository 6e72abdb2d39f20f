package dev.unifiedllm.chat

import dev.unifiedllm.joined
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.engine.spec.tempdir
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import java.io.UncheckedIOException
import java.nio.file.Files
import java.util.Base64

private val model = ModelId("test", "painter")
private val PNG = byteArrayOf(0x89.toByte(), 'P'.code.toByte(), 'N'.code.toByte(), 'G'.code.toByte(), 0x0D, 0x0A, 0x1A, 0x0A, 1, 2, 3)
private val JPEG = byteArrayOf(0xFF.toByte(), 0xD8.toByte(), 0xFF.toByte(), 0xE0.toByte(), 1, 2, 3)

private fun inline(bytes: ByteArray, type: String = "image/png", isPartial: Boolean = false) =
    Delta.Media(type, "data:$type;base64,${Base64.getEncoder().encodeToString(bytes)}", isPartial)

private fun response(vararg media: Delta.Media, download: ((String) -> ByteArray)? = null): ImageResponse {
    val deltas = listOf(Delta.Start(null, model)) + media + Delta.Finish(FinishReason.STOP, null, Cost.Free)
    return ImageResponse.of(ChatResponse.of(deltas), download)
}

class ImageResponseSpec : FunSpec({
    val folder = tempdir().toPath()

    test("the response has the final images, their bytes and the changed prompt") {
        val response = response(inline(JPEG, isPartial = true), inline(PNG).copy(revisedPrompt = "a red steam train"))
        response.images.map { it.mediaType } shouldContainExactly listOf("image/png")
        response.images.single().bytes() shouldBe PNG
        response.images.single().isInline shouldBe true
        response.images.single().revisedPrompt shouldBe "a red steam train"
        response.cost shouldBe Cost.Free
        response.model shouldBe model
        response.provider shouldBe "test"
    }

    test("a chat's response keeps no previews, and an ended call neither") {
        val deltas = arrayOf<Delta?>(Delta.Start(null, model), inline(PNG, isPartial = true), inline(JPEG), Delta.Finish(FinishReason.STOP, null))
        ChatResponse.of(deltas.map { it!! }).media shouldContainExactly listOf(inline(JPEG))
        joined(deltas, deltas.size).toList() shouldContainExactly listOf(deltas[0], deltas[2], deltas[3])
    }

    test("one image is saved under the name, with the extension of its format") {
        response(inline(PNG)).save(folder.resolve("a/train")) shouldContainExactly listOf(folder.resolve("a/train.png"))
        Files.readAllBytes(folder.resolve("a/train.png")) shouldBe PNG
        response(inline(PNG)).save(folder.resolve("train.png").toString()) shouldContainExactly listOf(folder.resolve("train.png"))
    }

    test("the content decides about the extension, not the name or the stated type") {
        response(inline(JPEG)).save(folder.resolve("b.png")) shouldContainExactly listOf(folder.resolve("b.jpg"))
        response(inline(JPEG)).save(folder.resolve("b.jpeg")) shouldContainExactly listOf(folder.resolve("b.jpeg"))
        response(inline(PNG)).save(folder.resolve("v1.2")) shouldContainExactly listOf(folder.resolve("v1.2.png"))
        response(inline(byteArrayOf(1), "image/*")).save(folder.resolve("c")) shouldContainExactly listOf(folder.resolve("c"))
    }

    test("a folder is no name for an image") {
        shouldThrow<IllegalArgumentException> { response(inline(PNG)).save(folder) }
        shouldThrow<IllegalArgumentException> { response(inline(PNG)).save(folder.root) }
        shouldThrow<IllegalArgumentException> { response(inline(PNG), inline(PNG)).save("") }
    }

    test("an image that is cut or no base64 is a failure when it is read") {
        for (url in listOf("data:image/png;base64,A", "data:image/png;base64,!!!", "data:image/png,%zz")) {
            shouldThrow<IllegalStateException> { response(Delta.Media("image/png", url)).images.single().bytes() }.message!! shouldContain "cannot be read"
        }
    }

    test("several images are numbered") {
        response(inline(PNG), inline(JPEG)).save(folder.resolve("d.png")) shouldContainExactly listOf(folder.resolve("d-1.png"), folder.resolve("d-2.jpg"))
        response(inline(PNG), inline(PNG)).save(folder.resolve("e")) shouldContainExactly listOf(folder.resolve("e-1.png"), folder.resolve("e-2.png"))
    }

    test("an image at a URL is downloaded once") {
        val asked = mutableListOf<String>()
        val response = response(Delta.Media("image/png", "https://example.org/a.png?key=1")) { url ->
            asked += url
            JPEG
        }
        response.images.single().isInline shouldBe false
        asked.shouldBeEmpty()
        response.save(folder.resolve("f")) shouldContainExactly listOf(folder.resolve("f.jpg"))
        response.images.single().bytes() shouldBe JPEG
        asked shouldContainExactly listOf("https://example.org/a.png?key=1")
    }

    test("a response that was made of deltas downloads nothing, and says so without the query") {
        val made = ImageResponse.of(listOf(Delta.Start(null, model), Delta.Media("image/png", "https://example.org/a.png?key=1")))
        val failure = shouldThrow<IllegalStateException> { made.images.single().bytes() }
        failure.message!! shouldContain "https://example.org/a.png"
        failure.message!!.contains("key=1") shouldBe false
    }

    test("nothing to save, and a folder that cannot be written, are failures") {
        shouldThrow<IllegalStateException> { response().save(folder.resolve("g")) }.message!! shouldContain "no image to save"
        Files.write(folder.resolve("file"), byteArrayOf(1))
        shouldThrow<UncheckedIOException> { response(inline(PNG)).save(folder.resolve("file/h")) }
    }
})
