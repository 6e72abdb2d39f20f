package dev.unifiedllm.jupyter

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Role
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.store.By

/** A place of the outputs where text from outside stands. [render] gives the HTML of an output for each text, in their order. */
internal class XssPlace(val name: String, val render: (texts: List<String>) -> List<String>)

/** All outputs that show text of a model, a provider or a tool. The texts are the beginnings of one text. */
internal val xssPlaces: List<XssPlace> = listOf(
    XssPlace("card") { texts -> texts.map { done(it).html } },
    XssPlace("growing card") { texts -> growing(texts) },
    XssPlace("cut card") { texts ->
        texts.map { AnswerCard(gpt, CardState.FAILED, answer(start(), Delta.Text(it), finish()), LlmException.StreamInterrupted(it)).render().html }
    },
    XssPlace("fields of a card") { texts -> texts.map { fields(it) } },
    XssPlace("error card") { texts ->
        texts.map { errorCard(LlmException.Overloaded(it, details = LlmException.Details(ModelId(it, it), 503, it))).html }
    },
    XssPlace("comparison") { texts -> texts.map { compared(it) } },
    XssPlace("cost table") { texts -> table(texts) },
    XssPlace("budgets") { texts -> budgets(texts) },
    XssPlace("bulk") { texts -> bulks(texts) },
    XssPlace("transcript") { texts -> texts.map { transcript(it, listOf(said(it, Role.USER), said(it, Role.ASSISTANT)), it, it).html } },
    XssPlace("growing transcript") { texts -> growingTranscript(texts) },
)

private fun growing(texts: List<String>): List<String> {
    val live = LiveAnswer(gpt, texts.last())
    live.add(start())
    return texts.mapIndexed { index, text ->
        live.add(Delta.Text(text.substring(if (index == 0) 0 else texts[index - 1].length)))
        live.rendered().html
    }
}

private fun fields(text: String): String {
    val model = ModelId(text, text)
    val failure = LlmException.Overloaded(text, details = LlmException.Details(model, null, text))
    val response = answer(
        Delta.Attempt(model, failure),
        Delta.Warning(text),
        Delta.Start(text, model, text),
        Delta.Reasoning(text, text),
        Delta.ToolCallDelta(0, text, text, text),
        Delta.StepFinish(0, FinishReason(FinishReason.Kind.TOOL_CALLS, text), null, Cost.Free),
        Delta.ToolResult(text, text, listOf(Part.Text(text), Part.Image(text), Part.File(text, text, text)), java.time.Duration.ZERO),
        Delta.Start(text, model, text),
        Delta.Text("Yes."),
        Delta.Source(text, text),
        Delta.Source("https://ok.example/?q=$text", text),
        Delta.Media(text, "https://ok.example/$text"),
        Delta.Media("image/svg+xml", "data:image/svg+xml,$text"),
        finish(cost = Cost.Known(Usd.ZERO, text), reason = FinishReason(FinishReason.Kind.OTHER, text)),
    )
    return AnswerCard(model, CardState.DONE, response, facts = CardFacts(question = text)).render().html
}

private fun compared(text: String): String {
    val model = ModelId(text, text)
    val response = answer(start(model), Delta.Text(text), finish())
    val columns = listOf(
        ComparedColumn(text, listOf(text), AnswerCard(model, CardState.DONE, response)),
        ComparedColumn(text, emptyList(), AnswerCard(model, CardState.FAILED, response, LlmException.Overloaded(text))),
    )
    return compareCard(text, columns, CardState.DONE, text).html
}

/** One table in which each text is a task, and one in which each is a model. */
private fun table(texts: List<String>): List<String> = Llm.builder().build().use { llm ->
    for (text in texts.distinct()) {
        val call = llm.chat(FakeModel(ModelId(text, text)) { emit(finish(cost = Cost.Unknown(text))) }) {
            user("?")
            task = text
        }
        call.get()
    }
    listOf(By.TASK, By.MODEL).map { costTable(llm.costs(it)).html }
}

/** The bars of budgets with each text as a name and a tag, the cards of calls that they have refused, and the lines below a table of costs. */
private fun budgets(texts: List<String>): List<String> {
    val builder = Llm.builder().environment { null }
    for (text in texts.distinct()) {
        builder.budget(Usd.of("1")) {
            name = text
            tag = text
        }
    }
    return builder.build().use { llm ->
        val cards = llm.budgets().map { errorCard(LlmException.BudgetExceeded("${it.name} is over. ${it.tag}", budget = it, asked = Usd.of("2"))).html }
        cards + budgetBars(llm.budgets()).html + costTable(llm.costs()).html
    }
}

/** The bars of a bulk in which each text is a failure, and of bulks that the last text has ended: as the name of a budget, and as a failure of a listener. */
private fun bulks(texts: List<String>): List<String> {
    val last = texts.last()
    val builder = Llm.builder().environment { null }.retry { maxRetries = 0 }.budget(Usd.ZERO) {
        name = last
        tag = last
    }
    return builder.build().use { llm ->
        fun failing(text: String) = FakeModel(ModelId(text, text)) { throw LlmException.Overloaded(text) }
        val failed = llm.map(texts, 1) { llm.chat(failing(it), "?") }
        val bars = failed.get().map { bulkBar(failed.progress, CardState.FAILED, it.failure, listOf(it)).html }
        val stopped = llm.map(listOf(last), 1, options = { onProgress { error(last) } }) { text ->
            llm.chat(failing(text)) {
                user("?")
                tag(text)
            }
        }
        val results = stopped.get()
        check(stopped.progress.stopReason != null && stopped.progress.warnings.isNotEmpty()) { "not stopped by a budget, or no failure of the listener" }
        bars + bulkBar(stopped.progress, CardState.DONE, results = results).html
    }
}

private fun said(text: String, role: Role): Entry {
    var ids = 0
    val message = Message(role, listOf(Part.Text(text), Part.File(text, text, text), Part.Reasoning(text)), model = ModelId(text, text))
    return Entry.of(text, listOf(message)) { "$text${++ids}" }
}

private fun growingTranscript(texts: List<String>): List<String> {
    val growing = GrowingText()
    return texts.mapIndexed { index, text ->
        growing.append(text.substring(if (index == 0) 0 else texts[index - 1].length))
        val message = ChatMessage.of("n1", Role.ASSISTANT, ChatMessage.State.STREAMING, emptyList(), answer(start(ModelId(text, text))))
        val tool = ShownPart.Tool(text, text, text, text, null, ToolState.DONE)
        val parts = listOf(growing.shown(), ShownPart.Reasoning(text, null), tool, ShownPart.Source(safeUrl(text), text))
        transcript("chat", listOf(Entry(message, parts, listOf(text))), "").html
    }
}
