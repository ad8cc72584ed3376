from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ModelError
from engine.models.sse import LineSplitter, SseEvent, SseParser

LINE = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=20)
FIELD = st.sampled_from(["data: ", "data:", "event: ", ": ", "id: ", "retry: ", "data", "", "x"])
END = st.sampled_from(["\n", "\r\n", "\r"])


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    lines = draw(st.lists(st.tuples(FIELD, LINE, END), max_size=12))
    bom = draw(st.sampled_from(["", "\ufeff"]))
    return (bom + "".join("".join(line) for line in lines)).encode()


@st.composite
def sliced(draw: st.DrawFn, source: st.SearchStrategy[bytes]) -> tuple[bytes, list[bytes]]:
    data = draw(source)
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=8)))
    edges = [0, *cuts, len(data)]
    return data, [data[a:b] for a, b in pairwise(edges)]


def parse(slices: list[bytes]) -> list[SseEvent]:
    parser = SseParser()
    return [event for piece in slices for event in parser.feed(piece)] + parser.finish()


def by_the_book(data: bytes) -> list[SseEvent]:
    # The standard's own words: cut the whole text into lines, then take field after field.
    text = data.decode().removeprefix("\ufeff")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    found: list[SseEvent] = []
    event, parts = "", list[str]()
    for line in [*lines, ""]:
        name, _, value = line.partition(":")
        value = value[1:] if value[:1] == " " else value
        if not line:
            found += [SseEvent(event, "\n".join(parts))] if parts else []
            event, parts = "", []
        elif name == "data":
            parts.append(value)
        elif name == "event":
            event = value
    return found


@given(sliced(streams()))
def test_any_slicing_gives_the_events_of_the_standard(case: tuple[bytes, list[bytes]]) -> None:
    data, slices = case
    assert parse(slices) == by_the_book(data)


@given(streams())
def test_byte_by_byte_gives_the_same_events(data: bytes) -> None:
    assert parse([data[i : i + 1] for i in range(len(data))]) == parse([data])


@given(sliced(st.binary(max_size=60)))
def test_ndjson_lines_are_the_same_for_any_slicing(case: tuple[bytes, list[bytes]]) -> None:
    data, slices = case
    splitter = LineSplitter(bare_cr=False)
    lines = [line for piece in slices for line in splitter.feed(piece)]
    rest = splitter.finish()
    assert lines == [line.removesuffix(b"\r") for line in data.split(b"\n")[:-1]]
    assert (rest or b"") == data.split(b"\n")[-1]


@pytest.mark.parametrize("char", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\x1e"])
def test_only_lf_crlf_and_cr_end_a_line(char: str) -> None:
    text = json.dumps({"t": f"a{char}b"}, ensure_ascii=False)
    assert parse([f"data: {text}\n\n".encode()]) == [SseEvent("", text)]


def test_a_line_is_given_out_at_its_cr_without_waiting() -> None:
    parser = SseParser()
    assert parser.feed(b"data: now\r\r") == [SseEvent("", "now")]
    assert parser.feed(b"\ndata: then\r\n\r\n") == [SseEvent("", "then")]


def test_several_data_lines_are_one_event() -> None:
    assert parse([b"event: x\ndata: a\ndata:  b\ndata\n\n"]) == [SseEvent("x", "a\n b\n")]


def test_comments_and_events_without_data_are_skipped() -> None:
    assert parse([b": OPENROUTER PROCESSING\n\nevent: ping\n\n"]) == []


def test_broken_utf8_is_replaced_not_raised() -> None:
    assert parse([b"data: \xff\xfe\n\n"]) == [SseEvent("", "\ufffd\ufffd")]


def test_a_last_event_without_its_blank_line_is_kept() -> None:
    assert parse([b"data: [DONE]"]) == [SseEvent("", "[DONE]")]


def test_a_line_without_end_is_refused() -> None:
    splitter = LineSplitter(limit=100)
    with pytest.raises(ModelError, match="more than 100 bytes"):
        for _ in range(30):
            splitter.feed(b"1234")


def test_an_event_of_endless_lines_is_refused() -> None:
    parser = SseParser(limit=100)
    with pytest.raises(ModelError, match="more than 100 bytes"):
        for _ in range(30):
            parser.feed(b"data: 1234\n")
