package dev.unifiedllm.jupyter

import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.comparables.shouldBeLessThan
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import io.kotest.matchers.string.shouldStartWith
import org.jsoup.Jsoup
import kotlin.random.Random
import kotlin.time.Duration.Companion.seconds

private fun grown(vararg pieces: String) = GrowingMarkdown().apply { for (piece in pieces) append(piece) }

/** The HTML after the end, with the items of lists in one list, and without the marks of mathematics. */
private fun merged(html: String): String = Jsoup.parseBodyFragment(html).apply {
    for (list in select("body > ul, body > ol")) {
        val before = list.previousElementSibling() ?: continue
        if (before.tagName() != list.tagName()) continue
        before.appendChildren(list.children())
        list.remove()
    }
    select("span.tex2jax_process").unwrap()
    select("li > p").unwrap()
    outputSettings().prettyPrint(false)
}.body().html().replace(Regex("\\s+"), " ").replace(Regex(" ?(</?(?:li|ul|ol)[^>]*>) ?"), "$1")

/** What the front end shows of a growing text, as text. */
private fun GrowingMarkdown.shown(): String = Jsoup.parseBodyFragment(html + tailHtml).body().wholeText()

private val ANSWER = """
    # A title

    Some *text* over
    two lines with \(a_1\) and ${'$'}5.
    ## Next
    1. First:
       ```kotlin
       val x = 1

       val y = "- no item"
       ```
    2. Second
    3. Third
       - nested
       - [x] done

    Text.
    ```
    # no heading

    - no item
    ```
    | a | b |
    |---|--:|
    | 1 | 2 |

    > quoted
    lazy

    > another

    \[
    x

    - y
    \]
    ${'$'}${'$'}
    - z
    ${'$'}${'$'}
    - loose

    - items

    * other
    + more
    ***
    Setext
    ---
        code

        more code

    <div>

    after
    <!-- comment

    - in it
    -->
    1) one
    2) two

       more of two
    ~~~~ text
    ~~~
    ```
    ~~~~
    last line
""".trimIndent().replace("\n\n- y", "\n- y") + "\n\n"

