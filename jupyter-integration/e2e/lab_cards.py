"""Cards in JupyterLab: an answer grows, Stop, errors, mathematics, long answers; the saved notebook, reopened by somebody else and as a page."""
import copy
import re

import nbformat
from checks import Checks, within
from lab_page import THEMES, Cell, Lab, Notebook, most_in_a_second
from lab_pages import open_page
from slow_ollama import SlowOllama

# Models of the test: one answers with the pieces that it is given, one never answers.
MODELS = """
import dev.unifiedllm.chat.Request
import kotlinx.coroutines.awaitCancellation

var stopped = 0

fun model(name: String, answer: suspend FlowCollector<Delta>.() -> Unit) = object : Model {
    override val id = ModelId("test", name)
    override fun stream(request: Request) = flow {
        emit(Delta.Start(null, id))
        answer()
        emit(Delta.Finish(FinishReason.STOP, null))
    }
}

val silent = model("silent") { try { awaitCancellation() } finally { stopped++ } }
val held = model("held") {
    "**Once upon a time** there was a lighthouse.\\n\\nIts keeper".split(" ").forEach { emit(Delta.Text("$it ")) }
    awaitCancellation()
}
val quick = model("quick") {
    repeat(10_000) {
        if (it % 20 == 0) delay(8)
        emit(Delta.Text("w$it "))
    }
}
"""

TEXT = r'''It costs $5 here and $10 there; `$HOME` is a folder, ~~not~~ a price.

With mathematics: $m = E/c^2$ and \(a^2 + b^2 = c^2\).

$$\int_0^1 x^2 \, dx = \frac{1}{3}$$

\[ e^{i\pi} + 1 = 0 \]

| item | price |
| --- | ---: |
| tea | $5 |
| a piece of cake | $10 |

- [x] a task

```kotlin
val price = "$5 and $10"
println(price)
```
'''.replace("$", "${'$'}")


def growth(notebook: Notebook, check: Checks) -> Cell:
    with check("an answer grows while it streams: one card, from waiting to streaming to done"):
        cell = notebook.run('chat("ollama/llama3", "A long story, please.")')
        within(60, lambda: "word20 " in cell.text, "no word20")
        cell.wait_for("done").wait()
        shown = cell.shown
        states = list(dict.fromkeys(it["state"] for it in shown))
        assert states == ["waiting", "streaming", "done"] and cell.card.count() == 1, (states, cell.card.count())
    with check("several texts are seen before the end, each with the one before in it"):
        texts = list(dict.fromkeys(it["text"].rstrip() for it in shown if it["state"] == "streaming"))
        assert len(texts) >= 8 and all(after.startswith(before) for before, after in zip(texts, texts[1:])), texts
        assert cell.text.strip() == " ".join(f"word{n}" for n in range(1, 81)), cell.text
    with check("the card has its question, and at the end tokens, price and times"):
        assert cell.output.locator(".ullm-question").inner_text() == "A long story, please."
        assert re.search(r"ollama/llama3\s· 5 in \+ 80 out\s· .* tok/s", cell.card.inner_text()), repr(cell.card.inner_text()[-200:])
    return cell


def stopping(notebook: Notebook, check: Checks, server: SlowOllama) -> dict[str, Cell]:
    with check("Stop before the first token: the card says so, the model is told"):
        early = notebook.run('chat(silent, "Will you answer?")').wait_for("waiting")
        notebook.pictures({"waiting": early.node})
        notebook.interrupt()
        early.wait_for("stopped", 20).wait()
        assert early.card.count() == 1 and "Stopped" in early.card.inner_text(), early.card.inner_text()
        told = notebook.run("stopped").wait().output.inner_text()
        assert "1" in told, repr(told)
    with check("Stop in an answer: the partial text stays, the state is stopped, the connection is closed"):
        late = notebook.run('chat("ollama/llama3", "A long story, please.")')
        within(60, lambda: "word5 " in late.text, "no word5")
        closed, finished, pressed = len(server.closed_at), server.finished, notebook.interrupt()
        late.wait_for("stopped", 20).wait()
        within(5, lambda: len(server.closed_at) > closed, "the connection was not closed")
        assert server.closed_at[-1] - pressed < 5 and server.finished == finished, f"closed {server.closed_at[-1] - pressed:.1f} s after Stop"
        assert "word5" in late.text and "word80" not in late.text and late.card.count() == 1, late.text
        assert re.search(r"stopped\s· ~\d+ in", late.card.inner_text()), repr(late.card.inner_text()[-300:])
    with check("an answer that hangs can be read while it hangs: complete paragraphs are rendered, the rest is plain"):
        hung = notebook.run('chat(held, "Tell me a story.")')
        within(60, lambda: "Its keeper" in hung.text, "no text")
        assert hung.card.locator("strong").inner_text() == "Once upon a time"
        within(20, lambda: re.search(r"streaming · \d+ s", hung.card.inner_text().replace("\xa0", " ")), "no time")
        notebook.pictures({"streaming": hung.node})
        notebook.interrupt()
        hung.wait_for("stopped", 20).wait()
    with check("below a stopped answer is at most one line, and no trace"):
        for cell in (early, late, hung):
            lines = cell.error.inner_text().strip().splitlines() if cell.error.count() else []
            assert len(lines) <= 1 and "\tat " not in cell.output.inner_text(), lines
    return {"stopped-early": early, "stopped": late}


