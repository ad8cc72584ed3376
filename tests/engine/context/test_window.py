from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.context.limits import Limits
from engine.context.tokens import Calibration, chars4_message
from engine.context.window import SUMMARIES, Window, WindowSettings, build_window
from engine.sessions.tree import Tree, make_node

Line = dict[str, Any]


class Talk:
    """Writes the lines of a transcript, one under the other."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.at: str | None = None

    def add(self, kind: str, entry_id: str | None = None, **fields: Any) -> str:
        name = entry_id or f"e{len(self.lines)}"
        line = {"type": kind, "id": name, "parentId": self.at, "timestamp": "", **fields}
        self.lines.append(line)
        self.at = name
        return name

    def say(self, role: str, content: Any, entry_id: str | None = None, **fields: Any) -> str:
        return self.add("message", entry_id, message={"role": role, "content": content, **fields})

    def calls(self, *ids: str) -> str:
        blocks = [{"type": "toolCall", "id": name, "name": "read", "arguments": {}} for name in ids]
        return self.say("assistant", blocks, provider="p", model="m", stopReason="toolUse")

    def result(self, call: str, text: str = "found") -> str:
        return self.say(
            "toolResult", [{"type": "text", "text": text}], toolCallId=call, toolName="read"
        )

    def window(self, limits: Limits | None = None, **settings: Any) -> Window:
        found = WindowSettings(limits or Limits(), **settings)
        return build_window(Tree.from_entries(self.lines), self.at, found)


def ids(window: Window) -> list[str]:
    return [message.entry_id for message in window.messages]


def reason(window: Window, entry_id: str) -> str:
    return next(one.reason for one in window.decisions if one.entry_id == entry_id)


def usage(total: int) -> dict[str, int]:
    return {"input": total - 5, "output": 5, "totalTokens": total}


def test_no_leaf_is_an_empty_window() -> None:
    talk = Talk()
    talk.say("user", "hi")
    window = build_window(Tree.from_entries(talk.lines), None)
    assert (window.messages, len(window.decisions), window.tokens) == ((), 0, 0)


def test_unknown_leaf_falls_back_to_the_last_entry_and_says_so() -> None:
    talk = Talk()
    talk.say("user", "hi")
    window = build_window(Tree.from_entries(talk.lines), "nope")
    assert ids(window) == ["e0"]
    assert "nope" in window.problems[0].message


def test_first_kept_off_the_path_is_a_problem() -> None:
    talk = Talk()
    talk.say("user", "old")
    talk.add("compaction", "c", summary="S", firstKeptEntryId="gone")
    talk.say("user", "new", "n")
    window = talk.window()
    assert ids(window) == ["c", "n"]
    assert "gone" in window.problems[0].message


def test_compaction_at_the_root_simply_starts() -> None:
    talk = Talk()
    talk.add("compaction", "c", summary="S", firstKeptEntryId="gone")
    talk.say("user", "new", "n")
    window = talk.window()
    assert ids(window) == ["c", "n"]
    assert window.problems == ()


def test_unknown_and_damaged_entries_get_a_decision() -> None:
    talk = Talk()
    talk.add("weather", "w", sky="blue")
    talk.add("message", "d", message="not an object")
    talk.say("user", "hi", "u")
    window = talk.window()
    assert ids(window) == ["u"]
    assert "unknown" in reason(window, "w")
    assert "damaged" in reason(window, "d")


def test_a_compaction_that_keeps_from_itself_keeps_nothing_and_is_no_problem() -> None:
    talk = Talk()
    talk.say("user", "old", "u")
    talk.add("compaction", "c", summary="S", firstKeptEntryId="c")
    window = talk.window()
    assert ids(window) == ["c"] and not window.problems


def test_a_correction_that_removes_takes_the_message_out() -> None:
    talk = Talk()
    talk.say("user", "hi", "u")
    talk.say("assistant", "secret", "a")
    talk.add("context_edit", "x", targetId="a", replacement=None)
    window = talk.window()
    assert ids(window) == ["u"]
    assert "x" in reason(window, "a")


def test_a_correction_changes_what_was_said_and_no_summary_or_command() -> None:
    talk = Talk()
    talk.say("user", "hi", "u")
    talk.add("custom_message", "m", customType="k", content="note")
    talk.add("message", "b", message={"role": "bashExecution", "command": "ls", "output": ""})
    talk.add("branch_summary", "s", summary="left", fromId="u")
    for name in "umbs":
        talk.add("context_edit", targetId=name, replacement={"content": "new"})
    window = talk.window()
    assert [message.content for message in window.messages] == ["new", "new", "ls", "left"]


def test_a_command_hidden_by_its_owner_is_out() -> None:
    talk = Talk()
    talk.add(
        "message",
        "b",
        message={"role": "bashExecution", "command": "ls", "excludeFromContext": True},
    )
    assert ids(talk.window()) == []


def test_a_message_limit_keeps_the_newest() -> None:
    talk = Talk()
    for number in range(6):
        talk.say("user" if number % 2 == 0 else "assistant", f"t{number}")
    window = talk.window(Limits(max_messages=3, name="history.group"))
    assert ids(window) == ["e3", "e4", "e5"]
    assert "history.group" in reason(window, "e0")


def test_a_token_limit_counts_the_messages() -> None:
    talk = Talk()
    for number in range(6):
        talk.say("user" if number % 2 == 0 else "assistant", "x" * 40)
    window = talk.window(Limits(max_tokens=35), estimate=chars4_message)
    assert ids(window) == ["e3", "e4", "e5"]


def test_the_current_turn_is_never_cut() -> None:
    talk = Talk()
    talk.say("user", "old")
    talk.say("assistant", "old answer")
    talk.say("user", "do it", "u")
    talk.calls("c1")
    talk.result("c1", "x" * 1000)
    talk.calls("c2")
    talk.result("c2")
    window = talk.window(Limits(max_messages=1, max_tokens=1, turns=1))
    assert ids(window) == ["u", "e3", "e4", "e5", "e6"]


def test_a_limit_never_leaves_a_result_without_its_call() -> None:
    talk = Talk()
    talk.say("user", "one")
    talk.calls("c1", "c2")
    talk.result("c1")
    talk.result("c2", "second")
    talk.say("user", "two", "u")
    window = talk.window(Limits(max_messages=3))
    assert ids(window) == ["u"]
    assert "tool call" in reason(window, "e3")


def test_limits_never_drop_summaries() -> None:
    talk = Talk()
    talk.say("user", "old", "o")
    talk.add("compaction", "c", summary="S", firstKeptEntryId="o")
    talk.add("branch_summary", "b", summary="B", fromId="x")
    for number in range(4):
        talk.say("user", f"t{number}")
    window = talk.window(Limits(max_messages=1, turns=1))
    assert [message.role for message in window.messages] == [
        "compactionSummary",
        "branchSummary",
        "user",
    ]


def test_tokens_start_from_reported_usage() -> None:
    talk = Talk()
    talk.say("user", "x" * 400)
    talk.say("assistant", "y" * 40, usage=usage(5000), stopReason="stop")
    talk.say("user", "z" * 40)
    window = talk.window(estimate=chars4_message)
    assert window.tokens == 5010
    assert window.overhead == 5010 - 120


@pytest.mark.parametrize("stop", ["error", "aborted"])
def test_usage_of_a_broken_answer_does_not_count(stop: str) -> None:
    talk = Talk()
    talk.say("user", "x" * 400)
    talk.say("assistant", "y" * 40, usage=usage(5000), stopReason=stop)
    assert talk.window(estimate=chars4_message).tokens == 110


def test_usage_from_before_a_compaction_does_not_count() -> None:
    talk = Talk()
    talk.say("user", "x" * 400)
    talk.say("assistant", "y" * 40, "a", usage=usage(5000), stopReason="stop")
    talk.add("compaction", "c", summary="s" * 8, firstKeptEntryId="a")
    assert talk.window(estimate=chars4_message).tokens == 12


def test_usage_from_before_a_correction_does_not_count() -> None:
    talk = Talk()
    talk.say("user", "x" * 400, "u")
    talk.say("assistant", "y" * 40, usage=usage(5000), stopReason="stop")
    talk.add("context_edit", "x", targetId="u", replacement={"content": "x" * 4})
    assert talk.window(estimate=chars4_message).tokens == 11


def test_usage_does_not_count_when_a_limit_cut_what_it_covered() -> None:
    talk = Talk()
    talk.say("user", "x" * 400)
    talk.say("assistant", "y" * 40, usage=usage(5000), stopReason="stop")
    talk.say("user", "z" * 40)
    window = talk.window(Limits(max_messages=2), estimate=chars4_message)
    assert (window.tokens, window.overhead) == (20, 0)


def test_calibration_scales_the_estimates() -> None:
    talk = Talk()
    talk.say("user", "x" * 400)
    window = talk.window(estimate=chars4_message, calibration=Calibration(1.5, 3))
    assert window.tokens == 150


def counting_tree(lines: list[Line]) -> tuple[Tree, list[str]]:
    read: list[str] = []

    def reader(node: Any) -> Mapping[str, Any]:
        read.append(node.id)
        return lines[node.offset]

    tree = Tree(reader)
    for index, line in enumerate(lines):
        node = make_node(line, index)
        assert node is not None
        tree.add(node, line)
    return tree, read


def test_nothing_behind_the_compaction_is_read_or_walked_until_asked() -> None:
    talk = Talk()
    for number in range(500):
        talk.say("user", f"t{number}")
    talk.add("compaction", "c", summary="S", firstKeptEntryId="e499")
    talk.say("user", "new", "n")
    tree, read = counting_tree(talk.lines)
    walked = 0
    up = tree.up

    def counting_up(leaf: str | None) -> Any:
        nonlocal walked
        for node in up(leaf):
            walked += 1
            yield node

    tree.up = counting_up  # type: ignore[method-assign]
    window = build_window(tree, "n")
    assert sorted(set(read)) == ["c", "e499", "n"]
    assert window.decisions[-1].entry_id == "n"
    assert walked <= 5
    assert len(window.decisions) == 502
    assert window.decisions[0].reason == "folded into the summary of compaction c"
    assert sorted(set(read)) == ["c", "e499", "n"]


def test_a_limit_reads_only_what_it_lets_in() -> None:
    talk = Talk()
    for number in range(300):
        talk.say("user", f"t{number}")
    tree, read = counting_tree(talk.lines)
    window = build_window(tree, "e299", WindowSettings(Limits(max_messages=10)))
    assert len(window.messages) == 10
    assert len(set(read)) == 10


def test_decisions_behave_as_a_sequence() -> None:
    talk = Talk()
    for number in range(4):
        talk.say("user", f"t{number}")
    talk.add("compaction", "c", summary="S", firstKeptEntryId="e3")
    decisions = talk.window().decisions
    names = [one.entry_id for one in decisions]
    assert names == ["e0", "e1", "e2", "e3", "c"]
    assert [one.entry_id for one in reversed(decisions)] == names[::-1]
    assert [one.entry_id for one in decisions[1:3]] == ["e1", "e2"]
    assert [one.included for one in decisions] == [False, False, False, True, True]
    assert decisions == talk.window().decisions


# Random transcripts: mostly a line, sometimes a branch, with everything a file may hold.
KINDS = """
    user user user assistant assistant call call result result custom_message branch_summary
    empty_summary compaction label model_change thinking_level_change custom weather context_edit
    omit
