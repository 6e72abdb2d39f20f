"""Prints what the runs of .ci/run tested, from the reports of Maven's Surefire. Exit status 1 if a run is not as it must be.

A test `X is installed` stands for an optional program: in the bare run it must be skipped, in the full run it must pass.
"""
import argparse
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path

MODULES = ("llm-core", "llm-dsl", "jupyter-integration")
PROGRAM = " is installed"
REQUIRED = {"Python 3.10 or newer"}      # README asks for it: there in both runs


@dataclass
class Results:
    """The outcomes of the tests of a module or of a run. The totals in a report's root element are wrong for nested tests, so the tests are counted."""
    tests: int = 0
    failures: int = 0
    errors: int = 0
    skipped: list[str] = field(default_factory=list)
    passed_programs: set[str] = field(default_factory=set)

    @property
    def failed(self) -> int:
        return self.failures + self.errors

    @property
    def skipped_programs(self) -> list[str]:
        return [name.removesuffix(PROGRAM) for name in self.skipped if name.endswith(PROGRAM)]

    @property
    def skipped_tests(self) -> list[str]:
        return [name for name in self.skipped if not name.endswith(PROGRAM)]

    def add(self, test: ElementTree.Element) -> None:
        name = test.get("name", "")
        self.tests += 1
        if test.find("failure") is not None:
            self.failures += 1
        elif test.find("error") is not None:
            self.errors += 1
        elif test.find("skipped") is not None:
            self.skipped.append(name)
        elif name.endswith(PROGRAM):
            self.passed_programs.add(name.removesuffix(PROGRAM))

    def __add__(self, other: "Results") -> "Results":
        return Results(self.tests + other.tests, self.failures + other.failures, self.errors + other.errors, self.skipped + other.skipped,
                       self.passed_programs | other.passed_programs)


def results(module: Path) -> Results:
    found = Results()
    for report in sorted((module / "target" / "surefire-reports").glob("TEST-*.xml")):
        for test in ElementTree.parse(report).getroot().iter("testcase"):
            found.add(test)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    for run in ("bare", "full"):
        parser.add_argument(f"--{run}", nargs=2, metavar=("FOLDER", "SECONDS"), required=True)
    parser.add_argument("--notebooks", metavar="SECONDS", required=True)
    parser.add_argument("--all", metavar="SECONDS", required=True)
    parser.add_argument("--failed", metavar="STEP", default="")
    options = parser.parse_args()

    totals, problems = {}, []
    for run, (folder, seconds) in (("bare", options.bare), ("full", options.full)):
        totals[run] = Results()
        if not seconds and run not in options.failed:
            problems.append(f"{run} run: it did not run")
            continue
        for module in MODULES:
            found = results(Path(folder) / module)
            totals[run] += found
            print(f"{run}  {module:20} {found.tests:6} tests, {found.failures} failures, {found.errors} errors, {len(found.skipped)} skipped")
            if not found.tests:
                problems.append(f"{run} run: no test of {module} ran")
        for title in totals[run].skipped_tests:
            problems.append(f"{run} run: skipped: {title}")
    bare, full = totals["bare"], totals["full"]
    missing, present = sorted(set(bare.skipped_programs)), sorted(full.passed_programs)
    for program in sorted(bare.passed_programs - REQUIRED):
        problems.append(f"bare run: it found {program}")
    for program in sorted(set(full.skipped_programs)):
        problems.append(f"full run: {program} is not installed")
    for run, found in totals.items():
        if found.failed:
            problems.append(f"{run} run: {found.failed} tests failed")

    print(f"optional programs in the full run: {', '.join(present) or 'none'}")
    times = {"bare": options.bare[1], "full": options.full[1], "notebooks": options.notebooks, "everything": options.all}
    print(f"time: {', '.join(f'{name} {seconds} s' for name, seconds in times.items() if seconds)}")
    print(f"bare: {bare.tests} tests, {bare.failed} failed, {len(bare.skipped)} skipped ({', '.join(missing) or 'no programs'})")
    if options.failed or problems:
        for problem in problems:
            print(f"FAILED: {problem}")
        print(f"FAILED: {options.failed or 'the summary'}; full: {full.tests} tests, {full.failed} failed, {len(full.skipped)} skipped")
        return 1
    print(f"{full.tests} passed, 0 failed, 0 skipped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
