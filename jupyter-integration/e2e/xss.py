"""Opens hostile text in every output, in headless Chromium: nothing may run, and nothing may be requested. `jupyter-integration/e2e/run xss` starts it.

The outputs are those that XssPagesSpec wrote to target/xss: each text of xss-vectors.json and xss-more.json at each of its beginnings, in each place. They
are opened as pages, as a front end inserts them (with the scripts in them run, as JupyterLab does), in a page of nbconvert, and in the chat widget.
"""
import json
import os
import sys
from collections import defaultdict
from html import escape
from pathlib import Path

import nbformat
from checks import Checks
from nbconvert import HTMLExporter
from playwright.sync_api import BrowserContext, Page, Route, sync_playwright

HERE = Path(__file__).resolve().parent
RESOURCES = HERE.parent / "src" / "main" / "resources" / "dev" / "unifiedllm" / "jupyter"
WRITTEN = Path(os.environ.get("XSS_PAGES") or HERE.parent / "target" / "xss")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
SITE = "https://notebook.test/"
TIMEOUT = 120_000
AT_ONCE = 1_000                         # outputs of a page
TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css"}
SETTLED = 200                           # milliseconds for what would begin after the page has loaded: images, animations, focus

# Every function that the texts call. What runs is counted with the text that it stands in. A frame lasts no time, so that the widget draws each beginning.
CANARY = """
  window.ran = [];
  for (const name of ["alert", "confirm", "prompt", "print", "open"]) window[name] = () => window.ran.push(name);
  window.requestAnimationFrame = (draw) => (queueMicrotask(() => draw(performance.now())), 0);
"""

# The script of the button that copies code, the only one in an output (MarkdownNodes.kt).
COPY = ("var c=this.parentNode.querySelector('code');getSelection().selectAllChildren(c);"
        "navigator.clipboard&&navigator.clipboard.writeText(c.textContent).then(()=>{this.textContent='Copied'})")

# What is in the page that could run or request something, by the browser's own parser.
FOUND = """(root) => {
  const COPY = %s;
  const found = [];
  const ELEMENTS = "script iframe object embed link meta base svg math video audio source form frame template".split(" ");
  const ATTRIBUTES = ["srcdoc", "srcset", "ping", "formaction", "poster", "background"];
  const isCopy = (element, attribute) => element.localName === "button" && attribute.name === "onclick" && attribute.value === COPY;
  const PROTOCOLS = ["http:", "https:", "mailto:", ":"];     // the last is that of an address which is none, such as https://
  for (const element of document.querySelectorAll(root + " *")) {
    const name = element.localName;
    if (ELEMENTS.includes(name)) found.push(name);
    for (const attribute of element.attributes) if ((attribute.name.startsWith("on") || ATTRIBUTES.includes(attribute.name)) && !isCopy(element, attribute)) found.push(attribute.name);
    if (/url|import|image-set/i.test(element.getAttribute("style") ?? "")) found.push(`style ${element.getAttribute("style")}`);
    if (name === "img" && !element.src.startsWith("data:image/")) found.push(`img ${element.src}`);
    if (name === "a" && element.hasAttribute("href") && !element.hasAttribute("download") && !PROTOCOLS.includes(element.protocol)) found.push(element.href);
  }
  return found;
}""" % json.dumps(COPY)

RAN_IN_FRAMES = """() => [...document.querySelectorAll("iframe")].filter((frame) => {
  try { return frame.contentWindow.ran.length > 0; } catch { return false; }   // a text has led the frame to another site
}).length"""

INSERT = """async (outputs) => {
  const next = () => new Promise((done) => setTimeout(done, 0));
  const place = document.querySelector("main");
  for (const [index, output] of outputs.entries()) {
    const area = place.appendChild(document.createElement("div"));
    area.innerHTML = output;
    for (const old of area.querySelectorAll("script")) {
      const script = document.createElement("script");
      for (const attribute of old.attributes) script.setAttribute(attribute.name, attribute.value);
      script.textContent = old.textContent;
      old.replaceWith(script);
    }
    if (index % 500 === 0) await next();
  }
}"""

