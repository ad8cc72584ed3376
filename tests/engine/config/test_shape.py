from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.reference import describe
from engine.config.shape import Shape, names_model, read_value, shape_at
from engine.errors import EditRefused


def steps_of(path: str) -> tuple[str | int, ...]:
    """A path of the reference with some name for `*` and the first position for `[]`."""
    found: list[str | int] = []
    for part in path.split("."):
        name, *items = part.split("[]")
        found.append("some" if name == "*" else name)
        found += [0 for _ in items]
    return tuple(found)


def test_every_key_of_the_reference_has_a_shape_with_its_words() -> None:
    for row in describe():
        shape = shape_at(steps_of(row.path))
        assert shape is not None, row.path
        assert shape.doc == row.doc
        if shape.sort not in ("map", "anything"):
            assert shape.words == row.type, row.path


@pytest.mark.parametrize(
    ("path", "sort"),
    [
        ((), "object"),
        (("keymap",), "map"),
        (("channels", "telegram", "allowFrom"), "list"),
        (("channels", "telegram", "allowFrom", 0), "text"),
        (("channels", "telegram", "dmPolicy"), "choice"),
        (("history", "dm", "maxTokens"), "whole number"),
        (("compaction", "threshold"), "number"),
        (("ui", "bell"), "true or false"),
        (("agents", "by-name"), "object"),
        (("tools", "anything"), "anything"),
        (("tools", "anything", "inside", 3), "anything"),
    ],
)
def test_the_sort_of_what_may_stand_there(path: tuple[str | int, ...], sort: str) -> None:
    shape = shape_at(path)
    assert shape is not None and shape.sort == sort


def test_what_stands_there_decides_between_a_text_and_an_object() -> None:
    path = ("models", "providers", "openai", "apiKey")
    text, whole = shape_at(path, "${KEY}"), shape_at(path, {"source": "file"})
    assert text is not None and text.sort == "text" and text.private
    assert whole is not None and whole.fields == ("source", "path", "id")


def test_places_that_the_schema_does_not_know_have_none() -> None:
    assert shape_at(("sesion",)) is None
    assert shape_at(("session", "dmScope", "deeper")) is None


def test_references_to_models_are_known_by_their_place() -> None:
    assert names_model(("agents", "defaults", "model", "fallbacks", 1))
    assert names_model(("agents", "list", 0, "model", "primary"))
    assert names_model(("models", "aliases", "fast")) and names_model(("compaction", "model"))
    assert not names_model(("agents", "defaults", "model"))
    assert not names_model(("models", "aliases")) and not names_model(("ui", "theme"))


@pytest.mark.parametrize(
    ("sort", "text", "value"),
    [
        ("text", "12", "12"),
        ("whole number", " 12 ", 12),
        ("number", "0.5", 0.5),
        ("number", "60", 60),
        ("true or false", "false", False),
        ("anything", "{a: [1, 'x']}", {"a": [1, "x"]}),
        ("anything", "bare", "bare"),
    ],
)
def test_what_a_person_wrote_is_read_by_its_sort(sort: str, text: str, value: object) -> None:
    found = read_value(Shape(sort, ""), text)  # type: ignore[arg-type]
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("sort", "text"),
    [("whole number", "1.5"), ("number", "nan"), ("number", "inf"), ("true or false", "yes"),
     ("whole number", "१२")],
)  # fmt: skip
def test_what_is_no_such_value_is_refused_with_what_would_be(sort: str, text: str) -> None:
    with pytest.raises(ValueError, match="write "):
        read_value(Shape(sort, ""), text)  # type: ignore[arg-type]


@given(st.text(max_size=20), st.sampled_from(["text", "whole number", "number", "anything"]))
def test_reading_raises_nothing_else(text: str, sort: str) -> None:
    with suppress(ValueError, EditRefused):
        read_value(Shape(sort, ""), text)  # type: ignore[arg-type]
