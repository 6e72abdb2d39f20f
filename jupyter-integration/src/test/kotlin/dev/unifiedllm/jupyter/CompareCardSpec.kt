package dev.unifiedllm.jupyter

import dev.unifiedllm.Comparison
import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.Model
import dev.unifiedllm.Models
import dev.unifiedllm.Reply
import dev.unifiedllm.chat.ComparisonResult
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Usd
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import io.kotest.matchers.string.shouldStartWith
import kotlinx.coroutines.delay
import org.jsoup.Jsoup
import org.jsoup.nodes.Element
import org.jsoup.parser.Parser

/** Answers with [text] after [millis], for which it says that it costs [dollars]; null for an unknown price. */
private fun costing(name: String, dollars: String?, text: String = "ok", millis: Long = 0, reason: FinishReason = FinishReason.STOP) =
    FakeModel(ModelId("fake", name)) {
        delay(millis)
        emit(Delta.Text(text))
        val cost = dollars?.let { Cost.Known(Usd.of(it), "test") } ?: Cost.Unknown("no price")
        emit(finish(cost = cost, reason = reason))
    }

private fun failing(name: String, failure: () -> Throwable) = FakeModel(ModelId("fake", name)) {
    emit(Delta.Text("half an answ"))
    throw failure()
}

/** The columns of a card, as an HTML 5 parser reads them. */
private class Columns(html: String) {
    private val parser = Parser.htmlParser().setTrackErrors(10)
    private val body: Element = parser.parseInput("<!DOCTYPE html><html><head><title>t</title></head><body>$html</body></html>", "").body()
    val root: Element = body.children().last()!!
    val all: List<Element> = root.select(".ullm-columns > .ullm-column")

    val names: List<String> get() = all.map { it.selectFirst(".ullm-model b")!!.wholeText() }
    val marks: List<List<String>> get() = all.map { column -> column.select(".ullm-model .ullm-mark").map { it.wholeText() } }
    val states: List<String> get() = all.map { it.selectFirst(".ullm-card")!!.attr("data-state") }
    val texts: List<String> get() = all.map { it.selectFirst(".ullm-text")!!.wholeText().trim() }

    /** Checks that the parser finds no error, and nothing that runs or loads. */
    fun check(): Columns = apply {
        parser.errors.map { it.toString() }.shouldBeEmpty()
        body.children().map { it.tagName() } shouldContainExactly listOf("style", "div")
        root.select("script, style, img, svg, iframe, link, meta, object, embed, form, input, button").shouldBeEmpty()
        root.allElements.flatMap { it.attributes() }.filter { it.key.startsWith("on") || "javascript:" in it.value }.shouldBeEmpty()
    }
}

private fun Rendered.columns() = Columns(html).check()

