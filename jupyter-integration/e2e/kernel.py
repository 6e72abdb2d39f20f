"""Runs cells in the Kotlin kernel and checks their outputs, costs, errors, interrupts and completion. `jupyter-integration/e2e/run kernel` starts it."""
import os
import queue
import re
import time
from dataclasses import dataclass, field

from checks import Checks, within
from jupyter_client.manager import KernelManager
from slow_ollama import SlowOllama
from workbench import NOTEBOOKS

CELL_SECONDS = 120
TAG = re.compile(r"<[^>]+>")


@dataclass
class Cell:
    """The messages of one execution."""
    status: str = ""
    ename: str = ""
    evalue: str = ""
    traceback: list[str] = field(default_factory=list)
    displays: list[dict] = field(default_factory=list)      # the bundles of display_data
    updates: list[dict] = field(default_factory=list)       # the bundles of update_display_data
    results: list[dict] = field(default_factory=list)       # the bundles of execute_result
    printed: str = ""
    outputs: dict[str, dict] = field(default_factory=dict)  # the last bundle of each display, by its id

    @property
    def shown(self) -> dict:
        """The last state of the cell's only output."""
        assert len(self.displays) + len(self.results) == 1, f"{len(self.displays)} displays and {len(self.results)} results instead of one"
        return self.results[0] if self.results else ([*self.displays, *self.updates][-1])

    def last(self, number: int) -> str:
        """The last HTML of the output with this number."""
        return self.outputs[list(self.outputs)[number]].get("text/html", "")

    @property
    def html(self) -> str:
        return self.shown.get("text/html", "")

    @property
    def text(self) -> str:
        return TAG.sub("", self.html)

    @property
    def is_empty(self) -> bool:
        return not (self.displays or self.updates or self.results or self.printed)


class Kernel:
    """A running Kotlin kernel, for a `with` block."""

    def __init__(self, environment: dict) -> None:
        self.manager = KernelManager(kernel_name="kotlin")
        self.manager.start_kernel(env=environment, cwd=str(NOTEBOOKS))
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    def __enter__(self) -> "Kernel":
        return self

    def __exit__(self, *_) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)

    def run(self, code: str, during=lambda cell: None) -> Cell:
        """Executes a cell. [during] is called after each message, with the cell so far."""
        cell, request = Cell(), self.client.execute(code)
        deadline = time.monotonic() + CELL_SECONDS
        idle, shown = False, set()
        while not idle:
            try:
                message = self.client.get_iopub_msg(timeout=1)
            except queue.Empty:
                assert time.monotonic() < deadline, f"the cell took more than {CELL_SECONDS} s"
                continue
            kind, content = message["msg_type"], message["content"]
            display = content.get("transient", {}).get("display_id")
            # Front ends match an update by its display id: after an interrupt the kernel sends the last update with another parent.
            if message["parent_header"].get("msg_id") != request and not (kind == "update_display_data" and display in shown):
                continue
            match kind:
                case "display_data":
                    shown.add(display)
                    cell.displays.append(content["data"])
                    cell.outputs[display or len(cell.outputs)] = content["data"]
                case "update_display_data":
                    cell.updates.append(content["data"])
                    cell.outputs[display] = content["data"]
                case "execute_result":
                    cell.results.append(content["data"])
                case "stream":
                    cell.printed += content["text"]
                case "status":
                    idle = content["execution_state"] == "idle"
            during(cell)
        reply = self.reply_to(request)
        cell.status = reply["status"]
        cell.ename, cell.evalue, cell.traceback = reply.get("ename", ""), reply.get("evalue", ""), reply.get("traceback", [])
        return cell

    def late(self, cell: Cell) -> None:
        """Takes the next update of the cell's output after its end, if one comes soon."""
        try:
            message = self.client.get_iopub_msg(timeout=0.05)
        except queue.Empty:
            return
        if message["msg_type"] == "update_display_data" and message["content"]["transient"]["display_id"] in cell.outputs:
            cell.updates.append(message["content"]["data"])

    def reply_to(self, request: str) -> dict:
        """After a slow start, replies to earlier requests are still in the queue."""
        while True:
            message = self.client.get_shell_msg(timeout=10)
            if message["parent_header"].get("msg_id") == request:
                return message["content"]

    def members(self, receiver: str) -> set[str]:
        """The names that Tab completion offers after `receiver.`, without Kotlin's keywords."""
        code = f"{receiver}."
        completed = self.reply_to(self.client.complete(code, len(code)))["metadata"].get("_jupyter_types_experimental", [])
        return {re.match(r"\w*", match["text"])[0] for match in completed if match["type"] != "keyword"}

    def interrupt(self) -> None:
        self.manager.interrupt_kernel()


