"""Uses the chat widget in headless Chromium, without a notebook: a page has its front end and a kernel of JavaScript. `jupyter-integration/e2e/run widget`
starts it. The pictures go to jupyter-integration/target/widget.
"""
import json
import re

from chat_page import HERE, RESOURCES, STATES, answer, button, launch, make, message_input, open_page, part, run, sent, write
from checks import Checks, within
from playwright.sync_api import Browser, Page, sync_playwright
from widget_controls import kernel, panels, scrolling, views
from widget_files import attachments
from widget_turns import growing, history, sending, tools

PICTURES = HERE.parent / "target" / "widget"
VECTORS = HERE.parent / "src" / "test" / "resources" / "xss-vectors.json"
MAX_MODULE = 40_960


def keyboard(page: Page, check: Checks) -> None:
    with check("everything is reached by Tab, and what is reached can be seen"):
        make(page, "done")
        message_input(page).focus()
        names = []
        page.evaluate("document.activeElement.blur()")
        for _ in range(24):
            page.keyboard.press("Tab")
            name, opacity = page.evaluate("""() => { const it = document.activeElement; const around = it.closest('.ullm-chat-actions');
                return [it.getAttribute('aria-label') || it.textContent.trim().slice(0, 20), around ? getComputedStyle(around).opacity : '1']; }""")
            assert opacity == "1", name
            names.append(name)
        wanted = ["Export", "Clear", "Conversation", "Copy message", "Edit and send again", "Delete message", "Copy", "Regenerate",
                  "Configuration", "Prompts", "Attach files", "Message"]
        missing = [name for name in wanted if name not in names]
        assert not missing, f"{missing} not in {names}"
    with check("keys in the widget are no commands of JupyterLab, but those with Ctrl are"):
        root = message_input(page)      # JupyterLab asks the focused element first
        message_input(page).press("d")
        assert root.get_attribute("data-lm-suppress-shortcuts") == ""
        message_input(page).press("Control+a")
        assert root.get_attribute("data-lm-suppress-shortcuts") is None
        message_input(page).press("Shift+Enter")
        assert root.get_attribute("data-lm-suppress-shortcuts") == ""
    with check("undo and redo are those of the text, not of the notebook's cells"):
        make(page)
        message_input(page).press_sequentially("ab")
        for keys in ("Control+y", "Control+Shift+z", "Meta+z", "Control+z"):
            message_input(page).press(keys)
            assert root.get_attribute("data-lm-suppress-shortcuts") == "", keys
        assert message_input(page).input_value() != "ab"
    with check("a new line by Shift+Enter, which JupyterLab prevents in its cells"):
        make(page)
        run(page, "const prevent = (event) => event.preventDefault();"
                  "const listen = (event) => event.target.addEventListener('beforeinput', prevent, { once: true });"
                  "window.addEventListener('keydown', listen, { capture: true, once: true });")
        message_input(page).press("Shift+Enter")
        assert message_input(page).input_value() == "\n"
    with check("the log is announced politely, not while it grows"):
        log = page.get_by_role("log", name="Conversation")
        assert log.get_attribute("aria-live") == "polite" and log.get_attribute("aria-busy") == "false"
        unnamed = page.evaluate("[...document.querySelectorAll('button')].filter((it) => !(it.getAttribute('aria-label') || it.textContent).trim()).length")
        assert unnamed == 1, unnamed  # Undo, which is hidden
    with check("nothing moves with reduced motion"):
        page.emulate_media(reduced_motion="reduce")
        make(page, "streaming")
        assert run(page, "getComputedStyle(w.el.querySelector('.ullm-chat-phase'), '::before').animationName") == "none"
        page.emulate_media(reduced_motion="no-preference")


def actions(page: Page, check: Checks) -> None:
    gap = """const [question, reply] = w.el.querySelectorAll('.ullm-chat-message');
        return reply.getBoundingClientRect().top - question.querySelector('.ullm-chat-body').getBoundingClientRect().bottom;"""
    for width in (360, 900):
        with check(f"the actions of a question have no row of their own, and the mouse reaches them, {width} pixels"):
            page.set_viewport_size({"width": width, "height": 760})
            make(page, "actions")
            page.evaluate("document.activeElement.blur()")
            assert run(page, gap) == 10, run(page, gap)
            part(page, "user").locator(".ullm-chat-body").hover()
            edit = button(page, "Edit and send again").bounding_box()
            page.mouse.move(edit["x"] + edit["width"] / 2, edit["y"] + edit["height"] / 2, steps=20)
            page.mouse.down()
            page.mouse.up()
            assert message_input(page).input_value() == "Why is the sky blue?"
    with check("a question without an answer shows its actions beside the reason, also without the mouse"):
        make(page, "unanswered")
        page.evaluate("document.activeElement.blur()")
        page.mouse.move(1, 1)
        again, reason = button(page, "Send again"), part(page, "state").bounding_box()
        assert reason["y"] <= again.bounding_box()["y"] + 13 <= reason["y"] + reason["height"]
        assert again.evaluate("(it) => getComputedStyle(it.parentNode).opacity") == "1"


