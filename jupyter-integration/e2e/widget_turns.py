"""What the chat widget shows and sends while answers come, and what can be done with messages."""
import re

from chat_page import PNG, answer, button, make, message_input, part, run, sent, turn, write
from checks import Checks, within
from playwright.sync_api import Page


FOCUSED = "document.activeElement === w.el.querySelector('.ullm-chat-composer textarea')"


def edit_first(page: Page) -> None:
    part(page, "user").first.hover()
    button(page, "Edit and send again").first.click()


def sending(page: Page, check: Checks) -> None:
    with check("an empty widget has Send, which is off without text"):
        make(page)
        assert "No messages yet" in part(page, "empty").inner_text() and button(page, "Send (Enter)").is_disabled()
        assert button(page, "Stop (Esc)").is_hidden() and button(page, "Clear").is_hidden()
        message_input(page).fill("Hi")
        assert button(page, "Send (Enter)").is_enabled()
    with check("Enter sends, and the message and Stop are there at once"):
        make(page)
        run(page, "k.isSlow = true;")
        write(page, "Why?")
        assert part(page, "user").inner_text() == "Why?" and message_input(page).input_value() == ""
        assert button(page, "Stop (Esc)").is_visible() and button(page, "Send (Enter)").is_hidden()
        assert part(page, "phase").inner_text().startswith("sending") and part(page, "log").get_attribute("aria-busy") == "true"
    with check("the elapsed time is shown"):
        within(3, lambda: re.search(r"· \d+ s", part(page, "phase").inner_text()))
    with check("Stop before anything came names the request"):
        button(page, "Stop (Esc)").click()
        request = sent(page, "send")[0]["requestId"]
        assert [message["requestId"] for message in sent(page, "stop")] == [request] and len(request) > 10
        assert part(page, "phase").inner_text().startswith("stopping")
    with check("a second one, by Esc, gives the message back that the kernel did not take"):
        message_input(page).press("Escape")
        assert message_input(page).input_value() == "Why?" and part(page, "notice").inner_text() == "Not sent." and len(sent(page, "stop")) == 2
        assert button(page, "Send (Enter)").is_enabled() and part(page, "user").count() == 0
    with check("a text that is too long for a message is not sent"):
        run(page, "const input = document.activeElement; input.value = 'x'.repeat(3_000_001); input.dispatchEvent(new Event('input'));")
        message_input(page).press("Enter")
        assert "too long" in part(page, "notice").inner_text() and len(sent(page, "send")) == 1
    with check("Stop keeps the partial answer and says so"):
        make(page)
        write(page, "A story")
        within(2, lambda: sent(page, "send"))
        run(page, "k.delta('Once upon');")
        within(2, lambda: answer(page) == "Once upon")
        message_input(page).press("Escape")
        within(2, lambda: button(page, "Send (Enter)").is_visible())
        assert "Once upon" in part(page, "assistant").inner_text() and "Stopped." in part(page, "state").inner_text()
        assert part(page, "log").get_attribute("aria-busy") == "false"
    with check("what comes late from a stopped answer is ignored, and so are other versions"):
        old = sent(page, "send")[0]["requestId"]
        write(page, "Another")
        within(2, lambda: len(sent(page, "send")) == 2)
        run(page, "const id = k.growing.id; const parts = [{ index: 0, type: 'text', from: 0, text: 'LATE', html: null, upTo: 0 }];"
                  "k.post('phase', { requestId: argument, text: 'LATE' }); k.post('end', { requestId: argument, message: k.growing });"
                  "k.post('delta', { requestId: argument, messageId: id, parts });"
                  "k.post('delta', { v: 2, requestId: k.running.requestId, messageId: id, parts });"
                  "k.delta('right');", old)
        within(2, lambda: answer(page) == "right")
        assert not sent(page, "refresh") and "LATE" not in page.locator("main").inner_text() and button(page, "Stop (Esc)").is_visible()
        run(page, "k.end();")
    with check("Shift+Enter is a new line, and an Enter of an input method does not send"):
        make(page)
        message_input(page).fill("one")
        message_input(page).press("Shift+Enter")
        page.keyboard.type("two")
        message_input(page).dispatch_event("keydown", {"key": "Enter", "isComposing": True})
        message_input(page).dispatch_event("keydown", {"key": "Enter", "keyCode": 229})      # Safari ends the composition before it
        run(page, "k.isSlow = true;")
        assert message_input(page).input_value() == "one\ntwo" and not sent(page, "send")
    with check("Enter while an answer runs keeps the text and says why"):
        make(page, "streaming")
        write(page, "more")
        assert message_input(page).input_value() == "more" and "running" in part(page, "notice").inner_text() and not sent(page, "send")
    with check("a refused message comes back into the input with the reason"):
        make(page)
        run(page, "k.isSlow = true;")
        write(page, "lost?")
        within(2, lambda: sent(page, "send"))
        run(page, "k.post('refused', { requestId: w.model.sent.at(-1).requestId, attachmentId: null, reason: 'A turn is running.' });")
        assert message_input(page).input_value() == "lost?" and part(page, "notice").inner_text() == "A turn is running." and part(page, "user").count() == 0
    with check("ArrowUp in an empty input brings the last message back"):
        make(page)
        turn(page, "first")
        message_input(page).press("ArrowUp")
        assert message_input(page).input_value() == "first"


