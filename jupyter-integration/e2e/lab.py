"""Uses JupyterLab in headless Chromium: an answer grows, Stop keeps the partial text. `jupyter-integration/e2e/run lab` starts it.

The pictures go to notebooks/target: the streaming cell twice, the stopped cell in light and dark, each executed notebook of this project in light and dark.
"""
import json
import os
import shutil
import sys
import time
from pathlib import Path

import execute
import nbformat
from checks import Checks, within
from playwright.sync_api import Page, sync_playwright
from slow_ollama import SlowOllama
from workbench import NOTEBOOKS, TARGET, lab

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
FOLDER = TARGET / "lab"
NOTEBOOK = "streaming.ipynb"
CELLS = ["%use unified-llm", 'chat("ollama/llama3", "A long story, please.")']
PAGE = {"width": 1280, "height": 800}


def write_notebook() -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    notebook.metadata = {"kernelspec": {"name": "kotlin", "display_name": "Kotlin", "language": "kotlin"}}
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    nbformat.write(notebook, FOLDER / NOTEBOOK)


def picture(page: Page, name: str) -> None:
    page.screenshot(path=TARGET / f"{name}.png")


def answer(page: Page) -> str:
    """The text of the answer on the page."""
    found = page.locator(".ullm-card .ullm-text")
    return found.last.inner_text() if found.count() else ""


def streaming(page: Page, check: Checks, server: SlowOllama, address: str, token: str) -> None:
    page.goto(f"{address}/lab/tree/{NOTEBOOK}?token={token}")
    with check("the notebook opens and the kernel is ready"):
        page.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').wait_for(timeout=60_000)
    with check("%use runs"):
        # JupyterLab loses a cell that is run while it connects to the kernel, so the key is pressed until the cell has a star or a number.
        prompt = page.locator(".jp-Notebook .jp-Cell .jp-InputPrompt").first
        deadline = time.monotonic() + 60
        while prompt.inner_text() not in ("[*]:", "[1]:"):
            assert time.monotonic() < deadline, "the cell does not run"
            page.locator(".jp-Notebook .jp-Cell").first.click()
            page.keyboard.press("Shift+Enter")
            page.wait_for_timeout(1_500)
        page.get_by_text("[1]:", exact=True).first.wait_for(timeout=60_000)
    with check("the answer grows while it streams"):
        page.keyboard.press("Shift+Enter")
        within(30, lambda: "word3" in answer(page), "no third word")
        first = answer(page)
        picture(page, "streaming-1")
        page.wait_for_timeout(2_000)
        second = answer(page)
        picture(page, "streaming-2")
        assert len(second) > len(first) and second.startswith(first.rstrip()[:20]), f"{first!r}, then {second!r}"
        assert not server.finished, "the stream had already ended"
    with check("the card is in state streaming"):
        assert page.locator('.ullm-card[data-state="streaming"]').count() == 1, "no such card"
    with check("Stop keeps the partial text"):
        page.locator('[data-command="notebook:interrupt-kernel"], [title^="Interrupt the kernel"]').first.click()
        pressed = time.monotonic()
        page.locator('.ullm-card[data-state="cancelled"]').wait_for(timeout=5_000)
        stopped = answer(page)
        assert len(stopped) >= len(second) and "word200" not in stopped, repr(stopped)
        page.wait_for_timeout(500)
        assert answer(page) == stopped, "the text grew after Stop"
    with check("the server sees the closed connection"):
        within(2, lambda: server.closed_at, "no close")
        assert server.closed_at[0] - pressed < 2, f"{server.closed_at[0] - pressed:.2f} s after Stop"
    with check("the saved notebook holds the partial text"):
        page.keyboard.press("Control+s")
        within(10, lambda: saved_text().count("word") >= 5, "the text is not in the file")
    for theme in ("Light", "Dark"):
        with check(f"a picture of JupyterLab, {theme.lower()}"):
            page.evaluate("theme => window.jupyterapp.commands.execute('apputils:change-theme', { theme })", f"JupyterLab {theme}")
            page.locator(f'body[data-jp-theme-name="JupyterLab {theme}"]').wait_for(state="attached", timeout=10_000)
            page.wait_for_timeout(1_000)
            picture(page, f"lab-{theme.lower()}")


def saved_text() -> str:
    try:
        cells = json.loads((FOLDER / NOTEBOOK).read_text())["cells"]
    except json.JSONDecodeError:      # JupyterLab is writing the file
        return ""
    return "".join(str(output.get("data", "")) for cell in cells for output in cell.get("outputs", []))


def sample(page: Page, check: Checks, name: str, cards: int, pictures: int) -> None:
    """A notebook of this project, executed, as the HTML page that notebooks/run writes: at least [cards] cards, one cost table and [pictures] images."""
    executed = TARGET / f"{name}.ipynb"
    short = name.partition("-")[2]
    with check(f"{name} runs from top to bottom"):
        error = execute.execute(NOTEBOOKS / executed.name)
        assert error is None, error
    for theme in ("light", "dark"):
        with check(f"a picture of the page of {name}, {theme}"):
            file = TARGET / f"lab/{short}-{theme}.html"
            file.write_text(execute.html(nbformat.read(executed, as_version=4), name, theme), encoding="utf-8")
            page.emulate_media(color_scheme=theme)
            page.goto(file.as_uri())
            page.screenshot(path=TARGET / f"{short}-{theme}.png", full_page=True)
            shown, tables = page.locator(".ullm-card").count(), page.locator("table.ullm-costs:not(.ullm-models)").count()
            assert shown >= cards and tables == 1, f"{shown} cards, {tables} cost tables"
            drawn = page.locator("img.ullm-picture").evaluate_all("images => images.filter(image => image.complete && image.naturalWidth > 0).length")
            assert drawn == pictures, f"{drawn} images are drawn"


def main() -> None:
    check = Checks()
    write_notebook()
    with SlowOllama() as server, sync_playwright() as playwright:
        fresh = {"JUPYTERLAB_SETTINGS_DIR": str(FOLDER / ".settings"), "JUPYTERLAB_WORKSPACES_DIR": str(FOLDER / ".workspaces")}
        environment = {**os.environ, **fresh, "OLLAMA_API_BASE": server.url}
        process, address, token = lab(Path(sys.executable), environment, FOLDER, None, "--LabApp.expose_app_in_browser=True")
        try:
            browser = playwright.chromium.launch(executable_path=os.environ["CHROMIUM"], args=FLAGS)
            streaming(browser.new_page(viewport=PAGE), check, server, address, token)
            sample(browser.new_page(viewport=PAGE), check, "01-quickstart", cards=3, pictures=0)
            sample(browser.new_page(viewport=PAGE), check, "02-abilities", cards=5, pictures=1)
            browser.close()
        finally:
            process.terminate()
            process.wait()
    check.finish()


if __name__ == "__main__":
    main()