def new_cell(page: Page, check: Checks) -> None:
    with check("code goes to a new cell where the page has JupyterLab's button, and only there"):
        make(page, "done")
        assert button(page, "To a new cell").count() == 0       # it is hidden
        page.evaluate("""() => {
            const panel = document.querySelector('main');
            panel.className = 'jp-NotebookPanel';
            panel.innerHTML = '<button data-command="notebook:insert-cell-below">+</button><div class="jp-Cell jp-mod-active"><div></div></div>';
            panel.firstChild.onmousedown = () => setTimeout(() => {
              panel.querySelector('.jp-mod-active').classList.remove('jp-mod-active');
              panel.insertAdjacentHTML('beforeend', '<div class="jp-Cell jp-mod-active"><div class="cm-content" contenteditable></div></div>');
              panel.lastChild.firstChild.addEventListener('paste', (event) => (event.target.textContent = event.clipboardData.getData('text/plain')));
            }, 50);
            w.open(panel.querySelector('.jp-Cell > div'));
        }""")
        button(page, "To a new cell").click()
        editor = page.locator(".cm-content")
        within(2, lambda: editor.count() and editor.text_content() == 'val waves = listOf(450, 550, 650)\nprintln("blue")')


def many(page: Page, check: Checks) -> None:
    measure = """const widget = w; const list = w.el.querySelector('.ullm-chat-list'); Object.assign(w, { changes: [], tasks: [0] });
        new MutationObserver(() => widget.changes.push(performance.now())).observe(list, { childList: true, subtree: true, characterData: true });
        new PerformanceObserver((tasks) => tasks.getEntries().forEach((it) => widget.tasks.push(it.duration))).observe({ type: 'longtask' });"""
    with check("10,000 deltas: exact text, at most 20 changes of the page a second, no long task"):
        make(page)
        write(page, "Go")
        within(2, lambda: sent(page, "send"))
        run(page, measure)
        run(page, """w.text = ''; let n = 0; w.done = false;
            const more = () => { for (let i = 0; i < 50 && n < 10_000; i++, n++) { const word = n % 17 ? `word${n} ` : `\\n`; w.text += word; k.delta(word); }
              n < 10_000 ? setTimeout(more, 10) : (w.done = true); };
            more();""")
        within(30, lambda: run(page, "w.done"))
        page.wait_for_timeout(200)
        changes, longest = run(page, "w.changes"), max(run(page, "w.tasks"))
        most = max(sum(1 for it in changes if start <= it < start + 1_000) for start in changes)
        assert answer(page) == run(page, "w.text")
        time = (changes[-1] - changes[0]) / 1000
        print(f"     {len(changes)} changes in {time:.1f} s, at most {most} in a second; longest task {longest:.0f} ms (0: below 50)", flush=True)
        assert most <= 20 and longest < 100, (most, longest)
    with check("1,000,000 characters: the time is linear, and the longest task below 200 ms"):
        make(page)
        write(page, "Go")
        within(2, lambda: sent(page, "send"))
        run(page, measure)
        run(page, """w.done = 0; const piece = 'The sky is blue and the sea as well.\\n'.repeat(270); let n = 0; const began = performance.now();
            const more = () => { k.delta(piece); ++n < 100 ? setTimeout(more, 20) : (w.done = performance.now() - began); }; more();""")
        within(30, lambda: run(page, "w.done"))
        page.wait_for_timeout(200)
        longest = max(run(page, "w.tasks"))
        print(f"     {len(answer(page)):,} characters in {run(page, 'w.done') / 1000:.1f} s; longest task {longest:.0f} ms", flush=True)
        assert len(answer(page)) == 999_000 and longest < 200, longest