def growing(page: Page, check: Checks) -> None:
    with check("deltas give the exact text, also a character at a time"):
        make(page)
        write(page, "Go")
        within(2, lambda: sent(page, "send"))
        text = "a\n\n  b\tc 👍🏽 <b>&amp;\r\nend 🎉"
        run(page, "for (let index = 0; index < argument.length; index++) k.delta(argument[index]);", text)
        page.wait_for_timeout(150)
        assert answer(page) == text, repr(answer(page))
    with check("a delta that does not fit asks for the state, once"):
        run(page, "const { requestId, messageId } = k.running; const later = { index: 0, type: 'text', from: 999, text: 'x', html: null, upTo: 0 };"
                  "w.model.kernel = null; for (let n = 0; n < 5; n++) k.post('delta', { requestId, messageId, parts: [later] }); w.model.kernel = k;")
        assert len(sent(page, "refresh")) == 1 and "x" not in answer(page)
        run(page, "k.sync(); k.delta('!');")
        within(2, lambda: answer(page) == text + "!")
    with check("complete blocks are HTML and the open rest is plain"):
        make(page, "streaming")
        assert part(page, "text").locator("strong").inner_text() == "blue" and part(page, "text").locator("li").count() == 2
        assert part(page, "plain").last.text_content() == "At sunset the light takes a lon"
        run(page, "k.delta('g way.\\n\\n', '<p>At sunset the light takes a <em>long</em> way.</p>');")
        within(2, lambda: part(page, "text").locator("em").count() == 2)
        assert part(page, "plain").last.text_content() == ""
    with check("another change of the state does not take a growing answer back"):
        before = answer(page)
        run(page, "w.model.update({ config: { ...w.model.state.config, temperature: 1 } });")
        assert answer(page) == before
    with check("reasoning is open while it grows, says how much it is, and closes when the text begins"):
        make(page, "thinking")
        details = part(page, "reasoning")
        assert details.get_attribute("open") == "" and "Thinking… (36 characters)" in details.inner_text()
        run(page, "k.delta('The sky');")
        within(2, lambda: details.get_attribute("open") is None)
        run(page, "k.growing.parts[0].seconds = 3.1; k.end();")
        assert details.locator("summary").inner_text() == "Thinking (36 characters, 3.1 s)"
    with check("reasoning that the user opened stays open"):
        make(page, "thinking")
        run(page, "k.delta('The sky');")
        within(2, lambda: part(page, "reasoning").get_attribute("open") is None)
        part(page, "reasoning").locator("summary").click()
        run(page, "k.delta(' is blue'); k.end();")
        assert part(page, "reasoning").get_attribute("open") == ""
    with check("what is shown already is not built again at the end"):
        make(page, "thinking")
        run(page, "k.growing.parts[0].seconds = 1; k.replace(() => {}); k.delta('The sky');")
        within(2, lambda: answer(page).endswith("The sky"))
        run(page, "w.nodes = [...w.el.querySelector('.ullm-chat-assistant .ullm-chat-body').children]; k.end();")
        assert run(page, "w.nodes.length === 2 && w.nodes.every((node) => node.isConnected)")
    with check("the focus goes to the input when an answer takes its place away"):
        make(page, "approval")
        part(page, "tool").last.locator("summary").focus()
        run(page, "k.replace((message) => Object.assign(message.parts[1], { state: 'denied' }));")
        within(2, lambda: "denied" in part(page, "tool").last.inner_text())
        assert run(page, FOCUSED)
        part(page, "tool").last.locator("summary").focus()
        run(page, "k.growing.parts[1].result = 'gone'; k.end();")
        assert run(page, FOCUSED)
    with check("tokens, cost and times stand below the answer; total and budget on top"):
        make(page, "done")
        assert "$0.0003 · first token 0.42 s" in part(page, "footer").inner_text() and "$0.0009" in part(page, "totals").inner_text()
        assert "nearly used" in part(page, "budget").inner_text() and page.get_by_label("Budget").get_attribute("value") == "0.85"
        assert "429" in part(page, "note").inner_text()
    with check("a link of a source opens outside; an address that is no link is text"):
        run(page, "k.messages.at(-1).parts.push({ type: 'source', url: 'javascript:alert(1)', title: 'bad' }, { type: 'news' }); k.sync();")
        links = page.locator("a.ullm-chat-chip")
        assert links.count() == 1 and links.get_attribute("rel") == "noopener noreferrer" and links.get_attribute("target") == "_blank"
        assert "bad" in part(page, "assistant").inner_text()
    with check("an error begins with its cause, and Try again sends again"):
        make(page, "error")
        assert part(page, "error").inner_text().startswith("RateLimited") and part(page, "error").locator("pre").is_hidden()
        button(page, "Try again").click()
        assert sent(page, "regenerate")[0]["messageId"] == run(page, "k.messages.at(-1).id")
    with check("Try again is only at the last answer"):
        make(page, "error")
        assert button(page, "Try again").is_visible()
        run(page, "k.isSlow = false;")
        turn(page)
        assert not page.get_by_text("Try again", exact=True).is_visible()
    with check("an image comes from the kernel, and only as inline data of four types"):
        make(page)
        run(page, "const file = { type: 'file', mediaType: 'image/png', size: 68, text: 'image/png, 68 B' };"
                  "k.messages.push(k.message('assistant', [{ ...file, fileId: 'f1', name: 'a.png' }, { ...file, fileId: 'f2', name: 'b.png' }])); k.sync();"
                  "k.post('file', { fileId: 'f1', url: argument }); k.post('file', { fileId: 'f2', url: 'https://evil.example/x.png' });",
            f"data:image/png;base64,{PNG}")
        assert [message["fileId"] for message in sent(page, "file")] == ["f1", "f2"]
        assert page.locator("img").count() == 1 and page.locator("img").get_attribute("alt") == "a.png" and "b.png" in part(page, "assistant").inner_text()