def answers(kernel: Kernel, check: Checks) -> None:
    with check("%use and chat in the same first cell: one output, which grows"):
        cell = kernel.run('%use unified-llm\nchat("demo/echo", "hello out there")')
        assert cell.status == "ok", cell.evalue
        assert len(cell.displays) == 1 and not cell.results, f"{len(cell.displays)} displays, {len(cell.results)} results"
        assert len(cell.updates) >= 1, "no update"
        assert 'data-state="done"' in cell.html, cell.html[:200]
    with check("the card has its classes, the text, and a plain-text form"):
        assert all(name in cell.html for name in ("ullm-card", "ullm-text", "ullm-footer")), cell.html[:200]
        assert "hello out there" in cell.text
        assert "hello out there" in cell.shown.get("text/plain", "")
    with check("the first display comes before the first token"):
        assert 'data-state="waiting"' in cell.displays[0]["text/html"], cell.displays[0]["text/html"][:200]
    with check("a chat as the value of an if streams"):
        assert "yes indeed" in kernel.run('if (1 + 1 == 2) chat("demo/echo", "yes indeed") else null').text
    with check("the other branch shows nothing of a chat"):
        cell = kernel.run('if (1 + 1 == 3) chat("demo/echo", "no") else null')
        assert cell.status == "ok" and not cell.displays, f"{cell.status}, {len(cell.displays)} displays"
    with check("markup in an answer stays text"):
        cell = kernel.run('chat("demo/echo", "</pre><script>alert(1)</script><img src=x onerror=alert(2)>")')
        bundles = [*cell.displays, *cell.updates, *cell.results]
        assert not any(re.search(r"<script>alert|<img src=x", bundle.get("text/html", "")) for bundle in bundles), "it is markup in the output"
        assert "alert(1)" in cell.html, cell.html[:200]
    with check("costs() is a table, with a plain-text form"):
        cell = kernel.run("costs()")
        assert re.search(r'<table[^>]*class="[^"]*ullm-costs', cell.html), cell.html[:200]
        assert "demo" in cell.shown.get("text/plain", "")
    with check("budgets are bars, times() is a table, each with a plain-text form"):
        kernel.run('val careful = llm { budget(0.01.usd, Period.DAY) }')
        kernel.run('careful.chat("demo/echo") { user("hi"); maxTokens = 100 }.get()')
        cell = kernel.run("careful.budgets()")
        assert re.search(r'<div class="ullm-bar" role="img" aria-label="Budget for the day: ', cell.html), cell.html[-500:]
        assert "[#" in cell.shown["text/plain"] and "UTC" in cell.shown["text/plain"], cell.shown["text/plain"]
        cell = kernel.run("careful.costs().times()")
        assert "ullm-times" in cell.html and "latency p50" in cell.shown["text/plain"], cell.shown["text/plain"]


def laziness(kernel: Kernel, check: Checks, server: SlowOllama) -> None:
    with check("a chat assigned to a value sends nothing and shows nothing"):
        cell = kernel.run('val r = chat("ollama/llama3", "A story")')
        assert cell.status == "ok", cell.evalue
        assert cell.is_empty and not server.requests, f"{len(server.requests)} requests"
    with check("the value as last expression streams, with one request"):
        cell = kernel.run("r")
        assert len(server.requests) == 1, f"{len(server.requests)} requests"
        assert cell.updates and "word20" in cell.text, cell.text[:200]
    with check("a second display of the value shows the same text, without another request"):
        cell = kernel.run("r")
        assert "word20" in cell.text, cell.text[:200]
        assert len(server.requests) == 1, f"{len(server.requests)} requests"
    with check("get() returns the text, still without another request"):
        cell = kernel.run("r.get().text")
        assert "word20" in cell.shown["text/plain"], cell.shown
        assert len(server.requests) == 1, f"{len(server.requests)} requests"
    with check("text deltas can be printed in a cell"):
        cell = kernel.run('runBlocking { chat("demo/echo", "one two three").deltas().collect(::print) }')
        assert "one two three" in cell.printed, cell.printed


