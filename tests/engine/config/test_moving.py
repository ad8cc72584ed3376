from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.config.document import read_document
from engine.config.edit import move_item, remove_value, set_value
from engine.config.load import load_text

BINDINGS = """\
{
  // who answers whom
  bindings: [ // most specific wins

    // the family
    // (all of it)
    { agentId: "a", match: { channel: "telegram" } }, // telegram
    /* work */
    {
      agentId: "b", // inside
      match: { channel: "slack" },
    }, /* slack */

    // a title of its own

    { agentId: "c", match: { channel: "irc" } } // no comma
    // the end
  ],
}
"""


def test_comments_travel_with_the_binding_that_they_belong_to() -> None:
    moved = move_item(BINDINGS, ("bindings",), 0, 1).text
    assert moved == BINDINGS.replace(
        """\
    // the family
    // (all of it)
    { agentId: "a", match: { channel: "telegram" } }, // telegram
    /* work */
    {
      agentId: "b", // inside
      match: { channel: "slack" },
    }, /* slack */
""",
        """\
    /* work */
    {
      agentId: "b", // inside
      match: { channel: "slack" },
    }, /* slack */
    // the family
    // (all of it)
    { agentId: "a", match: { channel: "telegram" } }, // telegram
""",
    )
    assert move_item(moved, ("bindings",), 1, 0).text == BINDINGS


def test_the_last_one_stays_without_a_comma_and_a_title_stays_where_it_is() -> None:
    moved = move_item(BINDINGS, ("bindings",), 2, 1).text
    assert (
        '    { agentId: "c", match: { channel: "irc" } }, // no comma\n\n'
        "    // a title of its own\n\n    /* work */\n"
    ) in moved
    assert "    } /* slack */\n    // the end\n" in moved
    assert load_text(moved, {}).config is not None


def test_items_on_one_line_change_places_and_nothing_else_moves() -> None:
    text = "{ list: [ 1, /* two */ 2, 3 ] } // end"
    assert move_item(text, ("list",), 2, 0).text == "{ list: [ 3, /* two */ 1, 2 ] } // end"


ITEMS = st.integers(0, 99).map(str) | st.sampled_from(['"a,b"', "{ x: [1], /* in */ }", "'//'"])
ABOVE = st.lists(st.sampled_from(["// above", "/* over */", "", "// }, ["]), max_size=3)
BEHIND = st.sampled_from(["", " // behind", " /* back */", "  "])


@st.composite
def lists(draw: Any) -> tuple[str, list[str]]:
    """A list with an item to a line, and for each item the lines that are its own."""
    count = draw(st.integers(2, 6))
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    trailing = draw(st.booleans())
    parts, own = [], []
    for at in range(count):
        above = draw(ABOVE)
        comma = "," if at < count - 1 or trailing else ""
        item, behind = draw(ITEMS), draw(BEHIND)
        parts += [f"  {line}" if line else "" for line in above] + [f"  {item}{comma}{behind}"]
        close = above[len(above) - above[::-1].index("") :] if "" in above else above
        own.append("|".join([*close, item + behind.strip()]))
    return newline.join(["// head", "{ a: 1, list: [", *parts, "], b: 2 }", "// foot"]), own


@settings(max_examples=200)
@given(lists(), st.data())
def test_whatever_moves_all_else_is_byte_for_byte_as_it_was(
    made: tuple[str, list[str]], data: st.DataObject
) -> None:
    text, _ = made
    items = read_document(text).value["list"]
    source, target = (data.draw(st.integers(0, len(items) - 1)) for _ in range(2))
    moved = move_item(text, ("list",), source, target)
    order = list(items)
    order.insert(target, order.pop(source))
    document = read_document(moved.text)
    assert not document.faults and document.value == {"a": 1, "list": order, "b": 2}
    spans = read_document(text).spans
    low, high = sorted((source, target))
    first, last = spans["list", low], spans["list", high]
    head = text[: first.start].rstrip()
    while head.endswith(("// above", "/* over */", "// }, [")):
        head = head.rpartition("\n")[0].rstrip()
    assert moved.text.startswith(head)
    tail = text[last.end :].partition("\n")[2]
    assert moved.text.endswith(tail)
    assert sorted(moved.text.replace(",", "")) == sorted(text.replace(",", ""))
    assert move_item(moved.text, ("list",), target, source).text == text


def test_a_binding_is_added_changed_and_taken_out_between_comments() -> None:
    fresh = {"agentId": "d", "match": {"channel": "irc", "peer": {"kind": "dm", "id": "x"}}}
    grown = set_value(BINDINGS, ("bindings", 3), fresh)
    assert grown.text.count("//") == BINDINGS.count("//")
    assert remove_value(grown.text, ("bindings", 3)).text.count("//") == BINDINGS.count("//")
    changed = set_value(BINDINGS, ("bindings", 1, "agentId"), "z").text
    assert changed == BINDINGS.replace('"b"', '"z"')
