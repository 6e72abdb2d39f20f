"""Makes images.tsv, the prices of generated images in USD per image, by model, quality and size.

Sources: model_prices_and_context_window.json of the LiteLLM release in pack_prices.HEADER (MIT, LICENSE.litellm), which is not in the repository, and
llm-core/src/main/data/image_prices.tsv, our own rows, which replace LiteLLM's for the same model. The first line is a comment row (#source, name and
version, date), then the column names, then one price a row:

    provider, model   as the provider names the model
    quality           the word of the request; empty: any; with * at its end: also if the request states none
    size              width x height; empty: any; `<=` in front: up to this width and height; with * at its end: also if the request states none
    usd               per image
    source, checked   for our own rows

The first row that fits counts. Left out: prices by the number of steps, prices of models that are billed by tokens when the size or quality is
not stated, and prices of 0, which stand for unknown ones.

Run from the repository root: python3 llm-core/tools/derive_images.py PATH_OF_THE_JSON_FILE
"""
import csv
import json
import re
import sys
from decimal import Decimal
from pathlib import Path

from pack_prices import HEADER

OWN = Path("llm-core/src/main/data/image_prices.tsv")
OUT = Path("llm-core/src/main/resources/dev/unifiedllm/pricing/images.tsv")
COLUMNS = "provider model quality size usd source checked".split()
NAME = re.compile(r"^(?:(?P<quality>low|medium|high|standard|hd)/)?(?:(?P<width>\d+)-x-(?P<height>\d+)/)?(?P<model>.+)$")
STEPS = re.compile(r"(^|/)(\d+|max)-steps/|max-x-max")
NOT_SERVED = {"fal_ai", "black_forest_labs", "runwayml", "recraft", "topaz"}


def text(number):
    return format(number.normalize(), "f")


def price(row, width, height):
    """The price of one image; None if the row has none, or bills by tokens."""
    found = row.get("output_cost_per_image") or (row.get("input_cost_per_image") if "input_cost_per_token" not in row else None)
    if not found and width and row.get("input_cost_per_pixel"):
        return round(Decimal(row["input_cost_per_pixel"]) * width * height, 4) or None
    return Decimal(found) if found else None


def derive(table, own):
    replaced = {(row["provider"], row["model"]) for row in own}
    rows = []
    for name, row in table.items():
        if row.get("mode") not in ("image_generation", "image_edit") or STEPS.search(name):
            continue
        provider = re.sub(r"-.*", "", row["litellm_provider"])
        found = NAME.match(name.removeprefix(row["litellm_provider"] + "/").removeprefix(provider + "/"))
        width, height = (int(found[side]) if found[side] else None for side in ("width", "height"))
        usd = price(row, width, height)
        model, quality = found["model"], found["quality"] or ""
        is_of_tokens = any(cost in (table.get(model) or table.get(provider + "/" + model) or {}) for cost in ("input_cost_per_token", "input_cost_per_image_token"))
        if usd is None or provider in NOT_SERVED or (provider, model) in replaced or (is_of_tokens and quality not in ("low", "medium", "high")):
            continue
        rows.append([provider, model, quality, "%dx%d" % (width, height) if width else "", text(usd), "", ""])
    rows += [[row[name] for name in COLUMNS] for row in own]
    rows.sort(key=lambda cells: (cells[0], cells[1], not cells[2], not cells[3]))  # exact rows first, otherwise in the order of the sources
    return HEADER + "".join("\t".join(cells) + "\n" for cells in [COLUMNS] + rows)


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        prices = json.load(file, parse_float=Decimal, parse_int=Decimal)
    with open(OWN, encoding="utf-8", newline="") as file:
        derived = derive(prices, list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)))
    OUT.write_text(derived, encoding="utf-8")
    print("%d prices" % (derived.count("\n") - 2))