def clients(kernel: Kernel, check: Checks, server: SlowOllama) -> None:
    with check("configure { } as the last expression shows nothing, and chat() uses the new client"):
        kernel.run('chat("demo/echo") { user("hi"); task = "default client" }.get()')
        cell = kernel.run('configure { alias("home", "ollama/llama3") }')
        assert cell.status == "ok" and cell.is_empty, cell.evalue or f"{len(cell.results)} results, printed {cell.printed!r}"
        before = len(server.requests)
        cell = kernel.run('chat("home") { user("hi"); task = "configured client" }')
        assert "word20" in cell.text and "ollama/llama3" in cell.text, cell.text[:200]
        assert len(server.requests) == before + 1, f"{len(server.requests) - before} requests"
    with check("a call that was made before configure { } is sent by the new client"):
        kernel.run('val waiting = chat("later") { user("hi"); task = "made before" }')
        kernel.run('configure { alias("later", "demo/echo") }')
        assert "echoes: hi" in kernel.run("waiting").text
    with check("costs() has the calls of every client of the kernel, each once"):
        kernel.run("""
            val own = llm { }
            own.chat("demo/echo") { user("hi"); task = "own client" }.get()
            own.chat(own.model("demo/echo")) { user("hi"); task = "model of the client" }.get()
            chat(own.model("demo/echo")) { user("hi"); task = "model of another client" }.get()
            own.close()
        """)
        cell = kernel.run('costs(By.TASK).filter { it.name != "(none)" }.joinToString { "${it.name} ${it.calls}" }')
        tasks = ("default client", "configured client", "made before", "own client", "model of the client", "model of another client")
        assert cell.status == "ok", cell.evalue
        assert sorted(cell.shown["text/plain"].split(", ")) == sorted(f"{task} 1" for task in tasks), cell.shown["text/plain"]
        assert all(task in kernel.run("costs(By.TASK)").text for task in tasks)
        assert all(f"by {by}" in kernel.run(f"costs(days = 1, by = By.{by.upper()})").text.lower() for by in ("model", "provider", "day", "task"))


def types(kernel: Kernel, check: Checks) -> None:
    with check("a plain class of a cell is a typed answer, in the same cell and in a later one"):
        cell = kernel.run("""
            data class Town(@Description("As in Paris") val name: String, val people: Int = 1)
            val towns = simple { "{\\"value\\":[{\\"name\\":\\"Paris\\",\\"people\\":null},{\\"name\\":\\"Rome\\",\\"people\\":3}]}" }
            chat(towns, "Towns").getAs<List<Town>>().toString()
        """)
        assert cell.status == "ok", cell.evalue
        assert "[Town(name=Paris, people=1), Town(name=Rome, people=3)]" in cell.shown["text/plain"], cell.shown
        cell = kernel.run('chat(towns, "Towns").getAs<List<Town>>().sumOf { it.people }')
        assert cell.shown["text/plain"] == "4", cell.evalue or cell.shown
    with check("a serializable class of a cell is one, too"):
        cell = kernel.run("""
            @kotlinx.serialization.Serializable data class Village(val name: String)
            chat(simple { "{\\"name\\":\\"Giverny\\"}" }, "A village").getAs<Village>().name
        """)
        assert "Giverny" in cell.shown["text/plain"], cell.evalue or cell.shown
    with check("a typed list is a plain list"):
        cell = kernel.run('chat(towns, "Towns").getAs<List<Town>>() is ArrayList<*>')
        assert cell.shown["text/plain"] == "true", cell.evalue or cell.shown
    with check("nested, nullable, enum and recursive classes of cells: the demo model fills them in"):
        cell = kernel.run("""
            enum class Sky { CLEAR, GREY }
            data class Report(val town: Town, val sky: Sky, val towns: List<Town>, val note: String?, val day: java.time.LocalDate, val next: Report? = null)
            chat("demo/echo", "The weather").getAs<Report>().copy(next = null)
        """)
        town = "Town(name=name{}, people={})"
        towns = f"[{town.format(' 1', 1)}, {town.format(' 2', 2)}]"
        report = f"Report(town={town.format('', 1)}, sky=CLEAR, towns={towns}, note=note, day=2026-01-01, next=null)"
        assert cell.shown["text/plain"] == report, cell.evalue or cell.shown
    for declared, type_name, remedy in [
        ("sealed class Shape { data class Circle(val radius: Int) : Shape() }", "Shape", "add @Serializable"),
        ("data class Page<T>(val items: List<T>)", "Page<Town>", "add @Serializable"),
        ("object Nowhere", "Nowhere", "add @Serializable"),
        ("val factor = 3\ndata class Scaled(val size: Int) { fun times() = size * factor }", "Scaled", "uses values or functions of cells"),
        ("class Beside { var title = \"\" }", "Beside", "must be in its constructor"),
    ]:
        with check(f"{type_name} is refused with what to do"):
            kernel.run(declared)
            cell = kernel.run(f'chat("demo/echo", "x").getAs<{type_name}>()')
            assert cell.status == "error" and remedy in cell.evalue, cell.evalue or cell.status
    with check("with @Serializable, sealed and generic classes of cells are served"):
        cell = kernel.run("""
            import kotlinx.serialization.Serializable
            @Serializable sealed class Form { @Serializable data class Round(val radius: Int) : Form() }
            @Serializable data class Two<T>(val first: T, val second: T)
            chat("demo/echo", "x").getAs<Two<Form>>()
        """)
        assert cell.shown["text/plain"] == "Two(first=Round(radius=1), second=Round(radius=1))", cell.evalue or cell.shown


