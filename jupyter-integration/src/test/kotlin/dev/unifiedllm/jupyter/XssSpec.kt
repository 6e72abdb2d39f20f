package dev.unifiedllm.jupyter

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.EmbeddingResponse
import dev.unifiedllm.chat.ImageResponse
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.store.By
import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldContainExactlyInAnyOrder
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain

/** A parser of HTML reads CR LF and CR as LF. */
private fun shown(text: String) = reveal(text).replace("\r\n", "\n").replace('\r', '\n')

private fun String.dense() = filterNot { it.isWhitespace() }

private val FENCE = Regex("^ {0,3}(```|~~~)[^`]*$")

/** True if the whole text of the vector must be visible. Markdown syntax is not. */
private val Vector.isMarkup get() = kind != "url-scheme" && kind != "markdown" && input.startsWith("<")

/** Markdown in which a text from outside may stand. */
private val surroundings: List<(String) -> String> = listOf(
    { "- $it\n- b" },
    { "1. $it\n\n   c" },
    { "- [ ] $it" },
    { "> $it" },
    { "# $it" },
    { "| a |\n|---|\n| $it |\n" },
    { "```$it\n$it\n```\n" },
    { "    $it\n" },
    { "[$it]($it \"$it\")" },
    { "![$it]($it)" },
    { "[a]: <$it> '$it'\n\n[a]" },
    { "**$it** ~~$it~~ `$it`" },
    { "\\($it\\) $$$it$$ \\[\n$it\n\\]" },
    { "<$it>" },
    { "<div class=\"ullm-card\">$it</div>\n\n$it" },
)

class XssSpec : FunSpec({
    test("no vector is missing") {
        vectors shouldHaveSize 121
        vectors.map { it.kind }.distinct() shouldHaveSize 9
        allVectors.map { it.id }.distinct() shouldHaveSize 144
    }

    context("every place, at every beginning of the text") {
        withData<XssPlace>({ it.name }, xssPlaces) { place ->
            for (vector in allVectors) withClue(vector.id) { place.render(vector.prefixes).forEach { safe(it) } }
        }
    }

    context("within Markdown, finished and whenever a block is complete") {
        withData<Vector>({ it.id }, allVectors) { vector ->
            for (surrounding in surroundings) {
                val text = surrounding(vector.input)
                safe(Markdown.html(text)!!)
                val growing = GrowingMarkdown()
                for (letter in "$text\n\nb") {
                    if (growing.append(letter.toString()).isNotEmpty()) safe(growing.html + growing.tailHtml)
                }
            }
        }
    }

    context("text of a response, finished and growing, is shown as it is") {
        withData<Vector>({ it.id }, allVectors) { vector ->
            if (vector.isMarkup) safe(done(vector.input).html).select(".ullm-text").text().dense() shouldContain shown(vector.input).dense()
            for (prefix in vector.prefixes.filterNot { '\n' in it || it.isBlank() }) {
                val growing = GrowingMarkdown().apply { append(prefix) }
                safe(growing.html + growing.tailHtml).select(".ullm-plain, code").last()?.wholeText() ?: "" shouldBe
                    if (FENCE.containsMatchIn(prefix)) "" else shown(prefix).trimEnd()
            }
        }
    }

    context("images and the results of other calls") {
        withData<Vector>({ it.id }, allVectors) { (_, _, input) ->
            val model = ModelId(input, input)
            val image = ImageResponse.of(
                listOf(start(model), Delta.Text(input), Delta.Media(input, input, revisedPrompt = input), Delta.Warning(input), finish()),
            )
            safe(resultCard(image)!!.html).text() shouldContain shown("$input/$input").replace(Regex("\\s+"), " ").trim()
            safe(resultCard(EmbeddingResponse.of(listOf(start(model), Delta.Embedding(0, FloatArray(2)), Delta.Warning(input), finish())))!!.html)
            for (state in CardState.entries) safe(Waiting(input, input).card(state, LlmException.Overloaded(input), Picture(input, input)).html)
        }
    }

    test("a line of 1,000,000 characters is safe, finished and growing") {
        val line = "<img src=x onerror=alert(1)>".repeat(36_000)
        safe(done(line).html)
        safe(GrowingMarkdown().apply { append(line) }.tailHtml)
        safe(errorCard(LlmException.Overloaded(line)).html)
    }

    test("names and tasks in the cost table are those of the calls") {
        Llm.builder().build().use { llm ->
            for ((_, _, input) in allVectors) {
                val call = llm.chat(FakeModel(ModelId(input, input)) { emit(finish()) }) {
                    user("?")
                    task = input
                }
                call.await()
            }
            val inputs = allVectors.map { it.input }.distinct().map { shown(it).dense() }
            fun names(by: By) = safe(costTable(llm.costs(by)).html).select("tbody tr > :first-child").map { it.wholeText().dense() }
            names(By.TASK) shouldContainExactlyInAnyOrder inputs
            names(By.PROVIDER) shouldContainExactlyInAnyOrder inputs
            names(By.MODEL) shouldContainExactlyInAnyOrder allVectors.map { it.input }.distinct().map { shown("$it/$it").dense() }
        }
    }

    test("a text without a safe address has no link") {
        for (vector in vectors.filter { it.kind == "url-scheme" && "https://" !in it.input }) {
            safe(done(vector.input).html).select("a[href]").map { it.outerHtml() } shouldBe emptyList()
        }
    }

    test("an image becomes a link with its host") {
        for (vector in vectors.filter { it.input.startsWith("![") }) {
            val link = safe(done(vector.input).html).select("a").single()
            link.text() shouldContain java.net.URI(link.attr("href")).host
        }
    }

    test("the plain-text form has no control characters for a terminal") {
        // fault 228
        val nasty = "\u001B]0;x\u0007\u001B[2J\u202Egpj.exe"
        val model = ModelId(nasty, nasty)
        val failure = LlmException.Overloaded(nasty, details = LlmException.Details(model))
        val response = answer(start(model), Delta.Text(nasty), Delta.ToolCallDelta(0, nasty, nasty, nasty), Delta.Warning(nasty), finish())
        for (state in CardState.entries) {
            val text = AnswerCard(model, state, response, failure).render().text
            text shouldNotContain "\u001B"
            text shouldNotContain "\u202E"
        }
        val table = Llm.builder().build().use { llm ->
            llm.chat(FakeModel(model) { emit(finish()) }, "?").await()
            costTable(llm.costs())
        }
        table.text shouldNotContain "\u001B"
        table.text shouldNotContain "\u202E"
    }
})
