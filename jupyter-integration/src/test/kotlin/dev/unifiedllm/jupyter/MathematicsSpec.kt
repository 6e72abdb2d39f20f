package dev.unifiedllm.jupyter

import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import kotlin.time.Duration.Companion.seconds

private val cases: List<Pair<String, String>> = MathematicsSpec::class.java.getResource("/mathematics.txt")!!.readText().lines()
    .filter { it.startsWith("IN  ") || it.startsWith("OUT ") }
    .map { it.drop(4).replace('⏎', '\n').replace("⟦", "<span class=\"$MATHEMATICS\">").replace("⟧", "</span>") }
    .chunked(2) { (markdown, html) -> markdown to html }

private const val LONG = 199_000

private fun repeated(text: String) = text.repeat(LONG / text.length)

private val heavy = listOf(
    repeated("$"),
    repeated("\$a "),
    repeated("\$a\$5 "),
    repeated("$$ a"),
    repeated("\\("),
    repeated("\\(a\\)"),
    repeated("\\[\n"),
    repeated("$$\n"),
    "a $$\n" + repeated("\$\$a$$\n").let { it.take(it.length / 4) }, // one paragraph, whose lines commonmark copies for each line
    repeated("a\n$$ b\n"),
    repeated("\\begin{align}"),
    repeated("\\begin{align}\n"),
    repeated("\\begin{align}\\begin{math}\\("),
)

class MathematicsSpec : FunSpec({
    context("mathematics keeps its delimiters and its content") {
        withData<Pair<String, String>>({ "\"${it.first}\"" }, cases) { (markdown, html) ->
            safe(done(markdown).html)
            Markdown.html(markdown) shouldBe html
        }
    }

    test("MathJax typesets nothing of a card but its mathematics") {
        val page = safe(done("Costs $5 and $6, \$x$").html)
        page.select(".ullm-card").first()!!.classNames() shouldContainExactly setOf("ullm-card", "mathjax_ignore", "tex2jax_ignore")
        page.all(".mathjax_process").map { it.wholeText() } shouldContainExactly listOf("\$x$")
        safe(streaming("half \\(a_1").html).all(".mathjax_process").shouldBeEmpty()
    }

    test("hidden characters in mathematics are visible") {
        Markdown.html("\$a\u202Eb$") shouldContain "\$a⟨U+202E⟩b$"
    }

    context("repeated delimiters are rendered within the time limit") {
        for (text in heavy) {
            test(text.take(20).replace("\n", "⏎")).config(timeout = 10.seconds, blockingTest = true) { done(text).html shouldContain "ullm-footer" }
        }
    }
})