"""
STEP = st.tuples(
    st.sampled_from(KINDS.split()),
    st.integers(0, 30),
    st.integers(0, 3),
)
LIMITS = st.builds(Limits, st.integers(0, 6), st.sampled_from([0, 0, 1, 12, 40]), st.integers(0, 4))


def lines_of(steps: list[tuple[str, int, int]]) -> tuple[list[Line], str | None]:
    talk = Talk()
    open_calls: list[str] = []
    for number, (kind, size, back) in enumerate(steps):
        names = [line["id"] for line in talk.lines]
        if back == 3 and size > 25 and names:
            talk.at = names[size % len(names)]
        target = names[size % len(names)] if names else "none"
        match kind:
            case "user":
                talk.say("user", "u" * size)
            case "assistant":
                talk.say("assistant", "a" * size, provider="p", model="m", stopReason="stop")
            case "call":
                open_calls = [f"c{number}-{i}" for i in range(back + 1)]
                talk.calls(*open_calls)
            case "result":
                talk.result(open_calls.pop(0) if open_calls else f"none{number}")
            case "custom_message":
                talk.add(kind, customType="t", content="x" * size, display=False)
            case "branch_summary":
                talk.add(kind, summary="b" * (size + 1), fromId=target)
            case "empty_summary":
                talk.add("branch_summary", summary="", fromId=target)
            case "compaction":
                talk.add(kind, summary="s" * size, firstKeptEntryId=target)
            case "context_edit":
                talk.add(kind, targetId=target, replacement={"content": "e" * size})
            case "omit":
                talk.add("context_edit", targetId=target, replacement=None)
            case _:
                talk.add(kind)
    return talk.lines, talk.at


TRANSCRIPTS = st.lists(STEP, max_size=40).map(lines_of)


@given(TRANSCRIPTS, LIMITS)
def test_every_entry_on_the_path_has_one_decision_and_tokens_add_up(
    transcript: tuple[list[Line], str | None], limits: Limits
) -> None:
    tree = Tree.from_entries(transcript[0])
    window = build_window(tree, transcript[1], WindowSettings(limits))
    path = [node.id for node in tree.path(transcript[1])]
    assert [one.entry_id for one in window.decisions] == path
    assert all(one.reason for one in window.decisions)
    included = {one.entry_id: one.tokens for one in window.decisions if one.included}
    assert included == {message.entry_id: message.tokens for message in window.messages}
    assert sum(included.values()) + window.overhead == window.tokens
    assert all(one.tokens == 0 for one in window.decisions if not one.included)


@given(TRANSCRIPTS, LIMITS)
def test_messages_keep_the_order_of_the_path(
    transcript: tuple[list[Line], str | None], limits: Limits
) -> None:
    tree = Tree.from_entries(transcript[0])
    window = build_window(tree, transcript[1], WindowSettings(limits))
    place = {node.id: index for index, node in enumerate(tree.path(transcript[1]))}
    places = [place[m.entry_id] for m in window.messages if m.role != "compactionSummary"]
    assert places == sorted(places)
    assert [m.role for m in window.messages[1:]].count("compactionSummary") == 0


@given(TRANSCRIPTS, LIMITS)
def test_a_limit_drops_no_summary_and_never_the_newest_user_message(
    transcript: tuple[list[Line], str | None], limits: Limits
) -> None:
    tree = Tree.from_entries(transcript[0])
    free = build_window(tree, transcript[1])
    limited = build_window(tree, transcript[1], WindowSettings(limits))
    kept = set(ids(limited))
    assert kept <= set(ids(free))
    assert {m.entry_id for m in free.messages if m.role in SUMMARIES} <= kept
    users = [m.entry_id for m in free.messages if m.role == "user"]
    assert set(users[-1:]) <= kept


@given(TRANSCRIPTS, LIMITS)
def test_limits_hold_for_all_but_the_current_turn(
    transcript: tuple[list[Line], str | None], limits: Limits
) -> None:
    tree = Tree.from_entries(transcript[0])
    window = build_window(tree, transcript[1], WindowSettings(limits))
    counted = [m for m in window.messages if m.role not in SUMMARIES]
    newest = max((i for i, m in enumerate(counted) if m.role == "user"), default=len(counted))
    turn = len(counted) - newest
    if limits.max_messages:
        assert len(counted) <= max(limits.max_messages, turn)
    if limits.max_tokens and newest:
        assert sum(m.tokens for m in counted) <= limits.max_tokens
    if limits.turns:
        assert sum(m.role == "user" for m in counted) <= limits.turns


@given(TRANSCRIPTS, LIMITS)
def test_a_limit_keeps_calls_and_results_together(
    transcript: tuple[list[Line], str | None], limits: Limits
) -> None:
    tree = Tree.from_entries(transcript[0])
    free = build_window(tree, transcript[1])
    limited = build_window(tree, transcript[1], WindowSettings(limits))
    kept = set(ids(limited))
    callers = {str(call["id"]): m.entry_id for m in free.messages for call in m.tool_calls}
    for message in free.messages:
        caller = callers.get(message.tool_call_id or "")
        if caller is None or ids(free).index(caller) > ids(free).index(message.entry_id):
            continue
        assert (message.entry_id in kept) == (caller in kept)


@given(TRANSCRIPTS, LIMITS)
def test_the_same_input_gives_the_same_window(
    transcript: tuple[list[Line], str | None], limits: Limits
) -> None:
    settings = WindowSettings(limits)
    one = build_window(Tree.from_entries(transcript[0]), transcript[1], settings)
    other = build_window(Tree.from_entries(transcript[0]), transcript[1], settings)
    assert one == other
