"""Chat widgets in JupyterLab: answers, Stop, edit and resend, attachments, prompts, tools, the keyboard, many deltas, two widgets, a second view."""
import base64

from chat_page import PNG
from checks import Checks, within
from lab_chat import Chat
from lab_page import Lab, most_in_a_second
from lab_reload import reload, restart
from slow_ollama import SlowOllama

WORDS = " ".join(f"word{n}" for n in range(1, 81))

STORY = 'val story = chatWidget("ollama/llama3")\nstory'
HELPER = """val helper = chatWidget(
    "demo/assistant",
    prompts = listOf("Explain {{topic}} to a {{age}} year old", "How many times does the letter r stand in strawberry?"),
    allowAttachments = true,
    attachmentTypes = listOf("image/*"),
    showConfigurationControls = true,
)
helper"""
AGENT = """val removed = mutableListOf<String>()
data class Report(val name: String)
val agent = chatWidget("demo/tools", needsApproval = { true }) {
    tool("remove", "Removes a report") { report: Report -> "removed ${report.name}".also { removed += it } }
}
agent"""
ODD = """val odd = chatWidget({ history ->
    flow {
        when (history.last().text) {
            "never" -> kotlinx.coroutines.awaitCancellation()
            "hold" -> {
                emit("Once upon a time there was")
                kotlinx.coroutines.awaitCancellation()
            }
            else -> repeat(10_000) {
                if (it % 20 == 0) delay(8)
                emit("w$it ")
            }
        }
    }
})
odd"""


def answering(chat: Chat, check: Checks) -> None:
    with check("a chat widget opens, and an answer streams into it"):
        chat.root.wait_for()
        assert "No messages yet" in chat.root.inner_text()
        chat.record()
        assert chat.ask("A long story, please.").strip() == WORDS, chat.text
        texts = chat.shown
        assert len(texts) >= 8 and all(after.startswith(before.rstrip()) for before, after in zip(texts, texts[1:])), texts
    with check("the answer has its tokens and price, the chat the sum"):
        assert "5 in + 80 out" in chat.part("footer").inner_text() and "free" in chat.part("footer").inner_text(), chat.part("footer").inner_text()
        assert "1 answer" in chat.part("totals").inner_text(), chat.part("totals").inner_text()


def stopping(chat: Chat, odd: Chat, check: Checks, server: SlowOllama) -> None:
    with check("Stop before the first token, by the button"):
        odd.write("never")
        within(10, lambda: odd.is_running and odd.part("phase").inner_text(), "no Stop")
        odd.stop.click()
        odd.ended(1, "stopped")
        assert "Stopped" in odd.answers.last.inner_text(), odd.answers.last.inner_text()
    with check("Stop in an answer, by Esc: the text stays"):
        odd.write("hold")
        odd.wait_for("Once upon a time")
        odd.notebook.pictures({"widget-streaming": odd.root})
        odd.input.press("Escape")
        odd.ended(2, "stopped")
        assert odd.text.strip() == "Once upon a time there was" and "not complete" in odd.part("state").last.inner_text(), odd.root.inner_text()
    with check("Stop closes the connection to the provider, and nothing of that answer comes into the next"):
        closed = len(server.closed_at)
        chat.write("Another one")
        chat.wait_for("word5 ")
        chat.stop.click()
        chat.ended(2, "stopped")
        within(5, lambda: len(server.closed_at) > closed, "the connection was not closed")
        stopped = chat.text
        assert chat.ask("And now?").strip() == WORDS and chat.answers.nth(1).locator(".ullm-chat-body").text_content() == stopped


def editing(chat: Chat, check: Checks, server: SlowOllama) -> None:
    with check("edit and resend removes what came after the message, in the widget and for the model"):
        chat.button("Edit and send again").nth(1).click()
        assert chat.input.input_value() == "Another one" and "will be removed" in chat.part("bar").inner_text()
        chat.write("Something else")
        chat.ended(2)
        assert [it.strip() for it in chat.questions.locator(".ullm-chat-body").all_inner_texts()] == ["A long story, please.", "Something else"]
        assert [it["content"] for it in server.requests[-1]["messages"] if it["role"] == "user"] == ["A long story, please.", "Something else"]


def attaching(chat: Chat, check: Checks) -> None:
    picker = chat.root.locator("input[type=file]")
    with check("an image is attached, shown before it is sent, and reaches the model"):
        picker.set_input_files([{"name": "dot.png", "mimeType": "image/png", "buffer": base64.b64decode(PNG)}])
        within(20, lambda: chat.part("chips").locator("img").count() == 1, "no preview")
        assert "With it came an image" in chat.ask("What is this?"), chat.text
        within(20, lambda: chat.questions.last.locator("img[src^='data:image/png']").count() == 1, "no image in the message")
        assert chat.part("chips").inner_text() == ""
    with check("a file that is no image is refused with the reason, whatever its name says"):
        for name, kind in (("notes.txt", "text/plain"), ("notes.png", "image/png")):
            picker.set_input_files([{"name": name, "mimeType": kind, "buffer": b"only text"}])
            within(20, lambda: name in chat.part("notice").inner_text(), f"nothing is said of {name}")
            within(20, lambda: chat.part("chips").inner_text() == "", "the file is still there")


