package dev.unifiedllm.jupyter

import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import kotlin.time.Duration.Companion.seconds

private fun render(markdown: String): String {
    safe(done(markdown).html)
    return Markdown.html(markdown)!!.trimEnd()
}

private fun links(markdown: String): List<String> = safe(done(markdown).html).all("a").map { it.attr("href") }

private val hidden = listOf(
    "javascript:alert(1)",
    "JAVASCRIPT:alert(1)",
    "java\tscript:alert(1)",
    "&#106;avascript:alert(1)",
    "&#x6A;avascript:alert(1)",
    "java&Tab;script:alert(1)",
    "java&NewLine;script:alert(1)",
    "javascript&colon;alert(1)",
    "javascript&#58;alert(1)",
    "\u0001javascript:alert(1)",
    "&#1;javascript:alert(1)",
    "&#32;javascript:alert(1)",
    "\u00A0javascript:alert(1)",
    "java\\script:alert(1)",
    "javascript\\:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:x",
    "file:///etc/passwd",
    "blob:https://a/1",
    "intent://x",
    "//evil.example",
    "/api/kernels",
    "?x",
    "#x",
    "x",
    "",
    "http",
    "view-source:https://a",
    "\u200Bjavascript:alert(1)",
    "ｊavascript:alert(1)",
    "javaſcript:alert(1)",
)

private const val LONG = 199_000

private fun repeated(text: String) = text.repeat(LONG / text.length)

private class Heavy(val name: String, val text: String)

private val heavy = listOf(
    Heavy("10,000 quotes", ">".repeat(10_000) + " x"),
    Heavy("lines of quotes", (">".repeat(1_000) + " x\n").repeat(198)),
    Heavy("quotes to the limit", repeated("> ")),
    Heavy("10,000 brackets", "[".repeat(10_000) + "x"),
    Heavy("brackets to the limit", repeated("[")),
    Heavy("closed brackets", "[".repeat(LONG / 2) + "]".repeat(LONG / 2)),
    Heavy("links in links", repeated("[a](")),
    Heavy("links with brackets", "[".repeat(LONG / 5) + "](x)".repeat(LONG / 5)),
    Heavy("images in images", "![".repeat(20_000) + "](x)".repeat(20_000)),
    Heavy("images unclosed", repeated("![")),
    Heavy("emphasis", repeated("*a_ ")),
    Heavy("emphasis closed", repeated("*a **a ")),
    Heavy("nested emphasis", "*_".repeat(LONG / 6) + "a" + "_*".repeat(LONG / 6)),
    Heavy("back ticks", (1..600).joinToString(" ") { "`".repeat(it) }),
    Heavy("lists in lists", repeated("- ")),
    Heavy("lists, indented", (0..600).joinToString("\n") { "  ".repeat(it / 2) + "- x" }),
    Heavy("comments", repeated("<!--")),
    Heavy("declarations", repeated("<!A ")),
    Heavy("CDATA", repeated("<![CDATA[")),
    Heavy("instructions", repeated("<?")),
    Heavy("tags", repeated("<a b=\"")),
    Heavy("entities", repeated("&#x")),
    Heavy("references", repeated("[a]: x\n")),
    Heavy("references to one", "[a]: x\n\n" + repeated("[a] ").dropLast(20)),
    Heavy("a wide table", "|" + "a|".repeat(20_000) + "\n|" + "-|".repeat(20_000) + "\n" + "|b\n".repeat(10_000)),
    Heavy("a long table", "|a|b|\n|-|-|\n" + "|1|2|\n".repeat(28_000)),
    Heavy("lines that may be tables", repeated("|a|\n")),
    Heavy("fences", repeated("```\n")),
    Heavy("setext", repeated("a\n=\n")),
    Heavy("brackets and ticks", repeated("[`")),
    Heavy("tildes", repeated("~~a ")),
    Heavy("tildes in tildes", repeated("~~~")),
    Heavy("amounts", repeated("\$5 aa ")),
    Heavy("tasks", repeated("- [ ] ")),
)