def abilities(kernel: Kernel, check: Checks) -> None:
    with check("a tool with a class of a cell as its arguments: the call, the result and the response are in the card"):
        cell = kernel.run("""
            data class Place(val name: String)
            data class Weather(val celsius: Int, val sky: String)
            chat("demo/tools") {
                user("How is the weather?")
                tool("weather", "Current weather") { place: Place -> Weather(21, "<b>clear</b> in ${place.name}") }
            }
        """)
        assert cell.status == "ok", cell.evalue
        assert "weather({&quot;name&quot;:&quot;name&quot;})" in cell.text and "&lt;b&gt;clear&lt;/b&gt; in name" in cell.text, cell.text
        assert '→ {"celsius":21,' in cell.shown["text/plain"], cell.shown["text/plain"]
    for code, html, text in [
        ('image("demo/painter", "Hills")', 'src="data:image/png;base64,', "[image/png, "),
        ('image("demo/painter", "Hills").get()', 'src="data:image/png;base64,', "[image/png, "),
        ('embed("demo/embedder", listOf("a", "b"))', "2 vectors of 256 numbers", "2 vectors of 256 numbers"),
        ('embed("demo/embedder", "a").get()', "1 vector of 256 numbers", "1 vector of 256 numbers"),
        ('countTokens("demo/echo", "How long is this?")', "about ", "estimated by"),
        ('countTokens("demo/echo", "How long is this?").get()', "about ", "estimated by"),
        ('models("demo")', "ullm-models", "demo/echo"),
    ]:
        with check(f"{code} as the value of a cell shows its result, once"):
            cell = kernel.run(code)
            assert cell.status == "ok", cell.evalue
            assert html in cell.html and text in cell.shown["text/plain"], cell.shown["text/plain"][:200]
    with check("a call that is not a chat is not sent before it is the value of a cell; if it fails, so does the cell"):
        cell = kernel.run('val vectors = embed("demo/echo", "a")')
        assert cell.status == "ok" and cell.is_empty, cell.evalue
        cell = kernel.run("vectors")
        assert cell.status == "error" and "demo/embedder" in cell.text and "ullm-error" in cell.html, cell.evalue


