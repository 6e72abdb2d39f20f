"""Measures the notebook, in the Kotlin kernel: from %use to the first card, beside a library without content, and the processor time of an update of a card.

`jupyter-integration/e2e/run speed [ROUNDS]` starts it. It is no test: the figures are in docs/benchmarks.md.
"""
import os
import statistics
import sys
import time

from kernel import Kernel
from workbench import TARGET, write_json

# What the kernel does with a library and with an output, without those of this project.
EMPTY = {"description": "A library without content", "imports": ["kotlin.math.PI"]}
UPDATES = """
import java.lang.management.ManagementFactory
import com.sun.management.OperatingSystemMXBean

val paragraph = "A paragraph with **bold** words, `code`, and a [link](https://example.com/page); the rest is plain text of the usual length. ".repeat(4) + "\\n\\n"
val growing = object : Model {
    override val id = ModelId("test", "growing")
    override fun stream(request: dev.unifiedllm.chat.Request) = flow<Delta> {
        emit(Delta.Start(null, id))
        repeat(20) { emit(Delta.Text(paragraph)) }
        repeat(UPDATES) { delay(60.milliseconds); emit(Delta.Raw("test", "{}", "test")) }
        emit(Delta.Finish(FinishReason.STOP, null))
    }
}
fun processorTime() = (ManagementFactory.getOperatingSystemMXBean() as OperatingSystemMXBean).processCpuTime
var before = 0L
"""
FROM = "before = processorTime()"
TO = "print((processorTime() - before) / 1e6)"

# The same call without a card; the kernel's own update of an output of the same length; the call with its card. A change asks for each update.
WAYS = {
    "nothing": 'runBlocking { chat(growing, "?").deltas().collect { } }',
    "the kernel": 'val html = "<p>x</p>".repeat(1_700)\nDISPLAY(HTML(html), "display")\nrepeat(UPDATES) { Thread.sleep(60); UPDATE_DISPLAY(HTML(html), "display") }',
    "a card": 'chat(growing, "?")',
}
COUNT = 200


def first_display(library: str, shown: str) -> tuple[float, float]:
    """Seconds of %use, and from %use to the first display, without the start of the kernel."""
    with Kernel(dict(os.environ)) as kernel:
        kernel.run("1 + 1")
        began = time.monotonic()
        assert kernel.run(f"%use {library}").status == "ok"
        used = time.monotonic()
        first = []
        assert kernel.run(shown, lambda cell: first or cell.displays and first.append(time.monotonic())).status == "ok"
        return used - began, first[0] - began


def updates(rounds: int) -> dict[str, list[float]]:
    """Milliseconds of processor time for each of [COUNT] updates, with the kernel's own compiler, by way and round. The first round is not counted."""
    costs = {way: [] for way in WAYS}
    with Kernel(dict(os.environ)) as kernel:
        kernel.run("%use unified-llm")
        kernel.run(UPDATES.replace("UPDATES", str(COUNT)))
        for number in range(rounds + 1):
            for way, code in WAYS.items():
                kernel.run(FROM)
                cell = kernel.run(code.replace("UPDATES", str(COUNT)))
                assert cell.status == "ok" and (way == "nothing" or len(cell.updates) > 0.8 * COUNT), f"{way}: {cell.evalue}, {len(cell.updates)} updates"
                if number:
                    costs[way].append(float(kernel.run(TO).printed) / COUNT)
    return costs


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    write_json(TARGET / "kernel" / "jupyterLibraries" / "empty.json", EMPTY)
    times = {"empty": [], "unified-llm": []}
    for _ in range(rounds):
        times["empty"].append(first_display("empty", 'DISPLAY(HTML("<p>one</p>"))'))
        times["unified-llm"].append(first_display("unified-llm", 'chat("demo/echo", "one")'))
    for library, all_times in times.items():
        use, display = (statistics.median(column) for column in zip(*all_times))
        print(f"%use {library}: {use:.2f} s, to the first display {display:.2f} s (medians of {rounds})", flush=True)
    for way, costs in updates(rounds).items():
        print(f"an update by {way}: {statistics.median(costs):.2f} ms of processor time ({', '.join(f'{it:.2f}' for it in costs)})", flush=True)


if __name__ == "__main__":
    main()
