"""Makes providers.json (rows the library serves) and not-served.tsv from the provider tables.

Sources, all in llm-core/src/main/data: providers.tsv (facts as collected), modelsdev-providers.tsv (documentation
links, key variables, names) and providers-overrides.json (our corrections and typed quirks, each with its reason).
A row is served if its wire is in PROTOCOLS and its auth style in AUTH, or if the overrides give it both.

Run from the repository root: python3 llm-core/tools/make_providers.py
"""
import csv
import json
import re
from pathlib import Path

DATA = Path("llm-core/src/main/data")
OUT = Path("llm-core/src/main/resources/dev/unifiedllm/provider/providers.json")
NOT_SERVED = OUT.parent / "not-served.tsv"
CHECKED = "2026-11-21"
NOT_ALIASES = {"meta-llama"}  # an organisation: many servers prefix model names with it
PROTOCOLS = {
    "openai-chat", "openai-responses", "ollama-chat", "anthropic-messages", "gemini-generate", "vertex-gemini", "vertex-openai", "anthropic-vertex", "bedrock-converse", "cohere-chat",
    "replicate-predictions", "watsonx-chat", "stability-image",
}
AUTH = {"Authorization: Bearer": "bearer", "none/Bearer": "optional", "x-api-key": "x-api-key"}
NOT_A_KEY = re.compile(r"(URL|BASE|ENDPOINT|HOST|ACCOUNT|ACCOUNT_ID)$")
PLACE = re.compile(r"[A-Z0-9_]+(\|[A-Z0-9_]+)*(:.*)?")  # NAME, NAME|OTHER, NAME:default
ENV_NAME = re.compile(r"[A-Z0-9_]+")
SOURCES = {
    "litellm1.76.3": "litellm 1.76.3",
    "litellm1.109.1": "litellm 1.109.1",
    "constants-2026": "litellm 2026",
    "litellm-2026 (providers.json/constants/docs-index/models.dev)": "litellm 2026",
    "models.dev-2026-07-01": "models.dev 2026-07-01",
    "docs-index-2026-10": "docs index 2026-10",
}
QUIRKS = {  # name -> (type, default), or a group of such fields; a default is not written to the file
    "maxTokensField": (str, "max_tokens"),  # the field with the output limit
    "temperatureMax": ((int, float), 2),    # a higher temperature is lowered to this
    "streamUsage": (bool, True),            # send stream_options.include_usage when streaming
    "messages": {
        "contentAsString": (bool, False),   # a content list that holds only text is joined to one string
        "cacheControl": (bool, False),      # content parts take cache_control
        "names": (str, "all"),              # whose messages may have a name: all, user, none
    },
    "tools": {
        "required": ((str, type(None)), "required"),  # the tool_choice that requires a call; null: none can be required
        "idLength": (int, None),            # ids of calls have exactly this number of letters or digits
        "idMaxLength": (int, None),         # longer ids of calls are shortened to this
    },
    "reasoning": {
        "form": (str, "reasoning_effort"),  # the field by which it is requested
        "sentBackAs": (str, None),          # the field in which earlier reasoning is sent back
        "countedApart": (bool, False),      # reasoning is billed though neither completion_tokens nor total_tokens includes it
    },
    "costInUsage": (str, None),             # path below usage to the billed cost: USD, or 1e-10 USD if it ends in _ticks
    "costHeader": (str, None),              # response header with the cost in USD
    "embeddings": {
        "path": (str, "/embeddings"),       # behind the base URL
        "dimensionsField": (str, "dimensions"),
        "int8": (bool, False),              # vectors in base64 are signed bytes
        "encodingField": (str, "encoding_format"),  # chooses numbers or base64
        "inputTypeField": (str, None),      # says what the texts are
        "inputTypes": (dict, {}),           # its words for our types of inputs
        "limits": (list, []),               # what one request may hold, by model
    },
    "extraHeaders": (dict, {}),             # headers of every request; {key} is the API key
    "extraBody": (dict, {}),                # fields of every request body; {NAME} is a variable
    "models": (list, []),                   # rules for some models; "@name" is replaced by the list under "shared"
}
KEY_PREFIXES = {  # what the keys of a provider begin with, where those of no other provider do
    "anthropic": "sk-ant-",
    "cerebras": "csk-",
    "gemini": "AIza",
    "groq": "gsk_",
    "huggingface": "hf_",
    "nvidia_nim": "nvapi-",
    "openai": "sk-proj-",
    "openrouter": "sk-or-",
    "perplexity": "pplx-",
    "replicate": "r8_",
    "xai": "xai-",
}
FIELDS = {
    "protocol", "protocols", "baseUrl", "baseUrlPieces", "baseUrlEnv", "apiKeyEnv", "apiKeyEnvAlso", "bearerEnv", "auth", "local", "aliases", "quirks",
    "modelsdevId", "azure", "hosts", "tokenCounts", "sampleKey",
}


