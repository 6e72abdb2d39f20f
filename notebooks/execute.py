"""Executes notebooks in the Kotlin kernel and writes them with their outputs, as .ipynb and .html. run.py starts it in its virtual environment."""
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbconvert import HTMLExporter

from workbench import ANSI, KERNEL_LOG, TARGET, say, step

CELL_SECONDS = 600


def execute(source: Path) -> str | None:
    """Runs one notebook and writes it with its outputs. Returns its first error in one line, or None. A cell tagged `raises-exception` may fail."""
    notebook = nbformat.read(source, as_version=4)
    client = NotebookClient(notebook, timeout=CELL_SECONDS, kernel_name="kotlin", coalesce_streams=True,
                            resources={"metadata": {"path": str(source.parent)}})
    error = None
    cells = sum(cell.cell_type == "code" for cell in notebook.cells)
    try:
        with step(f"running {source.stem}", f"{cells} cells", lambda: f"{client.code_cells_executed} cells done"):
            client.execute()
    except CellExecutionError as failed:
        error = f"In [{last_executed(notebook)}] {failed.ename.rpartition('.')[2]}: {failed.evalue}"
    except CellTimeoutError:
        error = f"In [{last_executed(notebook) + 1}] took more than {CELL_SECONDS} seconds"
    except DeadKernelError:
        error = f"the kernel died; its output is in {KERNEL_LOG}"
    except RuntimeError as failed:
        error = f"no kernel ({failed}); its output is in {KERNEL_LOG}"
    nbformat.write(notebook, TARGET / source.name)
    (TARGET / source.with_suffix(".html").name).write_text(html(notebook, source.stem), encoding="utf-8")
    return error and ANSI.sub("", error).strip().splitlines()[0]


def last_executed(notebook: nbformat.NotebookNode) -> int:
    return max((cell.execution_count or 0 for cell in notebook.cells if cell.cell_type == "code"), default=0)


def html(notebook: nbformat.NotebookNode, title: str, theme: str = "light") -> str:
    """The notebook as a page that loads no script from the network."""
    exporter = HTMLExporter(theme=theme, mathjax_url="", require_js_url="", jquery_url="", mermaid_js_url="")
    return exporter.from_notebook_node(notebook, resources={"metadata": {"name": title}})[0]


def main(sources: list[Path]) -> int:
    failed = 0
    for source in sources:
        error = execute(source)
        if error:
            failed += 1
            say(f"FAILED {source.stem}: {error}")
    say(f"{len(sources) - failed} passed, {failed} failed; the notebooks with their outputs are in {TARGET}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main([Path(argument) for argument in sys.argv[1:]]))
