"""The sample notebooks: each is executed in the Kotlin kernel, and nbconvert's page of it is opened in light and dark."""
import os
from concurrent.futures import ThreadPoolExecutor

import execute
import nbformat
from checks import Checks
from lab_page import FOLDER, THEMES, Lab
from slow_ollama import SlowOllama
from workbench import NOTEBOOKS, TARGET


def open_page(lab: Lab, name: str, notebook: nbformat.NotebookNode, theme: str, needed: list[str] | None = None) -> int:
    """Opens nbconvert's page of a notebook and takes a picture. Returns the number of its cards; fails if something in it runs, or if something is missing."""
    page = lab.context().new_page()
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    file = FOLDER / f"{name}-{theme}.html"
    file.write_text(execute.html(notebook, name, theme), encoding="utf-8")
    page.emulate_media(color_scheme=theme)
    page.goto(file.as_uri())
    page.screenshot(path=FOLDER / f"page-{name}-{theme}.png", full_page=True)
    text, cards, ran = page.locator("body").inner_text(), page.locator(".ullm-card").count(), page.evaluate("window.ran")
    broken = page.locator("img").evaluate_all("(all) => all.filter((it) => !(it.complete && it.naturalWidth)).length")
    page.context.close()
    missing = [part for part in needed or [] if part not in text]
    assert not missing, f"without {missing}"
    assert ran == 0 and broken == 0, f"{ran} scripts ran, {broken} images are not drawn"
    away = [url for url in requests if not url.startswith(("file:", "data:"))]
    assert not away, f"asks the network: {away}"
    return cards


def run(lab: Lab, check: Checks, _: SlowOllama) -> None:
    sources = sorted(NOTEBOOKS.glob("*.ipynb"))
    FOLDER.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(min(execute.AT_ONCE, os.cpu_count() or 1)) as pool:
        errors = list(pool.map(execute.execute, sources))
    for source, error in zip(sources, errors):
        name = source.stem
        with check(f"{name} runs from top to bottom"):
            assert error is None, error
        with check(f"the page of {name}, light and dark: cards, no script, nothing from the network"):
            executed = nbformat.read(TARGET / source.name, as_version=4)
            cards = [open_page(lab, name, executed, theme) for theme in THEMES]
            assert cards[0] == cards[1] > 0, f"{cards} cards"
