from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.schema import Maintenance
from engine.config.sizes import read_size
from engine.lifecycle.expiry import DAY
from engine.lifecycle.retention import GRACE, Plan, Rules, plan_prune, rules_of
from engine.sessions.life import Life
from engine.sessions.records import Kind, SessionRecord

NOW = 1_800_000_000_000
MB = 1 << 20
PLACE = "session.maintenance"


def record(name: str, days: float = 0, kind: Kind = "session", **more: Any) -> SessionRecord:
    """A session that nobody used for so many days, or that ended so long ago."""
    at = NOW - round(days * DAY)
    life = None if kind == "session" else Life("archive", at=at)
    fields: dict[str, Any] = {"size": MB, "last_active": at, "life": life, **more}
    key = fields.pop("key", f"agent:main:telegram:dm:{name}")
    return SessionRecord(key, "main", name, Path(f"/s/{name}-{kind}"), kind, **fields)


def names(plan: Plan, action: str = "trash") -> list[str]:
    return [step.record.session_id for step in plan.steps if step.action == action]


def test_without_rules_nothing_is_planned() -> None:
    everything = [record("a", 9999), record("b", 9999, "deleted")]
    assert plan_prune(everything, Rules(), NOW).steps == ()
    assert not rules_of(None) and not rules_of(Maintenance())


def test_what_is_unused_for_too_long_goes_to_the_trash_and_says_why() -> None:
    found = [record("young", 29), record("old", 31), record("gone", 31, "archived")]
    plan = plan_prune(found, Rules(after=30 * DAY), NOW)
    assert [(s.record.session_id, s.reason, s.rule) for s in plan.steps] == [
        ("gone", "over for more than 30 days", f"{PLACE}.pruneAfterDays"),
        ("old", "unused for more than 30 days", f"{PLACE}.pruneAfterDays"),
    ]


def test_over_the_number_the_longest_unused_go() -> None:
    found = [record(name, days) for name, days in (("a", 1), ("b", 5), ("c", 3), ("d", 9))]
    plan = plan_prune([*found, record("x", 99, "archived")], Rules(sessions=2), NOW)
    assert names(plan) == ["d", "b"]
    assert plan.steps[0].reason == "4 sessions, 2 are the most"


def test_what_is_protected_stays_and_says_why() -> None:
    found = [
        record("open", 99),
        record("named", 99, label="Alice"),
        record("labelled", 99, labels=("escalated",)),
        record("main", 99, key="agent:main:main"),
        record("kept", 99, "archived", label="Alice"),
        record("left", 99, "reset", label="Alice"),
        record("evidence", 99, "reset", labels=("escalated",)),
        record("main", 99, "reset", key="agent:main:main"),
    ]
    in_use = {"agent:main:telegram:dm:open"}
    plan = plan_prune(found, Rules(after=DAY, sessions=1), NOW, in_use=in_use)
    assert sorted(names(plan)) == ["left", "main"]
    assert {(k.record.session_id, k.reason) for k in plan.kept} == {
        ("open", "open or being answered"),
        ("named", "named Alice"),
        ("kept", "named Alice"),
        ("labelled", "labelled escalated"),
        ("evidence", "labelled escalated"),
        ("main", "the operator's main session"),
    }


def test_the_budget_erases_old_trash_first_and_then_fills_it() -> None:
    found = [
        record("new-trash", 0.5, "deleted"),
        record("old-trash", 3, "deleted"),
        record("reset", 2, "reset"),
        record("old", 9),
        record("young", 1),
    ]
    assert plan_prune(found, Rules(budget=5 * MB), NOW).steps == ()
    one = plan_prune(found, Rules(budget=4 * MB), NOW)
    assert (names(one, "erase"), names(one)) == (["old-trash"], [])
    assert (one.held, one.freed) == (5 * MB, MB)
    two = plan_prune(found, Rules(budget=1 * MB), NOW)
    assert (names(two, "erase"), names(two)) == (["old-trash"], ["reset", "old"])
    assert two.steps[0].reason == "5.0 MB of transcripts, 1.0 MB are the most"