def groups(kernel: Kernel, check: Checks, server: SlowOllama) -> None:
    with check("a list of calls as the value of a cell sends all at once; a failure ends no other call"):
        begin = time.monotonic()
        cell = kernel.run('listOf(chat("ollama/llama3", "one"), chat("demo/error", "two"), chat("ollama/llama3", "three"))')
        assert cell.status == "error" and cell.evalue.startswith("1 of 3 calls failed"), cell.evalue
        assert len(cell.displays) == 3 and not cell.results, f"{len(cell.displays)} displays, {len(cell.results)} results"
        assert [TAG.sub("", html).count("word20") for html in map(cell.last, range(3))] == [1, 0, 1], [cell.last(number)[-200:] for number in range(3)]
        assert time.monotonic() - begin < 5
    for code, names in [
        ('mapOf("first" to chat("demo/echo", "a"), "second" to chat("demo/echo", "b"))', ["first", "second"]),
        ('data class Both(val left: Reply, val right: Reply)\nBoth(chat("demo/echo", "a"), chat("demo/echo", "b"))', ["left", "right"]),
    ]:
        with check(f"{code.splitlines()[-1]} shows each answer below its name"):
            cell = kernel.run(code)
            shown = [TAG.sub("", cell.last(number)) for number in range(len(cell.displays))]
            assert [shown[0], shown[2]] == names and "echoes: a" in shown[1] and "echoes: b" in shown[3], shown
    with check("a list of replies that are done sends nothing and shows them"):
        before = len(server.requests)
        kernel.run('val both = listOf(chat("ollama/llama3", "a"), chat("ollama/llama3", "b")).onEach { it.get() }')
        cell = kernel.run("both")
        assert cell.html.count('class="ullm-card') == 2 and "Reply(" not in cell.text, cell.text
        assert len(server.requests) == before + 2, f"{len(server.requests) - before} requests"
    with check("more than 50 unsent calls are not sent"):
        before = len(server.requests)
        cell = kernel.run('List(51) { chat("ollama/llama3", "a") }')
        assert "Not sent" in cell.text and len(server.requests) == before, cell.text[-300:]
    stream = 'Llm.default.model("ollama/llama3").stream(dev.unifiedllm.chat.ChatRequest.build("ollama/llama3") { user("x") })'
    for code in ('chat("ollama/llama3", "deltas").events()', 'chat("ollama/llama3", "deltas").events().onEach { }', stream):
        with check(f"{code} as the value of a cell is a card, collected once"):
            before = len(server.requests)
            cell = kernel.run(f"val deltas = {code}\ndeltas")
            assert cell.status == "ok" and "word20" in cell.text and len(cell.displays) == 1, cell.evalue or cell.text
            cell = kernel.run("deltas")
            assert "word20" in cell.text and not cell.displays, cell.text
            assert len(server.requests) == before + 1, f"{len(server.requests) - before} requests"
    with check("a flow of something else is not collected"):
        cell = kernel.run("var collected = 0\nflow { collected++; emit(1) }")
        assert kernel.run("collected").shown["text/plain"] == "0" and not cell.displays
    with check("in chat(a); chat(b) the first is named as not sent"):
        cell = kernel.run('chat("demo/storyteller", "a")\nchat("demo/echo", "b")')
        notes = [TAG.sub("", bundle["text/html"]) for bundle in cell.displays]
        assert "1 call of this cell was not sent: demo/storyteller" in notes[0], notes
        assert "echoes: b" in TAG.sub("", cell.last(1)), notes
    with check("a call that is kept, or sent without being shown, is not named"):
        for code in ('val kept = chat("demo/echo", "a")', 'val kept = List(3) { chat("demo/echo", "a") }\nkept.size', 'chat("demo/echo", "a").get().text'):
            cell = kernel.run(code)
            assert not any("not sent" in bundle.get("text/html", "") for bundle in cell.displays), code
    with check("responses, messages and conversations are cards and transcripts"):
        assert "ullm-card" in kernel.run('val answer = chat("demo/echo", "hello").get()\nanswer').html
        for code in ("answer.toMessage()", "answer.messages", 'val talk = conversation("demo/echo")\ntalk.ask("hello").get()\ntalk'):
            cell = kernel.run(code)
            assert "echoes: hello" in cell.text and "Message(" not in cell.text, cell.text


