"""Downloads axe-core, which checks the accessibility of pages, into the cache folder. Standard library only."""
import base64
import hashlib
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import workbench
from workbench import NotInstalled, Problem, step

VERSION = "4.14.1"
SHA512 = "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="


def axe_core() -> Path:
    """The script of axe-core. npm downloads the package at first use; nothing in it is run but this script, in the browser."""
    folder = workbench.cache() / f"axe-{VERSION}"
    script = folder / "axe.min.js"
    if script.exists():
        return script
    npm = shutil.which("npm")
    if os.environ.get("UNIFIEDLLM_INSTALL") == "never":
        raise NotInstalled("axe-core")
    if not npm:
        raise NotInstalled("npm, which downloads axe-core (to install on Debian: apt-get install npm)")
    with workbench.locked(folder), step(f"downloading axe-core {VERSION} with npm"):
        folder.mkdir(parents=True, exist_ok=True)
        command = [npm, "pack", f"axe-core@{VERSION}", "--ignore-scripts", "--loglevel=error", "--pack-destination", str(folder)]
        done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        archive = folder / f"axe-core-{VERSION}.tgz"
        if done.returncode or not archive.exists():
            why = (done.stderr.strip().splitlines() or ["no reason given"])[0]
            raise Problem(f"npm could not download axe-core: {why}. Is there a network connection (behind a proxy, set HTTPS_PROXY)?")
        if base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode() != SHA512:
            raise Problem(f"{archive} is not the package of axe-core {VERSION}: remove it and try again")
        with tarfile.open(archive) as package:
            content = package.extractfile("package/axe.min.js").read()
        new = script.with_suffix(".new")
        new.write_bytes(content)
        new.replace(script)
        archive.unlink()
    return script
