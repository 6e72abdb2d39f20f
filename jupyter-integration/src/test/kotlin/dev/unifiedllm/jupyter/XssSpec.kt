package dev.unifiedllm.jupyter

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.EmbeddingResponse
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.ImageResponse
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Part
import dev.unifiedllm.store.By
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldContain
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.collections.shouldContainExactlyInAnyOrder
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import kotlinx.serialization.SerialName
import kotlinx.serialization.Serializable
import kotlinx.serialization.json.Json

@Serializable
private data class Vector(val id: String, @SerialName("class") val kind: String, val input: String, val required: String)

@Serializable
private data class Vectors(val vectors: List<Vector>)

private val json = Json { ignoreUnknownKeys = true }
private val vectors: List<Vector> = json.decodeFromString<Vectors>(XssSpec::class.java.getResource("/xss-vectors.json")!!.readText()).vectors

/** A parser of HTML reads CR LF and CR as LF. */
private fun shown(text: String) = reveal(text).replace("\r\n", "\n").replace('\r', '\n')

private fun String.dense() = filterNot { it.isWhitespace() }

/** True if the whole text of the vector must be visible. Markdown syntax is not. */
private val Vector.isMarkup get() = kind != "url-scheme" && kind != "markdown" && input.startsWith("<")

private val states = listOf(CardState.DONE, CardState.FAILED)

class XssSpec : FunSpec({
    test("no vector is missing") {
        vectors shouldHaveSize 121
        vectors.map { it.kind }.distinct() shouldHaveSize 9
    }

    context("text of a finished response") {
        withData<Vector>({ it.id }, vectors) { vector ->
            val page = done(vector.input).page()
            if (vector.isMarkup) page.answer.wholeText().dense() shouldContain shown(vector.input).dense()
        }
    }

    context("text of a streaming response, at every prefix") {
        withData<Vector>({ it.id }, vectors) { vector ->
            for (length in 1..vector.input.length) {
                val prefix = vector.input.take(length)
                streaming(prefix).page().answer.wholeText() shouldBe shown(prefix)
            }
        }
    }

    context("text of a response that ended at any prefix") {
        withData<Vector>({ it.id }, vectors) { vector ->
            for (length in 1..vector.input.length) {
                val prefix = vector.input.take(length)
                val response = answer(start(), Delta.Text(prefix), finish())
                for (state in states) AnswerCard(gpt, state, response, LlmException.StreamInterrupted(prefix)).render().page()
            }
        }
    }

    context("every other field of a card") {
        withData<Vector>({ it.id }, vectors) { (_, _, input) ->
            val model = ModelId(input, input)
            val failure = LlmException.Overloaded(input, details = LlmException.Details(model, null, input))
            val response = answer(
                Delta.Attempt(model, failure),
                Delta.Warning(input),
                Delta.Start(input, model, input),
                Delta.Reasoning(input, input),
                Delta.Text("Yes."),
                Delta.ToolCallDelta(0, input, input, input),
                Delta.Source(input, input),
                Delta.Source("https://ok.example/?q=$input", input),
                Delta.Source(input),
                finish(cost = Cost.Known(dev.unifiedllm.chat.Usd.ZERO, input), reason = FinishReason(FinishReason.Kind.OTHER, input)),
            )
            val page = AnswerCard(model, CardState.DONE, response, failure).render().page()
            page.footer shouldContain shown("$input/$input")
            page.texts(".ullm-call") shouldContainExactly listOf(shown("$input($input)"))
            page.texts(".ullm-reasoning div") shouldContainExactly listOf(shown(input))
            page.texts(".ullm-error div") shouldContainExactly listOf(shown(input))
            page.texts(".ullm-note") shouldContain shown("⚠ $input")
            page.texts(".ullm-note a[href^=https://ok.example/]") shouldContainExactly listOf(shown(input))
            for (state in CardState.entries) AnswerCard(model, state, response, failure).render().page()
            errorCard(failure).page()
        }
    }

    context("steps of a tool loop, images, and the results of other calls") {
        withData<Vector>({ it.id }, vectors) { (_, _, input) ->
            val model = ModelId(input, input)
            val response = answer(
                start(model),
                Delta.Text(input),
                Delta.ToolCallDelta(0, input, input, input),
                Delta.StepFinish(0, FinishReason(FinishReason.Kind.TOOL_CALLS, input), null, Cost.Free),
                Delta.ToolResult(
                    input,
                    input,
                    listOf(Part.Text(input), Part.Image(input), Part.Image("data:image/png,$input"), Part.File(input, input, input)),
                    java.time.Duration.ZERO,
                ),
                start(model),
                Delta.Text("Yes."),
                Delta.Media(input, input),
                Delta.Media("image/png", "data:image/png,$input"),
                Delta.Media("image/svg+xml", "data:image/svg+xml;base64,$input"),
                Delta.Media(input, "https://ok.example/$input"),
                finish(),
            )
            for (state in CardState.entries) AnswerCard(model, state, response).render().page()
            AnswerCard(model, CardState.DONE, response).render().page().texts(".ullm-call") shouldContainExactly listOf(shown("$input($input)"))
            val image = ImageResponse.of(
                listOf(start(model), Delta.Text(input), Delta.Media(input, input, revisedPrompt = input), Delta.Warning(input), finish()),
            )
            resultCard(image)!!.page().footer shouldContain shown("$input/$input")
            resultCard(EmbeddingResponse.of(listOf(start(model), Delta.Embedding(0, FloatArray(2)), Delta.Warning(input), finish())))!!.page()
            for (state in CardState.entries) callCard(input, state, LlmException.Overloaded(input), Picture(input, input)).page()
        }
    }

    test("names and tasks in the cost table") {
        val client = Llm.builder().build()
        client.use { llm ->
            for ((_, _, input) in vectors) {
                val model = FakeModel(ModelId(input, input)) { emit(finish()) }
                llm.chat(model) {
                    user("?")
                    task = input
                }.await()
            }
            val inputs = vectors.map { it.input }.distinct()
            costTable(llm.costs(By.TASK)).page().rows("tbody tr").map { it.first() } shouldContainExactlyInAnyOrder inputs.map(::shown)
            costTable(llm.costs(By.PROVIDER)).page().rows("tbody tr").map { it.first() } shouldContainExactlyInAnyOrder inputs.map(::shown)
            costTable(llm.costs(By.MODEL)).page().rows("tbody tr").map { it.first() } shouldContainExactlyInAnyOrder inputs.map { shown("$it/$it") }
        }
    }

    test("a text without a safe address has no link") {
        for (vector in vectors.filter { it.kind == "url-scheme" && "https://" !in it.input }) {
            done(vector.input).page().all("a[href]").map { it.outerHtml() } shouldBe emptyList()
        }
    }

    test("an image becomes a link with its host") {
        for (vector in vectors.filter { it.input.startsWith("![") }) {
            val link = done(vector.input).page().all("a").single()
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
