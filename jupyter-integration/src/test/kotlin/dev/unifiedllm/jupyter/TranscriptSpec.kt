package dev.unifiedllm.jupyter

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Role
import dev.unifiedllm.chat.Usd
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import org.jsoup.Jsoup
import org.jsoup.nodes.Document

private var ids = 0

private fun user(text: String) = Entry.of("u${++ids}", listOf(Message.user(text))) { "p${++ids}" }

private fun answered(
    state: ChatMessage.State = ChatMessage.State.DONE,
    failure: Throwable? = null,
    response: ChatResponse? = answer(start(), Delta.Text("**Hello**"), finish()),
): Entry {
    val growing = GrowingAnswer({ 0 }) { "p${++ids}" }
    response?.parts?.forEach { if (it is Part.Text) growing.add(Delta.Text(it.text)) }
    val isDone = state == ChatMessage.State.DONE
    val message = ChatMessage.of("a${++ids}", Role.ASSISTANT, state, sendable(response?.messages.orEmpty(), isDone), response, failure)
    return Entry(message, growing.ended(), answerNotes(response, 0))
}

private fun parsed(rendered: Rendered): Document = Jsoup.parse(rendered.html)

/** The static transcript of chats and conversations. */
class TranscriptSpec : FunSpec({
    test("a chat as HTML: title, turns with their authors, rendered answers, their footers, the total") {
        val entries = listOf(user("hi <b>"), answered())
        val page = parsed(transcript("openai/gpt-4o", entries, entries.totals(), "w1"))
        page.selectFirst(".ullm-transcript")!!.attr("data-chat") shouldBe "w1"
        page.select(".ullm-role").eachText() shouldContainExactly listOf("You", "openai/gpt-4o")
        page.select(".ullm-turn[data-role=user] .ullm-plain").text() shouldBe "hi <b>"
        page.select(".ullm-turn[data-role=assistant] strong").text() shouldBe "Hello"
        page.select(".ullm-turn .ullm-footer").text() shouldContain "10 in + 20 out"
        page.select(".ullm-transcript > .ullm-footer").text() shouldBe "1 answer · 10 in + 20 out · $ n/a"
    }

    test("the same as text") {
        val entries = listOf(user("hi"), answered())
        val text = transcript("openai/gpt-4o", entries, "").text
        text shouldContain "Chat with openai/gpt-4o\n\nYou:\nhi\n\nopenai/gpt-4o:\n**Hello**\n"
    }

    test("an empty chat says so") {
        parsed(transcript("a/b", emptyList(), "")).select(".ullm-note").text() shouldBe "No messages yet."
        parsed(transcript("a/b", emptyList(), "", "w1")).select(".ullm-note").text() shouldContain "chat.ask(\"…\")"
    }

    test("a stopped and a failed answer keep their text, rendered as far as it goes, and say what happened; an unanswered question is marked") {
        val stopped = answered(ChatMessage.State.STOPPED, response = answer(start(), Delta.Text("A **bold** text.\n\n- one\n- **Hel")))
        val failed = answered(ChatMessage.State.FAILED, LlmException.Overloaded("Overloaded. Wait."), response = null)
        val page = parsed(transcript("a/b", listOf(user("one"), stopped, user("two"), failed), ""))
        page.select("[data-state=stopped] .ullm-plain").shouldBeEmpty()
        page.select("[data-state=stopped] strong").text() shouldBe "bold"
        page.select("[data-state=stopped] li").eachText() shouldContainExactly listOf("one", "**Hel")
        page.select("[data-state=stopped] .ullm-end").text() shouldBe "Stopped. The answer is not complete."
        page.select("[data-state=failed] .ullm-error").text() shouldContain "Overloaded. Wait."
        page.select("[data-role=user] .ullm-end").eachText() shouldContainExactly listOf(UNANSWERED)
    }

    test("text of models and users is never markup") {
        val evil = "</div><script>alert(1)</script><img src=x onerror=alert(2)> [x](javascript:alert(3))"
        val response = answer(start(), Delta.Text(evil), Delta.Source("javascript:alert(4)", evil), finish())
        val entries = listOf(user(evil), answered(response = response), answered(ChatMessage.State.STOPPED, response = response))
        val page = parsed(transcript(evil, entries, evil, "\"><script>"))
        page.select("script, img, [onerror], a[href^=javascript]").toList().shouldBeEmpty()
    }

    test("a conversation with a tool is one answer, with the call and its result") {
        val conversation = Llm.create().conversation("openai/gpt-4o") {
            system("Be brief.")
            user("Weather?")
            message(Message(Role.ASSISTANT, listOf(Part.ToolCall("1", "weather", "{}")), model = gpt))
            message(Message.tool(Part.ToolResult("1", "weather", "sunny")))
            assistant("It is sunny.")
        }
        val page = parsed(transcript(conversation))
        page.select(".ullm-role").eachText() shouldContainExactly listOf("System", "You", "openai/gpt-4o")
        page.select(".ullm-call").text() shouldBe "weather({})"
        page.select(".ullm-result").text() shouldBe "done → sunny"
        page.select(".ullm-turn").last()!!.text() shouldContain "It is sunny."
        page.selectFirst(".ullm-transcript")!!.attr("data-chat") shouldBe ""
    }

    test("a list of the messages of a widget is a transcript, another list is not") {
        val all = listOf(user("hi"), answered()).map { it.message }
        parsed(rendered(all)!!).select(".ullm-role").eachText() shouldContainExactly listOf("You", "openai/gpt-4o")
        chatTranscript(emptyList<Any>()).shouldBeNull()
        chatTranscript(all + 1).shouldBeNull()
    }

    test("the history leaves out what got no answer, and tool calls without a result") {
        val failed = answered(ChatMessage.State.FAILED, IllegalStateException("x"), response = null)
        listOf(user("one"), failed, user("two"), answered(), user("three")).history().map { it.text } shouldContainExactly listOf("two", "**Hello**", "three")
        val call = Message(Role.ASSISTANT, listOf(Part.Text("I look."), Part.ToolCall("1", "t", "{\"a")))
        sendable(listOf(call), isComplete = false).single().parts shouldContainExactly listOf(Part.Text("I look."))
        sendable(listOf(Message(Role.ASSISTANT, listOf(Part.ToolCall("1", "t", "{}")))), isComplete = false).shouldBeEmpty()
        val steps = listOf(call, Message.tool(Part.ToolResult("1", "t", "r")), Message.assistant("done"))
        sendable(steps, isComplete = true) shouldContainExactly steps
    }

    test("totals: nothing without answers, demo models by themselves, unpriced answers counted") {
        emptyList<Entry>().totals() shouldBe ""
        listOf(user("a")).totals() shouldBe ""
        listOf(answered(), answered()).totals() shouldBe "2 answers · 20 in + 40 out · $ n/a"
    }

    test("an answer that was cut before its first words counts if tokens or a cost are known of it, else not") {
        val paid = answered(ChatMessage.State.STOPPED, response = answer(start(), finish(cost = Cost.Known(Usd.of("0.5"), "user"))))
        listOf(answered(), paid).totals() shouldBe "2 answers · 20 in + 40 out · $0.500 + 1 unpriced"
        listOf(answered(ChatMessage.State.STOPPED, response = answer(start()))).totals() shouldBe ""
    }

    test("of the outputs with a transcript the latest four are kept up to date") {
        val outputs = TranscriptOutputs()
        val shown = mutableListOf<String>()
        repeat(6) { outputs.add({ Rendered("", "first") }) { _, id -> shown += id } }
        shown.distinct().size shouldBe 6
        val updated = mutableListOf<Pair<String, String>>()
        outputs.update({ Rendered("", "now") }) { transcript, id -> updated += transcript.text to id }
        updated shouldContainExactly shown.takeLast(4).map { "now" to it }
    }

    test("a Markdown export keeps code with backticks whole, and quotes errors") {
        val entry = Entry(
            ChatMessage.of("x", Role.ASSISTANT, ChatMessage.State.DONE, emptyList()),
            listOf(ShownPart.Tool("c", "run", "```", "r", null, ToolState.DONE)),
        )
        transcriptMarkdown("a/b", listOf(entry)) shouldContain "````\nrun(```) done → r\n````"
        answered().footer.orEmpty() shouldNotContain "null"
        user("a").footer.shouldBeNull()
    }
})