def failures(notebook: Notebook, check: Checks) -> dict[str, Cell]:
    with check("a failure is told once: the card, and one plain line"):
        failed = notebook.run('chat("demo/error", "Hello?")').wait_for("failed").wait()
        lines = failed.error.inner_text().strip().splitlines()
        assert len(lines) == 1 and "fails on purpose" in lines[0], lines
        assert failed.output.inner_text().count("fails on purpose") == 2 and "Overloaded" in failed.card.inner_text(), failed.output.inner_text()
    with check("an answer that loses its connection keeps its text"):
        cut = notebook.run('chat("demo/cut", "A story")').wait_for("cut").wait()
        assert len(cut.text) > 20 and len(cut.error.inner_text().strip().splitlines()) == 1, cut.output.inner_text()
    return {"failed": failed, "cut": cut}


def order(notebook: Notebook, check: Checks) -> None:
    with check("two cells after each other: each answer is in its own cell, the second begins after the first"):
        first = notebook.add('chat("demo/echo", "the first of two")').record()
        second = notebook.add('chat("demo/echo", "the second of two")').record()
        first.run()
        second.run()
        second.wait()
        assert "the first of two" in first.text and "the second of two" in second.text, (first.text, second.text)
        assert first.card.count() == second.card.count() == 1 and first.shown[-1]["state"] == second.shown[-1]["state"] == "done"
        assert first.shown[-1]["at"] <= second.shown[0]["at"] + 50, (first.shown[-1]["at"], second.shown[0]["at"])
    with check("a cell that runs again replaces its output"):
        first.record().run().wait()
        assert first.shown[0]["state"] == "waiting" and first.card.count() == 1, first.shown[0]
        assert first.output.locator(".jp-OutputArea-child").count() == 1 and "the first of two" in first.text


def content(notebook: Notebook, check: Checks) -> dict[str, Cell]:
    cell = notebook.run(f'chat(simple {{ """{TEXT}""" }}, "How much is it?")').wait_for("done").wait()
    with check("amounts in dollars stay text, and formulas are typeset"):
        within(60, lambda: cell.card.locator("mjx-container").count() == 4, f"{cell.card.locator('mjx-container').count()} formulas")
        text = cell.card.inner_text()
        assert "It costs $5 here and $10 there; $HOME is a folder" in text and "\\(" not in text and "\\[" not in text, text
    with check("code keeps its lines, has its language and a background; a table is aligned as it says; struck text and tasks are shown"):
        code = cell.card.locator("pre")
        assert code.inner_text().strip() == 'val price = "$5 and $10"\nprintln(price)' and cell.card.locator(".ullm-lang").inner_text() == "kotlin"
        assert cell.card.locator(".ullm-code").evaluate("(it) => getComputedStyle(it).backgroundColor") != "rgba(0, 0, 0, 0)"
        aligned = cell.card.locator("tbody tr").first.locator("td").evaluate_all("(all) => all.map((it) => getComputedStyle(it).textAlign)")
        assert aligned == ["left", "right"], aligned
        assert cell.card.locator("del").inner_text() == "not" and "☑ a task" in text, repr(text)
    with check("code is copied by its button"):
        button = cell.card.locator(".ullm-copy")
        button.click()
        within(5, lambda: button.inner_text() == "Copied", "nothing was copied")
        assert notebook.page.evaluate("navigator.clipboard.readText()").strip() == 'val price = "$5 and $10"\nprintln(price)'
    return {"content": cell}


