"""Executes notebooks in the Kotlin kernel and writes them with their outputs, as .ipynb and .html. run.py starts it in its virtual environment."""
import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbconvert import HTMLExporter

from workbench import ANSI, KERNEL_LOG, TARGET, say, step

CELL_SECONDS = 600
AT_ONCE = 2                 # a kernel has about half a gigabyte, and compiles cells with one core

running: dict[str, NotebookClient] = {}


def execute(source: Path) -> str | None:
    """Runs one notebook and writes it with its outputs. Returns its first error in one line, or None. A cell tagged `raises-exception` may fail."""
    notebook = nbformat.read(source, as_version=4)
    client = NotebookClient(notebook, timeout=CELL_SECONDS, kernel_name="kotlin", coalesce_streams=True, store_widget_state=False,
                            resources={"metadata": {"path": str(source.parent)}})
    error = None
    running[source.stem] = client
    try:
        client.execute()
    except CellExecutionError as failed:
        error = f"In [{last_executed(notebook)}] {failed.ename.rpartition('.')[2]}: {failed.evalue}"
    except CellTimeoutError:
        error = f"In [{last_executed(notebook) + 1}] took more than {CELL_SECONDS} seconds"
    except DeadKernelError:
        error = f"the kernel died; its output is in {KERNEL_LOG}"
    except RuntimeError as failed:
        error = f"no kernel ({failed}); its output is in {KERNEL_LOG}"
    finally:
        del running[source.stem]
    nbformat.write(notebook, TARGET / source.name)
    (TARGET / source.with_suffix(".html").name).write_text(html(notebook, source.stem), encoding="utf-8")
    return error and ANSI.sub("", error).strip().splitlines()[0]


def last_executed(notebook: nbformat.NotebookNode) -> int:
    return max((cell.execution_count or 0 for cell in notebook.cells if cell.cell_type == "code"), default=0)


def html(notebook: nbformat.NotebookNode, title: str, theme: str = "light") -> str:
    """The notebook as a page that loads no script from the network."""
    exporter = HTMLExporter(theme=theme, mathjax_url="", require_js_url="", jquery_url="", mermaid_js_url="")
    return exporter.from_notebook_node(notebook, resources={"metadata": {"name": title}})[0]


def report(source: Path) -> bool:
    """Runs one notebook and prints a line about it. Returns true if every cell ran."""
    begin = time.monotonic()
    error = execute(source)
    say(f"  FAILED {source.stem}: {error}" if error else f"  {source.stem}: {time.monotonic() - begin:.0f} s")
    return error is None


def now_running() -> str:
    return ", ".join(f"{name}: cell {client.code_cells_executed + 1}" for name, client in list(running.items()))


def end_kernels() -> None:
    for client in list(running.values()):
        if client.km and client.km.has_kernel:
            os.killpg(client.km.provisioner.pgid, signal.SIGKILL)       # a kernel leads a process group of its own


def main(sources: list[Path]) -> int:
    workers = min(AT_ONCE, os.cpu_count() or 1, len(sources))
    hint = f"{workers} at a time" if workers > 1 else ""
    with step(f"running {len(sources)} notebook{'s' if len(sources) != 1 else ''}", hint, now_running), ThreadPoolExecutor(workers) as pool:
        try:
            passed = sum(pool.map(report, sources))
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            end_kernels()
            os._exit(130)       # the threads still wait for their kernels
    failed = len(sources) - passed
    say(f"{passed} passed, {failed} failed; the notebooks with their outputs are in {TARGET}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main([Path(argument) for argument in sys.argv[1:]]))
