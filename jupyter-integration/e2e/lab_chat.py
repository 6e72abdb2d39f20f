"""A chat widget in JupyterLab, as a user sees it."""
from checks import within
from lab_page import SECONDS, Cell
from playwright.sync_api import Locator

# Keeps each text that the latest answer showed while it was written.
RECORD = """(root) => {
  const shown = (root.shown = []);
  new MutationObserver(() => {
    const last = [...root.querySelectorAll('.ullm-chat-assistant')].at(-1);
    const text = last?.dataset.state === 'streaming' && last.querySelector('.ullm-chat-body').textContent;
    if (text && shown.at(-1) !== text) shown.push(text);
  }).observe(root, { childList: true, subtree: true, characterData: true });
}"""


class Chat:
    def __init__(self, cell: Cell) -> None:
        self.cell, self.notebook = cell, cell.notebook
        self.root: Locator = cell.output.locator(".ullm-chat").first
        self.input = self.root.get_by_label("Message", exact=True)
        self.answers = self.part("assistant")
        self.questions = self.part("user")

    def part(self, name: str) -> Locator:
        return self.root.locator(f".ullm-chat-{name}")

    def button(self, name: str) -> Locator:
        return self.root.get_by_role("button", name=name, exact=True)

    @property
    def stop(self) -> Locator:
        return self.button("Stop (Esc)")

    @property
    def text(self) -> str:
        """The latest answer."""
        return self.answers.last.locator(".ullm-chat-body").text_content() if self.answers.count() else ""

    @property
    def states(self) -> list[str]:
        """Of the answers."""
        return self.answers.evaluate_all("(all) => all.map((it) => it.dataset.state)")

    @property
    def is_running(self) -> bool:
        return self.stop.is_visible()

    def record(self) -> "Chat":
        self.root.evaluate(RECORD)
        return self

    @property
    def shown(self) -> list[str]:
        return self.root.evaluate("(root) => root.shown")

    def write(self, text: str, key: str = "Enter") -> None:
        self.input.fill(text)
        self.input.press(key)

    def wait_for(self, text: str) -> None:
        """Waits until the latest answer has this text."""
        within(SECONDS, lambda: text in self.text, f"no {text!r} in {self.text[-200:]!r}")

    def ended(self, answers: int, state: str = "done") -> None:
        """Waits until there are as many answers, and the last one has ended so."""
        try:
            within(SECONDS, lambda: len(self.states) == answers and self.states[-1] == state and not self.is_running)
        except AssertionError:
            raise AssertionError(f"{answers} answers, {state}: there are {self.states}, {self.root.inner_text()[-300:]!r}") from None

    def ask(self, text: str) -> str:
        """Sends and waits for the answer."""
        before = len(self.states)
        self.write(text)
        self.ended(before + 1)
        return self.text
