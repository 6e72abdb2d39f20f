"""Packs the price catalogue into prices.tsv.gz, with the columns that pricing and limits use.

Sources in llm-core/src/main/data, derived from LiteLLM's model price table (MIT, LICENSE.litellm): litellm_catalog_compact.tsv, and
litellm_billing.tsv, which derive_billing.py made. Text inside: a comment row (#source, name and version, date), the column names, then one model a row
in the order of the source. An empty cell means "not known", not 0. Rows with neither a price nor
a limit in the kept columns are left out.

    in, out, cache_read, cache_write, cache_write_1h,   USD per million tokens; cache_write is the five-minute write;
    reasoning, audio_in, audio_out                      empty reasoning, audio_*: billed as in / out
    image_in, image_out                                 USD per image;  image_token_out: USD per million image tokens
    per_query                                           USD per query (rerank, search)
    max_in, max_out                                     tokens
    deprecation                                         the day the model ends, yyyy-mm-dd
    tiers   long-context prices, `from:in/out/cache_read/cache_write/cache_write_1h/reasoning`, separated by `;`, ascending: 200000:2.5/15/0.25///
            USD per million tokens. The highest tier whose `from` is LESS than the input tokens of the request (all of
            them, cached ones included) sets the prices of the whole request, not only of what is above it. An empty
            price in a tier: the price of the base column applies.
    services, factors, search, off_peak, image_token_in, cache_read_audio, cache_read_image as in derive_billing.py, whose `rates` replace rounded ones
    caps    abilities, one letter each: t tools, T tool_choice, P parallel tools, r reasoning, v vision, V video in,
            a audio in, A audio out, p PDF in, j JSON schema, c prompt cache, s system messages, f assistant prefill,
            w web search, u computer use, x URL context

The id is LiteLLM's: most have the provider in front ("groq/llama-3.3-70b-versatile"), a few have not ("gpt-4o").

Run from the repository root: python3 llm-core/tools/pack_prices.py
"""
import csv
import gzip
import io
from pathlib import Path

SOURCE = Path("llm-core/src/main/data/litellm_catalog_compact.tsv")
BILLING = Path("llm-core/src/main/data/litellm_billing.tsv")
OUT = Path("llm-core/src/main/resources/dev/unifiedllm/pricing/prices.tsv.gz")
HEADER = "#source\tlitellm 1.109.1\t2026-11-21\n"
COLUMNS = (
    "id provider mode in out cache_read cache_write cache_write_1h reasoning audio_in audio_out tiers services factors search "
    "off_peak image_in image_out image_token_out per_query max_in max_out caps deprecation image_token_in cache_read_audio cache_read_image"
).split()
FROM_BILLING = "tiers services factors search off_peak image_token_in cache_read_audio cache_read_image".split()
BASE = "in out cache_read cache_write cache_write_1h reasoning audio_in audio_out image_token_out".split()
FACTS = [name for name in COLUMNS if name not in ("id", "provider", "mode", "caps", "deprecation", "factors", "search")]


def read(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def make():
    """The text inside prices.tsv.gz."""
    rows = read(SOURCE)
    billing = {row["id"]: row for row in read(BILLING)}
    ids = {row["id"] for row in rows}
    assert len(ids) == len(rows), "an id is used twice"
    assert ids.issuperset(billing), "%s names a model that is not in %s" % (BILLING.name, SOURCE.name)
    for row in rows:
        more = billing.get(row["id"], {})
        assert bool(row["tiers"]) == bool(more.get("tiers")), "the sources differ in the tiers of %s" % row["id"]
        row.update({name: more.get(name, "") for name in FROM_BILLING})
        if more.get("rates"):
            row.update(zip(BASE, more["rates"].split("/")))
    kept = [row for row in rows if any(row[name] for name in FACTS)]
    return HEADER + "".join("\t".join(cells) + "\n" for cells in [COLUMNS] + [[row[name] for name in COLUMNS] for row in kept])


def pack(text):
    """Gives the same bytes for the same text: no name and no time in the gzip header, one compression level."""
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=buffer, mtime=0) as file:
        file.write(text.encode("utf-8"))
    return buffer.getvalue()


if __name__ == "__main__":
    prices = make()
    OUT.write_bytes(pack(prices))
    print("%d models, %d bytes" % (prices.count("\n") - 2, OUT.stat().st_size))
