from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from engine.config.document import read_document
from engine.config.edit import remove_value, rename_key
from engine.config.entries import (
    add_entry,
    add_item,
    move_entry,
    put_entry,
    remove_entry,
    written_at,
)
from engine.config.keypath import MISSING, value_at
from engine.config.load import load_text
from engine.config.written import same
from engine.errors import EditRefused
from tests.engine.config.test_edit import KEYS, VALUES, comments, loaded, paths, texts

CONFIG = """\
{
  // who answers
  agents: {
    defaults: { model: "offline/echo" }, // the usual
    list: [
      { id: "main" }, // first
      // for work
      { id: "ops", model: { primary: "a/b", fallbacks: ["c/d"] } },
    ],
  },
  channels: {
    telegram: { dmPolicy: "allowlist", allowFrom: ["alice", "bob"] }, // family
    /* work */ slack: { dmPolicy: "open" },
  },
  session: { reset: "daily" },
}
"""


def test_a_short_form_stays_short_when_what_it_says_changes() -> None:
    path = ("agents", "defaults", "model", "primary")
    edit = put_entry(CONFIG, path, "x/y")
    assert edit.text == CONFIG.replace('"offline/echo"', '"x/y"')
    assert put_entry(CONFIG, ("session", "reset", "mode"), "idle").text == CONFIG.replace(
        '"daily"', '"idle"'
    )


def test_a_short_form_is_written_out_for_another_key_of_it() -> None:
    path = ("agents", "defaults", "model", "fallbacks")
    edit = add_item(CONFIG, path, 0, "x/y")
    wanted = '{ primary: "offline/echo", fallbacks: ["x/y"] }'
    assert edit.text == CONFIG.replace('"offline/echo"', wanted)
    config = load_text(edit.text, {}).require()
    assert config.agents.defaults.model is not None
    assert config.agents.defaults.model.fallbacks == ("x/y",)


def test_a_new_model_is_written_in_short_and_taken_out_whole() -> None:
    path = ("agents", "list", 0, "model", "primary")
    edit = put_entry(CONFIG, path, "x/y")
    assert edit.text == CONFIG.replace('id: "main"', 'id: "main", model: "x/y"')
    assert written_at(read_document(edit.text).value, path) == "x/y"
    assert remove_entry(edit.text, path).text == CONFIG


def test_null_on_the_way_is_no_hindrance() -> None:
    text = "{ session: { reset: null, mainKey: 'x' } } // end"
    edit = put_entry(text, ("session", "reset", "atHour"), 5)
    assert loaded(edit.text) == {"session": {"mainKey": "x", "reset": {"atHour": 5}}}
    assert edit.text.endswith(" // end")


def test_what_cannot_be_is_refused_and_says_why() -> None:
    with pytest.raises(EditRefused, match="one of that name already"):
        add_entry(CONFIG, ("channels", "slack"), {})
    with pytest.raises(EditRefused, match="no list"):
        add_item(CONFIG, ("channels", "slack", "dmPolicy"), 0, "x")
    with pytest.raises(EditRefused, match="nothing to move"):
        move_entry(CONFIG, ("channels", "irc", 0), 1)
    with pytest.raises(EditRefused, match="already"):
        rename_key(CONFIG, ("channels", "slack"), "telegram")
    with pytest.raises(EditRefused, match="no such key"):
        rename_key(CONFIG, ("channels", "irc"), "x")


def test_keys_change_places_with_their_comments() -> None:
    text = CONFIG.replace("/* work */ slack", "// work\n    slack")
    edit = move_entry(text, ("channels", "slack"), -1)
    assert list(loaded(edit.text)["channels"]) == ["slack", "telegram"]
    assert '    // work\n    slack: { dmPolicy: "open" },\n    telegram: {' in edit.text
    assert move_entry(edit.text, ("channels", "slack"), 1).text == text


@settings(max_examples=150)
@given(texts(), KEYS, st.data())
def test_a_key_gets_another_name_and_every_other_byte_stays(
    text: str, name: str, data: st.DataObject
) -> None:
    value = read_document(text).value
    keys = [path for path in paths(value)[1:] if isinstance(path[-1], str)]
    path = data.draw(st.sampled_from(keys or [()]))
    assume(path)
    box = value_at(value, path[:-1])
    assume(name not in box)
    edit = rename_key(text, path, name)
    span = read_document(text).spans[path]
    assert edit.text.startswith(text[: span.key_start])
    assert edit.text.endswith(text[span.key_end :])
    there = value_at(loaded(edit.text), path[:-1])
    assert list(there) == [name if key == path[-1] else key for key in box]
    assert same(there[name], box[path[-1]])
    back = rename_key(edit.text, (*path[:-1], name), str(path[-1]))
    assert same(loaded(back.text), value)