class GrowingMarkdownSpec : FunSpec({
    test("blocks are rendered when they are complete, and the rest is escaped text") {
        val growing = GrowingMarkdown()
        growing.append("# Ti") shouldBe ""
        growing.tail shouldBe "# Ti"
        growing.tailHtml shouldBe "<div class=\"ullm-plain\"># Ti</div>"
        growing.append("tle\nText *is") shouldBe "<h1>Title</h1>\n"
        growing.tailHtml shouldBe "<div class=\"ullm-plain\">Text *is</div>"
        growing.append("* <b>") shouldBe ""
        growing.tailHtml shouldBe "<div class=\"ullm-plain\">Text *is* &lt;b&gt;</div>"
        growing.append("\n\n") shouldBe "<p>Text <em>is</em> &lt;b&gt;</p>\n"
        growing.html shouldBe "<h1>Title</h1>\n<p>Text <em>is</em> &lt;b&gt;</p>\n"
        growing.tail shouldBe ""
        growing.tailHtml shouldBe ""
        growing.upTo shouldBe "# Title\nText *is* <b>\n\n".length
    }

    test("an open fence is a block of code before it ends") {
        val growing = grown("Code:\n```kotlin title=x\nval x = \"<b>\"\n\nval")
        growing.html shouldBe "<p>Code:</p>\n"
        val code = Jsoup.parseBodyFragment(growing.tailHtml)
        code.select(".ullm-lang").eachText() shouldContainExactly listOf("kotlin")
        code.selectFirst("pre code")!!.wholeText() shouldBe "val x = \"<b>\"\n\nval"
        growing.append(" y = 2\n```\n") shouldContain "val y = 2"
        growing.tailHtml shouldBe ""
    }

    test("the items of a list appear one by one, with their numbers") {
        val growing = grown("1. a\n2. b\n", "3. c")
        growing.html shouldBe "<ol>\n<li>a</li>\n</ol>\n"
        growing.append("\n\nText\n\n")
        growing.html shouldBe "<ol>\n<li>a</li>\n</ol>\n<ol start=\"2\">\n<li>b</li>\n</ol>\n<ol start=\"3\">\n<li>c</li>\n</ol>\n<p>Text</p>\n"
        grown("- a\n\n- b\n\n- c\n\nx\n").html shouldBe "<ul>\n<li>\n<p>a</p>\n</li>\n</ul>\n".let { it + it.replace("a", "b") + it.replace("a", "c") }
    }

    test("mathematics is not typeset before the end") {
        val growing = grown("Let \\(x\\) be.\n\n\\[\ny\n\\]\n")
        growing.html shouldBe "<p>Let \\(x\\) be.</p>\n<p>\\[\ny\n\\]</p>\n"
        growing.finish() shouldBe Markdown.html("Let \\(x\\) be.\n\n\\[\ny\n\\]\n")
    }

    test("the blocks of a growing text are those of the finished text") {
        merged(grown(ANSWER).html) shouldBe merged(Markdown.html(ANSWER)!!)
    }

    test("what is complete does not depend on how the text was cut") {
        val whole = grown(ANSWER)
        val letters = GrowingMarkdown()
        val added = StringBuilder()
        for (letter in ANSWER) {
            val before = letters.html
            added.append(letters.append(letter.toString()))
            letters.html shouldStartWith before
            letters.html shouldBe added.toString()
        }
        letters.html shouldBe whole.html
        for (line in listOf("\n", "\r\n", "\r")) {
            val text = ANSWER.replace("\n", line)
            merged(grown(*text.chunked(1).toTypedArray()).apply { append("\n") }.html) shouldBe merged(whole.html)
        }
    }

    test("nothing is lost and nothing is shown twice, at any prefix") {
        val letters = ANSWER + "word1 word2 *word3*\nword4"
        val growing = GrowingMarkdown()
        letters.forEachIndexed { index, letter ->
            growing.append(letter.toString())
            growing.tail shouldBe letters.substring(growing.upTo, index + 1)
        }
        val words = Regex("word\\d|loose|items|nested|lazy|comment|Setext").findAll(letters).map { it.value }.toList()
        Regex("word\\d|loose|items|nested|lazy|comment|Setext").findAll(growing.shown()).map { it.value }.toList() shouldBe words
    }

    test("random lines: the complete blocks have the words of the finished text in their order, and are well-formed at each line") {
        val lines = listOf("w", "- w", "  w", "1. w", "2. w", "   w", "> w", "```", "~~~", "", "", "# w", "---", "===", "| w | w |", "|---|---|", "    w")
        val more = listOf("$$", "\\[", "\\]", "<div>", "<!--", "-->", "***", "* w", "\tw", "- ```", "  ```", "1) w", "[w]: https://ok.example", "<b>w")
        repeat(600) { seed ->
            val random = Random(seed)
            var number = 0
            val text = List(random.nextInt(1, 20)) { (if (random.nextInt(3) == 0) more else lines).random(random) }
                .joinToString("\n")
                .replace(Regex("w")) { "w${number++}" } + "\n\n"
            val growing = GrowingMarkdown()
            for (line in text.split("\n")) {
                growing.append(line + "\n")
                safe(growing.html + growing.tailHtml)
            }
            withClue(text) {
                val known = Regex("w\\d+").findAll(Jsoup.parse(Markdown.html(text)!!).text()).map { it.value }.toSet()
                val shown = Regex("w\\d+").findAll(growing.shown()).map { it.value }.toList()
                shown.filter { it in known } shouldBe shown.filter { it in known }.sortedBy { it.drop(1).toInt() }
                shown.toSet().let { all -> known.filter { it !in all } }.shouldBeEmpty()
            }
        }
    }

    test("a block that is too deep or too slow is shown as it is, and those around it are rendered") {
        val growing = grown("*a*\n\n" + ">".repeat(5_000) + " <x>\n\n*b*\n\n")
        growing.html shouldStartWith "<p><em>a</em></p>\n<div class=\"ullm-plain\">&gt;&gt;"
        growing.html.takeLast(60) shouldContain " &lt;x&gt;</div><p><em>b</em></p>"
    }

    test("a text that is too long to be rendered at once is rendered block by block") {
        val text = "A *block*.\n\n".repeat(30_000) + "The *end*"
        Markdown.html(text) shouldBe null
        val html = grown(text).finish()
        html shouldStartWith "<p>A <em>block</em>.</p>\n"
        html.takeLast(50) shouldContain "<p>The <em>end</em></p>"
        html shouldNotContain "*"
    }

    test("what is above 1,000,000 characters is not shown, and a note says so") {
        val growing = grown("A *block*.\n\n".repeat(100_000) + "x".repeat(1_500_000))
        growing.html.length shouldBeLessThan 3_000_000
        growing.tailHtml shouldContain "more characters are not shown"
        Regex("([0-9,]+) more characters are not shown").findAll(growing.finish()).map { it.groupValues[1] }.toList() shouldContainExactly listOf("700,004")
        grown("x".repeat(5_400_000)).finish() shouldContain "\n… 4,400,000 more characters are not shown."
    }

    context("the time is linear: 1,000,000 characters in 50,000 pieces") {
        withData<Pair<String, String>>(
            { it.first },
            "paragraphs" to "Some *words* of a text, as they come.\n\n".repeat(26_000),
            "a list" to "- an item with \\(x\\) and **words**\n".repeat(28_000),
            "one fence" to "```\n" + "val x = 1 // a line of code\n".repeat(37_000),
            "one paragraph" to "A line of one paragraph, with $$ and `code`.\n".repeat(23_000),
            "one line" to "word ".repeat(200_000),
            "headings" to "# h\n".repeat(250_000),
        ) { (_, text) ->
            val start = kotlin.time.TimeSource.Monotonic.markNow()
            val growing = GrowingMarkdown()
            for (piece in text.take(1_000_000).chunked(20)) growing.append(piece)
            start.elapsedNow() shouldBeLessThan 10.seconds
        }
    }
})