# A chat in which a text is every field, and then arrives letter by letter.
CHAT = """async ([text, html]) => {
  const part = (type, more) => ({ type, text, html, upTo: text.length, ...more });
  const message = (role, more) => ({ id: text + role, role, state: "done", stateText: text, footer: text, notes: [text], error: null, ...more, parts: [
    part("text"), part("text", { html: null, upTo: 0 }), part("reasoning", { html: null, seconds: 1 }),
    part("tool", { html: null, callId: text, name: text, arguments: text, result: text, seconds: 1, state: "awaiting" }),
    part("file", { html: null, fileId: text, name: text, mediaType: text, size: 1 }), part("source", { html: null, url: null, title: text }),
    part("source", { html: null, url: `https://ok.example/${text}`, title: text })] });
  const state = { phase: text, config: { model: text }, totals: { text, budget: { text, fraction: 0.5, state: text } },
    options: { title: text, prompts: [text, `{{${text}}}`], accept: [text] },
    messages: [message("user"), message("assistant", { error: { title: text, message: text, details: text } })] };
  const chat = make(state);
  chat.kernel.begin(text, text);
  for (const letter of text) {
    chat.kernel.delta(letter);
    chat.kernel.delta(letter, null, "reasoning");
    await null;
  }
  chat.kernel.end("failed", { error: { title: text, message: text, details: text }, footer: text, stateText: text });
  await new Promise((done) => setTimeout(done, 0));
  window.shown = chat.el.textContent;
  for (const button of chat.el.querySelectorAll("button, summary")) if (!/send|stop/i.test(button.textContent)) button.click();
  await new Promise((done) => setTimeout(done, 0));
}"""


class Browser:
    """Pages of a site that has only what it is given. Other requests are refused and counted."""

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        self.files: dict[str, tuple[str, str | bytes]] = {}
        self.requests: list[str] = []
        context.add_init_script(CANARY)
        context.route("**/*", self.serve)

    def serve(self, route: Route) -> None:
        name = route.request.url.removeprefix(SITE)
        if name in self.files:
            kind, body = self.files[name]
            route.fulfill(body=body, content_type=kind)
        else:
            self.requests.append(route.request.url)
            route.abort()

    def open(self, html: str) -> Page:
        """The page of [html] after it has settled."""
        self.files["page.html"] = (TYPES[".html"], html)
        page = self.context.new_page()
        page.set_default_timeout(TIMEOUT)
        page.on("popup", lambda opened: self.requests.append(f"a window with {opened.url}"))
        page.goto(SITE + "page.html", wait_until="load")
        page.wait_for_timeout(SETTLED)
        return page

    def inert(self, page: Page, root: str) -> None:
        """Fails if anything on the page has run, could run, or was requested, and closes the page."""
        ran, found = page.evaluate("() => window.ran"), page.evaluate(FOUND, root)
        page.close()
        assert not ran, f"{len(ran)} executed: {ran[:3]}"
        assert not found, f"{len(found)} found: {found[:3]}"
        assert not self.requests, f"{len(self.requests)} requests: {self.requests[:3]}"


