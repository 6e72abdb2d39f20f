"""Uses JupyterLab in headless Chromium with the Kotlin kernel. `jupyter-integration/e2e/run lab` starts all tests, `… run lab cards` one of them.

The pictures go to notebooks/target/lab: each state in light and dark. `… run lab gallery` is no test: it makes the pictures in docs/images.
"""
import sys
import time

import lab_cards
import lab_compare
import lab_gallery
import lab_pages
import lab_widgets
from chat_page import launch
from checks import Checks
from lab_page import jupyterlab
from playwright.sync_api import sync_playwright
from slow_ollama import SlowOllama

PARTS = {"cards": lab_cards.run, "compare": lab_compare.run, "widgets": lab_widgets.run, "pages": lab_pages.run}
NO_TESTS = {"gallery": lab_gallery.run}


def main(names: list[str]) -> None:
    parts = PARTS | NO_TESTS
    if unknown := set(names) - set(parts):
        sys.exit(f"no part {', '.join(unknown)}; the parts are {', '.join(parts)}")
    check, began = Checks(), time.monotonic()
    with SlowOllama(words=80, rate=20) as server, sync_playwright() as playwright:
        browser = launch(playwright)
        with jupyterlab(browser, {"OLLAMA_API_BASE": server.url}) as lab:
            for name in names or PARTS:
                with check(f"all of {name}"):
                    parts[name](lab, check, server)
        browser.close()
    print(f"lab: {check.passed} passed, {check.failed} failed, {time.monotonic() - began:.0f} s", flush=True)
    sys.exit(1 if check.failed else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
