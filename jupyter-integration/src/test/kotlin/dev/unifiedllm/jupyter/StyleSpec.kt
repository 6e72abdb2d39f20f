package dev.unifiedllm.jupyter

import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.booleans.shouldBeFalse
import io.kotest.matchers.booleans.shouldBeTrue
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.ints.shouldBeLessThanOrEqual
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain

private fun rule(css: String) = rulesOf(css).single()

class StyleSpec : FunSpec({
    test("the style of a plain answer has at most 1.5 kB") {
        done("Paris is the capital of France.").html.substringBefore("</style>").length shouldBeLessThanOrEqual 1_500
    }

    test("an answer has the rules of what is in it, and no others") {
        val html = done("# Title\n\n```kotlin\nval x\n```").html.substringBefore("</style>")
        html shouldContain ".ullm-code"
        html shouldNotContain "table{"
        html shouldNotContain ".ullm-error"
        val table = done("|a|b|\n|-|-|\n|1|2|").html.substringBefore("</style>")
        table shouldContain "table{"
        table shouldNotContain ".ullm-lang"
    }

    context("a rule is needed by HTML with all classes and elements of one of its selectors") {
        withData<Triple<String, String, Boolean>>(
            { "${it.first} by ${it.second}" },
            Triple(".ullm-a { x: y; }", "<p class=\"ullm-a\">", true),
            Triple(".ullm-a { x: y; }", "<p class=\"ullm-b\">", false),
            Triple(".ullm-a h1, .ullm-a h2 { x: y; }", "<p class=\"ullm-a\"><h2>", true),
            Triple(".ullm-a h1, .ullm-a h2 { x: y; }", "<p class=\"ullm-a\"><h3>", false),
            Triple("img.ullm-a { x: y; }", "<p class=\"ullm-a\">", false),
            Triple(".ullm-a > :first-child { x: y; }", "<p class=\"ullm-a\">", true),
            Triple(".ullm-a > ul + ul:not(:has(> li > p)) { x: y; }", "<p class=\"ullm-a\"><ul>", true),
            Triple("[data-jp-theme-light=\"false\"] .ullm-a { x: y; }", "<p class=\"ullm-a\">", true),
            Triple("@media (max-width: 40rem) { .ullm-a th { x: var(--ullm-b); } }", "<p class=\"ullm-a\">", true),
            Triple("@media (max-width: 40rem) { .ullm-a th { x: y; } }", "<p class=\"ullm-b\">", false),
            Triple("@keyframes ullm-a { 50% { x: y; } }", "<p class=\"ullm-b\">", false),
            Triple("@keyframes ullm-a { 50% { x: y; } }", "<p class=\"ullm-a\">", true),
        ) { (css, html, isNeeded) ->
            val needed = rule(css).isNeededBy(namesIn(html))
            if (isNeeded) needed.shouldBeTrue() else needed.shouldBeFalse()
        }
    }

    test("rules may have several lines, and lose the spaces that have no meaning") {
        rulesOf(".ullm-a,\n.ullm-b {\n  color: red;\n  margin: 0 1px;\n}\n\n/* more */\n.ullm-c { x: y; }").map { it.css } shouldContainExactly
            listOf(".ullm-a, .ullm-b{color:red;margin:0 1px}", ".ullm-c{x:y}")
    }

    test("no style sheet fetches anything, or styles the page around it") {
        for (css in listOf(style("parts", "markdown"))) {
            css shouldNotContain "url("
            css shouldNotContain "@import"
            css shouldNotContain ":root"
        }
    }
})
