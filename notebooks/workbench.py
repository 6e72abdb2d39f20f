"""What notebooks/run shares with the end-to-end tests: Python packages, the library's class path, the kernel. Standard library only.

Files are written to two places: a cache folder (Python packages, shared by all checkouts) and notebooks/target (descriptor, kernel spec, settings).
Nothing else is written to the home folder. Maven downloads into the local repository, and this project is not installed there.
"""
import fcntl
import hashlib
import json
import os
import re
import secrets
import shlex
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

if sys.version_info < (3, 10):
    sys.exit(f"Python 3.10 or newer is needed, {sys.executable} is {sys.version.split()[0]}")

NOTEBOOKS = Path(__file__).resolve().parent
ROOT = NOTEBOOKS.parent
TARGET = NOTEBOOKS / "target"
KERNEL_LOG = TARGET / "kernel.log"
REQUIREMENTS = NOTEBOOKS / "requirements.txt"
LAB_REQUIREMENTS = NOTEBOOKS / "requirements-lab.txt"

BASIC_FOR_PROXIES = "-Djdk.http.auth.tunneling.disabledSchemes="

# For kernels that live for seconds: they need half of the processor time.
SHORT_LIVED = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"

CLASS_PATH_FILE = ROOT / "jupyter-integration" / "target" / "classpath.txt"
BUILD = ["mvn", "-B", "package", "-Dmaven.test.skip=true", "-Dktlint.skip",
         "dependency:build-classpath", "-DincludeScope=runtime", "-Dmdep.outputFile=target/classpath.txt"]

# The kernel has these among its own jars. A second copy would define each class twice.
BROUGHT_BY_KERNEL = re.compile(r"(kotlin-stdlib|kotlin-reflect|kotlin-script-runtime|kotlinx-serialization-(core|json)|annotations|slf4j-api)(-.*)?\.jar")


HEARTBEAT_SECONDS = 15
LOG_LINES = 30
ANSI = re.compile(r"\x1b\[[0-9;]*m")


class Problem(Exception):
    """A failure that the user can fix. The text says what happened and what to do; with [log], its last lines and its place follow."""

    def __init__(self, text: str, log: Path | None = None) -> None:
        if log:
            lines = "".join(f"  {line}\n" for line in log_lines(log)[-LOG_LINES:])
            text += f"\nThe last lines of the log:\n{lines}The whole log: {log}"
        super().__init__(text)


class NotInstalled(Problem):
    """Packages are missing, and UNIFIEDLLM_INSTALL=never forbids to install them. The tests set it."""


def log_lines(log: Path) -> list[str]:
    return ANSI.sub("", log.read_text(errors="replace")).splitlines() if log.exists() else []


@contextmanager
def step(name: str, hint: str = "", progress=lambda: ""):
    """Prints `name (hint) ...` at the beginning and `name: 12 s` at the end; in between the elapsed time and [progress] every 15 seconds."""
    begin, ended = time.monotonic(), threading.Event()

    def elapsed() -> str:
        return f"{time.monotonic() - begin:.0f} s"

    def beat() -> None:
        while not ended.wait(HEARTBEAT_SECONDS):
            say(f"  {elapsed()} {progress()}".rstrip())

    say(f"{name}{f' ({hint})' if hint else ''} ...")
    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    say(f"{name}: {elapsed()}")


def cache() -> Path:
    """The folder for packages: UNIFIEDLLM_CACHE, else unified-llm in the user's cache folder."""
    chosen = os.environ.get("UNIFIEDLLM_CACHE")
    if chosen:
        return Path(chosen).expanduser().resolve()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "unified-llm"


