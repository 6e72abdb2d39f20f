"""Comparisons in JupyterLab: the columns grow at once, one fails, Stop, a narrow page."""
from checks import Checks, within
from lab_page import PAGE, Cell, Lab, Notebook
from slow_ollama import SlowOllama

MODELS = ("demo/storyteller", "demo/echo", "demo/assistant", "demo/error")
PROMPT = "Tell me about a lighthouse, the keeper of it, a storm in November, the ships that pass at night, and the letter that the keeper never sent."
COMPARE = f"""compare({", ".join(f'"{model}"' for model in MODELS)}) {{
    user("{PROMPT}")
    providerOptions {{ put("tokensPerSecond", 12) }}
}}"""
NARROW = {"width": 420, "height": 1000}


def growth(notebook: Notebook, check: Checks) -> Cell:
    cell = notebook.run(COMPARE)
    columns = cell.output.locator(".ullm-column")
    with check("a comparison has a column for each model at once, below the question"):
        within(60, lambda: columns.count() == len(MODELS), "no columns")
        assert [it.split()[0] for it in cell.output.locator(".ullm-model").all_inner_texts()] == list(MODELS)
        assert cell.output.locator(".ullm-question").count() == 1
    with check("three columns grow at the same time, and the failure of the fourth hurts none"):
        cell.wait()
        all_columns = [it["columns"][:3] for it in cell.shown if len(it["columns"]) == len(MODELS)]
        together = [three for three in all_columns if all(state == "streaming" and text for state, text in three)]
        seen = [len({columns[index][1] for columns in together}) for index in range(3)]
        assert min(seen, default=0) >= 4, f"texts seen of each while all three grew: {seen}"
        assert [state for state, _ in cell.shown[-1]["columns"]] == ["done", "done", "done", "failed"] and cell.error.count() == 0, cell.shown[-1]["columns"]
        assert any(it["columns"][3][0] == "failed" and it["columns"][0][0] == "streaming" for it in cell.shown if it["columns"]), "the failure came at the end"
    with check("at the end each column has its tokens and price, the cheapest and the fastest are marked, and the sum is below"):
        texts = columns.all_inner_texts()
        assert all(" out" in text for text in texts[:3]) and "fails on purpose" in texts[3], texts
        marks = cell.output.locator(".ullm-mark").all_inner_texts()
        assert sorted(marks) == ["✓ cheapest", "✓ fastest"], marks
        assert "4 models, 1 failed" in cell.output.locator(".ullm-compare > .ullm-note").inner_text()
    return cell


def layout(notebook: Notebook, check: Checks, cell: Cell) -> None:
    page = notebook.page
    boxes = """(all) => all.map((it) => it.getBoundingClientRect()).map((it) => [Math.round(it.left), Math.round(it.top)])"""
    columns = cell.output.locator(".ullm-column")
    with check("on a wide page the columns stand side by side"):
        cell.node.scroll_into_view_if_needed()
        places = columns.evaluate_all(boxes)
        assert places[0][1] == places[1][1] and places[0][0] < places[1][0], places
        notebook.pictures({"compare": None})
    with check("on a narrow page they stand below each other, and nothing is cut off"):
        notebook.command("application:toggle-left-area")
        page.set_viewport_size(NARROW)
        within(60, lambda: len({left for left, _ in columns.evaluate_all(boxes)}) == 1, "the columns do not stack")
        tops = [top for _, top in columns.evaluate_all(boxes)]
        assert tops == sorted(set(tops)), tops
        wide = columns.evaluate_all("(all) => Math.max(...all.map((it) => it.scrollWidth - it.clientWidth))")
        assert wide <= 0, f"{wide} pixels too wide"
        cell.node.scroll_into_view_if_needed()
        notebook.pictures({"compare-narrow": None})
        page.set_viewport_size(PAGE)
        notebook.command("application:toggle-left-area")


def stop(notebook: Notebook, check: Checks) -> None:
    with check("Stop ends all columns and keeps their texts"):
        cell = notebook.run(COMPARE)
        within(60, lambda: cell.shown and all(len(text) > 20 for _, text in cell.shown[-1]["columns"][:3]), "no text in all columns")
        notebook.interrupt()
        columns = cell.output.locator(".ullm-column .ullm-card")
        within(20, lambda: columns.evaluate_all("(all) => all.map((it) => it.dataset.state)")[:3] == ["stopped"] * 3, "it goes on")
        cell.wait()
        texts = columns.locator(".ullm-text").all_inner_texts()
        assert all(len(text) > 20 for text in texts[:3]), texts
        assert len(cell.error.inner_text().strip().splitlines()) <= 1
    with check("the result is a list of data"):
        result = notebook.run('compare("demo/echo", "demo/error") { user("Hello") }.get().map { it.failure == null }').wait()
        assert "[true, false]" in result.output.inner_text(), result.output.inner_text()


def run(lab: Lab, check: Checks, _: SlowOllama) -> None:
    with check("a notebook for comparisons"):
        notebook = lab.notebook("compare.ipynb", "%use unified-llm")
        notebook.first.run().wait()
    cell = growth(notebook, check)
    layout(notebook, check, cell)
    stop(notebook, check)
    notebook.save()
    notebook.close()
