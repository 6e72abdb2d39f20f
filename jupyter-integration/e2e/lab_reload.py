"""Chat widgets in JupyterLab when the page is loaded again, and when the kernel is restarted or dies."""
import os
import signal
import time

from checks import Checks, within
from lab_chat import Chat
from lab_page import Notebook


def history(chat: Chat) -> list[str]:
    return chat.part("message").locator(".ullm-chat-body").all_text_contents()


def reload(notebook: Notebook, check: Checks, chats: list[Chat]) -> None:
    before = [history(chat) for chat in chats]
    with check("the saved notebook has the transcript of each chat"):
        saved = str(notebook.save())
        assert all(text[:40] in saved for texts in before for text in texts[:1]) and "ullm-transcript" in saved
    with check("after a reload of the page each chat has its history, and goes on"):
        notebook.page.reload()
        notebook.wait_until_idle()
        for chat, texts in zip(chats, before):
            within(60, lambda: history(chat) == texts, f"{len(texts)} messages")
        assert "16" in chats[1].ask("4 * 4"), chats[1].text
    with check("an answer that is written while the page is loaded is complete afterwards"):
        chat, count = chats[0], len(chats[0].states)
        chat.write("While the page is away")
        chat.wait_for("word3 ")
        notebook.page.reload()
        notebook.wait_until_idle()
        chat.ended(count + 1)
        assert chat.text.strip().endswith("word79 word80") and chat.text.startswith("word1 word2 "), chat.text


def gone(chat: Chat, what: str) -> None:
    """Waits until the chat says that its kernel is gone. It takes no messages then, and does not wait for its answer."""
    began = time.monotonic()
    within(10, lambda: "Run this cell again" in chat.part("banner").inner_text(), "nothing is said")
    print(f"     {what}: said after {time.monotonic() - began:.1f} s: {chat.part('banner').inner_text()}", flush=True)
    within(1, lambda: chat.input.is_disabled() and not chat.is_running, "it still waits")
    assert chat.questions.count() > 0


def again(notebook: Notebook, chat: Chat) -> Chat:
    """The new chat of the cell that runs again."""
    notebook.wait_until_idle()
    notebook.first.run().wait()
    chat.cell.run().wait()
    fresh = Chat(chat.cell)
    fresh.root.wait_for()
    within(20, lambda: "No messages yet" in fresh.root.inner_text(), "no new chat")
    return fresh


def restart(notebook: Notebook, check: Checks, chat: Chat) -> None:
    with check("when the kernel is restarted while an answer grows, the chat says so within 10 s and takes no messages"):
        chat.write("While the kernel is restarted")
        chat.wait_for("word3 ")
        notebook.command("kernelmenu:restart")
        notebook.page.locator(".jp-Dialog .jp-mod-accept").click()
        gone(chat, "restarted")
        assert chat.text.startswith("word1 word2 word3"), chat.text
        notebook.pictures({"widget-restarted": chat.root})
        assert "Run this cell again" in chat.part("banner").inner_text() and chat.input.is_disabled(), "the words went away"
    with check("the cell that runs again has a new chat, which answers"):
        fresh = again(notebook, chat)
        assert "word80" in fresh.ask("Again, please.")
    with check("when the kernel dies while an answer grows, the chat says so within 10 s"):
        pid = int(notebook.run("ProcessHandle.current().pid()").wait().output.inner_text().split()[-1])
        fresh.write("While the kernel dies")
        fresh.wait_for("word3 ")
        os.kill(pid, signal.SIGKILL)
        gone(fresh, "died")
