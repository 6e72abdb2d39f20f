"""The page of the chat widget's tests: widget.html with the project's chat.js and chat.css, the states of a widget, and what a test does with it."""
import os
from pathlib import Path

from checks import within
from playwright.sync_api import Browser, Locator, Page, Playwright, Route

HERE = Path(__file__).resolve().parent
RESOURCES = HERE.parent / "src" / "main" / "resources" / "dev" / "unifiedllm" / "jupyter"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
ADDRESS = "https://chat.test/"
TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}

CODE = f"const PNG = '{PNG}';" + """
const code = (language, text) => `<div class="ullm-code">${language && `<div class="ullm-lang">${language}</div>`}` +
  `<pre tabindex="0" style="white-space:pre;overflow:auto;padding:8px 12px"><code style="white-space:pre">${text}</code></pre></div>`;
const begin = (text) => { w.kernel.isSlow = true; w.kernel.begin('r1', text); };
const answer = () => {
  w.kernel.delta('Sunlight, air molecules, wavelengths: this is Rayleigh scattering.', null, 'reasoning');
  w.kernel.delta('The sky is **blue**.\\n\\n', '<p>The sky looks <strong>blue</strong> because of <em>Rayleigh scattering</em>:</p>' +
    '<ol><li>sunlight enters the air</li><li>short waves scatter more</li></ol>');
  w.kernel.delta('```kotlin\\nprintln("blue")\\n```\\n', code('kotlin', 'val waves = listOf(450, 550, 650)\\nprintln("blue")'));
};
"""

# How the widget `w` gets into each state.
STATES = {
    "empty": "",
    "streaming": "begin('Why is the sky blue?'); answer(); w.kernel.sync({ phase: null }); w.kernel.delta('At sunset the light takes a lon');",
    "thinking": """begin('Why is the sky blue?'); w.kernel.sync({ phase: 'thinking' });
        w.kernel.delta('Sunlight, air molecules, wavelengths', null, 'reasoning');""",
    "done": """begin('Why is the sky blue?'); answer(); w.kernel.budget = { text: 'Budget: $0.85 of $1.00 (85 %), nearly used', fraction: 0.85, state: 'warn' };
        w.kernel.growing.parts.push({ type: 'source', url: 'https://example.org/sky', title: 'Rayleigh scattering' });
        w.kernel.end('done', { notes: ['gpt-4o: 429, fell back to demo/storyteller'] });""",
    "approval": """begin('Delete the old reports, please.'); w.kernel.sync({ phase: 'waiting for your approval' });
        const base = { type: 'tool', result: null, seconds: null };
        w.kernel.replace((message) => message.parts.push(
          { ...base, callId: 'c1', name: 'listFiles', arguments: '{"folder":"reports"}', result: '["2024.pdf","2025.pdf"]', seconds: 0.2, state: 'done' },
          { ...base, callId: 'c2', name: 'deleteFile', arguments: '{"path":"reports/2024.pdf"}', state: 'awaiting' }));""",
    "error": """begin('Why is the sky blue?'); w.kernel.delta('The sky is');
        w.kernel.end('failed', { footer: 'openai/gpt-4o-mini · failed · 0.8 s', stateText: 'Failed. The answer is not complete.',
          error: { title: 'RateLimited', message: 'Too many requests. Try again in 20 s, or name a fallback model.', details: 'gpt-4o: 429' } });""",
    "stopped": "begin('A long story'); w.kernel.delta('Once upon a time'); w.kernel.end('stopped', { stateText: 'Stopped. The answer is not complete.' });",
    "configuration": "w.el.querySelector('.ullm-chat-settings').click();",
    "prompts": "w.el.querySelector('.ullm-chat-prompts').click();",
    "form": """w.el.querySelector('.ullm-chat-prompts').click(); w.el.querySelectorAll('.ullm-chat-item')[1].click();
        const input = w.el.querySelector('.ullm-chat-panel input'); input.value = 'haiku'; input.dispatchEvent(new Event('input'));""",
    "export": "begin('Hello'); w.kernel.delta('Hi.'); w.kernel.end(); [...w.el.querySelectorAll('button')].find((it) => it.textContent === 'Export').click();",
    "gone": "begin('Hello'); w.kernel.delta('Hi.'); w.kernel.end(); w.el.classList.add('jupyter-widgets-disconnected');",
    "disabled": "w.model.update({ options: { ...w.model.state.options, disabled: true } });",
    "editing": "begin('Why is the sky blue?'); answer(); w.kernel.end(); w.el.querySelector('.ullm-chat-edit').click();",
    "unanswered": """w.kernel.messages = [
        w.kernel.message('user', ['Why is the sky blue?'],
          { state: 'unanswered', stateText: 'Got no answer, so it is not sent again. Resend it or delete it.' }),
        w.kernel.message('user', ['And the sea?']), w.kernel.message('assistant', ['It reflects the sky, and water takes more of the red.'])];
        w.kernel.sync(); w.el.querySelector('.ullm-chat-user .ullm-chat-retry').focus();""",
    "actions": """begin('Why is the sky blue?'); answer(); w.kernel.end(); w.el.querySelector('.ullm-chat-edit').focus();""",
    "small": """w.model.update({ options: { ...w.model.state.options, maxHeight: 90 } }); begin('Hello'); answer(); w.kernel.end();
        w.el.querySelector('.ullm-chat-settings').click();""",
    "undo": "w.model.update({ options: { ...w.model.state.options, canUndo: 'Undo clear' } });",
    "attachments": """const files = new DataTransfer(); files.items.add(new File(['some notes'], 'notes of the meeting.txt', { type: 'text/plain' }));
        files.items.add(new File([Uint8Array.from(atob(PNG), (it) => it.charCodeAt(0))], 'dot.png', { type: 'image/png' }));
        w.el.firstChild.dispatchEvent(new DragEvent('drop', { dataTransfer: files, cancelable: true }));""",
    "scrolled": """begin('Much, please.'); w.kernel.delta('One line of a long answer.\\n'.repeat(60)); await new Promise((done) => setTimeout(done, 100));
        const log = w.el.querySelector('.ullm-chat-log'); log.scrollTop = 200;""",
    "over": "w.model.update({ totals: { text: '7 answers · $1.02', budget: { text: 'Budget: $1.02 of $1.00, used up', fraction: 1.02, state: 'over' } } });",
}