@settings(max_examples=150)
@given(texts(), st.integers(-3, 3), st.data())
def test_an_entry_is_moved_and_nothing_is_lost(text: str, step: int, data: st.DataObject) -> None:
    value = read_document(text).value
    path = data.draw(st.sampled_from(paths(value)[1:] or [()]))
    assume(path)
    box = value_at(value, path[:-1])
    places = list(box) if isinstance(box, dict) else list(range(len(box)))
    order = list(places)
    at = order.index(path[-1])
    order.insert(min(max(0, at + step), len(order) - 1), order.pop(at))
    edit = move_entry(text, path, step)
    found = value_at(loaded(edit.text), path[:-1])
    if isinstance(box, dict):
        assert list(found) == order and same(found, box)
    else:
        assert same(found, [box[one] for one in order])
    assert sorted(comments(edit.text)) == sorted(comments(text))
    assert len(edit.text) == len(text)


@settings(max_examples=100, deadline=None)
@given(texts(), st.data())
def test_any_row_of_edits_makes_what_was_meant_and_keeps_the_comments(
    text: str, data: st.DataObject
) -> None:
    wanted = copy.deepcopy(read_document(text).value)
    for _ in range(data.draw(st.integers(1, 4))):
        before = comments(text)
        text, gone = _one_edit(text, wanted, data)
        assert same(loaded(text), wanted)
        kept = list(comments(text))
        for comment in before:  # what is gone stood inside of what was taken out
            if comment in kept:
                kept.remove(comment)
            else:
                assert comment in gone
        assert kept == []


def _one_edit(text: str, wanted: Any, data: st.DataObject) -> tuple[str, list[str]]:
    """(the text with a random change, comments that may go); the change is made in `wanted`."""
    boxes = [path for path in paths(wanted) if isinstance(value_at(wanted, path), dict | list)]
    path = data.draw(st.sampled_from(boxes))
    box = value_at(wanted, path)
    new = data.draw(VALUES)
    deed = data.draw(st.sampled_from(["add", "put", "remove"] if box else ["add"]))
    if deed == "add" and isinstance(box, list):
        at = data.draw(st.integers(0, len(box)))
        box.insert(at, new)
        return add_item(text, path, at, new).text, []
    if deed == "add":
        key = data.draw(KEYS)
        if key in box:
            with pytest.raises(EditRefused):
                add_entry(text, (*path, key), new)
            return text, []
        box[key] = new
        return add_entry(text, (*path, key), new).text, []
    places = list(box) if isinstance(box, dict) else list(range(len(box)))
    step = data.draw(st.sampled_from(places))
    span = read_document(text).spans[(*path, step)]
    start = span.key_start if span.key_end > span.key_start else span.start
    gone = comments(text[start : span.end])
    if deed == "put":
        box[step] = new
        return put_entry(text, (*path, step), new).text, gone
    del box[step]
    return remove_entry(text, (*path, step)).text, gone


NAMES = st.sampled_from(["telegram", "slack", "irc", "my irc", "ключ"])
PEOPLE = st.lists(st.sampled_from(["*", "alice", "a,b", "//x", "it's", 12345]), max_size=4)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(NAMES, PEOPLE), max_size=6), st.data())
def test_lists_and_maps_of_the_schema_come_out_as_meant(
    changes: list[tuple[str, list[Any]]], data: st.DataObject
) -> None:
    text, wanted = CONFIG, {"telegram": ["alice", "bob"]}
    for name, people in changes:
        path = ("channels", name, "allowFrom")
        there = written_at(read_document(text).value, path)
        if data.draw(st.booleans()) or there is MISSING:
            text = put_entry(text, path, people).text
            wanted[name] = [*people]
        elif there:
            at = data.draw(st.integers(0, len(there) - 1))
            text = remove_value(text, (*path, at)).text
            del wanted[name][at]
    config = load_text(text, {}).require()
    found = {name: list(one.allow_from) for name, one in config.channels.items() if one.allow_from}
    assert found == {
        name: [str(one) for one in people] for name, people in wanted.items() if people
    }
    assert comments(text) == comments(CONFIG)
    changed = json.dumps([line for line in text.splitlines() if line in CONFIG.splitlines()])
    assert "// who answers" in changed and "// for work" in changed