@contextmanager
def locked(folder: Path):
    """Lets one process at a time create a folder."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = open(folder.parent / f"{folder.name}.lock", "w")
    except OSError as error:
        raise Problem(f"the cache folder cannot be written ({error}): set UNIFIEDLLM_CACHE to another folder") from None
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def venv(name: str, *requirements: Path, contents: str = "", also: list[Path] = [], environment: dict | None = None, finish=lambda python: None) -> Path:
    """Creates a virtual environment with exactly these requirement files at first use. Returns its Python.

    The folder's name has a hash of [requirements] and [also]. [environment] is added to pip's. [finish] is called with the new Python, for
    what pip cannot install; [also] are the files that it reads. [contents] names the packages in the output.
    """
    content = b"".join(file.read_bytes() for file in [*requirements, *also]) + sys.version.encode()
    folder = cache() / f"{name}-{hashlib.sha256(content).hexdigest()[:12]}"
    python, finished = folder / "bin" / "python", folder / "finished"
    if finished.exists() and python.exists():       # python is a link, and its target may have been removed
        return python
    if os.environ.get("UNIFIEDLLM_INSTALL") == "never":
        raise NotInstalled(f"the packages of {name}")
    with locked(folder):
        if not (finished.exists() and python.exists()):
            with step(f"creating the Python environment {folder}"):
                make_venv(folder)
            with step(f"installing {contents or name} with pip"):
                pip(python, "install", *(argument for file in requirements for argument in ("-r", str(file))), environment=environment)
                finish(python)
            finished.touch()
    return python


def make_venv(folder: Path) -> None:
    try:
        import ensurepip  # noqa: F401  a package of its own on Debian
        import venv as module
    except ImportError as missing:
        raise Problem(f"{sys.executable} cannot make a virtual environment (no module {missing.name}). Debian: apt-get install python3-venv") from None
    shutil.rmtree(folder, ignore_errors=True)
    try:
        module.create(folder, with_pip=True, symlinks=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise Problem(f"no virtual environment in {folder}: {error}. Is the folder writable? UNIFIEDLLM_CACHE can name another") from None


def pip(python: Path, *arguments: str, environment: dict | None = None) -> None:
    log = python.parent.parent / "pip.log"
    with open(log, "a") as out:
        command = [str(python), "-m", "pip", "-q", "--disable-pip-version-check", *arguments]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env={**os.environ, **(environment or {})})
    if done.returncode:
        errors = [line for line in log_lines(log) if line.startswith("ERROR")]
        why = errors[-1] if errors else "no reason given"
        raise Problem(f"pip could not install the Python packages: {why}. Is there a network connection (behind a proxy, set HTTPS_PROXY)?", log)


def npm(name: str, folder: Path) -> Path:
    """Creates an environment with the package of folder/package.json at first use, below `name` in it. Returns its Python, which has Node.js beside it.

    The npm of folder/requirements.txt comes from PyPI, so that Node.js need not be installed.
    """
    def install(python: Path) -> None:
        packages = python.parent.parent / name
        packages.mkdir()
        shutil.copy(folder / "package.json", packages)
        command = [str(python.parent / "npm"), "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"]
        environment = {**os.environ, "PATH": os.pathsep.join([str(python.parent), os.environ.get("PATH", "")])}
        done = subprocess.run(command, cwd=packages, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode:
            why = (done.stderr.strip().splitlines() or ["no reason given"])[0]
            raise Problem(f"npm could not install {name}: {why}. Is there a network connection (behind a proxy, set HTTPS_PROXY)?")

    return venv(name, folder / "requirements.txt", also=[folder / "package.json"], finish=install)


def java() -> Path:
    """The java command that starts the kernel, version 17 or newer."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which(str(Path(home) / "bin" / "java") if home else "java")
    where = f"JAVA_HOME ({home})" if home else "PATH"
    if not found:
        raise Problem(f"no JDK in {where}: install JDK 17 or newer (Debian: apt-get install openjdk-17-jdk-headless), or set JAVA_HOME to one")
    answer = subprocess.run([found, "-version"], capture_output=True, text=True)
    version = re.search(r'version "(?:1\.)?(\d+)', answer.stderr)
    if answer.returncode or not version:
        raise Problem(f"{found} does not run: install JDK 17 or newer, or set JAVA_HOME to one")
    if int(version[1]) < 17:
        raise Problem(f"{found} is Java {version[1]}, the library needs JDK 17 or newer: install one, or set JAVA_HOME to it")
    return Path(found)