class CompareCardSpec : FunSpec({
    val llm = Llm.builder().environment { null }.retry { maxRetries = 0 }.build()
    afterSpec { llm.close() }

    fun comparison(vararg models: Model, prompt: String = "Why is the sky blue?"): Comparison = llm.compare(*models) { user(prompt) }

    suspend fun card(vararg models: Model): Rendered = comparison(*models).also { it.await() }.let(::comparisonCard)

    test("the answers stand in columns with the names of their models, below what was asked once") {
        val rendered = card(costing("a", "0.01", "**one**"), costing("b", "0.02", "two"))
        val columns = rendered.columns()
        columns.names shouldContainExactly listOf("fake/a", "fake/b")
        columns.texts shouldContainExactly listOf("one", "two")
        columns.states shouldContainExactly listOf("done", "done")
        columns.root.select(".ullm-question").single().wholeText() shouldBe "Why is the sky blue?"
        columns.all.first().select("strong").single().wholeText() shouldBe "one"
        columns.all.map { it.selectFirst(".ullm-footer")!!.wholeText() }.forEach { it shouldContain "10 in + 20 out" }
        columns.root.select(".ullm-note").last()!!.wholeText() shouldBe "2 models · $0.0300 in all"
    }

    test("the cheapest and the fastest answer are marked by words") {
        val columns = card(costing("a", "0.01", millis = 250), costing("b", "0.02"), costing("c", "0.03", millis = 500)).columns()
        columns.marks shouldContainExactly listOf(listOf("✓ cheapest"), listOf("✓ fastest"), emptyList())
    }

    test("where an answer has no price, the mark says that it compares the others only") {
        val columns = card(costing("a", "0.01", millis = 250), costing("b", null), costing("c", "0.03", millis = 500)).columns()
        columns.marks shouldContainExactly listOf(listOf("✓ cheapest of 2 with a price"), listOf("✓ fastest"), emptyList())
        columns.root.select(".ullm-note").last()!!.wholeText() shouldBe "3 models · $0.0400 + 1 unpriced in all"
    }

    test("answers that all cost the same, one answer alone, and no answer have no marks but the time's") {
        card(costing("a", "0.01", millis = 250), costing("b", "0.01")).columns().marks shouldContainExactly listOf(emptyList(), listOf("✓ fastest"))
        card(costing("a", "0.01")).columns().marks shouldContainExactly listOf(emptyList())
        card(failing("a") { LlmException.Overloaded("no") }, costing("b", null)).columns().marks shouldContainExactly listOf(emptyList(), emptyList())
        card(costing("a", null, millis = 250), Models.simple { "hi" }).columns().marks.first().shouldBeEmpty()
    }

    test("two answers with the lowest cost are both marked") {
        card(costing("a", "0.01", millis = 250), costing("b", "0.01", millis = 250), costing("c", "0.02")).columns().marks shouldContainExactly
            listOf(listOf("✓ cheapest"), listOf("✓ cheapest"), listOf("✓ fastest"))
    }

    test("a failure has its own column and keeps what had arrived; a filtered answer says so and has no mark") {
        val filtered = costing("c", "0.0001", reason = FinishReason(FinishReason.Kind.CONTENT_FILTER, "content_filter"))
        val rendered = card(costing("a", "0.01"), failing("b") { LlmException.StreamInterrupted("the line is dead") }, filtered)
        val columns = rendered.columns()
        columns.states shouldContainExactly listOf("done", "cut", "filtered")
        columns.texts shouldContainExactly listOf("ok", "half an answ", "ok")
        columns.all[1].select(".ullm-error").single().wholeText() shouldContain "the line is dead"
        columns.all[0].select(".ullm-error").shouldBeEmpty()
        columns.marks shouldContainExactly List(3) { emptyList<String>() }
        columns.root.select(".ullm-note").last()!!.wholeText() shouldStartWith "3 models, 1 failed · "
    }

    test("the plain text has all of it, in the same order") {
        val text = card(costing("a", "0.01", "one", millis = 250), costing("b", "0.02", "two")).text
        text shouldStartWith "> Why is the sky blue?\n\nfake/a (cheapest)\none\n"
        text shouldContain "\n\nfake/b (fastest)\ntwo\n"
    }

    test("a result and one answer of it render as well") {
        val down = failing("c") { LlmException.Overloaded("too many") }
        val result: ComparisonResult = comparison(costing("a", "0.01", "one", millis = 250), costing("b", "0.02", "two"), down).get()
        val columns = rendered(result).shouldNotBeNull().columns()
        columns.texts.take(2) shouldContainExactly listOf("one", "two")
        columns.marks shouldContainExactly listOf(listOf("✓ cheapest"), listOf("✓ fastest"), emptyList())
        rendered(result[0]).shouldNotBeNull().text shouldStartWith "one\n"
        rendered(result[2]).shouldNotBeNull().text shouldContain "too many"
    }

    test("one that is not sent says so, and rendering it sends nothing") {
        val model = costing("a", "0.01")
        val comparison = comparison(model)
        val columns = rendered(comparison).shouldNotBeNull().columns()
        columns.states shouldContainExactly listOf("new")
        comparison.replies.single().state shouldBe Reply.State.NEW
        model.calls shouldBe 0
    }

    test("one that was cancelled has stopped columns and no marks") {
        val comparison = comparison(costing("a", "0.01"), costing("b", "0.02"))
        comparison.cancel()
        val columns = comparisonCard(comparison).columns()
        columns.root.attr("data-state") shouldBe "stopped"
        columns.states shouldContainExactly listOf("stopped", "stopped")
        columns.marks shouldContainExactly listOf(emptyList(), emptyList())
    }

    test("text of users and models is text: nothing of it runs or loads") {
        val hostile = "<img src=x onerror=alert(1)><script>alert(2)</script></div></div></style>\"' [x](javascript:alert(3))"
        val model = costing("<b onclick=alert(4)>", null, hostile)
        val asked = comparison(model, failing("</b><script>") { LlmException.Overloaded(hostile) }, prompt = hostile).also { it.get() }
        val rendered = comparisonCard(asked)
        val columns = rendered.columns()
        columns.names.first() shouldBe "fake/<b onclick=alert(4)>"
        columns.all.size shouldBe 2
        Jsoup.parse(rendered.html).select("script").shouldBeEmpty()
        rendered.html shouldNotContain "<img"
    }
})
