"""JupyterLab in headless Chromium for the tests: a notebook whose cells are written and run, what their outputs showed while they ran, pictures."""
import os
import shutil
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import nbformat
from checks import within
from playwright.sync_api import Browser, BrowserContext, Locator, Page
from workbench import TARGET, lab

FOLDER = TARGET / "lab"
PAGE = {"width": 1280, "height": 1000}
SECONDS = 60
THEMES = ("light", "dark")
CANARY = "window.ran = 0; for (const name of ['alert', 'confirm', 'prompt']) window[name] = () => window.ran++;"

# What an output showed, as [milliseconds, state, text, texts of the columns]: an entry for each change that can be seen.
RECORD = """(cell) => {
  const shown = (cell.shown = []);
  const text = (node) => node?.querySelector('.ullm-text')?.textContent ?? '';
  const look = () => {
    const card = cell.querySelector('.ullm-card, .ullm-compare');
    if (!card || shown.at(-1)?.all === card.textContent) return;
    const columns = [...card.querySelectorAll('.ullm-column')].map((it) => [it.querySelector('.ullm-card').dataset.state, text(it)]);
    shown.push({ at: performance.now(), state: card.dataset.state, text: text(card), columns, all: card.textContent });
  };
  new MutationObserver(look).observe(cell, { childList: true, subtree: true, characterData: true });
}"""

# Changes of an element, and how long the browser was busy without a pause.
MEASURE = """(node) => {
  window.observers?.forEach((it) => it.disconnect());
  const found = (window.measured = { changes: [], tasks: [0] });
  const changes = new MutationObserver(() => found.changes.push(performance.now()));
  const tasks = new PerformanceObserver((list) => list.getEntries().forEach((it) => found.tasks.push(it.duration)));
  changes.observe(node, { childList: true, subtree: true, characterData: true });
  tasks.observe({ type: 'longtask' });
  window.observers = [changes, tasks];
}"""


class Lab:
    """A running JupyterLab. Its root is [FOLDER]."""

    def __init__(self, browser: Browser, address: str, token: str) -> None:
        self.browser, self.address, self.token = browser, address, token

    def context(self) -> BrowserContext:
        """A browser that knows nothing of the others, as of another user."""
        context = self.browser.new_context(viewport=PAGE, permissions=["clipboard-read", "clipboard-write"])
        context.set_default_timeout(SECONDS * 1000)
        context.add_init_script(CANARY)
        return context

    def notebook(self, name: str, first: str) -> "Notebook":
        """A new notebook with the cell [first], opened in a browser of its own. The kernel is ready."""
        content = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(first)])
        content.metadata = {"kernelspec": {"name": "kotlin", "display_name": "Kotlin", "language": "kotlin"}}
        nbformat.write(content, FOLDER / name)
        page = self.context().new_page()
        page.goto(f"{self.address}/lab/workspaces/{Path(name).stem}/tree/{name}?token={self.token}")
        notebook = Notebook(page, name)
        notebook.wait_until_idle()
        return notebook

    def open(self, name: str, content: nbformat.NotebookNode) -> "Notebook":
        """Opens a notebook in a browser of its own, without a kernel."""
        nbformat.write(content, FOLDER / name)
        page = self.context().new_page()
        page.goto(f"{self.address}/lab/workspaces/{Path(name).stem}?token={self.token}")
        page.wait_for_function("window.jupyterapp?.commands.hasCommand('docmanager:open')")
        notebook = Notebook(page, name)
        notebook.command("docmanager:open", path=name, kernelPreference={"shouldStart": False, "canStart": False, "autoStartDefault": False})
        notebook.first.node.wait_for()
        page.wait_for_function("window.jupyterapp.shell.currentWidget?.content?.model")
        return notebook


class Cell:
    """A code cell of a notebook."""

    def __init__(self, notebook: "Notebook", index: int) -> None:
        self.notebook, self.index = notebook, index
        self.node: Locator = notebook.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook .jp-Cell").nth(index)
        self.output = self.node.locator(".jp-Cell-outputArea")
        self.card = self.output.locator(".ullm-card")
        self.error = self.output.locator('[data-mime-type="application/vnd.jupyter.stderr"]')

    def run(self) -> "Cell":
        """Runs the cell; does not wait for it."""
        self.notebook.page.evaluate("""(index) => {
            const { content } = jupyterapp.shell.currentWidget;
            content.activeCellIndex = index;
            content.activeCell.model.executionCount = null;
            void jupyterapp.commands.execute('notebook:run-cell');
        }""", self.index)
        return self

    def delete(self) -> None:
        """Removes the cell. The index of those below it is wrong then."""
        self.notebook.page.evaluate("(index) => jupyterapp.shell.currentWidget.content.model.sharedModel.deleteCell(index)", self.index)

    def enter(self) -> None:
        """Gives the editor the focus, and leaves it by Esc, as one does to use keys in JupyterLab."""
        self.node.locator(".cm-content").focus()
        self.notebook.page.keyboard.press("Escape")

    def record(self) -> "Cell":
        """Keeps from now on what its output shows, for [shown]."""
        self.node.evaluate(RECORD)
        return self

    @property
    def shown(self) -> list[dict]:
        return self.node.evaluate("(cell) => cell.shown")

    @property
    def number(self) -> str:
        """As in `[3]:`, `[*]:` while it runs or waits."""
        return self.node.locator(".jp-InputPrompt").inner_text()

    def wait(self, seconds: float = SECONDS) -> "Cell":
        """Waits until the cell has ended."""
        within(seconds, lambda: self.number[1:-2].isdigit(), f"In {self.number} did not end")
        return self

    def wait_for(self, state: str, seconds: float = SECONDS) -> "Cell":
        """Waits for a card in this state."""
        found = self.output.locator(f'.ullm-card[data-state="{state}"]').first
        try:        # the last update may come after the cell has ended
            within(seconds, lambda: found.count() or (self.error.count() and not self.card.count()), "")
            assert found.count()
        except AssertionError:
            raise AssertionError(f"no card in state {state}, but {self.output.inner_text()[-300:]!r}") from None
        return self

    @property
    def text(self) -> str:
        """The text of the answer."""
        found = self.card.locator(".ullm-text")
        return found.first.text_content() if found.count() else ""


