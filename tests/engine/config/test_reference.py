from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from engine.config import providers, schema
from engine.config.reference import describe, json_schema, readable
from engine.config.schema import Config, Value


def structs() -> list[type[Value]]:
    found = [*vars(schema).values(), *vars(providers).values()]
    return [kind for kind in found if isinstance(kind, type) and issubclass(kind, Value)]


def test_every_key_has_a_text_that_says_what_it_means() -> None:
    rows = describe()
    assert len({row.path for row in rows}) == len(rows) > 150
    for row in rows:
        assert row.doc.endswith((".", "…")), row
        assert len(row.doc) > 10, row


@pytest.mark.parametrize(
    ("path", "kind", "default", "words"),
    [
        ("agents.list[].id", "text", "required", "64"),
        ("history.dm.maxMessages", "whole number", "default 100", "0: no limit"),
        ("history.group.maxMessages", "whole number", "default 30", "0: no limit"),
        ("channels.*.allowFrom", "list of text or whole number", "", "allowlist"),
        ("agents.*.channels", "list of text", "", "all accounts"),
        ("models.providers.*.models[].cost.cacheRead", "number", "", "million"),
        ("channels.*.dms.*.historyLimit", "whole number", "", "person"),
        ("agents.list[].model", "text or object", "", "fallbacks"),
        ("compaction.enabled", "true or false", "default true", "compact"),
        ("session.ttlDays", "number", "default 0", "Days"),
    ],
)
def test_a_row_tells_type_and_default(path: str, kind: str, default: str, words: str) -> None:
    row = next(row for row in describe() if row.path == path)
    assert (row.type, row.default) == (kind, default)
    assert words in row.doc


def test_rows_come_after_their_whole() -> None:
    paths = [row.path for row in describe()]
    assert paths.index("session") < paths.index("session.dmScope") < paths.index("channels")
    assert (
        paths.index("agents.defaults")
        < paths.index("agents.defaults.model")
        < paths.index("agents.defaults.model.primary")
        < paths.index("agents.list")
    )


def test_the_readable_form_can_be_narrowed() -> None:
    text = readable("history.dm")
    assert text.splitlines()[0].startswith("history.dm  (object)")
    assert "history.group" not in text
    assert "dmScope" in readable() and len(readable()) > 5000
    assert readable("nothing.here") == ""


def test_the_json_schema_names_every_key() -> None:
    made = json_schema()
    assert json.loads(json.dumps(made)) == made
    assert set(made["properties"]) == {
        *(field.encode_name for field in msgspec.structs.fields(Config)),
        "$schema",
    }
    for kind in structs():
        if kind not in (Config, Value):
            definition = made["$defs"][kind.__name__]
            names = {field.encode_name for field in msgspec.structs.fields(kind)}
            assert names <= set(definition["properties"])
            assert all(entry.get("description") for entry in definition["properties"].values())


def test_the_json_schema_has_ranges_and_words() -> None:
    made = json_schema()["$defs"]
    assert {"type": "integer", "minimum": 0, "maximum": 23} in made["Reset"]["properties"][
        "atHour"
    ]["anyOf"]
    assert {"enum": ["main", "per-account-channel-peer", "per-channel-peer", "per-peer"]} in made[
        "Session"
    ]["properties"]["dmScope"]["anyOf"]
    assert made["History"]["properties"]["dm"]["default"] == {
        "maxMessages": 100,
        "maxTokens": 32000,
    }
    assert made["Binding"]["required"] == ["agentId", "match"]


def test_every_reference_inside_the_json_schema_leads_somewhere() -> None:
    made = json_schema()
    work: list[Any] = [made]
    seen = 0
    while work:
        item = work.pop()
        if isinstance(item, dict):
            if "$ref" in item:
                seen += 1
                assert item["$ref"].removeprefix("#/$defs/") in made["$defs"]
            work.extend(item.values())
        elif isinstance(item, list):
            work.extend(item)
    assert seen > 20
