package dev.unifiedllm.jupyter

import dev.unifiedllm.chat.Part
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldStartWith
import kotlinx.serialization.json.JsonObject
import java.util.Base64

private fun bytes(text: String) = text.toByteArray(Charsets.ISO_8859_1)

private val PNG = bytes("\u0089PNG\r\n\u001a\n") + ByteArray(30)
private val PDF = bytes("%PDF-1.7\n") + ByteArray(30)
private val ZIP = bytes("PK\u0003\u0004") + ByteArray(30)
private val UNKNOWN = byteArrayOf(0, 1, 2, 3, 0, -1, -2)

private class Refused(val name: String, val claimed: String, val content: ByteArray, val reason: String, val types: List<String> = emptyList()) {
    override fun toString() = "$name as \"$claimed\": $reason"
}

private fun base64(bytes: ByteArray) = Base64.getEncoder().encodeToString(bytes)

/** The files that a chat widget takes. */
class AttachmentsSpec : FunSpec({
    val any = AttachmentRules(isAllowed = true)

    test("an image is an image by its content, whatever its name says") {
        any.part("x.txt", "", PNG).shouldBeImage("image/png")
        any.part("x.png", "image/png", PNG).shouldBeImage("image/png")
        any.part("x.jpg", "image/jpeg", PNG).shouldBeImage("image/png")
    }

    test("a document has its type by its content, a text by what the browser says or by its ending") {
        val found = listOf(
            any.part("a.pdf", "application/pdf", PDF),
            any.part("a.csv", "", bytes("a,b")),
            any.part("a.csv", "text/csv", bytes("a,b")),
            any.part("noname", "", bytes("hello")),
            any.part("a.docx", "", ZIP),
            any.part("a.svg", "image/svg+xml", bytes("<svg/>")),
        ).map { (it as Part.File).mediaType.substringAfterLast('.') }
        found shouldContainExactly listOf("application/pdf", "text/csv", "text/csv", "text/plain", "document", "text/plain")
    }

    context("refused:") {
        withData(
            Refused("a.png", "image/png", bytes("<html><script>alert(1)</script>"), "says that it is image/png, but its content is a text"),
            Refused("a.png", "image/png", PDF, "says that it is image/png, but its content is application/pdf"),
            Refused("a.pdf", "application/pdf", PNG, "says that it is application/pdf, but its content is image/png"),
            Refused("a.bin", "application/octet-stream", UNKNOWN, "neither a text nor a file of a known type"),
            Refused("a.zip", "application/zip", ZIP, "neither a text nor a file of a known type"),
            Refused("a.txt", "text/plain", ByteArray(0), "is empty"),
            Refused("a.pdf", "application/pdf", PDF, "This chat takes image/*", listOf("image/*")),
            Refused("a.txt", "text/plain", bytes("x"), "This chat takes .csv, application/pdf", listOf(".csv", "application/pdf")),
        ) { case ->
            val rules = AttachmentRules(isAllowed = true, types = case.types)
            shouldThrow<IllegalArgumentException> { rules.part(case.name, case.claimed, case.content) }.message shouldContain case.reason
        }
    }

    test("a file above the limit is refused, also before all of it has arrived") {
        val small = AttachmentRules(isAllowed = true, maxBytes = 100)
        shouldThrow<IllegalArgumentException> { small.part("a.txt", "", ByteArray(101) { 'x'.code.toByte() }) }.message shouldContain
            "a.txt is too large: 101 bytes, and at most 100 are taken."
        val files = Attachments(small)
        files.add("1", "a.txt", "", base64(ByteArray(99) { 'x'.code.toByte() }), isLast = false).shouldBeNull()
        shouldThrow<IllegalArgumentException> { files.add("1", "a.txt", "", base64(ByteArray(99) { 'x'.code.toByte() }), isLast = false) }.message shouldContain
            "too large"
        files.parts(listOf("1")).shouldBeNull()
        files.add("1", "a.txt", "", base64(bytes("x")), isLast = false).shouldBeNull()
        shouldThrow<IllegalArgumentException> { files.add("1", "a.txt", "", base64(bytes("x")), isLast = true) }.message shouldContain "too large"
        files.parts(listOf("1")).shouldBeNull() // it is not its last piece alone
    }

    test("nothing is taken where files are not allowed") {
        shouldThrow<IllegalArgumentException> { Attachments(AttachmentRules(isAllowed = false)).add("1", "a", "", "eA==", isLast = true) }.message shouldBe
            "This chat takes no files."
    }

    test("a file in pieces is whole after the last one, and is there until a message is sent") {
        val files = Attachments(any)
        files.add("1", "a.txt", "text/plain", base64(bytes("hel")), isLast = false).shouldBeNull()
        (files.add("1", "a.txt", "text/plain", base64(bytes("lo")), isLast = true) as Part.File).url shouldBe "data:text/plain;base64,${base64(bytes("hello"))}"
        files.parts(listOf("1"))!!.size shouldBe 1
        files.parts(listOf("1"))!!.size shouldBe 1
        files.clear()
        files.parts(listOf("1")).shouldBeNull()
    }

    test("what is not base64 is refused") {
        shouldThrow<IllegalArgumentException> { Attachments(any).add("1", "a", "", "§", isLast = true) }.message shouldContain "did not arrive whole"
    }

    test("files that were attached before a reload and never sent make room for new ones, the oldest first") {
        val files = Attachments(any)
        repeat(30) { files.add("$it", "a", "", base64(bytes("x")), isLast = true) }
        files.parts((20..29).map { "$it" })!!.size shouldBe 10
        files.parts((10..19).map { "$it" })!!.size shouldBe 10
        files.parts(listOf("9")).shouldBeNull()
    }

    test("they make room when they are large together, too, but never for a file that is itself too large") {
        val files = Attachments(AttachmentRules(isAllowed = true, maxBytes = 300))
        repeat(15) { files.add("$it", "a", "", base64(ByteArray(300) { 'x'.code.toByte() }), isLast = true) }
        files.parts((5..14).map { "$it" })!!.size shouldBe 10
        files.parts(listOf("3")).shouldBeNull()
    }

    test("a file that made room before its last piece has arrived is refused then, not taken in part") {
        val files = Attachments(any)
        files.add("slow", "a.txt", "", base64(bytes("one ")), isLast = false)
        repeat(20) { files.add("$it", "a", "", base64(bytes("x")), isLast = true) }
        files.add("slow", "a.txt", "", base64(bytes("two ")), isLast = false).shouldBeNull()
        shouldThrow<IllegalArgumentException> { files.add("slow", "a.txt", "", base64(bytes("three")), isLast = true) }.message shouldContain
            "did not arrive whole"
        files.parts(listOf("slow")).shouldBeNull()
    }

    test("a message takes at most ten files; after it those that it did not take are forgotten") {
        val model = echo()
        widgetTest(model, WidgetOptions(model, attachments = any)) {
            repeat(11) { tell("attach", "attachmentId" to "f$it", "name" to "a", "data" to base64(bytes("x")), "isLast" to true) }
            tell("send", "requestId" to "q", "text" to "hi", "attachments" to (0..10).map { "f$it" })
            front.frames("refused").single().text("reason").orEmpty() shouldStartWith "At most 10 files"
            tell("send", "requestId" to "r", "text" to "hi", "attachments" to (0..9).map { "f$it" })
            settle()
            model.requests.single().messages.single().parts.size shouldBe 11
            tell("send", "requestId" to "s", "text" to "hi", "attachments" to listOf("f10"))
            front.frames("refused").last().text("reason") shouldBe "A file has not arrived. Attach it again."
        }
    }

    test("a type that is neither a media type nor an ending is the caller's mistake") {
        shouldThrow<IllegalArgumentException> { AttachmentRules(true, listOf("pictures")) }.message shouldContain "image/png, image/* or .pdf"
    }

    test("an attached image is in the request, in the message and in value; a wrong one is refused with its id") {
        val model = echo()
        widgetTest(model, WidgetOptions(model, attachments = any)) {
            tell("attach", "attachmentId" to "a", "name" to "cat.png", "mediaType" to "image/png", "data" to base64(PNG), "isLast" to true)
            (front.frames("attached").single().getValue("part") as JsonObject).text("mediaType") shouldBe "image/png"
            tell("attach", "attachmentId" to "b", "name" to "x.png", "mediaType" to "image/png", "data" to base64(bytes("no")), "isLast" to true)
            front.frames("refused").single().text("attachmentId") shouldBe "b"
            tell("send", "requestId" to "q", "text" to "What is it?", "attachments" to listOf("a"))
            settle()
            model.requests.single().messages.single().parts.filterIsInstance<Part.Image>().size shouldBe 1
            front.messages.first().parts.map { it.text("type") } shouldContainExactly listOf("text", "file")
            session.value.first().attachments.size shouldBe 1
            session.value.last().attachments.shouldBeEmpty()
            tell("edit", "requestId" to "e", "messageId" to front.messages.first().text("id"), "text" to "And now?")
            settle()
            model.requests.last().messages.single().parts.filterIsInstance<Part.Image>().size shouldBe 1
        }
    }

    test("a message that names a file which is not there is refused") {
        val model = echo()
        widgetTest(model, WidgetOptions(model, attachments = any)) {
            tell("send", "requestId" to "q", "text" to "hi", "attachments" to listOf("a"))
            front.frames("refused").single().text("requestId") shouldBe "q"
            model.requests.shouldBeEmpty()
        }
    }
})

private fun Part.shouldBeImage(mediaType: String) {
    (this as Part.Image).url shouldStartWith "data:$mediaType;base64,"
}
