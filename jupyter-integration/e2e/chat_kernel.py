"""Drives chat widgets in the Kotlin kernel by the messages of their front end. `jupyter-integration/e2e/run chat_kernel` starts it."""
import base64
import os
import queue
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from checks import Checks, within
from kernel import Cell, Kernel
from slow_ollama import SlowOllama

SECONDS = 30
WIDGET = "application/vnd.jupyter.widget-view+json"


class Front(Kernel):
    """A kernel whose messages to front ends are kept."""

    def __init__(self, environment: dict) -> None:
        super().__init__(environment)
        self.seen: list[dict] = []
        receive = self.client.get_iopub_msg

        def tapped(timeout=None):
            message = receive(timeout=timeout)
            self.seen.append(message)
            return message

        self.client.get_iopub_msg = tapped

    def pump(self, condition, seconds: float = SECONDS, what: str = "it did not come") -> None:
        """Receives messages until [condition] is true."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"{what} within {seconds} s"
            try:
                self.client.get_iopub_msg(timeout=0.05)
            except queue.Empty:
                continue

    def show(self, code: str) -> "Chat":
        """Runs a cell whose value is a chat widget."""
        before = len(self.seen)
        cell = self.run(code)
        assert cell.status == "ok", cell.evalue
        opened = [message["content"] for message in self.seen[before:] if message["msg_type"] == "comm_open"]
        assert len(opened) == 1, f"{len(opened)} comms were opened"
        return Chat(self, opened[0], cell, before)


class Chat:
    """The front end of one widget."""

    def __init__(self, kernel: Front, opened: dict, cell: Cell, start: int) -> None:
        self.kernel, self.id, self.cell, self.start = kernel, opened["comm_id"], cell, start
        self.opened = opened
        self.requests = 0

    def data(self) -> list[dict]:
        return [message["content"]["data"] for message in self.kernel.seen[self.start:]
                if message["msg_type"] == "comm_msg" and message["content"]["comm_id"] == self.id]

    @property
    def state(self) -> dict:
        state = dict(self.opened["data"]["state"])
        for data in self.data():
            if data["method"] == "update":
                state.update(data["state"])
        return state

    def frames(self, kind: str, request: str | None = None) -> list[dict]:
        frames = [data["content"] for data in self.data() if data["method"] == "custom"]
        return [frame for frame in frames if frame["type"] == kind and request in (None, frame.get("requestId"))]

    def tell(self, data: dict) -> None:
        channel = self.kernel.client
        channel.shell_channel.send(channel.session.msg("comm_msg", {"comm_id": self.id, "data": data}))

    def post(self, kind: str, **fields) -> None:
        self.tell({"method": "custom", "content": {"v": 1, "type": kind, **fields}})

    def send(self, text: str, **fields) -> str:
        self.requests += 1
        request = f"{self.id}-{self.requests}"
        self.post("send", requestId=request, text=text, **fields)
        return request

    def ended(self, request: str) -> dict:
        """Waits for the end of the answer, and for the state after it. Returns the answer."""
        self.kernel.pump(lambda: self.frames("end", request), what=f"no end of {request}")
        self.kernel.pump(lambda: self.state["running"] is None, what="the state after the end")
        return self.frames("end", request)[0]["message"]

    def chat(self, text: str) -> dict:
        return self.ended(self.send(text))

    @property
    def messages(self) -> list[dict]:
        return self.state["messages"]


def words(message: dict) -> str:
    return "".join(part.get("text") or "" for part in message["parts"] if part["type"] == "text")


def transcripts(kernel: Front, start: int) -> list[str]:
    """The transcripts that outputs got, in order."""
    bundles = [message["content"]["data"].get("text/html", "") for message in kernel.seen[start:]
               if message["msg_type"] in ("display_data", "update_display_data")]
    return [html for html in bundles if "ullm-transcript" in html]


def turns(kernel: Front, check: Checks, server: SlowOllama) -> None:
    with check("a chat widget as the value of a cell: one comm of anywidget, the widget and its transcript"):
        chat = kernel.show('%use unified-llm\nval chat = chatWidget("ollama/llama3", prompts = listOf("Explain {{topic}}"))\nchat')
        state = chat.opened["data"]["state"]
        assert chat.opened["target_name"] == "jupyter.widget"
        assert state["_model_name"] == "AnyModel" and state["_view_name"] == "AnyView" and len(state["_esm"]) > 1000, state.keys()
        assert state["options"]["prompts"] == ["Explain {{topic}}"] and state["messages"] == []
        widget, transcript = chat.cell.displays
        assert widget[WIDGET] == {"version_major": 2, "version_minor": 0, "model_id": chat.id}, widget
        assert "No messages yet" in transcript["text/html"] and "chat.ask" in transcript["text/html"], transcript["text/html"]
        assert not chat.cell.results and not chat.cell.printed, chat.cell.printed
    with check("a message is answered: deltas with the new text alone, at most 20 messages a second, one end"):
        began = time.monotonic()
        request = chat.send("hello")
        answer = chat.ended(request)
        seconds = time.monotonic() - began
        text = "".join(part["text"] for frame in chat.frames("delta", request) for part in frame["parts"])
        assert words(answer).startswith("word1 word2 ") and "word20" in words(answer), answer
        assert words(answer).startswith(text) and text, text
        assert len(chat.frames("delta", request)) <= 20 * seconds + 1, f"{len(chat.frames('delta', request))} messages in {seconds:.1f} s"
        assert len(chat.frames("end", request)) == 1 and answer["state"] == "done"
        assert "5 in + 20 out" in answer["footer"], answer["footer"]
        assert [message["state"] for message in chat.messages] == ["done", "done"]
    with check("the transcript of the output has the turn, so that the saved notebook keeps it"):
        kernel.pump(lambda: "word20" in transcripts(kernel, chat.start)[-1], what="no transcript with the answer")
        assert "hello" in transcripts(kernel, chat.start)[-1]
    with check("the second request has the first turn"):
        chat.chat("again")
        assert [message["role"] for message in server.requests[-1]["messages"]] == ["user", "assistant", "user"], server.requests[-1]
    with check("value has the history with the usage of each answer, cost the sum"):
        cell = kernel.run('chat.value.joinToString { "${it.role} ${it.usage?.outputTokens}" }')
        assert cell.shown["text/plain"] == "USER null, ASSISTANT 20, USER null, ASSISTANT 20", cell.evalue or cell.shown
    with check("edit truncates what is shown, the history and the transcript"):
        chat.post("edit", requestId="edit", messageId=chat.messages[0]["id"], text="hello you")
        chat.ended("edit")
        assert len(chat.messages) == 2 and [m["content"] for m in server.requests[-1]["messages"]] == ["hello you"], server.requests[-1]
    with check("a page that reloads gets the full state"):
        before = len(chat.data())
        chat.tell({"method": "request_state"})
        kernel.pump(lambda: any(data["method"] == "update" and "_esm" in data["state"] for data in chat.data()[before:]))
        assert len(chat.state["messages"]) == 2
    with check("delete, clear and undo; messages of another version are ignored"):
        chat.post("clear")
        kernel.pump(lambda: chat.messages == [])
        chat.post("undo")
        kernel.pump(lambda: len(chat.messages) == 2)
        chat.tell({"method": "custom", "content": {"v": 0, "type": "clear"}})
        chat.post("delete", messageId=chat.messages[1]["id"])
        kernel.pump(lambda: len(chat.messages) == 1)
    with check("chat.ask in the next cell streams a card there, and the answer is in the widget"):
        cell = kernel.run('chat.ask("from a cell")')
        assert cell.status == "ok" and "word20" in cell.text, cell.evalue or cell.text[:200]
        assert len(cell.updates) > 1 and 'data-state="done"' in cell.html, len(cell.updates)
        kernel.pump(lambda: words(chat.messages[-1]).startswith("word1 "))
        assert "word20" in kernel.run('chat.ask("and again").get().text').shown["text/plain"]
    with check("append and reset from code reach the widget"):
        kernel.run('chat.reset(); chat.append(Role.ASSISTANT, "**Welcome**")')
        kernel.pump(lambda: [words(message) for message in chat.messages] == ["**Welcome**"])
        assert "<strong>Welcome</strong>" in chat.messages[0]["parts"][0]["html"]
    with check("the widget in another cell is a second view of the same model"):
        cell = kernel.run("chat")
        assert cell.displays[0][WIDGET]["model_id"] == chat.id, cell.displays[0]
        assert "Welcome" in cell.displays[1]["text/html"]


def closing(kernel: Front, check: Checks) -> None:
    with check("a widget whose comm the front end has closed opens another one where it is shown again, with its history"):
        first = kernel.show('val again = chatWidget("demo/echo")\nagain')
        first.chat("one")
        channel = kernel.client
        channel.shell_channel.send(channel.session.msg("comm_close", {"comm_id": first.id, "data": {}}))
        second = kernel.show("again")
        assert second.id != first.id and [words(message) for message in second.messages][0] == "one", second.messages
        assert "two" in words(second.chat("two"))


def cells(kernel: Front, check: Checks, slow: SlowOllama) -> None:
    chat = kernel.show('%use unified-llm\nval slow = chatWidget("ollama/llama3")\nslow')
    with check("stop: the partial answer stays, the server sees the closed connection, nothing comes later"):
        request = chat.send("a long story")
        kernel.pump(lambda: chat.frames("delta", request))
        chat.post("stop", requestId=request)
        answer = chat.ended(request)
        assert answer["state"] == "stopped" and words(answer).startswith("word1"), answer
        within(2, lambda: slow.closed_at, "no close")
        before = len(chat.frames("delta", request))
        second = chat.send("another")
        kernel.pump(lambda: chat.frames("delta", second))
        assert len(chat.frames("delta", request)) == before
        chat.post("stop", requestId=second)
        chat.ended(second)
    with check("an answer goes on while a cell runs; a click in that time is handled when the cell ends; the kernel says that it is busy"):
        request = chat.send("another story")
        kernel.pump(lambda: chat.frames("delta", request))
        chat.post("ping", n=1)
        kernel.pump(lambda: chat.frames("pong"))
        before = len(chat.frames("delta", request))
        during: list[int] = []

        def press(cell: Cell) -> None:
            if not during and "began" in cell.printed:
                chat.post("stop", requestId=request)
                during.append(1)

        cell = kernel.run('print("began"); System.out.flush(); Thread.sleep(4500)', during=press)
        assert cell.status == "ok" and during, cell.evalue
        assert len(chat.frames("delta", request)) > before + 20, f"{len(chat.frames('delta', request)) - before} deltas while the cell ran"
        assert any(frame["busy"] for frame in chat.frames("alive")), chat.frames("alive")
        assert chat.ended(request)["state"] == "stopped"
    with check("two widgets do not mix"):
        other = kernel.show('val other = chatWidget("demo/echo")\nother')
        first, second = chat.send("slow one"), other.send("<script>alert(1)</script>")
        answer = other.ended(second)
        assert "alert(1)" in words(answer) and "<script>" not in answer["parts"][0]["html"], answer["parts"][0]["html"]
        kernel.pump(lambda: chat.frames("delta", first))
        assert not other.frames("delta", first) and not chat.frames("delta", second)
        chat.post("stop", requestId=first)
        chat.ended(first)
        assert len(other.messages) == 2
    with check("an interrupt of a cell that waits for chat.ask stops the answer and fails the cell"):
        pressed: list[float] = []

        def interrupt(cell: Cell) -> None:
            if not pressed and cell.updates and "word3" in cell.updates[-1].get("text/html", ""):
                pressed.append(time.monotonic())
                kernel.interrupt()

        cell = kernel.run('slow.ask("a story")', during=interrupt)
        assert pressed and cell.status == "error", cell.status
        kernel.pump(lambda: chat.state["running"] is None)
        assert chat.messages[-1]["state"] == "stopped"


def models(kernel: Front, check: Checks) -> None:
    with check("a failure is a message with its cause and next step; the question can be sent again"):
        chat = kernel.show('%use unified-llm\nval failing = chatWidget("demo/error")\nfailing')
        answer = chat.chat("hi")
        assert answer["state"] == "failed" and "fails on purpose" in answer["error"]["message"], answer
        assert chat.messages[0]["state"] == "unanswered"
        cell = kernel.run('failing.ask("hi")')
        assert cell.status == "error" and "fails on purpose" in cell.evalue + cell.text, f"{cell.status} {cell.evalue}"
    with check("simple, a function of the history, and a flow are models; onMessage is told"):
        chat = kernel.show('var told = 0\nval loud = chatWidget(simple { it.uppercase() }, onMessage = { told = it.size })\nloud')
        assert words(chat.chat("hi")) == "HI"
        within(5, lambda: kernel.run("told").shown["text/plain"] == "2", "onMessage was not told")
        chat = kernel.show('chatWidget { history -> "message ${history.size}" }')
        chat.chat("one")
        assert words(chat.chat("two")) == "message 3"
        chat = kernel.show('chatWidget({ _ -> flow { emit("a"); kotlinx.coroutines.delay(100); emit("b") } })')
        assert words(chat.chat("one")) == "ab"
        chat = kernel.show('chatWidget { costs() }')
        assert any("ullm-costs" in part.get("html", "") or "No calls" in part.get("html", "") for part in chat.chat("costs?")["parts"]), chat.messages[-1]
    with check("a tool with a class of a cell waits for the approval in the widget"):
        kernel.run('data class Town(val name: String)')
        chat = kernel.show("""
            val runs = mutableListOf<String>()
            val agent = chatWidget("demo/tools", needsApproval = { it.name == "weather" }) {
                tool("weather", "Current weather") { town: Town -> "sunny in ${town.name}".also { runs += it } }
            }
            agent""")
        request = chat.send("weather?")
        rows = lambda: [part for frame in chat.frames("message", request) for part in frame["message"]["parts"] if part["type"] == "tool"]
        kernel.pump(lambda: any(row["state"] == "awaiting" for row in rows()), what="no row that waits")
        assert kernel.run("runs.size").shown["text/plain"] == "0"
        chat.post("approve", requestId=request, callId=rows()[-1]["callId"], isApproved=True)
        answer = chat.ended(request)
        row = next(part for part in answer["parts"] if part["type"] == "tool")
        assert row["state"] == "done" and "sunny in name" in row["result"], row
    with check("in a cell that waits, such a call is not run, and the answer goes on"):
        cell = kernel.run('agent.ask("weather?").get().text')
        assert cell.status == "ok", cell.evalue
        assert kernel.run("runs.size").shown["text/plain"] == "1"
    with check("attachments are checked in the kernel"):
        chat = kernel.show('val files = chatWidget("demo/echo", allowAttachments = true, attachmentTypes = listOf("image/*", ".txt"))\nfiles')
        chat.post("attach", attachmentId="a", name="a.png", mediaType="image/png", data=base64.b64encode(b"<html>").decode(), isLast=True)
        kernel.pump(lambda: chat.frames("refused"))
        assert "its content is a text" in chat.frames("refused")[0]["reason"], chat.frames("refused")
        chat.post("attach", attachmentId="b", name="b.txt", mediaType="text/plain", data=base64.b64encode(b"hello").decode(), isLast=True)
        kernel.pump(lambda: chat.frames("attached"))
        request = chat.send("read it", attachments=["b"])
        chat.ended(request)
        assert [part["type"] for part in chat.messages[0]["parts"]] == ["text", "file"], chat.messages[0]


class KeyServer:
    """Refuses every request, and keeps the keys."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers.get("content-length", 0)))
                recorder.keys.append(self.headers.get("authorization", ""))
                body = b'{"error":{"message":"wrong key"}}'
                self.send_response(401)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"
        Thread(target=self.server.serve_forever, daemon=True).start()


