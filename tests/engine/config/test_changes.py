from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.changes import MAX_CHANGES, changed_paths, may_route_otherwise
from engine.config.load import load_text
from engine.config.schema import Config


def config(value: dict[str, Any]) -> Config:
    return load_text(json.dumps(value), {}).require()


BOT = {"agentId": "main", "match": {"channel": "telegram"}}
OTHER = {"agentId": "main", "match": {"channel": "discord"}}


@pytest.mark.parametrize(
    ("old", "new", "paths"),
    [
        ({}, {}, ()),
        ({}, {"session": {"dmScope": "main"}}, ()),
        ({}, {"session": {"dmScope": "per-peer"}}, ("session.dmScope",)),
        ({}, {"history": {"dm": {"maxMessages": 3}}}, ("history.dm.maxMessages",)),
        ({"bindings": [BOT]}, {"bindings": [BOT, OTHER]}, ("bindings[1]",)),
        ({"bindings": [BOT]}, {"bindings": [OTHER, BOT]}, ("bindings[0]",)),
        ({"bindings": [BOT, OTHER, BOT]}, {"bindings": [BOT, BOT]}, ("bindings[1]",)),
        ({"bindings": [BOT]}, {"bindings": [OTHER]}, ("bindings[0].match.channel",)),
        (
            {"session": {"identityLinks": {"a b": ["x:1"]}}},
            {"session": {"identityLinks": {"a b": ["x:2"]}}},
            ('session.identityLinks["a b"][0]',),
        ),
    ],
)
def test_what_differs_is_named(
    old: dict[str, Any], new: dict[str, Any], paths: tuple[str, ...]
) -> None:
    assert changed_paths(config(old), config(new)) == paths


def test_many_changes_are_counted() -> None:
    links = {f"p{number:03}": ["x:1"] for number in range(200)}
    found = changed_paths(config({}), config({"session": {"identityLinks": links}}))
    assert len(found) == MAX_CHANGES
    assert found[-1] == "151 more"


SOME = st.fixed_dictionaries(
    {},
    optional={
        "session": st.fixed_dictionaries({"dmScope": st.sampled_from(["main", "per-peer"])}),
        "bindings": st.lists(st.sampled_from([BOT, OTHER]), max_size=4),
        "ui": st.fixed_dictionaries({"glyphs": st.sampled_from(["ascii", "unicode"])}),
    },
)


@given(SOME, SOME)
def test_nothing_is_named_only_when_nothing_differs(
    old: dict[str, Any], new: dict[str, Any]
) -> None:
    one, other = config(old), config(new)
    assert (changed_paths(one, other) == ()) == (one == other)
    assert may_route_otherwise(one, other) == (
        one.session != other.session or one.bindings != other.bindings
    )
