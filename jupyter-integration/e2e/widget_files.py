"""Files that are attached to the messages of the chat widget."""
import base64

from chat_page import PNG, button, make, message_input, part, run, sent, write
from checks import Checks, within
from playwright.sync_api import Page


def attachments(page: Page, check: Checks) -> None:
    text = {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"some notes"}
    image = {"name": "dot.png", "mimeType": "image/png", "buffer": base64.b64decode(PNG)}
    picker = page.locator("input[type=file]")
    with check("files are shown, images with a preview, and go to the kernel at once"):
        make(page)
        picker.set_input_files([text, image])
        within(2, lambda: len(sent(page, "attach")) == 2)
        assert picker.get_attribute("accept") == "image/*,.txt" and part(page, "chips").locator("img").count() == 1
        assert {message["name"]: message["data"] for message in sent(page, "attach")} == {"notes.txt": "c29tZSBub3Rlcw==", "dot.png": PNG}
    with check("a file can be taken back"):
        button(page, "Remove notes.txt").click()
        ids = {message["name"]: message["attachmentId"] for message in sent(page, "attach")}
        assert sent(page, "detach")[0]["attachmentId"] == ids["notes.txt"] and "notes.txt" not in part(page, "chips").inner_text()
    with check("Send names the files, and they leave the input"):
        write(page, "What is this?")
        within(2, lambda: sent(page, "send"))
        assert sent(page, "send")[0]["attachments"] == [ids["dot.png"]] and part(page, "chips").inner_text() == ""
    with check("a file that the kernel refuses is taken out, with the reason"):
        make(page)
        picker.set_input_files([text])
        within(2, lambda: sent(page, "attach"))
        run(page, "k.post('refused', { requestId: null, attachmentId: w.model.sent.at(-1).attachmentId, reason: 'notes.txt is no image.' });")
        assert part(page, "chips").inner_text() == "" and part(page, "notice").inner_text() == "notes.txt is no image."
    with check("a file that is refused after Send does not come back with the message"):
        make(page)
        run(page, "k.isSlow = true;")
        picker.set_input_files([text, image])
        within(2, lambda: len(sent(page, "attach")) == 2)
        write(page, "What is this?")
        within(2, lambda: sent(page, "send"))
        run(page, "const { requestId, attachments } = w.model.sent.at(-1); const reason = 'notes.txt is no text.';"
                  "k.post('refused', { requestId: null, attachmentId: attachments[0], reason }); k.post('refused', { requestId, attachmentId: null, reason });")
        assert message_input(page).input_value() == "What is this?" and part(page, "chip").count() == 1 and "dot.png" in part(page, "chips").inner_text()
    with check("a file that is too large is not sent, the others are"):
        make(page, options="{ options: { maxAttachmentBytes: 5 } }")
        picker.set_input_files([text, {**text, "name": "short.txt", "buffer": b"short"}])
        within(2, lambda: sent(page, "attach"))
        assert "notes.txt is too large" in part(page, "notice").inner_text() and [it["name"] for it in sent(page, "attach")] == ["short.txt"]
    with check("more files than a message takes are not even read"):
        make(page)
        picker.set_input_files([text] * 11)
        assert part(page, "notice").inner_text() == "At most 10 files." and part(page, "chip").count() == 0
        picker.set_input_files([text] * 10)
        within(2, lambda: len(sent(page, "attach")) == 10)
        picker.set_input_files([text])
        assert part(page, "chip").count() == 10
    with check("an edited message keeps its files: others are not taken, and those of the draft come back"):
        make(page, "done")
        run(page, "k.isSlow = false;")
        picker.set_input_files([text])
        within(2, lambda: sent(page, "attach"))
        part(page, "user").hover()
        button(page, "Edit and send again").click()
        assert not part(page, "chips").is_visible()
        picker.set_input_files([image])
        assert "keeps its files" in part(page, "notice").inner_text() and len(sent(page, "attach")) == 1
        button(page, "Cancel").click()
        assert part(page, "chips").is_visible() and "notes.txt" in part(page, "chips").inner_text()
    with check("a large file goes in pieces below the limit of the server"):
        make(page)
        picker.set_input_files([{"name": "big.txt", "mimeType": "text/plain", "buffer": b"x" * 5_000_000}])
        within(5, lambda: len(sent(page, "attach")) == 3)
        pieces = run(page, "w.model.sent.filter((it) => it.type === 'attach').map((it) => [it.data.length, it.isLast])")
        assert pieces == [[3_000_000, False], [3_000_000, False], [666_668, True]], pieces
    drop = """const files = new DataTransfer(); files.items.add(new File(['hi'], 'drop.txt', { type: 'text/plain' }));
        const at = w.el.querySelector(argument[0]);
        at.dispatchEvent(argument[1] === 'paste' ? new ClipboardEvent('paste', { clipboardData: files, bubbles: true, cancelable: true })
          : new DragEvent(argument[1], { dataTransfer: files, bubbles: true, cancelable: true }));"""
    with check("files can be pasted and dropped"):
        make(page)
        run(page, drop, [".ullm-chat-composer textarea", "paste"])
        run(page, drop, [".ullm-chat-log", "dragover"])
        assert part(page, "log").locator("xpath=..").get_attribute("data-drop") == ""
        run(page, drop, [".ullm-chat-log", "drop"])
        within(2, lambda: len(sent(page, "attach")) == 2)
        assert part(page, "log").locator("xpath=..").get_attribute("data-drop") is None
    with check("cells of a table, which come with their picture, are pasted as text"):
        run(page, """const data = new DataTransfer(); data.items.add(new File(['x'], 'cells.png', { type: 'image/png' }));
            data.setData('text/plain', 'a b'); data.setData('text/html', '<table></table>');
            const paste = new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true });
            w.el.querySelector('.ullm-chat-composer textarea').dispatchEvent(paste); w.isText = !paste.defaultPrevented;""")
        assert run(page, "w.isText") and part(page, "chip").count() == 2
    with check("not where attachments are off"):
        make(page, options="{ options: { allowAttachments: false } }")
        run(page, drop, [".ullm-chat-log", "drop"])
        assert part(page, "chips").inner_text() == ""
