"""Writes the tables of docs/providers.md: the providers that are served, and those that are not, each with the reason.

Only the text between the two markers is replaced.

Run from the repository root, after make_providers.py: python3 llm-core/tools/make_provider_docs.py
"""
import csv
import json
from pathlib import Path

import make_providers

DOCS = Path("docs/providers.md")
BEGIN = "<!-- begin: made by llm-core/tools/make_provider_docs.py -->\n"
END = "<!-- end -->\n"
SERVED = ["provider", "aliases", "wire", "base URL", "variables for the base URL", "variables for the key", "key sent as", "documentation"]


def code(items):
    return " ".join("`%s`" % item.replace("|", "\\|") for item in items)


def line(cells):
    return "| " + " | ".join(cells) + " |\n"


def head(names):
    return line(names) + line(["---"] * len(names))


def wires(row):
    others = sorted(set(row.get("protocols", {}).values()))
    return ", ".join([row["protocol"]] + ["%s for some models" % wire for wire in others])


def served(row):
    return line([
        "`%s`" % row["id"],
        code(row.get("aliases", [])),
        wires(row),
        code([row["baseUrl"]]) if row.get("baseUrl") else "set by you",
        code(row.get("baseUrlEnv", [])),
        code(row.get("apiKeyEnv", [])),
        row.get("auth", "bearer"),
        "[docs](%s)" % row["docs"] if row.get("docs") else "",
    ])


def make():
    """The text of docs/providers.md with new tables."""
    rows = json.loads(make_providers.OUT.read_text(encoding="utf-8"))
    left_out = list(csv.DictReader(make_providers.NOT_SERVED.open(encoding="utf-8", newline=""), delimiter="\t", quoting=csv.QUOTE_NONE))
    aliases = sum(len(row.get("aliases", [])) for row in rows)
    by_wire = {}
    for row in rows:
        by_wire[row["protocol"]] = by_wire.get(row["protocol"], 0) + 1
    made = [
        "## All providers\n\n",
        "%d prefixes: %d providers and %d aliases. By wire: " % (len(rows) + aliases, len(rows), aliases),
        ", ".join("%s %d" % (wire, count) for wire, count in sorted(by_wire.items(), key=lambda pair: (-pair[1], pair[0]))) + ".\n\n",
        head(SERVED),
        "".join(map(served, rows)),
        "\n## Known and not served\n\nA request to one of these fails with the reason.\n\n",
        head(["provider", "wire", "reason"]),
        "".join(line(["`%s`" % row["prefix"], row["wire"].replace("|", "\\|"), row["reason"].replace("|", "\\|")]) for row in left_out),
    ]
    text = DOCS.read_text(encoding="utf-8")
    before, after = text.index(BEGIN) + len(BEGIN), text.index(END)
    return text[:before] + "".join(made) + text[after:]


if __name__ == "__main__":
    DOCS.write_text(make(), encoding="utf-8", newline="\n")