def table(name):
    with open(DATA / name, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def names(cell):
    return [name for name in cell.split("|") if ENV_NAME.fullmatch(name)]


def base_url(cell):
    """The URL before the path of the wire's requests, or "" if the user must set it."""
    url = cell.removeprefix("(required)").split("[")[0].strip()
    return url.removesuffix("/").removesuffix("/chat/completions").removesuffix("/messages")


def unique(items):
    return list(dict.fromkeys(items))


def served_row(row, fix, docs, all_ids):
    """One provider as written to providers.json."""
    known = docs.get(fix.get("modelsdevId", row["modelsdev_id"]), {})
    url = fix.get("baseUrl", base_url(row["base_url"]))
    variables = names(row["api_key_env"]) + names(known.get("env", ""))
    keys = fix.get("apiKeyEnv") or [name for name in variables if not NOT_A_KEY.search(name)]
    urls = names(row["base_url_env"]) + [name for name in names(row["api_key_env"]) if NOT_A_KEY.search(name) and name not in url]
    other_names = {row["prefix"].replace("_", "-"), known.get("id", "")} - NOT_ALIASES
    source = SOURCES[row["source"]]
    out = {
        "id": row["prefix"],
        "aliases": sorted({name for name in other_names if name and name not in all_ids} | set(fix.get("aliases", []))),
        "protocol": fix.get("protocol", row["wire"]),
        "protocols": fix.get("protocols", {}),
        "baseUrl": url,
        "baseUrlPieces": fix.get("baseUrlPieces", {}),
        "baseUrlEnv": fix.get("baseUrlEnv", urls),
        "apiKeyEnv": unique(keys[:1] + fix.get("apiKeyEnvAlso", []) + keys[1:]),
        "bearerEnv": fix.get("bearerEnv", []),
        "auth": fix.get("auth") or AUTH[row["auth"]],
        "azure": fix.get("azure", {}),
        "hosts": fix.get("hosts", []),
        "local": fix.get("local", False),
        "tokenCounts": fix.get("tokenCounts"),
        "sampleKey": fix.get("sampleKey"),
        "quirks": fix.get("quirks", {}),
        "docs": known.get("doc", ""),
        "source": ", ".join(unique([source] + (fix["source"].split(", ") if fix else []))),
        "checked": CHECKED,
    }
    return {key: value for key, value in out.items() if value and (key, value) != ("auth", "bearer")}


def added_row(prefix, row):
    """The row of a provider that is not in the table."""
    assert row.keys() <= FIELDS | {"docs", "source", "checked", "reason"} and row["docs"] and row["source"] and row["checked"], row
    out = {"id": prefix} | {key: value for key, value in row.items() if key != "reason"}
    return {key: value for key, value in out.items() if value and (key, value) != ("auth", "bearer")}


def second_wire(prefix, fix, rows):
    """The row of a provider's other wire, named by two segments. Fields that the fix lacks are taken from the provider's row."""
    assert fix.keys() <= FIELDS | {"reason", "source"} and fix["reason"] and fix["source"], fix
    base = next(row for row in rows if row["id"] == prefix.split("/")[0])
    own = {"id": prefix, "aliases": [], "source": ", ".join(unique((base["source"] + ", " + fix["source"]).split(", ")))}
    out = base | {"quirks": {}} | {key: value for key, value in fix.items() if key != "reason"} | own
    return {key: value for key, value in out.items() if value}


def reason_not_served(row, fix):
    if "notServed" in fix:
        return fix["notServed"]
    if fix.get("protocol", row["wire"]) not in PROTOCOLS:
        return "wire: " + row["wire"]
    if "auth" not in fix and row["auth"] not in AUTH:
        return "auth: " + row["auth"]
    return None


def with_key_prefix(row):
    """The row with the beginning of its keys behind their variables."""
    out = {}
    for name, value in row.items():
        out[name] = value
        if name == "apiKeyEnv" and row["id"] in KEY_PREFIXES:
            out["keyPrefix"] = KEY_PREFIXES[row["id"]]
    return out


def check_quirks(quirks, known, row):
    assert quirks.keys() <= known.keys(), (row, quirks)
    for name, value in quirks.items():
        if isinstance(known[name], dict):
            assert value, (row, name)
            check_quirks(value, known[name], row)
        else:
            kind, default = known[name]
            assert isinstance(value, kind) and value != default, (row, name)


def check(rows):
    ids = [row["id"] for row in rows]
    all_names = ids + [alias for row in rows for alias in row.get("aliases", [])]
    assert len(all_names) == len(set(all_names)), "a name is used twice: %s" % sorted({n for n in all_names if all_names.count(n) > 1})
    for row in rows:
        url = row.get("baseUrl", "")
        assert url or row.get("baseUrlEnv"), row
        assert not url or re.match(r"(https?://|\{[A-Z0-9_]+\}/)", url) and not re.search(r"[\s$\[]|/$|chat/completions", url), row
        assert all(PLACE.fullmatch(place) for place in re.findall(r"\{(.*?)\}", url)), row
        assert row["protocol"] in PROTOCOLS and PROTOCOLS.issuperset(row.get("protocols", {}).values()), row
        assert row.get("apiKeyEnv") and not any(NOT_A_KEY.search(name) for name in row["apiKeyEnv"]), row
        assert set(row.get("bearerEnv", [])) <= set(row["apiKeyEnv"]), row
        assert row.get("tokenCounts") in (None, "responses", "litellm"), row
        check_quirks(row.get("quirks", {}), QUIRKS, row["id"])
        for rule in row.get("quirks", {}).get("models", []):
            assert rule.keys() <= {"pattern", "reasons", "refuses", "takesWithoutReasoning", "reasonsByDefault", "maxEffort", "effortLevels", "efforts", "reasoning", "jsonSchema", "images"} and re.compile(rule["pattern"]), rule


def make():
    """The texts of providers.json and not-served.tsv."""
    docs = {row["id"]: row for row in table("modelsdev-providers.tsv")}
    overrides = json.loads((DATA / "providers-overrides.json").read_text(encoding="utf-8"))
    fixes = overrides["rows"]
    source = table("providers.tsv")
    all_ids = {row["prefix"] for row in source}
    assert fixes.keys() <= all_ids, "overrides of unknown prefixes: %s" % sorted(fixes.keys() - all_ids)
    assert len(all_ids) == len(source)
    rows, left_out = [], []
    for row in sorted(source, key=lambda row: row["prefix"]):
        fix = fixes.get(row["prefix"], {})
        assert fix.keys() <= FIELDS | {"reason", "source", "notServed"} and (not fix or fix["reason"] and fix["source"]), fix
        reason = reason_not_served(row, fix)
        if reason:
            left_out.append([row["prefix"], row["wire"], reason])
        else:
            rows.append(served_row(row, fix, docs, all_ids))
    assert not overrides["added"].keys() & all_ids, "added rows that the table has: %s" % sorted(overrides["added"].keys() & all_ids)
    rows.extend(added_row(prefix, row) for prefix, row in overrides["added"].items())
    rows.extend(second_wire(prefix, fix, rows) for prefix, fix in overrides["secondWires"].items())
    rows.sort(key=lambda row: row["id"])
    for row in rows:
        models = row.get("quirks", {}).get("models")
        if isinstance(models, str):
            row["quirks"] = row["quirks"] | {"models": overrides["shared"][models.removeprefix("@")]}
    check(rows)
    assert KEY_PREFIXES.keys() <= {row["id"] for row in rows}
    rows = [with_key_prefix(row) for row in rows]
    lines = ",\n".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows)
    table_text = "".join("\t".join(cells) + "\n" for cells in [["prefix", "wire", "reason"]] + left_out)
    return "[\n" + lines + "\n]\n", table_text


if __name__ == "__main__":
    json_text, tsv_text = make()
    OUT.write_text(json_text, encoding="utf-8", newline="\n")
    NOT_SERVED.write_text(tsv_text, encoding="utf-8", newline="\n")
    print("%d served, %d left out" % (json_text.count("\n") - 2, tsv_text.count("\n") - 1))