def class_path() -> list[Path]:
    """The library and its dependencies. Builds the library if a source is newer than the last build.

    With UNIFIEDLLM_CLASSPATH_FILE nothing is built: it names a file with a complete class path. The tests set it, within a Maven build.
    """
    ready = os.environ.get("UNIFIEDLLM_CLASSPATH_FILE")
    if ready:
        if not Path(ready).is_file():
            raise Problem(f"UNIFIEDLLM_CLASSPATH_FILE names {ready}, which is not a file")
        return entries(Path(ready))
    java()
    if is_built():
        say("the library is up to date")
    else:
        build()
    return [own_jar(), *entries(CLASS_PATH_FILE)]


def entries(file: Path) -> list[Path]:
    return [Path(entry) for entry in file.read_text().strip().split(os.pathsep) if entry]


def own_jar() -> Path:
    found = [jar for jar in CLASS_PATH_FILE.parent.glob("jupyter-integration-*.jar") if not re.search(r"-(sources|javadoc|tests)\.jar$", jar.name)]
    if not found:
        raise Problem(f"the build left no jar in {CLASS_PATH_FILE.parent}: run mvn -B clean, then this command again")
    return max(found, key=lambda jar: jar.stat().st_mtime)


def is_built() -> bool:
    if not CLASS_PATH_FILE.exists() or not list(CLASS_PATH_FILE.parent.glob("jupyter-integration-*.jar")):
        return False
    built = CLASS_PATH_FILE.stat().st_mtime
    poms = [ROOT / "pom.xml", *ROOT.glob("*/pom.xml")]
    sources = [path for pom in poms for path in (pom.parent / "src" / "main").rglob("*")]     # with the folders: a deletion changes their time
    return all(path.stat().st_mtime <= built for path in [*poms, *sources]) and all(entry.exists() for entry in entries(CLASS_PATH_FILE))