def tools(page: Page, check: Checks) -> None:
    with check("a call that waits has a dialog with Approve and Deny, and its arguments are open"):
        make(page, "approval")
        dialog = page.get_by_role("alertdialog", name="Allow the call of deleteFile?")
        assert dialog.get_by_role("button").all_inner_texts() == ["Approve", "Deny"] and '"path": "reports/2024.pdf"' in part(page, "tool").last.inner_text()
    with check("a screen reader is told of it"):
        assert page.get_by_role("status").filter(has_text="Allow the call of deleteFile?").count() == 1
    with check("Deny names the call and the request, once"):
        dialog.get_by_role("button", name="Deny").click()
        message = sent(page, "approve")
        assert len(message) == 1 and (message[0]["callId"], message[0]["isApproved"], message[0]["requestId"]) == ("c2", False, "r1")
        assert dialog.get_by_role("button", name="Approve").is_disabled()
    with check("the row then has its new state, and the other row stays as the user left it"):
        part(page, "tool").first.locator("summary").click()
        run(page, "k.replace((message) => Object.assign(message.parts[1], { state: 'denied' }));")
        within(2, lambda: page.get_by_role("alertdialog").count() == 0)
        assert "denied" in part(page, "tool").last.inner_text() and part(page, "tool").first.locator("pre").count() == 2
        assert part(page, "tool").first.locator("details").get_attribute("open") == ""