def errors(kernel: Kernel, check: Checks) -> None:
    for code, remedy in [
        ('chat("groq/llama-3.1-8b-instant", "hi")', "GROQ_API_KEY"),
        ('chat("grok/llama", "hi")', "groq"),
        ('chat("groq/llama-3.1-8b-instant", "hi").get()', "GROQ_API_KEY"),
    ]:
        with check(f"{code} fails with {remedy} in its message"):
            cell = kernel.run(code)
            assert cell.status == "error", f"status {cell.status}"
            shown = cell.text if cell.displays else cell.evalue
            assert remedy in shown, shown
        with check(f"{code} says its failure once, in one line below the card"):
            assert cell.status == "error", f"status {cell.status}"
            assert cell.traceback == [f"{cell.ename}: {cell.evalue}"], cell.traceback
            assert ("CallFailed" if cell.displays else "LlmException") in cell.ename, cell.ename
            assert not cell.displays or len(cell.evalue) < 100, cell.evalue
    with check("a failed last expression shows an error card"):
        cell = kernel.run('chat("groq/llama-3.1-8b-instant", "hi")')
        assert "ullm-error" in cell.html and "GROQ_API_KEY" in cell.text, cell.text[:200]


# A cell, a receiver in the next cell, and members that Tab after the receiver must offer.
COMPLETION = [
    ('val reply = chat("demo/echo", "hi")', "reply", {"get", "await", "deltas", "events", "cancel", "state"}),
    ("val llm = Llm.default", "llm", {"chat", "costs", "model", "conversation", "close"}),
    ("import dev.unifiedllm.Llm", "Llm.default", {"chat", "costs", "model", "conversation", "close"}),
    ('val talk = conversation("demo/echo")', "talk", {"ask", "cost", "messages", "fork"}),
    ('val response = chat("demo/echo", "hi").get()', "response", {"text", "usage", "cost", "model", "finishReason", "toolCalls"}),
    ("val report = costs()", "report", {"total", "demoTotal", "unknownCosts", "by", "size"}),
    ('val failure = LlmException.Overloaded("busy")', "failure", {"message", "model", "status", "attempts", "partial", "isRetryable"}),
]


def completion(kernel: Kernel, check: Checks) -> None:
    for code, receiver, members in COMPLETION:
        with check(f"Tab after `{receiver}.` offers the public members, after {code}"):
            cell = kernel.run(code)
            assert cell.status == "ok", cell.evalue
            offered = kernel.members(receiver)
            assert members <= offered, f"without {sorted(members - offered)}, {len(offered)} offered"


def faults(kernel: Kernel, check: Checks) -> None:
    """Section N of the faults: 225 to 228."""
    kernel.run("""
        class Fast(val words: List<String>) : Model {
            override val id = dev.unifiedllm.chat.ModelId("fake", "fast")
            override fun stream(request: dev.unifiedllm.chat.Request) = flow {
                emit(dev.unifiedllm.chat.Delta.Start("r", id))
                for (word in words) emit(dev.unifiedllm.chat.Delta.Text(word))
                emit(dev.unifiedllm.chat.Delta.Finish(dev.unifiedllm.chat.FinishReason.STOP, null))
            }
        }
    """)
    with check("225: two calls that stream at once do not mix"):
        cell = kernel.run('listOf("a", "b").map { name -> chat(Fast(List(500) { "$name$it " }), "x") }')
        shown = [re.findall(r"\b[ab]\d+", cell.last(number).split("</style>")[1]) for number in range(2)]
        assert shown == [[f"{name}{number}" for number in range(500)] for name in "ab"], [words[:10] for words in shown]
    with check("226: the last state of an output needs no script and fetches nothing"):
        html = kernel.run('chat("demo/storyteller", "x")').html
        assert "<script" not in html and not re.search(r"(src|href)=\"(?!https?:|mailto:|data:image)", html) and "url(" not in html, html[:300]
    with check("227: 10,000 deltas make at most 20 updates a second, the exact text, and one copy of it for each MIME type"):
        begin = time.monotonic()
        cell = kernel.run('chat(Fast(List(10_000) { "w$it " }), "x")')
        seconds = time.monotonic() - begin
        assert len(cell.updates) <= 20 * seconds + 2, f"{len(cell.updates)} updates in {seconds:.1f} s"
        text = " ".join(f"w{i}" for i in range(10_000))
        assert text in cell.html and text in cell.shown["text/plain"]
        assert cell.html.count("w4321 ") == 1 and cell.shown["text/plain"].count("w4321 ") == 1 and len(cell.shown) == 2
    with check("228: U+2028, NUL, ANSI escapes and 5 MB are shown safely, with a note"):
        cell = kernel.run(r'chat(Fast(listOf("\u001b[31mred\u0000 \u2028next ") + List(50) { "x".repeat(100_000) }), "x")')
        for text in (cell.html, cell.shown["text/plain"]):
            assert "\x1b" not in text and "\x00" not in text and "⟨U+001B⟩[31mred" in text, text[:2000][-300:]
            assert "more characters are not shown" in text and len(text) < 1_200_000, len(text)
        assert sum(len(update["text/html"]) for update in cell.updates) < 60_000_000