def build() -> None:
    javac = Path(os.environ["JAVA_HOME"]) / "bin" / "javac" if os.environ.get("JAVA_HOME") else "javac"
    if not shutil.which(javac):
        raise Problem("this Java has no compiler (a JRE): install a JDK 17 or newer (Debian: apt-get install openjdk-17-jdk-headless)")
    if not shutil.which("mvn"):
        raise Problem("no Maven: install Maven 3.8 or newer (Debian: apt-get install maven)")
    TARGET.mkdir(parents=True, exist_ok=True)
    begin = TARGET / "build-began"
    begin.touch()
    log = TARGET / "build.log"
    with step("building the library", "the first time up to 5 minutes", lambda: maven_progress(log)), open(log, "w") as out:
        done = subprocess.run(BUILD, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
        if done.returncode:
            errors = [line.removeprefix("[ERROR] ") for line in log_lines(log) if line.startswith("[ERROR] ")]
            raise Problem(f"the library does not build: {errors[0] if errors else 'Maven gave no reason'}", log)
    os.utime(CLASS_PATH_FILE, (begin.stat().st_atime, begin.stat().st_mtime))               # a file that was edited during the build is newer


def maven_progress(log: Path) -> str:
    """The module and the goal that Maven runs, and what it downloads: `llm-core, kotlin:compile`."""
    goal, downloads = "", 0
    for line in log_lines(log):
        started = re.search(r"--- (?:maven-)?([\w-]+?)(?:-maven)?(?:-plugin)?:[^: ]+:([\w-]+) .*@ (\S+)", line)
        if started:
            goal, downloads = f"{started[3]}, {started[1]}:{started[2]}", 0
        elif line.startswith("[INFO] Downloaded from"):
            downloads += 1
    return ", ".join(filter(None, [goal, f"{downloads} files downloaded" if downloads else ""]))


def kernel(python: Path, library: list[Path], java_options: str = "") -> dict:
    """Writes the descriptor for %use and a kernel spec `kotlin` to notebooks/target. Returns the environment in which Jupyter finds only these."""
    java()
    libraries, spec = TARGET / "kernel", TARGET / "jupyter" / "kernels" / "kotlin"
    jars = [str(path.resolve()) for path in library if not BROUGHT_BY_KERNEL.fullmatch(path.name)]
    write_json(libraries / "jupyterLibraries" / "unified-llm.json", {
        "description": "The JVM's unified LLM client: one lazy, streaming call to any provider",
        "dependencies": jars,
    })
    installed = json.loads(next(python.parent.parent.glob("lib/python*/site-packages/run_kotlin_kernel/config/jar_args.json")).read_text())
    write_json(libraries / "jar_args.json", {**installed, "debuggerPort": ""})              # no debugger port
    # Lets the kernel's JVM send the login of a proxy, such as that of HTTPS_PROXY, also for https:// addresses (docs/proxies.md).
    options = f"{java_options} {BASIC_FOR_PROXIES} {os.environ.get('KOTLIN_JUPYTER_JAVA_OPTS_EXTRA', '')} {shlex.quote(f'-Xbootclasspath/a:{libraries}')}"
    # The kernel prints every message, with the prompts in it, to its standard output. That goes to a file which only the user can read.
    start = f'exec "$0" -m run_kotlin_kernel "$1" {shlex.quote(str(libraries / "jar_args.json"))} >> {shlex.quote(str(KERNEL_LOG))} 2>&1'
    write_json(spec / "kernel.json", {
        "display_name": "Kotlin",
        "language": "kotlin",
        "interrupt_mode": "message",
        "argv": ["/bin/sh", "-c", start, str(python), "{connection_file}"],
        "env": {"KOTLIN_JUPYTER_JAVA_OPTS_EXTRA": options.strip()},
    })
    # Without this JupyterLab opens a dialog that asks to fetch news.
    write_json(TARGET / "jupyter" / "config" / "labconfig" / "page_config.json", {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}})
    KERNEL_LOG.write_text("")
    KERNEL_LOG.chmod(0o600)
    here = TARGET / "jupyter"
    return {
        "UNIFIED_LLM_LEDGER": "off",                                                        # these runs keep no costs in the folder of the user
        **os.environ,
        "JUPYTER_PATH": str(here),
        "JUPYTER_CONFIG_DIR": str(here / "config"),
        "JUPYTER_DATA_DIR": str(here / "data"),
        "JUPYTER_RUNTIME_DIR": str(here / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(here / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(here / "workspaces"),
        "IPYTHONDIR": str(here / "ipython"),
        "JUPYTER_PREFER_ENV_PATH": "1",
    }


def write_json(file: Path, value: object) -> None:
    """Replaces [file] in one step, because another kernel may read it now."""
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_name(f"{file.name}.{os.getpid()}")
    new.write_text(json.dumps(value, indent=2) + "\n")
    new.replace(file)


def lab(python: Path, environment: dict, folder: Path, port: int | None = None, *options: str) -> tuple[subprocess.Popen, str, str]:
    """Starts JupyterLab on loopback with [folder] as its root and waits for it. Returns the process, its address and its token."""
    port, token = port or free_port(), secrets.token_urlsafe(24)
    command = [str(python), "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0",
               f"--ServerApp.root_dir={folder}", "--ServerApp.answer_yes=True", "--LabApp.extension_manager=readonly", "--MultiKernelManager.default_kernel_name=kotlin", *options]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    with open(TARGET / "lab.log", "w") as out:
        process = subprocess.Popen(command, env={**environment, "JUPYTER_TOKEN": token}, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
    address = f"http://127.0.0.1:{port}"
    try:
        await_answer(process, f"{address}/api", TARGET / "lab.log")
    except BaseException:
        process.terminate()
        raise
    return process, address, token


def await_answer(process: subprocess.Popen, address: str, log: Path, seconds: float = 120) -> None:
    """Waits until the server that [process] runs on this machine answers."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        try:
            direct.open(address, timeout=2).close()
            return
        except OSError:
            time.sleep(0.1)
    raise Problem(f"{address} does not answer; the server's output is in {log}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def say(text: str) -> None:
    print(text, flush=True)
