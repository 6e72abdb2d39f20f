package dev.unifiedllm.jupyter

import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldNotContain
import org.jsoup.Jsoup

private class Case(val name: String, val text: String, val shown: String)

/** One case for each character between [from] and [to]. */
private fun range(name: String, from: Int, to: Int) = (from..to).map { point ->
    val number = "U+%04X".format(point)
    Case("$name $number", "a${Character.toString(point)}b", "a⟨$number⟩b")
}

private val made = listOf(
    Case("NUL", "a\u0000b", "a\uFFFDb"),
    Case("a lone high surrogate", "a\uD83Db", "a\uFFFDb"),
    Case("a lone low surrogate", "a\uDE00b", "a\uFFFDb"),
    Case("a high surrogate at the end", "a\uD83D", "a\uFFFD"),
    Case("surrogates in the wrong order", "\uDE00\uD83D", "\uFFFD\uFFFD"),
    Case("an ANSI escape", "\u001B[31mred\u001B[0m", "⟨U+001B⟩[31mred⟨U+001B⟩[0m"),
    Case("an escape that sets the clipboard of a terminal", "\u001B]52;c;eA==\u0007", "⟨U+001B⟩]52;c;eA==⟨U+0007⟩"),
    Case("a file name with reversed text", "photo\u202Egpj.exe", "photo⟨U+202E⟩gpj.exe"),
    Case("text in tag characters", "hi\uDB40\uDC68\uDB40\uDC69", "hi⟨U+E0068⟩⟨U+E0069⟩"),
) + range("bidi", 0x202A, 0x202E) + range("bidi", 0x2066, 0x2069) + range("tag", 0xE0000, 0xE007F) + range("C0", 1, 8) + range("C1", 0x7F, 0x9F)

private val kept = listOf(
    Case("new lines and tabs", "a\nb\r\n\tc", "a\nb\r\n\tc"),
    Case("an emoji", "😀", "😀"),
    Case("a joined emoji", "👨‍👩‍👧‍👦", "👨‍👩‍👧‍👦"),
    Case("a skin tone and a flag", "👍🏽 🇪🇺", "👍🏽 🇪🇺"),
    Case("astral letters", "𝔘𝔫𝔦 𠮷", "𝔘𝔫𝔦 𠮷"),
    Case("right to left scripts", "שלום مرحبا", "שלום مرحبا"),
    Case("combining marks", "e\u0301", "e\u0301"),
    Case("line separators", "a\u2028b\u2029c", "a\u2028b\u2029c"),
    Case("an empty text", "", ""),
)

/** Each character is shown: those of fault 228 as well. */
class HtmlSpec : FunSpec({
    context("replaced by a visible form") {
        withData<Case>({ it.name }, made) {
            reveal(it.text) shouldBe it.shown
            escape(it.text) shouldBe it.shown
        }
    }

    context("unchanged") {
        withData<Case>({ it.name }, kept) {
            reveal(it.text) shouldBe it.shown
            escape(it.text) shouldBe it.shown
        }
    }

    test("the five markup characters of HTML are escaped once") {
        escape("""<a href="x" title='y'>&amp;</a>""") shouldBe "&lt;a href=&quot;x&quot; title=&#39;y&#39;&gt;&amp;amp;&lt;/a&gt;"
    }

    test("reveal does not escape markup") {
        reveal("<b>&\"'") shouldBe "<b>&\"'"
    }

    test("a parser reads every character of the first two planes back as it is shown, in text and in an attribute") {
        val text = (0..0x1FFFF).joinToString("") { Character.toString(it) }.replace("\r", "")
        val document = Jsoup.parse("<p title=\"${escape(text)}\">x</p><pre>.${escape(text)}</pre>")
        document.selectFirst("p")!!.attr("title") shouldBe reveal(text)
        document.selectFirst("pre")!!.wholeText() shouldBe "." + reveal(text)
    }

    test("an escaped text is escaped again") {
        escape(escape("<")) shouldBe "&amp;lt;"
    }

    test("the style sheet cannot close its element early") {
        style("markdown", "table").removePrefix("<style>").removeSuffix("</style>") shouldNotContain "<"
    }
})