def safe(page: Page, check: Checks) -> None:
    vectors = [vector["input"] for vector in json.loads(VECTORS.read_text(encoding="utf-8"))["vectors"]]
    places = """const bad = argument; const { message } = k; const v = (type, more) => ({ type, ...more });
        const file = { fileId: bad, name: bad, mediaType: bad, size: 1, text: bad };
        const tool = { callId: bad, name: bad, arguments: bad, result: bad, seconds: 1 };
        k.messages = [k.message('user', [bad]), k.message('system', [bad]), k.message('assistant', [
            v('text', { text: bad, html: null, upTo: 0 }), v('reasoning', { text: bad, seconds: 1 }),
            v('tool', { ...tool, state: 'failed' }), v('tool', { ...tool, state: 'awaiting' }), v('tool', { ...tool, state: bad }),
            v('file', file), v('file', { ...file, mediaType: 'image/png' }), v('source', { url: bad, title: bad }), v('source', { url: bad, title: null })],
          { stateText: bad, footer: bad, notes: [bad], error: { title: bad, message: bad, details: bad } })];
        k.sync({ phase: bad, totals: { text: bad, budget: { text: bad, fraction: 0.5, state: bad } },
          config: { ...w.model.state.config, model: bad, system: bad, topK: bad }, 
          settings: w.model.state.settings.map((it) => ({ ...it, label: bad, help: bad })),
          options: { ...w.model.state.options, title: bad, prompts: [bad, `{{x}} ${bad}`], accept: [bad], canUndo: bad } });
        k.post('notice', { text: bad }); k.post('refused', { requestId: null, attachmentId: null, reason: bad }); k.post('file', { fileId: bad, url: bad });
        const open = (name) => w.el.querySelector(`.ullm-chat-${name}`).click();
        open('prompts'); open('item:last-child'); open('settings'); open('settings');
        k.begin('r' + Math.random(), bad); for (const char of bad) k.delta(char); k.end();
        return w.el.querySelectorAll('script, iframe, object, embed, link, style, img, svg, base, meta').length;"""
    with check(f"{len(vectors)} attacks in all places of text: none runs, none asks the network"):
        requests, dialogs = [], []
        page.on("request", lambda request: requests.append(request.url) if not request.url.startswith(("data:", "blob:")) else None)
        page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
        page.evaluate("() => { window.ran = 0; for (const name of ['alert', 'confirm', 'prompt']) window[name] = () => window.ran++; }")
        make(page)
        elements = sum(run(page, places, vector) for vector in vectors)
        page.wait_for_timeout(500)
        assert len(vectors) > 100 and not requests and not dialogs and page.evaluate("window.ran") == 0, (requests[:3], dialogs)
        assert elements == 0, f"{elements} elements from text"


def pictures(browser: Browser, check: Checks) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    for width, schemes in ((360, ("dark",)), (760, ("light", "dark")), (1600, ("light",))):
        with check(f"every state fits {width} pixels, {' and '.join(schemes)}"):
            for scheme in schemes:
                page = open_page(browser, width=width, height=640, color_scheme=scheme)
                errors = []
                page.on("pageerror", lambda error: errors.append(error.stack))
                for state in STATES:
                    make(page, state)
                    if width < 1600:
                        page.screenshot(path=PICTURES / f"{state}-{scheme}-{width}.png")
                    wide = run(page, "const all = [document.documentElement, ...w.el.querySelectorAll('.ullm-chat, .ullm-chat-log, .ullm-chat-panel')];"
                                     "return Math.max(...all.map((it) => it.scrollWidth - it.clientWidth));")
                    assert wide <= 0, f"{state}: {wide} pixels too wide"
                assert not errors, errors
                page.close()


def main() -> None:
    check = Checks()
    with check(f"the module has at most {MAX_MODULE:,} bytes and needs no other"):
        module = (RESOURCES / "chat.js").read_bytes()
        assert len(module) <= MAX_MODULE, f"{len(module):,} bytes"
        assert not re.search(rb"\bimport\b|https?://|\bfetch\(|XMLHttpRequest|\beval\(|innerHTML(?! = html)", module)
    with sync_playwright() as playwright:
        browser = launch(playwright)
        page = open_page(browser, permissions=["clipboard-read", "clipboard-write"])
        errors = []
        page.on("pageerror", lambda error: errors.append(error.stack))
        for group in (sending, growing, tools, history, panels, attachments, scrolling, views, keyboard, actions, new_cell, many, safe):
            group(page, check)
        with check("no error on the page"):
            assert not errors, errors
        kernel(browser, check)
        pictures(browser, check)
        browser.close()
    print(f"widget: {check.passed} checks passed", flush=True)
    check.finish()


if __name__ == "__main__":
    main()