def history(page: Page, check: Checks) -> None:
    with check("only the last answer can be regenerated"):
        make(page)
        turn(page, "one")
        turn(page, "two")
        assert part(page, "again").count() == 2 and not part(page, "again").first.is_visible()
        last = run(page, "k.messages.at(-1).id")
        button(page, "Regenerate").click()
        assert sent(page, "regenerate")[0]["messageId"] == last
        within(2, lambda: run(page, "Boolean(k.growing)"))
        run(page, "k.delta('again'); k.end();")
        assert part(page, "message").count() == 4 and "again" in part(page, "assistant").last.inner_text()
    with check("edit takes the text into the input, and Send replaces the message and what follows"):
        edit_first(page)
        assert message_input(page).input_value() == "one" and "will be removed" in part(page, "bar").inner_text()
        first = run(page, "k.messages[0].id")
        write(page, "uno")
        within(2, lambda: sent(page, "edit"))
        assert (sent(page, "edit")[0]["messageId"], sent(page, "edit")[0]["text"]) == (first, "uno")
        run(page, "k.delta('hola'); k.end();")
        assert part(page, "message").count() == 2 and part(page, "user").inner_text().startswith("uno") and part(page, "bar").is_hidden()
    with check("Esc ends an edit without sending"):
        edit_first(page)
        message_input(page).press("Escape")
        assert message_input(page).input_value() == "" and part(page, "bar").is_hidden() and len(sent(page, "edit")) == 1
    with check("a draft comes back after an edit: after Esc, after Send, and the edit too if it is refused"):
        message_input(page).fill("my draft")
        edit_first(page)
        assert message_input(page).input_value() == "uno"
        message_input(page).press("Escape")
        assert message_input(page).input_value() == "my draft"
        run(page, "k.isSlow = true;")
        edit_first(page)
        write(page, "eins")
        within(2, lambda: sent(page, "edit")[1:])
        assert message_input(page).input_value() == "my draft"
        run(page, "k.post('refused', { requestId: w.model.sent.at(-1).requestId, attachmentId: null, reason: 'No.' });")
        assert message_input(page).input_value() == "eins" and part(page, "bar").is_visible()
        button(page, "Cancel").click()
        assert message_input(page).input_value() == "my draft" and part(page, "user").count() == 1
        message_input(page).fill("")
    with check("delete names the message, and the focus goes to the input"):
        part(page, "assistant").last.hover()
        button(page, "Delete message").last.focus()
        page.keyboard.press("Enter")
        run(page, "k.messages.pop(); k.sync({ options: { ...w.model.state.options, canUndo: 'Undo delete' } });")
        assert sent(page, "delete")[0]["messageId"] and part(page, "message").count() == 1
        assert run(page, FOCUSED)
    with check("clear, and undo with its own name"):
        assert button(page, "Undo delete").is_visible()
        button(page, "Clear").click()
        run(page, "k.messages = []; k.sync({ options: { ...w.model.state.options, canUndo: 'Undo clear' } });")
        assert part(page, "empty").is_visible() and len(sent(page, "clear")) == 1
        button(page, "Undo clear").click()
        assert len(sent(page, "undo")) == 1
    with check("a message without an answer can be sent again"):
        make(page)
        run(page, "k.messages = [k.message('user', ['lost'], { state: 'unanswered', stateText: 'Got no answer.' })]; k.sync();")
        button(page, "Send again").click()
        assert sent(page, "regenerate")[0]["messageId"] == run(page, "w.model.sent.at(-1).messageId")
    with check("nothing can be changed while an answer runs"):
        make(page)
        turn(page)
        write(page, "next")
        within(2, lambda: sent(page, "send")[1:])
        assert part(page, "change").count() > 3 and not any(it.is_visible() for it in part(page, "change").all())
        run(page, "k.end();")
    with check("a message and a block of code are copied, and the button says Copied"):
        make(page, "done")
        button(page, "Copy").click()
        within(2, lambda: page.evaluate("navigator.clipboard.readText()") == 'val waves = listOf(450, 550, 650)\nprintln("blue")')
        assert run(page, "getComputedStyle(w.el.querySelector('.ullm-chat-link[data-copied]'), '::after').content") == '"Copied"'
        button(page, "Copy message").last.click()
        within(2, lambda: page.evaluate("navigator.clipboard.readText()").startswith("The sky is **blue**."))
        within(3, lambda: page.locator("[data-copied]").count() == 0)
    with check("without the clipboard's permission a copy works too"):
        run(page, "navigator.clipboard.writeText = () => Promise.reject(new Error('no')); w.copied = null;"
                  "document.addEventListener('copy', () => (w.copied = String(document.activeElement.value)), { once: true });")
        button(page, "Copy").click()
        within(2, lambda: (run(page, "w.copied") or "").startswith("val waves"))
        within(2, lambda: page.locator("[data-copied]").count() == 1)
    with check("nothing says Copied when nothing was"):
        within(3, lambda: page.locator("[data-copied]").count() == 0)
        run(page, "w.copy = document.execCommand; document.execCommand = () => false;")
        button(page, "Copy").click()
        within(2, lambda: part(page, "notice").inner_text() == "Not copied.")
        assert page.locator("[data-copied]").count() == 0
        run(page, "document.execCommand = w.copy;")
    with check("an export is downloaded once, by the view that asked"):
        make(page, "export")
        run(page, "w.second = w.open();")
        with page.expect_download() as download:
            button(page, "Markdown").click()
            run(page, "k.post('export', { format: 'markdown', name: 'chat.md', text: '# Chat' });")
        assert download.value.suggested_filename == "chat.md" and open(download.value.path()).read() == "# Chat"
        assert sent(page, "export")[0]["format"] == "markdown"
        run(page, "w.second.close();")
