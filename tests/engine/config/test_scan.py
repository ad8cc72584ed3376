from __future__ import annotations

import json
import math
from typing import Any

import json5
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.document import read_document
from engine.config.scan import MAX_DEPTH, MAX_VALUES, scan

# What text generators may put between two tokens.
SPACES = st.sampled_from(
    ["", " ", "\n", "\r\n", "\t", "\xa0", "\ufeff", "// note\n", "/* a * b **/", "\u2028", "//\r"]
)
CHARS = st.characters(exclude_categories=("Cs",))
KEYS = st.one_of(
    st.from_regex(r"[A-Za-z_$][A-Za-z0-9_$]{0,6}", fullmatch=True),
    st.sampled_from(["été", "ключ", "名前", "null", "true", "_", "$ref"]),
)


def quoted(text: str, quote: str, style: int) -> str:
    """JSON5 spells one string in many ways."""
    parts = []
    for index, char in enumerate(text):
        pick = (style + index) % 5
        if char == quote or char == "\\":
            parts.append("\\" + char)
        elif char in "\n\r\u2028\u2029" or ord(char) < 0x20:
            parts.append(f"\\u{ord(char):04x}" if pick else f"\\u{ord(char):04X}")
        elif pick == 1 and ord(char) < 0x100:
            parts.append(f"\\x{ord(char):02x}")
        elif pick == 2 and ord(char) < 0x10000:
            parts.append(f"\\u{ord(char):04x}")
        elif pick == 3:
            parts.append("\\\n" + char)
        else:
            parts.append(char)
    return quote + "".join(parts) + quote


@st.composite
def string_texts(draw: st.DrawFn) -> str:
    text = draw(st.text(CHARS, max_size=8))
    return quoted(text, draw(st.sampled_from("\"'")), draw(st.integers(0, 4)))


NUMBERS = st.one_of(
    st.integers(-(10**20), 10**20).map(str),
    st.integers(0, 2**40).map(hex),
    st.integers(0, 99).map(lambda number: f"+0X{number:X}"),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(["+1", "-.5", "5.", ".5e3", "+1E-2", "0", "-0", "Infinity", "-Infinity"]),
    st.sampled_from(["+Infinity", "0.0", "1e400"]),
)
LEAVES = st.one_of(NUMBERS, string_texts(), st.sampled_from(["true", "false", "null"]))


@st.composite
def containers(draw: st.DrawFn, inside: st.SearchStrategy[str]) -> str:
    gap = lambda: draw(SPACES)  # noqa: E731
    items = draw(st.lists(inside, max_size=4))
    is_object = draw(st.booleans())
    if is_object:
        keys = draw(
            st.lists(st.one_of(KEYS, string_texts()), min_size=len(items), max_size=len(items))
        )
        parts = [
            f"{gap()}{key}{gap()}:{gap()}{item}{gap()}"
            for key, item in zip(keys, items, strict=True)
        ]
    else:
        parts = [f"{gap()}{item}{gap()}" for item in items]
    body = ",".join(parts) + ("," + gap() if parts and draw(st.booleans()) else "")
    return f"{{{body}}}" if is_object else f"[{body}]"


TEXTS = st.recursive(LEAVES, lambda inside: containers(inside), max_leaves=12)
DOCUMENTS = st.builds(lambda a, b, c: a + b + c, SPACES, TEXTS, SPACES)


def same(left: Any, right: Any) -> bool:
    if isinstance(left, float) and isinstance(right, float) and math.isnan(left):
        return math.isnan(right)
    if isinstance(left, dict):
        return (
            isinstance(right, dict)
            and list(left) == list(right)
            and all(same(left[key], right[key]) for key in left)
        )
    if isinstance(left, list):
        return (
            isinstance(right, list)
            and len(left) == len(right)
            and all(same(*pair) for pair in zip(left, right, strict=True))
        )
    return type(left) is type(right) and bool(left == right)


@given(DOCUMENTS)
def test_values_agree_with_the_json5_package(text: str) -> None:
    found = scan(text)
    assert found.complete
    assert all(fault.mild for fault in found.faults)
    assert same(found.value, json5.loads(text))


def at(value: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


@given(DOCUMENTS)
def test_every_span_cuts_out_the_text_of_its_value(text: str) -> None:
    found = scan(text)
    for path, span in found.spans.items():
        if any(fault.mild for fault in found.faults):
            continue  # of two equal keys only the last one has a path
        again = scan(text[span.start : span.end])
        assert same(again.value, at(found.value, path))
        assert text[span.start] not in " \n\t\r\xa0/" and text[span.end - 1] not in " \n\t\r\xa0"
        if path and isinstance(path[-1], str):
            key = scan("{" + text[span.key_start : span.key_end] + ":0}")
            assert list(key.value) == [path[-1]]
        else:
            assert span.key_start == span.key_end


@given(DOCUMENTS, st.data())
def test_damaged_text_gives_faults_and_never_an_exception(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 3)))
    damage = data.draw(st.text("{}[]:,\"'/\\*x0-. \n", max_size=3))
    broken = text[:start] + damage + text[end:]
    found = read_document(broken)
    try:
        value = json5.loads(broken)
    except (ValueError, RecursionError):
        return
    assert found.readable
    assert same(found.value, value) or found.faults


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_with_a_place_inside_it(text: str) -> None:
    found = read_document(text)
    assert found.readable or found.faults
    for fault in found.faults:
        assert 0 <= fault.offset <= len(text)
        place = found.at(fault.offset)
        assert place.line >= 1 and place.column >= 1


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(CHARS),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(CHARS), inner),
        max_leaves=15,
    )
)
def test_strict_json_reads_the_same_by_both_ways(value: Any) -> None:
    text = json.dumps(value, indent=1)
    assert same(read_document(text).value, scan(text).value)


