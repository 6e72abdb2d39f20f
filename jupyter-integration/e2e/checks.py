"""Prints one line for each check and a last line with the totals."""
import sys
import time
import traceback
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent


class Checks:
    def __init__(self) -> None:
        self.passed = 0
        self.failed = 0

    @contextmanager
    def __call__(self, name: str):
        """Runs the block and prints `ok  name`, or `FAIL name: why` if it raises. The checks after it run in both cases."""
        try:
            yield
        except Exception as error:
            self.failed += 1
            why = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
            line = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).parent == HERE][-1]
            print(f"FAIL {name}: {why} ({line.name}, line {line.lineno}: {line.line})", flush=True)
        else:
            self.passed += 1
            print(f"ok   {name}", flush=True)

    def finish(self) -> None:
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        sys.exit(1 if self.failed else 0)


def within(seconds: float, condition, what: str = "it did not come true") -> None:
    """Waits until [condition] is true; fails with [what] when it is not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} within {seconds} s"
        time.sleep(0.01)
