"""Derives billing.tsv, the parts of LiteLLM's price table that litellm_catalog_compact.tsv leaves out.

Source: model_prices_and_context_window.json of the LiteLLM release in pack_prices.HEADER (MIT, LICENSE.litellm). It is not in the repository.
A row for each model that has one of these:

    tiers     as in pack_prices, with the prices in/out/cache_read/cache_write/cache_write_1h/reasoning
    services  the prices of a request by its service tier, `name=in/out/cache_read/cache_write/cache_write_1h/audio_in`, then its long-context
              prices after `|`, each `from:in/out/cache_read/cache_write/cache_write_1h`. Service tiers are separated by `;`
    factors   what the prices of tokens are multiplied with, `name=factor` separated by `;`: `fast` is a mode of the request, `us` and `eu` are places
              that the response names, `@us`, `@eu` places of the endpoint, and `@` any endpoint but the global one
    search    the fee for web searches in USD, `unit:low/medium/high` by the size of the search context. The unit is `query`, `prompt` (once for a
              response with searches) or `request` (for every response)
    image_token_in   the price of images in the input, if they have one of their own
    off_peak  `in/out/cache_read@windows`: prices within the windows `weekdays:from-to,from-to` in UTC, separated by `;`. Weekdays are digits, 1 is Monday

Prices of tokens are in USD per million. Run from the repository root: python3 llm-core/tools/derive_billing.py PATH_OF_THE_JSON_FILE
"""
import json
import re
import sys
from decimal import Decimal
from pathlib import Path

OUT = Path("llm-core/src/main/data/litellm_billing.tsv")
COLUMNS = "id tiers services factors search off_peak image_token_in".split()
SERVICES = {"flex": "flex", "priority": "priority", "batches": "batch", "ultrafast": "ultrafast", "balanced": "balanced"}
FIELDS = (
    "input_cost_per_token output_cost_per_token cache_read_input_token_cost cache_creation_input_token_cost cache_creation_input_token_cost_above_1hr"
).split()
AUDIO = "input_cost_per_audio_token"
REASONING = "output_cost_per_reasoning_token"


def text(number):
    return "" if number is None else format(number.normalize(), "f")


def per_million(number):
    return "" if number is None else text(round(Decimal(number) * 1000000, 9))  # some numbers of the source are 1.8000000000000001e-06


def prices(row, fields):
    return "/".join(per_million(row.get(field)) for field in fields)


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
        rates = prices(row, ["%s_%s" % (field, suffix) for field in FIELDS + [AUDIO]])
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


def derive(table):
    rows = []
    for name, row in table.items():
        if name == "sample_spec" or "litellm_provider" not in row:
            continue
        cells = [tiers(row), services(row), factors(row), search(name, row), off_peak(row), per_million(row.get("input_cost_per_image_token"))]
        if any(cells):
            rows.append([name] + cells)
    return "".join("\t".join(cells) + "\n" for cells in [COLUMNS] + sorted(rows))


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        derived = derive(json.load(file, parse_float=Decimal, parse_int=Decimal))
    OUT.write_text(derived, encoding="utf-8")
    print("%d models" % (derived.count("\n") - 1))