def launch(playwright: Playwright) -> Browser:
    return playwright.chromium.launch(executable_path=os.environ["CHROMIUM"], args=FLAGS)


def serve(route: Route) -> None:
    """Answers with the files of this project; nothing is asked of the network."""
    name = route.request.url.removeprefix(ADDRESS).partition("?")[0]
    for file in (HERE / name, RESOURCES / name):
        if file.is_file():
            return route.fulfill(path=file, content_type=TYPES[file.suffix])
    return route.abort()


def open_page(browser: Browser, width: int = 900, height: int = 760, **context) -> Page:
    page = browser.new_page(viewport={"width": width, "height": height}, **context)
    page.route("**/*", serve)
    page.goto(f"{ADDRESS}widget.html")
    page.wait_for_function("'make' in window")
    return page


def make(page: Page, state: str = "empty", options: str = "{}") -> None:
    """Makes the widget `w` in this state, instead of the one before. It shows the state when the function returns."""
    page.evaluate(f"async () => {{ window.w?.close(); document.querySelector('main').replaceChildren(); window.w = make({options}); {CODE} {STATES[state]} }}")
    if state == "gone":
        page.locator(".ullm-chat-banner:not(:empty)").wait_for()
    page.wait_for_timeout(60)  # the widget changes the page every 50 ms


def run(page: Page, script: str, argument=None):
    """Runs statements or an expression in which `w` is the widget and `k` its kernel."""
    body = script if "return" in script or ";" in script else f"return {script}"
    return page.evaluate(f"(argument) => {{ const k = w.kernel; {body} }}", argument)


def sent(page: Page, kind: str) -> list[dict]:
    return [message for message in run(page, "w.model.sent") if message["type"] == kind]


def part(page: Page, name: str) -> Locator:
    return page.locator(f".ullm-chat-{name}")


def message_input(page: Page) -> Locator:
    return page.get_by_label("Message", exact=True)


def answer(page: Page) -> str:
    return part(page, "assistant").last.locator(".ullm-chat-body").text_content()


def write(page: Page, text: str, key: str = "Enter") -> None:
    message_input(page).fill(text)
    message_input(page).press(key)


def turn(page: Page, text: str = "Hello", reply: str = "Hi there.") -> None:
    """A whole turn: the user sends, the answer comes."""
    count = len(sent(page, "send"))
    write(page, text)
    within(2, lambda: len(sent(page, "send")) > count)
    run(page, "k.delta(argument); k.end();", reply)


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)