@pytest.mark.parametrize(
    ("text", "line", "column", "message", "hint"),
    [
        ("", 1, 1, "expected a value, found nothing", "{}"),
        ("{a: 1\n b: 2}", 2, 2, "expected , or }, found b", "comma is missing"),
        ("[1\n2]", 2, 1, "expected , or ], found 2", "comma is missing"),
        ("{\n  a: True\n}", 2, 6, "found True", "did you mean true?"),
        ("{a: main}", 1, 5, "found main", "text goes in quotes"),
        ("{a: 'x\n'}", 1, 5, "not closed on its line", "end it with '"),
        ("{a: 1, /* b", 1, 8, "comment is never closed", "*/"),
        ("{a-b: 1}", 1, 2, "the key a-b needs quotes", '"a-b"'),
        ("{\n  a: {\n    b: 1\n", 4, 1, "expected , or }", "the { on line 2 is still open"),
        ("{a: [1}", 1, 7, "expected , or ], found }", "the [ on line 1 is still open"),
        ("{a: 1}}", 1, 7, "expected the end, found }", None),
        ("{a 1}", 1, 4, "expected : after the key, found 1", None),
        ("{a: }", 1, 5, "expected a value, found }", None),
        ("[1,,2]", 1, 4, "expected a value or ], found ,", None),
        ("{a: 01}", 1, 5, "found 01", "numbers look like"),
        ('{a: "\\u12"}', 1, 6, "unknown escape \\u", "\\\\"),
        ("{a: '\\01'}", 1, 6, "unknown escape \\0", "\\\\"),
        ("{a: #1}", 1, 5, "found #1", "text goes in quotes"),
        ("{a: 1} x", 1, 8, "expected the end, found x", None),
        ("\ufeff{\r\n\r\n  a: ?\r\n}", 3, 6, "found ?", "quotes"),
        ("{a: 1, a: 2}", 1, 8, "the key a is written twice", "last one counts"),
        ("{a: /b}", 1, 5, "unexpected /", "comment begins"),
    ],
)
def test_a_fault_says_where_and_what_was_expected(
    text: str, line: int, column: int, message: str, hint: str | None
) -> None:
    found = read_document(text)
    fault = found.faults[0]
    assert found.at(fault.offset) == (line, column)
    assert message in fault.message
    assert hint in fault.hint if hint and fault.hint else fault.hint is hint


def test_several_slips_are_all_reported_at_once() -> None:
    found = read_document("{\n a: yes,\n b: 2\n c-d: 3,\n e: my agent,\n}")
    lines = [found.at(fault.offset).line for fault in found.faults]
    assert lines == [2, 4, 4, 5]
    assert found.value == {"a": None, "b": 2, "c-d": 3, "e": None}


@pytest.mark.parametrize("opening", ["[", "{a:", '[{"b":'])
def test_nesting_is_refused_at_the_bracket_that_goes_too_deep(opening: str) -> None:
    found = read_document(opening * 100_000)
    assert not found.readable
    assert f"deeper than {MAX_DEPTH}" in found.faults[0].message
    assert found.faults[0].offset <= MAX_DEPTH * len(opening)


@pytest.mark.parametrize("close", ["", " // a comment"])
def test_nesting_up_to_the_limit_is_read(close: str) -> None:
    text = "[" * MAX_DEPTH + "]" * MAX_DEPTH + close
    assert read_document(text).readable
    deeper = "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1) + close
    assert not read_document(deeper).readable


def test_brackets_in_text_are_not_nesting() -> None:
    assert read_document(json.dumps({"a": "[" * 500})).value == {"a": "[" * 500}


def test_a_text_of_more_than_a_mebibyte_is_refused_unread() -> None:
    for text in ("[" + " " * 1024 * 1024 + "]", '"' + "é" * 600_000 + '"'):
        found = read_document(text)
        assert not found.readable
        assert "larger than 1,048,576 bytes" in found.faults[0].message


def test_a_text_of_too_many_values_is_refused() -> None:
    found = read_document("[" + "0," * (MAX_VALUES + 10) + "]")
    assert not found.readable
    assert "values" in found.faults[0].message


@pytest.mark.parametrize("number", ["1" * 5000, "[" + "9" * 5000 + "]"])
def test_a_number_of_thousands_of_digits_is_a_fault_and_no_exception(number: str) -> None:
    assert "too long" in read_document(number).faults[0].message


@pytest.mark.parametrize("text", ['{"a": 1, "a": 2}', '{"a": NaN}', '{"a": 1e999}'])
def test_what_the_standard_library_reads_its_own_way_is_read_by_ours(text: str) -> None:
    found = read_document(text)
    assert same(found.value, scan(text).value)


def test_duplicate_keys_in_strict_json_are_reported() -> None:
    found = read_document('{\n "session": {},\n "session": {"dmScope": "main"}}')
    assert found.value == {"session": {"dmScope": "main"}}
    assert found.at(found.faults[0].offset) == (3, 2)


def test_a_place_is_found_for_what_is_not_written() -> None:
    found = read_document('{\n  "session": {\n    "dmScope": "main"\n  }\n}')
    assert found.place(("session", "dmScope")) == (3, 16)
    assert found.place(("session", "dmScope"), key=True) == (3, 5)
    assert found.place(("session", "mainKey")) == (2, 14)
    assert found.place(("session", "mainKey"), key=True) == (2, 14)
    assert found.place(("bindings", 4, "match")) == (1, 1)
