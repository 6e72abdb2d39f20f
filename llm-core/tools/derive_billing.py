"""Derives billing.tsv, the parts of LiteLLM's price table that litellm_catalog_compact.tsv leaves out.

Source: model_prices_and_context_window.json of the LiteLLM release in pack_prices.HEADER (MIT, LICENSE.litellm). It is not in the repository.
A row for each model that has one of these:

    tiers     as in pack_prices, with the prices in/out/cache_read/cache_write/cache_write_1h/reasoning
    services  the prices of a request by its service tier, `name=in/out/cache_read/cache_write/cache_write_1h/audio_in/cache_read_audio`, then its
              long-context prices after `|`, each `from:in/out/cache_read/cache_write/cache_write_1h`. Service tiers are separated by `;`
    factors   what the prices of tokens are multiplied with, `name=factor` separated by `;`: `fast` is a mode of the request, `us` and `eu` are places
              that the response names, `@us`, `@eu` places of the endpoint, and `@` any endpoint but the global one
    search    the fee for web searches in USD, `unit:low/medium/high` by the size of the search context. The unit is `query`, `prompt` (once for a
              response with searches) or `request` (for every response)
    image_token_in   the price of images in the input, if they have one of their own
    cache_read_audio, cache_read_image   the prices of audio and images read from a cache, if they have one of their own
    rates     the prices `in/out/cache_read/cache_write/cache_write_1h/reasoning/audio_in/audio_out/image_token_out` with all their digits, if
              litellm_catalog_compact.tsv has them with fewer
    off_peak  `in/out/cache_read@windows`: prices within the windows `weekdays:from-to,from-to` in UTC, separated by `;`. Weekdays are digits, 1 is Monday

Prices of tokens are in USD per million. Run from the repository root: python3 llm-core/tools/derive_billing.py PATH_OF_THE_JSON_FILE
"""
import csv
import json
import re
import sys
from decimal import Decimal
from pathlib import Path

COMPACT = Path("llm-core/src/main/data/litellm_catalog_compact.tsv")
OUT = Path("llm-core/src/main/data/litellm_billing.tsv")
COLUMNS = "id tiers services factors search off_peak image_token_in cache_read_audio cache_read_image rates".split()
SERVICES = {"flex": "flex", "priority": "priority", "batches": "batch", "ultrafast": "ultrafast", "balanced": "balanced"}
FIELDS = (
    "input_cost_per_token output_cost_per_token cache_read_input_token_cost cache_creation_input_token_cost cache_creation_input_token_cost_above_1hr"
).split()
AUDIO = "input_cost_per_audio_token"
CACHED_AUDIO = "cache_read_input_audio_token_cost"
CACHED_IMAGE = "cache_read_input_image_token_cost"
REASONING = "output_cost_per_reasoning_token"


BASE = dict(zip(
    "in out cache_read cache_write cache_write_1h reasoning audio_in audio_out image_token_out".split(),
    FIELDS + [REASONING, AUDIO, "output_cost_per_audio_token", "output_cost_per_image_token"],
))


def text(number):
    return "" if number is None else format(number.normalize(), "f")


def per_million(number):
    return "" if number is None else text(round(Decimal(number) * 1000000, 9))  # some numbers of the source are 1.8000000000000001e-06


def prices(row, fields):
    return "/".join(per_million(row.get(field)) for field in fields)


def base(row, field):
    """A price of a short request, which may stand in the first range of a table by length."""
    first = min((each for each in row.get("tiered_pricing", []) if "range" in each), key=lambda each: each["range"][0], default={})
    return row.get(field, first.get(field) if first and first["range"][0] == 0 else None)


def rates(row, compact):
    exact = [per_million(base(row, field)) for field in BASE.values()]
    rounded = [compact[name] and text(Decimal(compact[name])) for name in BASE]
    return "" if exact == rounded else "/".join(exact)


def tiers(row):
    """The long-context prices, by thresholds in the names of fields or by ranges."""
    if "tiered_pricing" in row:
        ranges = sorted((each for each in row["tiered_pricing"] if "range" in each), key=lambda each: each["range"][0])
        return ";".join("%d:%s" % (each["range"][0], prices(each, FIELDS + [REASONING])) for each in ranges if each["range"][0] > 0)
    return ";".join(long_context(row, "", [REASONING]))


def long_context(row, suffix, more=()):
    above = sorted({int(found.group(1)) for found in (re.fullmatch(r"input_cost_per_token_above_(\d+)k_tokens" + suffix, name) for name in row) if found})
    names = {limit: ["%s_above_%dk_tokens%s" % (field, limit, suffix) for field in FIELDS + list(more)] for limit in above}
    return ["%d:%s" % (limit * 1000, prices(row, names[limit])) for limit in above]


def services(row):
    found = []
    for suffix, name in SERVICES.items():
        if row.get("input_cost_per_token_" + suffix) is None:
            continue
        rates = prices(row, ["%s_%s" % (field, suffix) for field in FIELDS + [AUDIO, CACHED_AUDIO]])
        found.append("|".join(["%s=%s" % (name, rates)] + long_context(row, "_" + suffix)))
    return ";".join(found)


def factors(row):
    found = {name: row.get("provider_specific_entry", {}).get(name) for name in ("us", "eu", "fast")}
    found.update({"@" + place: row.get("regional_processing_uplift_multiplier_" + place) for place in ("us", "eu")})
    found["@"] = row.get("regional_endpoint_uplift_multiplier")
    return ";".join("%s=%s" % (name, text(Decimal(factor))) for name, factor in found.items() if factor is not None)


def search(name, row):
    fees = row.get("search_context_cost_per_query")
    if not fees:
        return ""
    provider = row["litellm_provider"]
    if provider == "perplexity" and row["mode"] == "chat" and "citation_cost_per_token" not in row or "-search-" in name:
        unit = "request"
    elif provider.startswith(("gemini", "vertex_ai")) and "claude" not in name and row.get("web_search_billing_unit") != "per_query":
        unit = "prompt"
    else:
        unit = "query"
    return "%s:%s" % (unit, "/".join(text(Decimal(fees["search_context_size_" + size])) for size in ("low", "medium", "high")))


def off_peak(row):
    found = row.get("off_peak_pricing")
    if not found:
        return ""
    windows = []
    for window in found["windows"]:
        hours = window["hours_utc"]
        windows.append("%s:%s" % ("".join(map(str, window["weekdays"])), ",".join([hours] if isinstance(hours, str) else hours)))
    return prices(found, FIELDS[:3]) + "@" + ";".join(windows)


def derive(table, compact):
    rows = []
    for name, row in table.items():
        if name == "sample_spec" or "litellm_provider" not in row:
            continue
        cells = [tiers(row), services(row), factors(row), search(name, row), off_peak(row)]
        cells += [per_million(row.get(field)) for field in ("input_cost_per_image_token", CACHED_AUDIO, CACHED_IMAGE)]
        cells.append(rates(row, compact[name]))
        if any(cells):
            rows.append([name] + cells)
    return "".join("\t".join(cells) + "\n" for cells in [COLUMNS] + sorted(rows))


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        table = json.load(file, parse_float=Decimal, parse_int=Decimal)
    with open(COMPACT, encoding="utf-8", newline="") as file:
        derived = derive(table, {row["id"]: row for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)})
    OUT.write_text(derived, encoding="utf-8")
    print("%d models" % (derived.count("\n") - 1))
