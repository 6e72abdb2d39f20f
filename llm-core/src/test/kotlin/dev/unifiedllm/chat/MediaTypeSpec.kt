package dev.unifiedllm.chat

import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.shouldBe

/** @param head the first bytes, as text of one byte a character; zeros follow */
private class Sniffed(val type: String?, val head: String, val title: String = type ?: "nothing") {
    val bytes: ByteArray get() = head.toByteArray(Charsets.ISO_8859_1).copyOf(64)
}

private const val BOX = "\u0000\u0000\u0000\u0018ftyp"

class MediaTypeSpec : FunSpec({
    context("the media type by the content:") {
        withData<Sniffed>(
            { it.title },
            Sniffed("image/png", "\u0089PNG\r\n\u001a\n"),
            Sniffed("image/jpeg", "\u00ff\u00d8\u00ff\u00e0"),
            Sniffed("image/gif", "GIF89a"),
            Sniffed("image/gif", "GIF87a", "an old GIF"),
            Sniffed("image/webp", "RIFF\u0001\u0002\u0003\u0004WEBP"),
            Sniffed("image/bmp", "BM\u0036\u0010\u000e\u0000\u0000\u0000\u0000\u0000"),
            Sniffed("image/heic", BOX + "heic\u0000\u0000\u0000\u0000mif1heic"),
            Sniffed("image/heic", BOX + "mif1\u0000\u0000\u0000\u0000mif1heic", "HEIC among the compatible brands"),
            Sniffed("image/avif", BOX + "avif\u0000\u0000\u0000\u0000mif1"),
            Sniffed("image/avif", BOX + "mif1\u0000\u0000\u0000\u0000mif1avif", "AVIF among the compatible brands"),
            Sniffed("video/mp4", BOX + "isom\u0000\u0000\u0000\u0000isomavc1"),
            Sniffed("audio/mp4", BOX + "M4A \u0000\u0000\u0000\u0000isom"),
            Sniffed("application/pdf", "%PDF-1.7"),
            Sniffed("application/pdf", "\u00ef\u00bb\u00bf\n%PDF-1.4", "a PDF with something before it"),
            Sniffed("audio/wav", "RIFF\u0001\u0002\u0003\u0004WAVE"),
            Sniffed("audio/mpeg", "ID3\u0004"),
            Sniffed("audio/mpeg", "\u00ff\u00fb\u0090\u0064", "an MP3 without tags"),
            Sniffed("audio/ogg", "OggS"),
            Sniffed("audio/flac", "fLaC"),
            Sniffed(null, "\u00ff\u00f1\u0050\u0080", "AAC is no MP3"),
            Sniffed(null, "BM, as a text begins", "a text that begins like a BMP"),
            Sniffed(null, "RIFF\u0001\u0002\u0003\u0004AVI ", "another RIFF"),
            Sniffed(null, "PK\u0003\u0004", "an archive"),
            Sniffed(null, "<svg/>", "a text"),
        ) { mediaTypeOf(it.bytes) shouldBe it.type }
    }

    test("a file shorter than its signature has no type") {
        for (length in 0..7) mediaTypeOf("\u0089PNG\r\n\u001a\n".toByteArray(Charsets.ISO_8859_1).copyOf(length)) shouldBe null
        mediaTypeOf("RIFF".encodeToByteArray()) shouldBe null
        mediaTypeOf("\u0000\u0000\u0000\u0018ftyp".encodeToByteArray()) shouldBe "video/mp4"
    }

    test("a medium in a response is shown without its content") {
        Delta.Media("image/png", "data:image/png;base64,iVBORw0K", isPartial = true).toString() shouldBe "Media(image/png, data:image/png, 6 bytes, partial)"
        Part.ToolResult("1", "t", listOf(Part.Image("data:image/png;base64,iVBORw0K"))).toString() shouldBe
            "ToolResult(id=1, name=t, content=[Image(data:image/png, 6 bytes)], isError=false)"
    }

    context("a URL is shown without its content and its query:") {
        withData(
            "data:image/png;base64,iVBORw==" to "data:image/png, 4 bytes",
            "data:image/png;base64,iVBORw0=" to "data:image/png, 5 bytes",
            "data:image/png;base64,iVBORw0K" to "data:image/png, 6 bytes",
            "data:text/plain,abc" to "data:text/plain, 3 bytes",
            "https://host/a.png" to "https://host/a.png",
            "https://host/a.png?X-Amz-Signature=secret" to "https://host/a.png…",
        ) { (url, shown) -> shownUrl(url) shouldBe shown }
    }
})
