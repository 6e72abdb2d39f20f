"""notebooks/run: builds the library if it is not up to date and executes the notebooks in the Kotlin kernel."""
import argparse
import signal
import subprocess
import sys
from pathlib import Path

import workbench
from workbench import Problem, say

HELP = """\
Builds the library, sets up the Kotlin kernel and runs notebooks that use unified-llm.

  notebooks/run                   runs every notebook of this folder
  notebooks/run 01-quickstart     runs one notebook (a name, or the path of any .ipynb)
  notebooks/run --lab             opens the notebooks in JupyterLab, on 127.0.0.1

Needs JDK 17+, Maven 3.8+ and Python 3.10+. The first run downloads packages and takes up to 5 minutes. The
notebooks with their outputs go to notebooks/target/, as .ipynb and .html; the Python packages go to a cache
folder. Exit status 0 means that every cell ran.
"""
ENVIRONMENT = """\
environment:
  OLLAMA_API_BASE, GROQ_API_KEY, …   are passed to the notebooks
  UNIFIEDLLM_CACHE                   folder for Python packages (default: unified-llm in the user's cache folder)
  UNIFIEDLLM_CLASSPATH_FILE          file with a complete class path to use; nothing is built then
  PYTHON, JAVA_HOME                  which Python and JDK to use
"""


def main() -> int:
    parser = argparse.ArgumentParser("notebooks/run", description=HELP, epilog=ENVIRONMENT, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="notebooks to run; all by default")
    parser.add_argument("--lab", action="store_true", help="start JupyterLab instead, until Ctrl-C")
    parser.add_argument("--port", type=int, help="JupyterLab's port (default: a free one)")
    options = parser.parse_args()
    try:
        return start_lab(options.port, options.names) if options.lab else execute(options.names)
    except Problem as problem:
        print(f"notebooks/run: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def execute(names: list[str]) -> int:
    notebooks = [find(name) for name in names] or sorted(workbench.NOTEBOOKS.glob("*.ipynb"))
    library = workbench.class_path()
    python = workbench.venv("notebooks", workbench.REQUIREMENTS, contents="the Kotlin kernel")
    environment = workbench.kernel(python, library, workbench.SHORT_LIVED)
    script = workbench.NOTEBOOKS / "execute.py"
    return subprocess.run([str(python), str(script), *map(str, notebooks)], env=environment, stdin=subprocess.DEVNULL).returncode


def find(name: str) -> Path:
    for path in (Path(name), workbench.NOTEBOOKS / name, workbench.NOTEBOOKS / f"{name}.ipynb"):
        if path.suffix == ".ipynb" and path.is_file():
            return path.resolve()
    known = ", ".join(path.stem for path in sorted(workbench.NOTEBOOKS.glob("*.ipynb")))
    raise Problem(f"no notebook {name}. Known notebooks: {known}")


def start_lab(port: int | None, names: list[str]) -> int:
    library = workbench.class_path()
    python = workbench.venv("notebooks-lab", workbench.REQUIREMENTS, workbench.LAB_REQUIREMENTS, contents="the Kotlin kernel and JupyterLab")
    environment = workbench.kernel(python, library)
    opened = find(names[0]) if names else next(iter(sorted(workbench.NOTEBOOKS.glob("*.ipynb"))), None)
    folder = opened.parent if opened else workbench.NOTEBOOKS
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with workbench.step("starting JupyterLab"):
        process, address, token = workbench.lab(python, environment, folder, port)
    try:
        say(f"{address}/lab{f'/tree/{opened.name}' if opened else ''}?token={token}")
        say("Ctrl-C stops JupyterLab and its kernels.")
        return process.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    sys.exit(main())