ENDLESS = """
val made = java.util.concurrent.atomic.AtomicInteger()
val endless = object : Model {
    override val id = ModelId("test", "endless")
    override fun stream(request: dev.unifiedllm.chat.Request) = flow<Delta> {
        emit(Delta.Start(null, id))
        while (true) {
            delay(20.milliseconds)
            emit(Delta.Text("word${made.incrementAndGet()} "))
        }
    }
}
"""


def interrupts(kernel: Kernel, check: Checks, server: SlowOllama) -> None:
    pressed: list[float] = []

    def press_stop(cell: Cell) -> None:
        if not pressed and cell.updates and "word5 " in TAG.sub("", cell.updates[-1].get("text/html", "")):
            pressed.append(time.monotonic())
            kernel.interrupt()

    with check("an interrupt ends the cell as failed"):
        cell = kernel.run('chat("ollama/llama3", "A long story")', during=press_stop)
        assert pressed, "no word5 arrived"
        assert cell.status == "error", f"status {cell.status}"
        assert time.monotonic() - pressed[0] < 2, "more than 2 s after the interrupt"
    with check("the partial text stays"):
        # The kernel ends an interrupted cell without waiting for it: on a busy machine its last update comes a moment later.
        within(2, lambda: kernel.late(cell) or 'data-state="stopped"' in cell.html, cell.html[-300:])
        assert "word5" in cell.text and "word200" not in cell.text, cell.text[:200]
        assert 'data-state="stopped"' in cell.html, cell.html[:200]
    with check("the server sees the closed connection at once"):
        within(1, lambda: server.closed_at, "no close")
        assert server.closed_at[0] - pressed[0] < 1, f"{server.closed_at[0] - pressed[0]:.2f} s"
    with check("the costs count the call as cancelled"):
        cell = kernel.run("costs().single { it.name == \"ollama/llama3\" }.cancelled")
        assert cell.shown["text/plain"] == "1", cell.evalue or cell.shown
    with check("the next cell runs"):
        assert "still here" in kernel.run('chat("demo/echo", "still here")').text
    with check("a loop that catches the interrupt sends no more, and no call of it goes on"):
        kernel.run(ENDLESS)
        pressed.clear()

        def press(cell: Cell) -> None:
            if not pressed and len(cell.updates) > 3:
                pressed.append(time.monotonic())
                kernel.interrupt()

        kernel.run('for (i in 1..5) try { compare(endless, endless) { user("x") }.show() } catch (e: Exception) { println(e) }', during=press)
        assert pressed, "no update came"
        counts = [int(kernel.run("Thread.sleep(500); made.get()").shown["text/plain"]) for _ in range(3)]
        assert counts[1] == counts[2], counts
        assert "still here" in kernel.run('chat("demo/echo", "still here")').text


def main() -> None:
    check = Checks()
    without_keys = {key: value for key, value in os.environ.items() if not key.endswith("_API_KEY")}
    with SlowOllama(words=20, rate=50) as quick, Kernel({**without_keys, "OLLAMA_API_BASE": quick.url}) as kernel:
        answers(kernel, check)
        laziness(kernel, check, quick)
        clients(kernel, check, quick)
        types(kernel, check)
        abilities(kernel, check)
        groups(kernel, check, quick)
        faults(kernel, check)
        errors(kernel, check)
        completion(kernel, check)
    with SlowOllama() as slow, Kernel({**without_keys, "OLLAMA_API_BASE": slow.url}) as kernel:
        with check("%use alone in a cell says nothing"):
            cell = kernel.run("%use unified-llm")
            assert cell.status == "ok" and cell.is_empty, cell.evalue or cell.printed
        interrupts(kernel, check, slow)
    check.finish()


if __name__ == "__main__":
    main()
