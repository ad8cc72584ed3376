from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.clock import ManualClock
from engine.errors import SessionReadOnly
from engine.sessions.migrate import stable_ids, upgrade, version_of
from engine.sessions.store import Store
from engine.sessions.transcript import Transcript
from tests.engine.sessions.support import QuickDisk, texts, user

Cases = Callable[[str], list[dict[str, Any]]]
V1 = [
    {"type": "session", "id": "s1", "timestamp": "2026-01-01T00:00:00.000Z", "cwd": "/w"},
    {"type": "message", "timestamp": "2026-01-01T00:00:00.000Z", "message": {"role": "user"}},
    {"type": "message", "timestamp": "2026-01-01T00:00:01.000Z", "message": {"role": "user"}},
    {"type": "compaction", "summary": "S", "firstKeptEntryIndex": 2, "tokensBefore": 9},
    {"type": "message", "message": {"role": "hookMessage", "content": "z"}},
]
FLAT_TREE = [
    {"id": "a", "parentId": None, "role": "user", "content": "one", "note": 1},
    {"id": "b", "parentId": "a", "role": "assistant", "content": "two"},
    {"id": "c", "parentId": "a", "role": "user", "content": "other"},
    {"id": "k", "parentId": "b", "role": "system", "type": "compaction", "content": "sum"},
]
FLAT_CHAIN = [
    {"role": "user", "content": "one", "timestamp": "2026-01-02T03:04:05Z"},
    {"role": "assistant", "content": "two", "timestamp": 1767323046},
    {"role": "user", "content": [{"type": "text", "text": "three"}], "timestamp": 1767323047000},
]


def lay(path: Path, lines: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return path


def test_recorded_migrations_come_out_the_same(cases: Cases) -> None:
    seen = 0
    for case in cases("tree"):
        if case["group"] != "migration":
            continue
        seen += 1
        lines = case["input"]["fileEntries"]
        before = copy.deepcopy(lines)
        assert upgrade(lines, lambda n: f"n{n}") == case["expected"]["fileEntries"], case["id"]
        assert lines == before
    assert seen >= 3


def test_v1_points_at_what_it_kept_by_its_place_in_the_file() -> None:
    found = upgrade(V1, lambda n: f"n{n}")
    assert found[3]["firstKeptEntryId"] == "n2" and "firstKeptEntryIndex" not in found[3]
    assert [line.get("parentId") for line in found[1:]] == [None, "n1", "n2", "n3"]
    assert found[4]["message"]["role"] == "custom"
    for index, name in ((0, None), (99, None), (3, "n3"), (-1, None), ("2", None), (True, None)):
        lines = [*V1[:3], {**V1[3], "firstKeptEntryIndex": index}]
        assert upgrade(lines, lambda n: f"n{n}")[3].get("firstKeptEntryId") == name, index


@pytest.mark.parametrize(
    ("stated", "version"),
    [
        (None, 1),
        (2, 2),
        (3, 3),
        ("3", 3),
        (3.0, 3),
        ("x", 1),
        (9, 9),
        (True, 1),
        (float("nan"), 1),
        (1e300, 10**9),
    ],
)
def test_versions_are_read_whatever_their_type(stated: object, version: int) -> None:
    assert version_of({"version": stated}) == version
    assert version_of({}) == 1


def test_made_up_ids_are_the_same_at_every_reading_and_never_twice(tmp_path: Path) -> None:
    assert stable_ids("s")(4) == stable_ids("s")(4) != stable_ids("t")(4)
    lines = [V1[0], *({**V1[1]} for _ in range(300))]
    found = upgrade(lines, lambda n: "same")
    assert len({line["id"] for line in found[1:]}) == 300
    path = lay(tmp_path / "s.jsonl", V1)
    assert list(Transcript.open(path).tree.nodes) == list(Transcript.open(path).tree.nodes)


def test_a_flat_chain_is_read_in_order(tmp_path: Path) -> None:
    found = Transcript.open(lay(tmp_path / "chat.jsonl", FLAT_CHAIN))
    assert [node.role for node in found.tree.path(found.tree.leaf)] == [
        "user",
        "assistant",
        "user",
    ]
    assert texts(found) == ["one", "two", "three"]
    entries = [found.tree.entry(name) for name in found.tree.nodes]
    assert entries[0].timestamp == "2026-01-02T03:04:05.000Z"
    assert [entry.message["timestamp"] for entry in entries] == [
        1767323045000,
        1767323046000,
        1767323047000,
    ]
    assert found.foreign and found.id == "chat"


def test_a_flat_tree_keeps_its_links_and_a_compaction_is_one(tmp_path: Path) -> None:
    found = Transcript.open(lay(tmp_path / "chat.jsonl", FLAT_TREE))
    assert found.tree.children("a") == ("b", "c")
    assert found.tree.entry("a").message["note"] == 1
    assert found.tree.entry("k").text == "sum"
    assert found.tree.nearest("k", "compaction") == "k"
    assert found.tree.leaf == "k"


def test_a_flat_compaction_may_be_the_root(tmp_path: Path) -> None:
    lines = [{**FLAT_TREE[3], "parentId": None}, {**FLAT_TREE[2], "parentId": "k"}]
    found = Transcript.open(lay(tmp_path / "chat.jsonl", lines))
    assert [node.id for node in found.tree.path("c")] == ["k", "c"]


@pytest.mark.parametrize("lines", [V1, [{**V1[0], "version": 2}], FLAT_CHAIN, FLAT_TREE])
def test_an_old_form_is_never_written_to_and_becomes_a_new_file(
    tmp_path: Path, lines: list[dict[str, Any]]
) -> None:
    folder = tmp_path / "agents" / "main" / "sessions"
    path = lay(folder / "old.jsonl", lines)
    before = path.read_bytes()
    store = Store(QuickDisk(), tmp_path, ManualClock())
    key = "agent:main:explicit:old"
    with pytest.raises(SessionReadOnly, match="older form"):
        store.open(key).append(user("x"))
    read = store.open(key).tree
    fresh = store.writable(key)
    entry = fresh.append(user("on"))
    assert entry.parent_id == read.anchor(read.leaf)
    assert path.read_bytes() == before
    again = Transcript.open(fresh.path)
    assert not again.foreign and again.header["version"] == 3
    assert again.header["migratedFrom"] == "old.jsonl"
    assert list(again.tree.nodes) == [*read.nodes, entry.id]
    for name in read.nodes:
        assert dict(again.tree.entry(name).data) == dict(read.entry(name).data)
    kinds = {record.path.name: (record.kind, record.key) for record in store.list()}
    assert kinds == {"old.jsonl": ("original", key), fresh.path.name: ("session", key)}
    assert store.writable(key).path == fresh.path


def test_an_old_form_that_grows_is_followed(tmp_path: Path) -> None:
    path = lay(tmp_path / "s.jsonl", FLAT_CHAIN[:1])
    found = Transcript.open(path)
    lay(path, FLAT_CHAIN)
    assert [entry.text for entry in found.refresh()] == ["two", "three"]