def lines() -> list[dict]:
    file = WRITTEN / "outputs.jsonl"
    if not file.exists():
        sys.exit(f"{file} is missing: run XssPagesSpec first (mvn -pl jupyter-integration -am test)")
    return [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n")]  # splitlines() divides at U+2028, too


# What is not in sight is not drawn: styles are searched for addresses instead.
OFF_SCREEN = "section, main > div { content-visibility: auto; contain-intrinsic-size: auto 60px; }"


def document(body: str) -> str:
    style = (WRITTEN / "style.css").read_text(encoding="utf-8")
    head = f'<meta charset="utf-8"><title>Outputs</title><style>{style}{OFF_SCREEN}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body><main>{body}</main></body></html>'


def notebook(cells: list[list[str]]) -> str:
    """The page that nbconvert makes of a notebook whose cells have these outputs."""
    def cell(outputs: list[str]) -> nbformat.NotebookNode:
        shown = [nbformat.v4.new_output("display_data", {"text/html": html, "text/plain": "text"}) for html in outputs]
        return nbformat.v4.new_code_cell("chat(…)", outputs=shown)
    made = nbformat.v4.new_notebook(cells=[*map(cell, cells), nbformat.v4.new_markdown_cell("The *last* cell.")])
    return HTMLExporter().from_notebook_node(made)[0]


def main() -> None:
    check, opened = Checks(), 0
    places, texts = defaultdict(list), lines()
    for line in texts:
        places[line["place"]].append(line)
    vectors = next(iter(places.values()))
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=os.environ["CHROMIUM"], args=FLAGS)

        def browser() -> Browser:
            return Browser(chromium.new_context(viewport={"width": 1000, "height": 800}))

        with check("the texts run and request something where they are not escaped"):
            raw = browser()
            page = raw.open(document("".join(f'<iframe srcdoc="{escape(document(line["text"]))}"></iframe>' for line in vectors)))
            ran, addresses = page.evaluate(RAN_IN_FRAMES), len(set(raw.requests))
            assert ran >= 40 and addresses >= 8, f"only {ran} of them ran, only {addresses} addresses were requested"
            raw.context.close()
        for place, of_place in places.items():
            outputs = [output for line in of_place for output in line["outputs"]]
            with check(f"{place}: {len(outputs)} outputs, as pages and inserted with their scripts"):
                safe = browser()
                for begin in range(0, len(outputs), AT_ONCE):
                    some = outputs[begin:begin + AT_ONCE]
                    page = safe.open(document("".join(f"<section>{output}</section><hr>" for output in some)))
                    kept = page.evaluate("() => document.querySelectorAll('body > main > section + hr').length")
                    assert kept == len(some), f"only {kept} of {len(some)} outputs end where they should"
                    safe.inert(page, "main")
                    page = safe.open(document(""))
                    page.evaluate(INSERT, some)
                    page.wait_for_timeout(SETTLED)
                    safe.inert(page, "main")
                    opened += 2 * len(some)
                safe.context.close()
        with check(f"{len(texts)} outputs as nbconvert writes them"):
            exported = browser()
            exported.open(notebook([])).close()
            own, exported.requests = set(exported.requests), []
            page = exported.open(notebook([[line["last"] for line in of_place] for of_place in places.values()]))
            shown = page.locator(".jp-OutputArea-output").count()
            assert shown == len(texts), f"{shown} outputs"
            assert page.locator("body > main > .jp-Cell").last.inner_text().strip() == "The last cell.", "the last cell is within an output"
            exported.requests = [request for request in exported.requests if request not in own]
            exported.inert(page, ".jp-OutputArea-output")
            opened += len(texts)
            exported.context.close()
        with check(f"{len(vectors)} texts in the chat widget, letter by letter"):
            chat = browser()
            for file in [HERE / "widget.html", *RESOURCES.glob("*.css"), RESOURCES / "chat.js"]:
                chat.files[file.name] = (TYPES[file.suffix], file.read_bytes())
            page = chat.open((HERE / "widget.html").read_text(encoding="utf-8"))
            for line in vectors:
                page.evaluate(CHAT, [line["text"], line["html"]])
                assert page.evaluate("() => window.shown").count(line["text"].strip()[-8:]) > 5, f"{line['vector']} is not shown"
                opened += line["texts"]
            page.wait_for_timeout(SETTLED)
            chat.inert(page, "main")
            chat.context.close()
        chromium.close()
    prefixes = sum(line["texts"] for line in vectors)
    count = len(places) + 1
    result = "0 executed, 0 requests" if not check.failed else f"{check.failed} checks failed"
    print(f"xss: {len(vectors)} vectors x {count} places x {prefixes} prefixes: {count * prefixes} texts, {opened} opened, {result}", flush=True)
    check.finish()


if __name__ == "__main__":
    main()