def test_the_trash_is_emptied_after_its_days_and_never_within_one() -> None:
    found = [record("a", 0.9, "deleted"), record("b", 8, "deleted")]
    assert names(plan_prune(found, Rules(trash=7 * DAY), NOW), "erase") == ["b"]
    assert names(plan_prune(found, Rules(trash=1), NOW), "erase") == ["b"]


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (7, 7),
        ("500MB", 500 * MB),
        ("1.5 gib", 3 << 29),
        ("10k", 10240),
        ("12", 12),
        ("lots", None),
        ("-1", None),
        (-1, None),
        ("", None),
    ],
)
def test_sizes(text: int | str, size: int | None) -> None:
    assert read_size(text) == size


def test_the_config_s_rules() -> None:
    written = {"pruneAfterDays": 30, "maxSessions": 9, "diskBudget": "1MB", "trashDays": 7}
    found = rules_of(msgspec.convert(written, Maintenance))
    assert found == Rules(30 * DAY, 9, MB, 7 * DAY)


kinds: list[Kind] = ["session", "archived", "reset", "deleted", "checkpoint", "older"]
some_records = st.lists(
    st.tuples(
        st.sampled_from(kinds),
        st.floats(-3, 400),
        st.integers(0, 5 * MB),
        st.sampled_from([(), ("escalated",)]),
        st.sampled_from([None, "Alice"]),
        st.sampled_from(["agent:main:main", "agent:main:dm:a", "agent:main:dm:b"]),
    ),
    max_size=30,
).map(
    lambda rows: [
        record(f"{place}", days, kind, size=size, labels=labels, label=label, key=key)
        for place, (kind, days, size, labels, label, key) in enumerate(rows)
    ]
)
some_rules = st.builds(
    Rules,
    after=st.sampled_from([0, DAY, 30 * DAY]),
    sessions=st.integers(0, 5),
    budget=st.none() | st.integers(0, 40 * MB),
    trash=st.sampled_from([0, DAY, 30 * DAY]),
)


def carried_out(records: list[SessionRecord], plan: Plan) -> list[SessionRecord]:
    """What is there after a plan, a moment later."""
    steps = {str(step.record.path): step for step in plan.steps}
    left = []
    for one in records:
        step = steps.get(str(one.path))
        if step is None:
            left.append(one)
        elif step.action == "trash":
            life = Life("delete", at=NOW)
            path = one.path.with_name(f"{one.path.name}.deleted")
            left.append(msgspec.structs.replace(one, kind="deleted", life=life, path=path))
    return left


@given(records=some_records, rules=some_rules, data=st.data())
def test_what_holds_of_every_plan(
    records: list[SessionRecord], rules: Rules, data: st.DataObject
) -> None:
    in_use = {"agent:main:dm:b"}
    plan = plan_prune(records, rules, NOW, in_use=in_use)
    shuffled = data.draw(st.permutations(records))
    assert plan_prune(shuffled, rules, NOW, in_use=in_use) == plan
    paths = [str(step.record.path) for step in plan.steps]
    assert len(set(paths)) == len(paths)
    assert not set(paths) & {str(kept.record.path) for kept in plan.kept}
    for step in plan.steps:
        one = step.record
        assert step.reason and step.rule.startswith(PLACE)
        if step.action == "erase":
            assert one.kind == "deleted" and NOW - one.ended >= GRACE
            continue
        assert one.kind in ("session", "archived", "reset") and not one.labels
        if one.kind == "session":
            assert one.key == "agent:main:dm:a" and not one.label
    after = carried_out(records, plan)
    again = plan_prune(after, rules, NOW, in_use=in_use)
    assert again.steps == (), "what is done is done"
    protected = {str(kept.record.path) for kept in again.kept}
    free = [one for one in after if str(one.path) not in protected]
    if rules.after:
        assert not [
            one
            for one in free
            if one.kind in ("session", "archived", "reset")
            and NOW - (one.ended or one.used) > rules.after
        ]
    if rules.sessions:
        left = [one for one in after if one.kind == "session"]
        assert len(left) <= rules.sessions or all(str(one.path) in protected for one in left)
    if rules.budget is not None:
        prunable = [one for one in free if one.kind in ("session", "archived", "reset")]
        out_of_trash = sum(one.size for one in after if one.kind != "deleted")
        assert out_of_trash <= rules.budget or not any(one.size for one in prunable)
