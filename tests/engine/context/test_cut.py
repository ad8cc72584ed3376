from __future__ import annotations

import pytest

from engine.context.cut import Cut, Part, find_cut

USER, ANSWER = ("message", "user"), ("message", "assistant")
NOTE, SUMMARY = ("custom_message", "custom"), ("branch_summary", "branchSummary")
SETTING, RESULT = ("model_change", None), ("message", "toolResult")
SHELL, COMPACTION = ("message", "bashExecution"), ("compaction", None)


def path(*entries: tuple[tuple[str, str | None], int]) -> list[Part]:
    return [
        Part(f"e{index}", kind, role, tokens)
        for index, ((kind, role), tokens) in enumerate(entries)
    ]


def cut(parts: list[Part], keep: int, *, notes: bool = True) -> Cut:
    return find_cut(parts, 0, len(parts), keep, count_notes=notes)


def test_only_what_gives_no_message_stays_with_what_follows() -> None:
    for kind in (NOTE, SUMMARY, SHELL, ANSWER):
        parts = path((USER, 9), (kind, 9), (SETTING, 0), (USER, 9))
        assert cut(parts, 9).first == 2, kind
    assert cut(path((USER, 9), (COMPACTION, 0), (SETTING, 0), (USER, 9)), 9).first == 2


def test_openclaw_keeps_notes_before_the_cut_too() -> None:
    parts = path((USER, 9), (NOTE, 9), (SUMMARY, 9), (SETTING, 0), (USER, 9))
    assert cut(parts, 9, notes=False).first == 1


@pytest.mark.parametrize("kind", [USER, NOTE, SUMMARY, SHELL, ("message", "custom")])
def test_what_reads_as_a_persons_message_begins_a_turn(kind: tuple[str, str]) -> None:
    assert cut(path((USER, 9), (ANSWER, 9), (kind, 9)), 9) == Cut(2)
    assert cut(path((USER, 9), (kind, 9), (ANSWER, 9)), 9) == Cut(2, turn=1)


def test_empty_messages_do_not_reach_the_tokens_to_keep() -> None:
    assert cut(path((USER, 9), (ANSWER, 9), (USER, 0)), 0) == Cut(1, turn=0)
    assert cut(path((USER, 0), (ANSWER, 0)), 0) == Cut(0)


def test_where_only_a_result_is_enough_the_call_before_it_is_kept() -> None:
    parts = path((USER, 9), (ANSWER, 9), (USER, 9), (ANSWER, 9), (RESULT, 99))
    assert cut(parts, 50) == Cut(3, turn=2)
