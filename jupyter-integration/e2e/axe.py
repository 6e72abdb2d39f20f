"""Checks the accessibility of the chat widget and of rendered pages with axe-core in headless Chromium. `jupyter-integration/e2e/run axe [PAGE …]` starts it.

Each state of the widget, and each page, is checked in light and dark; the widget also with the variables of JupyterLab's themes. Without a PAGE the
pages are those in jupyter-integration/target/pages. A violation that is serious or critical fails its check; others are counted.
"""
import os
import sys
from collections import Counter
from pathlib import Path

from chat_page import HERE, STATES, launch, make, open_page
from checks import Checks
from playwright.sync_api import Browser, Page, sync_playwright

PAGES = HERE.parent / "target" / "pages"
SEVERE = ("serious", "critical")
WCAG_AA = 4.5
RUN = """async () => {
  const rules = { 'page-has-heading-one': { enabled: false }, region: { enabled: false } }; // a cell's output is a part of a page
  const { violations, passes, incomplete } = await axe.run(document, { rules });
  const ratios = passes.filter((rule) => rule.id === 'color-contrast').flatMap((rule) => rule.nodes)
    .flatMap((node) => node.any).map((check) => check.data?.contrastRatio).filter(Boolean);
  const all = (rules) => rules.map(({ id, impact, help, nodes }) => ({ id, impact, help, at: nodes.map((it) => it.html.slice(0, 160)) }));
  return { texts: ratios.length, lowest: Math.min(99, ...ratios), violations: all(violations), incomplete: all(incomplete) };
}"""

# The variables that the widget takes from JupyterLab 4.
LIGHT = {"layout-color1": "#fff", "content-font-color1": "rgba(0, 0, 0, 0.87)"}
DARK = {"layout-color1": "#212121", "content-font-color1": "#fff"}
THEMES = {"light": ("light", None, {}), "dark": ("dark", None, {}), "JupyterLab Light": ("dark", "true", LIGHT), "JupyterLab Dark": ("light", "false", DARK)}


class Audit:
    def __init__(self, check: Checks) -> None:
        self.check = check
        self.minor = Counter()
        self.open = Counter()
        self.lowest = {}

    def __call__(self, page: Page, name: str, theme: str) -> None:
        with self.check(f"{name}, {theme}"):
            page.add_script_tag(path=os.environ["AXE"])
            result = page.evaluate(RUN)
            severe = [it for it in result["violations"] if it["impact"] in SEVERE]
            self.minor.update(it["id"] for it in result["violations"] if it["impact"] not in SEVERE)
            self.open.update({it["id"]: len(it["at"]) for it in result["incomplete"]})
            self.lowest[theme] = min(self.lowest.get(theme, 99), result["lowest"])
            for it in severe:
                print(f"     {it['impact']} {it['id']}: {it['help']}\n       " + "\n       ".join(it["at"][:5]), flush=True)
            assert not severe, ", ".join(it["id"] for it in severe)


def widget(browser: Browser, audit: Audit) -> None:
    for theme, (scheme, is_light, variables) in THEMES.items():
        page = open_page(browser, color_scheme=scheme, reduced_motion="reduce")
        if is_light:
            page.evaluate("""([isLight, variables]) => {
                document.body.dataset.jpThemeLight = isLight;
                document.body.style.background = variables['layout-color1'];
                for (const [name, value] of Object.entries(variables)) document.body.style.setProperty(`--jp-${name}`, value);
            }""", [is_light, variables])
        for state in STATES:
            make(page, state)
            audit(page, f"widget {state}", theme)
        page.close()


def pages(browser: Browser, audit: Audit, files: list[Path]) -> None:
    for file in files:
        for theme in ("light", "dark"):
            page = browser.new_page(viewport={"width": 900, "height": 760}, color_scheme=theme, reduced_motion="reduce")
            page.goto(file.resolve().as_uri())
            audit(page, file.name, theme)
            page.close()


def main() -> None:
    check = Checks()
    audit = Audit(check)
    files = [Path(name) for name in sys.argv[1:]]
    with sync_playwright() as playwright:
        browser = launch(playwright)
        if not files:
            widget(browser, audit)
        pages(browser, audit, files or sorted(PAGES.glob("*.html")))
        browser.close()
    for theme, ratio in audit.lowest.items():
        with check(f"the lowest contrast of text in {theme}: {ratio:.2f}:1"):
            assert ratio >= WCAG_AA, f"below {WCAG_AA}:1"
    print(f"     moderate and minor: {dict(audit.minor) or 'none'}; not decided by axe: {dict(audit.open) or 'none'}", flush=True)
    print(f"axe: {check.passed} checks passed", flush=True)
    check.finish()


if __name__ == "__main__":
    main()