class Notebook:
    """A notebook in a page of JupyterLab."""

    def __init__(self, page: Page, name: str) -> None:
        self.page, self.name, self.file = page, name, FOLDER / name

    def wait_until_idle(self) -> None:
        self.page.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').first.wait_for()
        self.page.wait_for_function("window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.connectionStatus === 'connected'")

    @property
    def text(self) -> str:
        """All that its outputs show."""
        return "\n".join(self.page.locator(".jp-Notebook .jp-Cell-outputArea").all_inner_texts())

    @property
    def is_trusted(self) -> bool:
        return self.page.evaluate("[...jupyterapp.shell.currentWidget.content.model.cells].filter((it) => it.type === 'code').every((it) => it.trusted)")

    @property
    def first(self) -> Cell:
        return Cell(self, 0)

    def run(self, code: str) -> Cell:
        """Adds a cell at the end, records its output and runs it; does not wait for it."""
        return self.add(code).record().run()

    def add(self, code: str) -> Cell:
        index = self.page.evaluate("""(source) => {
            const { sharedModel } = jupyterapp.shell.currentWidget.content.model;
            sharedModel.addCell({ cell_type: 'code', source, metadata: {} });
            return sharedModel.cells.length - 1;
        }""", code)
        cell = Cell(self, index)
        cell.node.wait_for()
        return cell

    def interrupt(self) -> float:
        """Presses the Stop button of the toolbar. Returns when."""
        self.page.locator('.jp-NotebookPanel:not(.lm-mod-hidden) [data-command="notebook:interrupt-kernel"]').first.click()
        return time.monotonic()

    def command(self, name: str, **arguments) -> None:
        """Executes a command of JupyterLab, as a menu does; does not wait for it."""
        self.page.evaluate("([name, arguments]) => { void jupyterapp.commands.execute(name, arguments); }", [name, arguments])

    def save(self) -> nbformat.NotebookNode:
        """Saves the notebook. Returns the file."""
        self.page.evaluate("jupyterapp.commands.execute('docmanager:save')")
        return nbformat.read(self.file, as_version=4)

    def measure(self, node: Locator) -> None:
        """Begins to measure what the browser does; see [changes] and [longest_task]."""
        node.evaluate(MEASURE)

    @property
    def changes(self) -> list[float]:
        """When the measured element has changed, in milliseconds."""
        return self.page.evaluate("measured.changes")

    def longest_task(self) -> float:
        """For how many milliseconds the page did not react at most; 0: always less than 50."""
        return self.page.evaluate("Math.max(...measured.tasks)")

    def close(self) -> None:
        """Ends the kernel and closes the browser."""
        self.page.evaluate("jupyterapp.shell.currentWidget.sessionContext.shutdown()")
        self.page.context.close()

    def picture(self, name: str, of: Locator | None = None) -> None:
        (of or self.page).screenshot(path=FOLDER / f"{name}.png")

    def pictures(self, of: dict[str, Locator | None]) -> None:
        """Pictures of elements, or of the page for None, in each theme."""
        for theme in reversed(THEMES):
            set_theme(self.page, theme)
            for name, element in of.items():
                self.picture(f"{name}-{theme}", element)


def set_theme(page: Page, theme: str) -> None:
    name = f"JupyterLab {theme.capitalize()}"
    page.evaluate("(theme) => jupyterapp.commands.execute('apputils:change-theme', { theme })", name)
    page.locator(f'body[data-jp-theme-name="{name}"]').wait_for(state="attached")
    page.locator("#jupyterlab-splash").wait_for(state="detached")


def most_in_a_second(times: list[float]) -> int:
    """Of times in milliseconds."""
    return max(sum(1 for it in times if start <= it < start + 1_000) for start in times)


@contextmanager
def jupyterlab(browser: Browser, environment: dict):
    """Runs JupyterLab, with settings and workspaces as after its installation."""
    fresh = {"JUPYTERLAB_SETTINGS_DIR": str(FOLDER / ".settings"), "JUPYTERLAB_WORKSPACES_DIR": str(FOLDER / ".workspaces")}
    for folder in fresh.values():
        shutil.rmtree(folder, ignore_errors=True)
    FOLDER.mkdir(parents=True, exist_ok=True)
    process, address, token = lab(Path(sys.executable), {**os.environ, **environment, **fresh}, FOLDER, None, "--LabApp.expose_app_in_browser=True")
    try:
        yield Lab(browser, address, token)
    finally:
        process.terminate()
        process.wait()