def keys(kernel: Front, check: Checks, server: KeyServer) -> None:
    code = 'val secret = chatWidget("openai/gpt-4o-mini")\nsecret'
    kernel.run("%use unified-llm")
    with check("where the front end takes no questions, the cell asks for no key"):
        request = kernel.client.execute(code, allow_stdin=False)
        assert kernel.reply_to(request)["status"] == "ok"
    with check("a missing key is asked for as a password, is used, and is in no output"):
        kernel.run("1")
        before = len(kernel.seen)
        request = kernel.client.execute(code, allow_stdin=True)
        asked = kernel.client.get_stdin_msg(timeout=20)["content"]
        assert asked["password"] and "openai" in asked["prompt"] and "OPENAI_API_KEY" in asked["prompt"], asked
        kernel.client.input("sk-typed-in-key")
        assert kernel.reply_to(request)["status"] == "ok"
        kernel.pump(lambda: any(message["msg_type"] == "comm_open" for message in kernel.seen[before:]))
        opened = next(message["content"] for message in kernel.seen[before:] if message["msg_type"] == "comm_open")
        chat = Chat(kernel, opened, Cell(), before)
        assert chat.chat("hi")["state"] == "failed"
        assert server.keys[-1] == "Bearer sk-typed-in-key", server.keys
        assert not any("sk-typed-in-key" in str(message["content"]) for message in kernel.seen), "the key is in a message"
    with check("an empty key goes on without one: the answer fails and says what to do"):
        before = len(kernel.seen)
        request = kernel.client.execute(code, allow_stdin=True)
        kernel.client.get_stdin_msg(timeout=20)
        kernel.client.input("")
        assert kernel.reply_to(request)["status"] == "ok"
        kernel.pump(lambda: any(message["msg_type"] == "comm_open" for message in kernel.seen[before:]))
        opened = next(message["content"] for message in kernel.seen[before:] if message["msg_type"] == "comm_open")
        answer = Chat(kernel, opened, Cell(), before).chat("hi")
        assert "OPENAI_API_KEY" in answer["error"]["message"], answer["error"]


def main() -> None:
    check = Checks()
    plain = {key: value for key, value in os.environ.items() if not key.endswith("_API_KEY")}
    with SlowOllama(words=20, rate=50) as quick, Front({**plain, "OLLAMA_API_BASE": quick.url}) as kernel:
        turns(kernel, check, quick)
    with SlowOllama(words=500) as slow, Front({**plain, "OLLAMA_API_BASE": slow.url}) as kernel:
        cells(kernel, check, slow)
        closing(kernel, check)
        models(kernel, check)
        with check("the end of the kernel closes the connections of its answers"):
            chat = kernel.show('val last = chatWidget("ollama/llama3")\nlast')
            request = chat.send("a story")
            kernel.pump(lambda: chat.frames("delta", request))
            closed = len(slow.closed_at)
            kernel.manager.shutdown_kernel()
            within(5, lambda: len(slow.closed_at) > closed, "no close")
    server = KeyServer()
    with Front({**plain, "OPENAI_BASE_URL": server.url, "OPENAI_API_BASE": server.url}) as kernel:
        keys(kernel, check, server)
    check.finish()


if __name__ == "__main__":
    main()
