"""The pictures of the documentation: a card, a bulk, a cost table, budgets, a comparison and a chat widget in JupyterLab, in light and dark, in docs/images."""
from pathlib import Path

from checks import Checks, within
from lab_chat import Chat
from lab_page import THEMES, Cell, Lab, Notebook, set_theme
from slow_ollama import SlowOllama
from workbench import ROOT

IMAGES = ROOT / "docs" / "images"
PAGE = {"width": 1040, "height": 1500}
MOST_BYTES = 300_000
MARGIN = 8
CARD = """chat("demo/assistant") {
    user("Show me a table of the words heron, lake and boat, please.")
}"""
COMPARE = """compare("demo/assistant", "demo/reasoner", "demo/echo") {
    user("How many times does the letter r stand in strawberry?")
}"""
BULK = """bulk((1..10).toList(), concurrency = 2) { number ->
    chat(if (number in 4..5) "demo/denied" else "demo/echo", "What is $number squared?")
}"""
WIDGET = """val chat = chatWidget(
    "demo/tools",
    prompts = listOf("Explain {{topic}} to a {{age}} year old"),
    showConfigurationControls = true,
    allowAttachments = true,
) {
    tool("weather", "The weather in a city") { city: City -> "21 degrees in ${city.name}" }
}
chat"""
BUDGETS = """val careful = llm {
    budget(0.01.usd, Period.DAY)
    budget(0.0006.usd, Period.CLIENT) {
        name = "experiment"
        warnAt(0.5)
    }
}
for (topic in listOf("rain", "tea", "moss")) {
    careful.chat("demo/assistant") {
        user("Something about $topic.")
        maxTokens = 120
    }.get()
}"""
SAVE_SPACE = ".jp-Cell .jp-Collapser, .jp-cell-menu, .jp-cell-toolbar, jp-toolbar.jp-cell-menu { display: none !important }"


def picture(notebook: Notebook, name: str, *cells: Cell) -> None:
    """A picture of these cells, which are below each other, in each theme."""
    page = notebook.page
    for theme in reversed(THEMES):
        set_theme(page, theme)
        cells[0].node.scroll_into_view_if_needed()
        boxes = [cell.node.bounding_box() for cell in cells]
        left, top = min(it["x"] for it in boxes) + MARGIN, min(it["y"] for it in boxes)
        right, bottom = max(it["x"] + it["width"] for it in boxes), max(it["y"] + it["height"] for it in boxes)
        file = IMAGES / f"{name}-{theme}.png"
        page.screenshot(path=file, clip={"x": left, "y": top, "width": right - left - MARGIN, "height": bottom - top})
        assert Path(file).stat().st_size <= MOST_BYTES, f"{file} has {Path(file).stat().st_size} bytes"


def run(lab: Lab, check: Checks, _: SlowOllama) -> None:
    with check("the pictures of the documentation"):
        notebook = lab.notebook("gallery.ipynb", "%use unified-llm")
        notebook.page.set_viewport_size(PAGE)
        notebook.page.add_style_tag(content=SAVE_SPACE)
        notebook.command("application:toggle-left-area")
        notebook.first.run().wait()
        card = notebook.run(CARD).wait()
        notebook.run('data class City(val name: String)').wait()
        compare = notebook.run(COMPARE).wait()
        costs = notebook.run("costs()").wait()
        notebook.run(BUDGETS).wait()
        budgets = notebook.run("careful.budgets()").wait()
        bulk = notebook.run(BULK).wait()
        widget = notebook.run(WIDGET).wait()
        chat = Chat(widget)
        chat.root.wait_for()
        chat.ask("How is the weather in Paris?")
        within(60, lambda: not chat.is_running, "the widget does not end")
        empty = notebook.add("")                # has the focus, and is in no picture
        empty.enter()
        picture(notebook, "card", card)
        picture(notebook, "bulk", bulk)
        picture(notebook, "compare", compare)
        picture(notebook, "costs", costs)
        picture(notebook, "budgets", budgets)
        picture(notebook, "widget", widget)
        picture(notebook, "notebook", compare, costs)
        notebook.close()