def long(notebook: Notebook, check: Checks) -> None:
    with check("10,000 deltas: the exact text, at most 20 updates a second, and the page can be used"):
        cell = notebook.add('chat(quick, "Many words")').record()
        notebook.measure(cell.node)
        cell.run().wait_for("done").wait()
        times, longest = [it["at"] for it in cell.shown], notebook.longest_task()
        assert cell.text.strip() == " ".join(f"w{n}" for n in range(10_000)), cell.text[:100]
        most = most_in_a_second(times)
        print(f"     {len(times)} updates in {(times[-1] - times[0]) / 1000:.1f} s, at most {most} in a second; longest task {longest:.0f} ms", flush=True)
        assert most <= 20 and longest < 1_000, (most, longest)
    with check("an answer of 5 MB is shown up to a limit, with a note; the notebook stays small"):
        notebook.measure(cell.node)
        large = notebook.run('chat(simple { "A line of the long answer.\\n".repeat(200_000) }, "A very long answer")').wait_for("done").wait()
        assert re.search(r"4,[\d,]+ more characters are not shown", large.card.inner_text()), repr(large.card.inner_text()[-300:])
        size = len(str(notebook.save()))
        print(f"     the notebook has {size / 1e6:.1f} MB; longest task {notebook.longest_task():.0f} ms", flush=True)
        assert size < 4_000_000, size
    large.delete()
    cell.delete()


# What a reader must find in the saved notebook, wherever it is opened.
KEPT = ["A long story, please.", "word80", "Stopped.", "fails on purpose", "Use another model", "Cut off", "$5 here and $10 there", "println(price)", "80 out"]


def untrusted(lab: Lab, check: Checks, saved: nbformat.NotebookNode) -> None:
    """The saved notebook with an attack in an output, so that JupyterLab does not trust it, opened by somebody else without a kernel."""
    attack = "<script>window.ran++</script><img src=x onerror='window.ran++'><a href='javascript:window.ran++' id='bad'>link</a>"
    changed = copy.deepcopy(saved)
    next(output for cell in changed["cells"] for output in cell["outputs"] if "data" in output)["data"]["text/html"] += attack
    with check("a notebook of somebody else: not trusted, nothing in it runs, its answers can be read"):
        notebook = lab.open("untrusted.ipynb", changed)
        within(60, lambda: "println(price)" in notebook.text, "the last answer")
        ran = notebook.page.evaluate("window.ran")
        assert not notebook.is_trusted and ran == 0, (notebook.is_trusted, ran)
        assert [text for text in KEPT if text not in notebook.text] == [], notebook.text
        assert notebook.page.locator("#bad[href^='javascript']").count() == 0
        assert not any(it.is_visible() for it in notebook.page.locator(".ullm-copy").all()), "a button that does nothing"
        notebook.page.locator(".ullm-card").last.scroll_into_view_if_needed()
        notebook.pictures({"untrusted": None})
        notebook.page.context.close()


def converted(lab: Lab, check: Checks, saved: nbformat.NotebookNode) -> None:
    with check("nbconvert's page of the saved notebook, light and dark: all answers, no script, nothing from the network"):
        for theme in THEMES:
            cards = open_page(lab, "cards", saved, theme, KEPT)
            assert cards >= 8, f"{cards} cards"


def run(lab: Lab, check: Checks, server: SlowOllama) -> None:
    with check("the notebook opens and the kernel is ready"):
        notebook = lab.notebook("cards.ipynb", "%use unified-llm")
    with check("%use runs by Shift+Enter, and shows nothing"):
        notebook.first.node.locator(".cm-content").click()
        notebook.page.keyboard.press("Shift+Enter")
        notebook.first.wait()
        assert notebook.first.output.inner_text().strip() == "", notebook.first.output.inner_text()
        assert notebook.run(MODELS).wait().output.inner_text().strip() == ""
    cells = {"done": growth(notebook, check)}
    cells |= stopping(notebook, check, server)
    cells |= failures(notebook, check)
    order(notebook, check)
    cells |= content(notebook, check)
    long(notebook, check)
    with check("pictures of the cells"):
        notebook.pictures({name: cell.node for name, cell in cells.items()})
    saved = notebook.save()
    with check("the saved notebook has each text once for each type"):
        for cell in saved["cells"]:
            assert len([it for it in cell["outputs"] if it["output_type"] != "error"]) <= 1, cell["source"]
        outputs = [it["data"] for cell in saved["cells"] for it in cell["outputs"] if "word80" in str(it)]
        assert len(outputs) == 1 and [str(text).count("word80") for text in outputs[0].values()] == [1, 1], outputs
    notebook.close()
    untrusted(lab, check, saved)
    converted(lab, check, saved)