class MarkdownSpec : FunSpec({
    test("Markdown is rendered as HTML") {
        render("# One\n\nA **bold** and *slanted* `word`.\n\n- a\n- b\n\n1. c\n\n> quoted\n\n---") shouldBe
            "<h1>One</h1>\n<p>A <strong>bold</strong> and <em>slanted</em> <code>word</code>.</p>\n<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n" +
            "<ol>\n<li>c</li>\n</ol>\n<blockquote>\n<p>quoted</p>\n</blockquote>\n<hr />"
    }

    test("a list keeps its first number") {
        render("7. x") shouldContain "<ol start=\"7\">"
    }

    test("a table keeps its alignment and escapes its cells") {
        val page = safe(done("| a | b |\n|:--|--:|\n| <i> | `|` **x** |").html)
        page.all(".ullm-text th").map { it.attr("align") } shouldContainExactly listOf("left", "right")
        page.texts(".ullm-text td") shouldContainExactly listOf("<i>", "`")
        page.answer.select("i").shouldBeEmpty()
    }

    test("a cell of a table is on the left unless the text says otherwise") {
        val page = safe(done("| a | b | c |\n|---|:-:|--:|\n| x | y | z |").html)
        val alignments = listOf("left", "center", "right").map { "text-align:$it" }
        page.all(".ullm-text th, .ullm-text td").map { it.attr("style") } shouldContainExactly alignments + alignments
    }

    test("a fence shows its code unchanged, and its language above it") {
        val page = safe(done("```kotlin onload=x\nval x = \"<b>\" // 1 & 2\n```").html)
        page.texts(".ullm-code > .ullm-lang") shouldContainExactly listOf("kotlin")
        page.texts(".ullm-code > pre > code") shouldContainExactly listOf("val x = \"<b>\" // 1 & 2\n")
        page.all(".ullm-code > pre").single().attr("style") shouldContain "white-space:pre;overflow:auto;"
    }

    test("code without a language has no label, and a long or hostile one is cut and escaped") {
        safe(done("```\na\n```\n\n    b").html).all(".ullm-code").flatMap { code -> code.children().map { it.tagName() } } shouldContainExactly
            listOf("pre", "button", "pre", "button")
        safe(done("```\"><b/onload=x>${"y".repeat(50)}\na\n```").html).texts(".ullm-lang") shouldContainExactly listOf("\"><b/onload=x>" + "y".repeat(26))
        safe(done("~~~ \tsql\n~~~").html).texts(".ullm-lang") shouldContainExactly listOf("sql")
    }

    test("two tildes delete, one does not") {
        render("~~old *text*~~ new, ~5 to ~10, ~~~a~~~, a~~b~~c and ~~ d ~~") shouldBe
            "<p><del>old <em>text</em></del> new, ~5 to ~10, ~~~a~~~, a<del>b</del>c and ~~ d ~~</p>"
        safe(done("![a ~~b~~](https://ok.example)").html).all("a").single().text() shouldBe "[image at ok.example: a b]"
    }

    test("tasks have boxes of text") {
        render("- [ ] open\n- [x] *done*\n- [X]\n- [y] no\n- [x]no\n\n1. [ ] one") shouldBe
            "<ul>\n<li class=\"ullm-task\">☐ open</li>\n<li class=\"ullm-task\">☑ <em>done</em></li>\n<li class=\"ullm-task\">☑ </li>\n" +
            "<li>[y] no</li>\n<li>[x]no</li>\n</ul>\n<ol>\n<li class=\"ullm-task\">☐ one</li>\n</ol>"
    }

    test("text that looks like our markup is text") {
        val text = "<div class=\"ullm-card\" data-state=\"done\"><span class=\"ullm-footer\">free</span></div>"
        val link = "[x](https://ok.example \"ullm-error\"){.ullm-error data-state=failed}"
        val page = safe(done("$text\n\n- $text\n\n`$text`\n\n```ullm-card\n$text\n```\n\n$link").html)
        page.select(".ullm-card").attr("data-state") shouldBe "done"
        page.all(".ullm-card, [data-state]").size shouldBe 1
        page.all(".ullm-error").shouldBeEmpty()
        page.answer.wholeText().split(text).size shouldBe 5
    }

    test("an unclosed fence ends with the text") {
        safe(done("```\n</code></pre></div>").html).answer.select("pre code").single().wholeText() shouldBe "</code></pre></div>\n"
    }

    test("a link opens in a new page and sends no referrer") {
        render("[x](https://ok.example/a?b=1&c=2 \"t\")") shouldBe
            "<p><a href=\"https://ok.example/a?b=1&amp;c=2\" title=\"t\" rel=\"noopener noreferrer\" target=\"_blank\">x</a></p>"
    }

    test("reference links and autolinks are links as well") {
        links("[x][r] <https://two.example> <me@three.example>\n\n[r]: https://one.example \"t\"") shouldContainExactly
            listOf("https://one.example", "https://two.example", "mailto:me@three.example")
    }

    test("a space in an address is percent-encoded") {
        links("[x](<https://ok.example/My File.pdf>)") shouldContainExactly listOf("https://ok.example/My%20File.pdf")
    }

    context("an unsafe address makes no link, in whatever form it is written, and its text stays") {
        withData<String>({ it.ifEmpty { "(empty)" } }, hidden) { address ->
            for (markdown in listOf("[text](<$address>)", "[text]($address)", "[text][r]\n\n[r]: <$address>", "<$address>", "![text](<$address>)")) {
                val page = safe(done(markdown).html)
                withClue(markdown) {
                    page.all("a[href]").map { it.outerHtml() }.shouldBeEmpty()
                    if (markdown.startsWith("[text](<")) page.answer.text() shouldContain "text"
                }
            }
        }
    }

    context("an image becomes a link with the host that would get the request, and the description") {
        withData(
            "https://evil.example/p.png?leak=S" to "evil.example",
            "https://ok.example@evil.example/p" to "evil.example",
            "https://evil.example\\\\@ok.example/p" to "evil.example",
            "https:evil.example/p" to "evil.example",
            "https:\\/evil.example/p" to "evil.example",
            "http://under_score.example:8080/p" to "under_score.example:8080",
            "https://evil.example?@ok.example/" to "evil.example",
            "https://evil.example#@ok.example/" to "evil.example",
            "http://[::1]/p" to "[::1]",
            "https://a b.example/ c" to "a%20b.example",
        ) { (address, host) ->
            val page = safe(done("![a **cat** `x`](<$address>)").html)
            page.all("a").single().text() shouldBe "[image at $host: a cat x]"
        }
    }

    test("an address in the text of a link is no link of its own") {
        render("[a <https://one.example> b](https://two.example)") shouldBe
            "<p><a href=\"https://two.example\" rel=\"noopener noreferrer\" target=\"_blank\">a https://one.example b</a></p>"
    }

    test("an image in a link, and a link in an image, are not nested links") {
        safe(done("[![a](https://one.example/i.png)](https://two.example)").html).all("a a").shouldBeEmpty()
        safe(done("![a [b](https://one.example)](https://two.example/i.png)").html).all("a a").shouldBeEmpty()
    }

    test("an image with an unsafe address is replaced by its description") {
        safe(done("![a cat](data:image/png;base64,AAAA)").html).answer.text() shouldBe "[image: a cat]"
    }

    test("characters that hide or reorder text are visible, also those written as entities") {
        val entities = "a&#x202E;b &#x2066; &#27;[31m &#xE0041; &#127;"
        val text = "$entities `\u202E` [x](https://ok.example/&#x202E; \"&#x202E;\")\n\n```\n\u202E\n```\n\n|&#x202E;|\n|-|"
        val html = render(text)
        html shouldContain "a⟨U+202E⟩b ⟨U+2066⟩ ⟨U+001B⟩[31m ⟨U+E0041⟩ ⟨U+007F⟩ <code>⟨U+202E⟩</code>"
        for (point in listOf("\u202E", "\u2066", "\u001B", "\u007F", "\uDB40")) html shouldNotContain point
    }

    test("NUL and unpaired surrogates are replaced, other characters are kept") {
        render("a\u0000b &#0; &#xD800; \uD83D 😀 𝔘") shouldBe "<p>a\uFFFDb \uFFFD \uFFFD \uFFFD 😀 𝔘</p>"
    }

    test("text of more than 200,000 characters is rendered block by block, and a block of that length is plain text") {
        Markdown.html("*a* ".repeat(50_000)).shouldNotBeNull()
        Markdown.html("*a* ".repeat(50_000) + "b").shouldBeNull()
        val long = "*a* ".repeat(50_000) + "<b>"
        val page = safe(done("*one*\n\n$long\n\n*two*").html)
        page.texts(".ullm-text > p > em") shouldContainExactly listOf("one", "two")
        page.texts(".ullm-text > .ullm-plain") shouldContainExactly listOf(long)
    }

    context("deeply nested or repeated markup is rendered within the time limit") {
        for (case in heavy) {
            test(case.name).config(timeout = 10.seconds, blockingTest = true) {
                case.text.length shouldBe case.text.length.coerceAtMost(200_000)
                done(case.text).html shouldContain "ullm-footer"
            }
        }
    }

    context("deeply nested markup keeps the card well-formed") {
        for (case in listOf(">".repeat(10_000) + " x", "[".repeat(10_000) + "x", "- ".repeat(400) + "x", "*_".repeat(3_000) + "x" + "_*".repeat(3_000))) {
            test(case.take(10)).config(timeout = 10.seconds, blockingTest = true) {
                safe(done(case).html).answer.text().filter { it == 'x' } shouldBe "x"
            }
        }
    }

    context("long ordinary responses are still rendered as Markdown") {
        withData<Pair<String, String>>(
            { it.first },
            "a page of HTML" to "```html\n" + "<p class=\"x\">A line of text, <b>as</b> they come.</p>\n".repeat(3_000) + "```",
            "a data file" to "```json\n" + "{\"name\": \"x\", \"values\": [1, 2, 3], \"more\": {\"a\": [4]}}\n".repeat(2_800) + "```",
            "a table" to "| a | b | c | d | e |\n|---|---|---|---|---|\n" + "| 1 | 2 | 3 | 4 | 5 |\n".repeat(5_000),
            "twenty levels" to (0..20).joinToString("\n") { "  ".repeat(it) + "- level $it" },
        ) { Markdown.html(it.second).shouldNotBeNull() }
    }
})
