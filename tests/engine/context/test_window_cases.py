from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.context.limits import limit_turns
from engine.context.window import Window, WindowMessage, build_window
from engine.sessions.tree import Tree

CASES = Path(__file__).parents[2] / "cases"


def load(name: str, group: str, key: str) -> list[dict[str, Any]]:
    return [case for case in json.loads((CASES / name).read_text("utf-8")) if case[key] == group]


def model_of(window: Window) -> dict[str, str] | None:
    return {"provider": window.model[0], "modelId": window.model[1]} if window.model else None


def window_of(case: dict[str, Any], key: str) -> Window:
    entries = case["input"]["entries"]
    last = entries[-1]["id"] if entries else None
    leaf = case["input"].get(key, last)
    return build_window(Tree.from_entries(entries), last if leaf == "__default__" else leaf)


def short(message: WindowMessage) -> dict[str, Any]:
    shown: dict[str, Any] = {"role": message.role, "text": message.text}
    if message.tool_calls:
        shown["toolCalls"] = [call["id"] for call in message.tool_calls]
    if message.tool_call_id:
        shown["toolCallId"] = message.tool_call_id
    return shown


def as_openclaw(message: WindowMessage) -> dict[str, Any]:
    shown: dict[str, Any] = {"role": message.role}
    if message.role in ("compactionSummary", "branchSummary"):
        shown["summary"] = message.content
    else:
        shown["content"] = message.content
    names = {
        "compactionSummary": ("tokensBefore",),
        "branchSummary": ("fromId",),
        "custom": ("customType",),
    }
    shown |= {name: message.data[name] for name in names.get(message.role, ())}
    if message.role == "toolResult":
        shown |= {name: message.message[name] for name in ("toolCallId", "toolName", "isError")}
    return shown


@pytest.mark.parametrize("case", load("tree.json", "context", "group"), ids=lambda case: case["id"])
def test_window_is_the_references(case: dict[str, Any]) -> None:
    window, expected = window_of(case, "leaf"), case["expected"]
    assert [short(message) for message in window.messages] == expected["messages"]
    assert window.thinking_level == expected["thinkingLevel"]
    assert model_of(window) == expected["model"]


@pytest.mark.parametrize(
    "case", load("tree.json", "context-oc", "group"), ids=lambda case: case["id"]
)
def test_window_is_openclaws(case: dict[str, Any]) -> None:
    window, expected = window_of(case, "leafId"), case["expected"]
    shown = [as_openclaw(message) for message in window.messages]
    assert [
        {name: message.get(name) for name in wanted}
        for message, wanted in zip(shown, expected["messages"], strict=True)
    ] == expected["messages"]
    assert window.thinking_level == expected["thinkingLevel"]
    assert model_of(window) == expected["model"]


@pytest.mark.parametrize("case", load("rules.json", "limitTurns", "op"), ids=lambda c: c["name"])
def test_turn_limit_is_the_references(case: dict[str, Any]) -> None:
    roles, limit = case["input"]["roles"], case["input"]["limit"]
    assert list(range(limit_turns(roles, limit), len(roles))) == case["expected"]["kept"]
