package dev.unifiedllm.jupyter

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldEndWith
import io.kotest.matchers.string.shouldNotContain
import io.kotest.matchers.string.shouldStartWith
import kotlin.time.Duration.Companion.microseconds
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.minutes
import kotlin.time.Duration.Companion.seconds

private fun card(state: CardState, response: ChatResponse?, failure: Throwable? = null) = AnswerCard(gpt, state, response, failure).render()

/** The card of a response, also of one that is long (fault 228). */
class AnswerCardSpec : FunSpec({
    context("a response that did not end by itself says so, as HTML and as plain text, and has its own state") {
        withData<Triple<FinishReason, String, String?>>(
            { "${it.first}" },
            Triple(FinishReason(FinishReason.Kind.ERROR, "no_resource"), "failed", "The provider ended the response with an error (no_resource)."),
            Triple(FinishReason(FinishReason.Kind.ERROR), "failed", "The provider ended the response with an error."),
            Triple(FinishReason(FinishReason.Kind.OTHER, "eos <i> & more"), "unknown", "Ended for another reason (eos <i> & more)."),
            Triple(FinishReason(FinishReason.Kind.UNKNOWN, " "), "unknown", "The provider gave no reason for the end."),
            Triple(FinishReason(FinishReason.Kind.LENGTH, "max_tokens"), "length", "Cut at the token limit. Raise maxTokens for a longer answer."),
            Triple(FinishReason(FinishReason.Kind.CONTENT_FILTER, "SAFETY"), "filtered", "The provider's filter withheld text (SAFETY)."),
            Triple(FinishReason(FinishReason.Kind.REFUSAL), "refused", "The model declined to answer."),
            Triple(FinishReason(FinishReason.Kind.TOOL_CALLS, "tool_calls"), "done", null),
            Triple(FinishReason.STOP, "done", null),
        ) { (reason, state, line) ->
            val rendered = card(CardState.DONE, answer(start(), Delta.Text("x"), finish(reason = reason)))
            rendered.page().state shouldBe state
            rendered.page().texts(".ullm-note") shouldContainExactly listOfNotNull(line)
            rendered.text.lines().drop(1).dropLast(1) shouldContainExactly listOfNotNull(line)
        }
    }

    test("a waiting card names the requested model") {
        val page = card(CardState.WAITING, null).page()
        page.state shouldBe "waiting"
        page.footer shouldBe "openai/gpt-4o · waiting"
        page.answer.select(".ullm-caret").size shouldBe 1
        page.answer.text() shouldBe ""
    }

    test("the card of a call that is not sent says how to send it") {
        val page = card(CardState.NEW, null).page()
        page.state shouldBe "new"
        page.footer shouldBe "openai/gpt-4o · not sent"
        page.answer.text() shouldBe "To send it, make it the last expression of a cell, or call show()."
    }

    test("streaming text is shown as plain text with a caret") {
        val page = card(CardState.STREAMING, answer(start(), Delta.Text("**bo"), Delta.Text("ld** <b>\n\n- x"))).page()
        page.state shouldBe "streaming"
        page.answer.select(".ullm-plain .ullm-caret").size shouldBe 1
        page.answer.wholeText() shouldBe "**bold** <b>\n\n- x"
        page.footer shouldBe "openai/gpt-4o · streaming"
    }

    test("finished text is shown as Markdown without a caret") {
        val page = card(CardState.DONE, answer(start(), Delta.Text("**bold** <b>"), finish())).page()
        page.state shouldBe "done"
        page.answer.className() shouldBe "ullm-text"
        page.answer.children().outerHtml() shouldBe "<p><strong>bold</strong> &lt;b&gt;</p>"
    }

    test("a failure is shown below the text that had arrived") {
        val failure = LlmException.StreamInterrupted("The connection was lost.\nAsk again: <retry>")
        val page = card(CardState.FAILED, answer(start(), Delta.Text("**Hal")), failure).page()
        page.state shouldBe "cut"
        page.answer.wholeText().trim() shouldBe "**Hal"
        page.texts(".ullm-error b") shouldContainExactly listOf("Cut off")
        page.texts(".ullm-error div").take(2) shouldContainExactly listOf("The connection was lost.", "Ask again: <retry>")
        page.texts(".ullm-error details div") shouldContainExactly listOf("LlmException.StreamInterrupted")
        page.footer shouldBe "openai/gpt-4o · cut off · first token 0.20 s · 0.20 s"
    }

    test("a failure before any text has a card") {
        val rendered = card(CardState.FAILED, null, LlmException.Configuration("No API key: set GROQ_API_KEY."))
        rendered.page().footer shouldBe "openai/gpt-4o · failed"
        rendered.text shouldBe "Not configured: No API key: set GROQ_API_KEY.\nopenai/gpt-4o · failed"
    }

    test("an unknown failure has the name of its class, an anonymous one that of its superclass, and an empty message is allowed") {
        val rendered = errorCard(LlmException.Overloaded(""))
        rendered.page().texts(".ullm-error b") shouldContainExactly listOf("Overloaded")
        card(CardState.FAILED, null, object : RuntimeException() {}).page().texts(".ullm-error b") shouldContainExactly listOf("RuntimeException")
    }

    test("a stopped card keeps its text") {
        val page = card(CardState.CANCELLED, answer(start(), Delta.Text("Hal"))).page()
        page.state shouldBe "stopped"
        page.answer.wholeText().trim() shouldBe "Hal"
        page.texts(".ullm-note") shouldContainExactly listOf("Stopped. The text above is what had arrived.")
        page.footer shouldBe "openai/gpt-4o · stopped · first token 0.20 s · 0.20 s"
        page.all(".ullm-error").shouldBeEmpty()
    }

    test("reasoning is folded; it is open only while it streams and there is no text") {
        val reasoning = answer(start(), Delta.Reasoning("Let me <think>\nhard"))
        val both = answer(start(), Delta.Reasoning("Let me <think>\nhard"), Delta.Text("42"))
        val done = answer(start(), Delta.Reasoning("Let me <think>\nhard"), Delta.Text("42"), finish())
        for ((state, response) in CardState.entries.flatMap { state -> listOf(reasoning, both, done).map { state to it } }) {
            val page = card(state, response).page()
            page.texts(".ullm-reasoning div") shouldContainExactly listOf("Let me <think>\nhard")
            page.all(".ullm-reasoning[open]").size shouldBe if (state == CardState.STREAMING && response === reasoning) 1 else 0
        }
        card(CardState.DONE, answer(start(), Delta.Text("42"), finish())).page().all(".ullm-reasoning").shouldBeEmpty()
    }

    context("failed attempts are listed above the text, with the model that was tried next") {
        val llama = ModelId("ollama", "llama3")
        val groq = ModelId("groq", "x")
        val refused = Delta.Attempt(llama, LlmException.Network("refused", LlmException.Network.Phase.CONNECT))
        val busy = Delta.Attempt(groq, LlmException.Overloaded("busy"))

        fun notes(state: CardState, vararg deltas: Delta) = AnswerCard(llama, state, answer(*deltas)).render().page().texts(".ullm-note")

        test("after a response") {
            val page = AnswerCard(llama, CardState.DONE, answer(refused, busy, start(gpt), Delta.Text("x"), finish())).render().page()
            page.texts(".ullm-note") shouldContainExactly
                listOf("ollama/llama3 failed (Network), tried groq/x instead", "groq/x failed (Overloaded), tried openai/gpt-4o instead")
            page.footer shouldContain "openai/gpt-4o · "
            page.footer shouldNotContain "llama3"
        }

        test("while the next model is tried") {
            notes(CardState.WAITING, refused) shouldContainExactly listOf("ollama/llama3 failed (Network), trying the next model")
            AnswerCard(llama, CardState.WAITING, answer(refused)).render().page().footer shouldBe "waiting"
            AnswerCard(llama, CardState.WAITING, answer(refused, start(gpt))).render().page().footer shouldBe "openai/gpt-4o · waiting"
        }

        test("after a failure of all models") {
            notes(CardState.FAILED, refused, busy) shouldContainExactly
                listOf("ollama/llama3 failed (Network), tried groq/x instead", "groq/x failed (Overloaded)")
        }

        test("after a second attempt at one model") {
            notes(CardState.DONE, busy, start(groq), finish()) shouldContainExactly listOf("groq/x failed (Overloaded), tried again")
        }

        test("while a retry is waited for, and after it") {
            val waiting = busy.copy(delay = java.time.Duration.ofMillis(1_500))
            notes(CardState.WAITING, waiting) shouldContainExactly listOf("groq/x failed (Overloaded), trying again in 1.5 s")
            notes(CardState.DONE, waiting, start(groq), finish()) shouldContainExactly listOf("groq/x failed (Overloaded), tried again after 1.5 s")
        }
    }

    test("a card without any model says so") {
        AnswerCard(null, CardState.DONE, ChatResponse.of(listOf(Delta.Text("x"), finish()))).render().page().footer shouldStartWith "unknown model · 10 in"
    }

    test("warnings are shown when the call has ended, in whatever state") {
        val response = answer(start(), Delta.Warning("temperature was left out"), Delta.Text("x"), finish())
        for (state in CardState.entries) {
            val isOver = state in listOf(CardState.DONE, CardState.FAILED, CardState.CANCELLED)
            card(state, response).page().texts(".ullm-note").filter { it.startsWith("⚠") } shouldBe
                if (isOver) listOf("⚠ temperature was left out") else emptyList()
        }
    }

    test("tool calls are shown with their arguments") {
        val response =
            answer(
                start(),
                Delta.ToolCallDelta(0, "c1", "weather", "{\"city\":"),
                Delta.ToolCallDelta(0, null, null, "\"Bern\"}"),
                Delta.ToolCallDelta(1, "c2", "now", "{}"),
            )
        val rendered = card(CardState.STREAMING, response)
        rendered.page().texts(".ullm-call") shouldContainExactly listOf("weather({\"city\":\"Bern\"})", "now({})")
        rendered.text shouldContain "weather({\"city\":\"Bern\"})\nnow({})\n"
    }

    test("the steps of a tool loop are above the text: calls, results, failures, and what the model wrote between") {
        val response = answer(
            start(),
            Delta.Text("I look it up."),
            Delta.ToolCallDelta(0, "c1", "weather", "{\"city\":\"Bern\"}"),
            Delta.ToolCallDelta(1, "c2", "now", "{}"),
            Delta.StepFinish(0, FinishReason(FinishReason.Kind.TOOL_CALLS, "tool_calls"), Usage.of(5, 5), Cost.Free),
            Delta.ToolResult("c2", "now", listOf(Part.Text("The tool failed: no clock")), java.time.Duration.ZERO, IllegalStateException("no clock")),
            Delta.ToolResult("c1", "weather", listOf(Part.Text("<b>sunny</b>"), Part.File("data:,x", "application/pdf", "w.pdf")), java.time.Duration.ZERO),
            start(),
            Delta.ToolCallDelta(0, "c1", "weather", "{}"), // the id of an earlier call
            Delta.StepFinish(1, FinishReason(FinishReason.Kind.TOOL_CALLS, "tool_calls"), Usage.of(5, 5), Cost.Free),
            Delta.ToolResult("c1", "weather", listOf(Part.Text("x".repeat(3_000))), java.time.Duration.ZERO),
            start(),
            Delta.Text("It is sunny."),
            finish(),
        )
        val rendered = card(CardState.DONE, response)
        val page = rendered.page()
        page.texts(".ullm-step") shouldContainExactly listOf("I look it up.")
        page.texts(".ullm-call") shouldContainExactly listOf("weather({\"city\":\"Bern\"})", "now({})", "weather({})")
        page.texts(".ullm-result").take(2) shouldContainExactly listOf("→ <b>sunny</b> [w.pdf, application/pdf]", "✗ failed: The tool failed: no clock")
        page.texts(".ullm-result").last() shouldContain "1,000 more characters are not shown. The property `messages` has the whole text."
        page.answer.wholeText().trim() shouldBe "It is sunny."
        rendered.text shouldStartWith "I look it up.\nweather({\"city\":\"Bern\"})\n→ <b>sunny</b> [w.pdf, application/pdf]\nnow({})\n✗ failed: The tool failed"
    }

    test("a tool that runs says so, and one whose call was stopped does not") {
        val response = answer(
            start(),
            Delta.ToolCallDelta(0, "c1", "weather", "{}"),
            Delta.StepFinish(0, FinishReason(FinishReason.Kind.TOOL_CALLS, "tool_calls"), null, Cost.Free),
        )
        card(CardState.STREAMING, response).page().texts(".ullm-result") shouldContainExactly listOf("running…")
        card(CardState.CANCELLED, response).page().texts(".ullm-result").shouldBeEmpty()
    }

    test("images of a response are shown below its text, those elsewhere and those of tools too") {
        val gif = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
        val response = answer(
            start(),
            Delta.ToolCallDelta(0, "c1", "plot", "{}"),
            Delta.StepFinish(0, FinishReason(FinishReason.Kind.TOOL_CALLS, "tool_calls"), null, Cost.Free),
            Delta.ToolResult("c1", "plot", listOf(Part.Image(gif)), java.time.Duration.ZERO),
            start(),
            Delta.Text("Here."),
            Delta.Media("image/gif", gif),
            Delta.Media("image/png", "https://images.example/a.png"),
            finish(),
        )
        val rendered = card(CardState.DONE, response)
        rendered.page().all("img").map { it.attr("src") } shouldContainExactly listOf(gif, gif)
        rendered.page().texts(".ullm-result") shouldContainExactly listOf("→ 1 image")
        rendered.page().texts(".ullm-note a") shouldContainExactly listOf("image at images.example")
        rendered.text shouldContain "Here.\n[image/gif, 42 bytes]\n[image/png, https://images.example/a.png]\n"
    }

    test("blocks of built-in tools are named, each type once, without their content") {
        fun block(type: String) = Delta.Raw(type, "{\"encrypted_content\":\"E==\"}", "anthropic-messages")
        val rendered = card(CardState.DONE, answer(start(), block("<b>search</b>"), block("result"), block("result"), Delta.Text("x"), finish()))
        rendered.page().texts(".ullm-note") shouldContainExactly listOf("Built-in tools: <b>search</b> · result")
        rendered.text shouldContain "Built-in tools: <b>search</b> · result\n"
        rendered.html + rendered.text shouldNotContain "E=="
    }

    test("sources are links with their titles; a source with an unsafe URL is text") {
        val response = answer(
            start(),
            Delta.Source("https://one.example/a?b=1&c=2", "One"),
            Delta.Source("https://two.example"),
            Delta.Source("javascript:alert(1)", "Three"),
            Delta.Source("notes.pdf"),
            Delta.Text("x"),
            finish(),
        )
        val page = card(CardState.DONE, response).page()
        page.texts(".ullm-note") shouldContainExactly listOf("Sources: One · https://two.example · Three · notes.pdf")
        page.all(".ullm-note a").map { it.attr("href") } shouldContainExactly listOf("https://one.example/a?b=1&c=2", "https://two.example")
    }

    test("the plain-text form has the text as it arrived, then the footer") {
        done("**Hi**\n\n- <b>").text shouldBe "**Hi**\n\n- <b>\nopenai/gpt-4o · 10 in + 20 out · $ n/a · first token 0.20 s · 0.30 s · 200 tok/s"
        card(CardState.FAILED, answer(start(), Delta.Text("Hal")), LlmException.Overloaded("busy")).text shouldBe
            "Hal\nOverloaded: busy\nopenai/gpt-4o · failed · first token 0.20 s · 0.20 s"
    }

    test("5 MB of text, reasoning, arguments or message are cut between characters, with a note") {
        val long = "x" + "😀".repeat(2_500_000)
        val response = answer(start(), Delta.Reasoning(long), Delta.Text(long), Delta.ToolCallDelta(0, "c", "tool", long), finish())
        for (state in listOf(CardState.STREAMING, CardState.DONE, CardState.FAILED)) {
            val rendered = card(state, response, LlmException.Overloaded(long).takeIf { state == CardState.FAILED })
            (rendered.html.length < 4_200_000) shouldBe true
            (rendered.text.length < 4_200_000) shouldBe true
            rendered.html shouldNotContain "\uFFFD"
            rendered.html shouldContain "😀\n… 4,000,002 more characters are not shown"
            rendered.text shouldContain "😀\n… 4,000,002 more characters are not shown"
        }
    }
})