def prompting(chat: Chat, check: Checks) -> None:
    with check("a prompt with variables opens a form with a preview, and is sent with their values"):
        chat.button("Prompts").click()
        chat.button("Explain {{topic}} to a {{age}} year old").click()
        assert chat.button("Send").is_disabled()
        chat.root.get_by_label("topic", exact=True).fill("tides")
        chat.root.get_by_label("age", exact=True).fill("9")
        assert chat.part("preview").inner_text() == "Explain tides to a 9 year old"
        chat.notebook.pictures({"widget-form": chat.root})
        before = len(chat.states)
        chat.button("Send").click()
        chat.ended(before + 1)
        assert chat.questions.last.locator(".ullm-chat-body").inner_text() == "Explain tides to a 9 year old" and "tides" in chat.text


def keyboard(chat: Chat, check: Checks) -> None:
    page = chat.notebook.page

    def tab_to(name: str, key: str = "Tab") -> None:
        names = []
        for _ in range(60):
            page.keyboard.press(key)
            names.append(page.evaluate("document.activeElement.getAttribute('aria-label') || document.activeElement.textContent.trim().slice(0, 60)"))
            if names[-1] == name and chat.root.evaluate("(root) => root.contains(document.activeElement)"):
                return
        raise AssertionError(f"{name} is not reached by {key}: {names}")

    with check("by keyboard alone: from the cell to the input, send, stop, a prompt, regenerate"):
        before = len(chat.states)
        chat.cell.enter()
        tab_to("Message")
        page.keyboard.type("dd 12 * 7")         # d, d deletes a cell in JupyterLab's command mode
        page.keyboard.press("Enter")
        chat.ended(before + 1)
        assert "84" in chat.text, chat.text
        page.keyboard.type("/")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        assert chat.input.input_value() == "How many times does the letter r stand in strawberry?", chat.input.input_value()
        page.keyboard.press("Enter")
        within(10, lambda: chat.is_running, "nothing was sent")
        page.keyboard.press("Escape")
        within(10, lambda: not chat.is_running, "Esc did not stop it")
        tab_to("Regenerate", "Shift+Tab")
        page.keyboard.press("Enter")
        chat.ended(before + 2)
        assert "3 times" in chat.text and chat.input.evaluate("(it) => it === document.activeElement"), chat.text


def approving(chat: Chat, check: Checks) -> None:
    dialog = chat.root.get_by_role("alertdialog")
    for answer, state, count in (("Approve", "done", 1), ("Deny", "denied", 1)):
        with check(f"a tool call waits for the user: {answer}"):
            chat.write("Remove the report of Paris")
            dialog.wait_for()
            row = chat.answers.last.locator(".ullm-chat-tool")
            assert "Paris" in row.inner_text() and row.get_attribute("data-state") == "awaiting", row.inner_text()
            if answer == "Approve":
                chat.notebook.pictures({"widget-approval": chat.root})
            dialog.get_by_role("button", name=answer).click()
            within(60, lambda: not chat.is_running, "the answer does not end")
            assert row.get_attribute("data-state") == state, row.inner_text()
            assert chat.states[-1] == "done", chat.states
            assert f"{count}" in chat.notebook.run("removed.size").wait().output.inner_text()


def mixing(chat: Chat, other: Chat, check: Checks) -> None:
    with check("two widgets do not mix, also when both answer at the same time"):
        answers, others = len(chat.states), len(other.states)
        chat.write("A story")
        chat.wait_for("word2 ")
        assert "word" not in other.ask("3 * 3") and "9" in other.text, other.text
        chat.ended(answers + 1)
        assert chat.text.strip() == WORDS and len(other.states) == others + 1


def viewing(chat: Chat, check: Checks) -> None:
    with check("the widget in another cell is a second view of the same chat, also while an answer grows"):
        second = Chat(chat.notebook.run("story").wait())
        second.root.wait_for()
        within(20, lambda: second.states == chat.states, "another history")
        answers = len(chat.states)
        second.write("For both")
        chat.wait_for("word5 ")
        second.wait_for("word5 ")
        assert second.text.startswith("word1 word2 ") and chat.is_running and second.is_running
        chat.ended(answers + 1)
        second.ended(answers + 1)
        assert chat.text == second.text


def many(chat: Chat, check: Checks) -> None:
    with check("10,000 deltas: the exact text, at most 20 changes of the page a second, and the page can be used"):
        answers = len(chat.states)
        chat.notebook.measure(chat.part("list").first)
        chat.write("many")
        chat.ended(answers + 1)
        changes, longest = chat.notebook.changes, chat.notebook.longest_task()
        most = most_in_a_second(changes)
        seconds = (changes[-1] - changes[0]) / 1000
        print(f"     {len(changes)} changes in {seconds:.1f} s, at most {most} in a second; longest task {longest:.0f} ms (0: below 50)", flush=True)
        assert chat.text.strip() == " ".join(f"w{n}" for n in range(10_000)), chat.text[-100:]
        assert most <= 20 and longest < 1_000, (most, longest)


def run(lab: Lab, check: Checks, server: SlowOllama) -> None:
    with check("a notebook with four chat widgets"):
        notebook = lab.notebook("widgets.ipynb", "%use unified-llm")
        notebook.first.run().wait()
        story, helper, agent, odd = (Chat(notebook.run(code).wait()) for code in (STORY, HELPER, AGENT, ODD))
        for chat in (story, helper, agent, odd):
            chat.root.wait_for()
    answering(story, check)
    stopping(story, odd, check, server)
    editing(story, check, server)
    attaching(helper, check)
    prompting(helper, check)
    keyboard(helper, check)
    approving(agent, check)
    mixing(story, helper, check)
    viewing(story, check)
    many(odd, check)
    with check("pictures of the widgets"):
        notebook.pictures({"widget-helper": helper.root, "widget-agent": agent.root, "widget-story": story.root})
    reload(notebook, check, [story, helper])
    restart(notebook, check, story)
    notebook.close()
