from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.context.compaction import Budget, Fold, Nothing, plan_fold
from engine.context.tokens import chars4_message, usage_total
from engine.context.window import WindowMessage, WindowSettings
from engine.sessions.tree import Tree

CASES = json.loads((Path(__file__).parents[2] / "cases/tree.json").read_text("utf-8"))
CUT = [case for case in CASES if case["group"] == "cut"]
OPENCLAW = [case for case in CASES if case["group"] == "prepare-oc"]


def plan(entries: list[dict[str, Any]], keep: int, *, notes: bool = True) -> Fold | Nothing:
    tree = Tree.from_entries(entries)
    leaf = entries[-1]["id"] if entries else None
    # A budget of nothing still keeps the newest message, as the reference's does.
    budget = Budget(200_000, 170_000, keep, 0, 1024)
    settings = WindowSettings(estimate=chars4_message)
    return plan_fold(tree, leaf, budget, settings, count_notes=notes)


def ids(messages: tuple[WindowMessage, ...]) -> list[str]:
    return [message.entry_id for message in messages]


@pytest.mark.parametrize("case", CUT, ids=lambda case: case["title"])
def test_the_cut_is_the_references(case: dict[str, Any]) -> None:
    expected = case["expected"]["prepare"]
    found = plan(case["input"]["entries"], case["input"]["keepRecentTokens"])
    if expected is None:
        assert isinstance(found, Nothing)
        return
    assert isinstance(found, Fold)
    assert found.first_kept == expected["firstKeptEntryId"]
    assert ids(found.folded) == expected["summarize"]
    assert ids(found.prefix) == expected["turnPrefix"]
    assert found.split == expected["isSplitTurn"]
    assert found.window.tokens == expected["tokensBefore"]
    previous = found.previous.text if found.previous else None
    assert previous == expected["previousSummary"]


def said(message: WindowMessage) -> tuple[str, Any]:
    return message.role, message.content


def said_there(messages: list[dict[str, Any]]) -> list[tuple[str, Any]]:
    """Messages as recorded, without empty summaries, which no model ever gets here."""
    pairs = [(one["role"], one.get("content", one.get("summary"))) for one in messages]
    return [pair for pair in pairs if pair != ("branchSummary", "")]


def usage_counts(entries: list[dict[str, Any]]) -> bool:
    """The reference takes a usage of zeros, and one from before a compaction, at its word; here
    neither says anything about the window (as in later versions of the reference)."""
    kinds = [entry.get("message", {}).get("role", entry["type"]) for entry in entries]
    if "assistant" not in kinds:
        return True
    last = len(kinds) - 1 - kinds[::-1].index("assistant")
    return bool(usage_total(entries[last]["message"]["usage"])) and "compaction" not in kinds[last:]


@pytest.mark.parametrize("case", OPENCLAW, ids=lambda case: case["id"])
def test_what_is_folded_is_what_openclaw_folds(case: dict[str, Any]) -> None:
    expected, entries = case["expected"], case["input"]["path"]
    keep = case["input"]["settings"]["keepRecentTokens"]
    found = plan(entries, keep, notes=False)
    if expected is None or not (expected["summarize"] or expected["turnPrefix"]):
        assert isinstance(found, Nothing)
        return
    assert isinstance(found, Fold)
    assert found.first_kept == expected["firstKeptEntryId"]
    assert list(map(said, found.folded)) == said_there(expected["summarize"])
    assert list(map(said, found.prefix)) == said_there(expected["turnPrefix"])
    if usage_counts(entries):
        assert found.window.tokens == expected["tokensBefore"]
    assert (found.previous.text if found.previous else None) == expected["previousSummary"]
