"""What goes to the trash, and what is erased from it, by `session.maintenance` (SPEC §11).

A pure plan: nothing is touched here. Each step names its rule and says why; each session that a
rule would take and something protects is named, too. What lies in the trash is erased only when
`trashDays` or the disk budget ask for it, and never within a day of getting there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Literal

from msgspec import Struct

from engine.config.schema import Maintenance
from engine.config.sizes import read_size
from engine.lifecycle.expiry import DAY, span
from engine.routing.keys import chat_type
from engine.sessions.records import SessionRecord

__all__ = ["GRACE", "Kept", "Plan", "Rules", "Step", "plan_prune", "rules_of"]

GRACE = DAY
"""How long everything stays in the trash at least, in ms."""

_PRUNED = ("session", "archived", "reset")
_AGE, _COUNT, _BUDGET, _TRASH = "pruneAfterDays", "maxSessions", "diskBudget", "trashDays"


class Rules(Struct, frozen=True):
    """Retention as it is asked for. Times in ms, sizes in bytes; 0 or None: no such rule.

    Attributes:
        after: silence after which a session goes to the trash.
        sessions: most sessions in use.
        budget: most space for all transcripts, the trash included.
        trash: how long the trash is kept.
        place: what the names of rules begin with.
    """

    after: float = 0
    sessions: int = 0
    budget: int | None = None
    trash: float = 0
    place: str = "session.maintenance."

    def __bool__(self) -> bool:
        return bool(self.after or self.sessions or self.trash) or self.budget is not None


def rules_of(maintenance: Maintenance | None) -> Rules:
    """The rules of a config."""
    if maintenance is None:
        return Rules()
    budget = maintenance.disk_budget
    return Rules(
        maintenance.prune_after_days * DAY,
        maintenance.max_sessions,
        read_size(budget) if budget is not None else None,
        maintenance.trash_days * DAY,
    )


class Step(Struct, frozen=True):
    """One thing to do: move a session to the trash, or erase it from there. `reason` is for
    people, `rule` the place in the config that asks for it."""

    action: Literal["trash", "erase"]
    record: SessionRecord
    reason: str
    rule: str


class Kept(Struct, frozen=True):
    """A session that a rule would take, and why it stays."""

    record: SessionRecord
    reason: str
    rule: str


class Plan(Struct, frozen=True):
    """What is to be done, the oldest first, and what is not.

    Attributes:
        freed: bytes that are free afterwards.
        held: bytes of all transcripts now.
    """

    steps: tuple[Step, ...] = ()
    kept: tuple[Kept, ...] = ()
    freed: int = 0
    held: int = 0


def plan_prune(
    records: Iterable[SessionRecord], rules: Rules, now: int, *, in_use: Collection[str] = ()
) -> Plan:
    """Decide what the rules take.

    Never taken: a session that is open or being answered, one that a person named or labelled,
    the operator's main session. Of what a reset left behind only labels protect, for the name
    went on to the new session.

    Args:
        records: everything the store lists.
        rules: what is asked for.
        now: ms since 1970.
        in_use: keys of sessions that are open or being answered.
    """
    return _Planner(records, rules, now, in_use).plan()


class _Planner:
    def __init__(
        self, records: Iterable[SessionRecord], rules: Rules, now: int, in_use: Collection[str]
    ):
        listed = [one for one in records if one.agent_id and one.state != "missing"]
        self._records = sorted(listed, key=lambda one: (_age_from(one), str(one.path)))
        self._rules = rules
        self._now = now
        self._in_use = in_use
        self._steps: dict[str, Step] = {}
        self._kept: dict[str, Kept] = {}

    def plan(self) -> Plan:
        held = sum(one.size for one in self._records)
        if self._rules.after > 0:
            self._by_age()
        if self._rules.sessions > 0:
            self._by_count()
        if self._rules.trash > 0:
            self._empty_trash()
        if self._rules.budget is not None:
            self._by_budget(self._rules.budget, held)
        steps = tuple(self._steps.values())
        kept = tuple(one for path, one in self._kept.items() if path not in self._steps)
        return Plan(steps, kept, sum(s.record.size for s in steps if s.action == "erase"), held)

    def _by_age(self) -> None:
        days = span(self._rules.after)
        for one in self._records:
            if one.kind in _PRUNED and self._now - _age_from(one) > self._rules.after:
                what = "unused" if one.kind == "session" else "over"
                self._trash(one, f"{what} for more than {days}", _AGE)

    def _by_count(self) -> None:
        left = [one for one in self._records if one.kind == "session" and self._stays(one)]
        over = len(left) - self._rules.sessions
        for one in left:
            if over <= 0:
                return
            reason = f"{len(left):,} sessions, {self._rules.sessions:,} are the most"
            over -= self._trash(one, reason, _COUNT)

    def _empty_trash(self) -> None:
        longest = max(self._rules.trash, GRACE)
        for one in self._in_trash():
            if self._now - one.ended > longest:
                self._erase(one, f"in the trash for more than {span(longest)}", _TRASH)

    def _by_budget(self, budget: int, held: int) -> None:
        """First what has been in the trash for a day is erased, the oldest first; where that is
        not enough, more goes to the trash, to be erased a day later."""
        over = held - budget - sum(s.record.size for s in self._steps.values() if _erases(s))
        reason = f"{_mb(held)} of transcripts, {_mb(budget)} are the most"
        for one in self._in_trash():
            if over > 0 and self._stays(one) and self._now - one.ended >= GRACE:
                over -= self._erase(one, reason, _BUDGET)
        in_trash = [one for one in self._in_trash() if self._stays(one)]
        over -= sum(one.size for one in in_trash)
        over -= sum(s.record.size for s in self._steps.values() if not _erases(s))
        ended_first = sorted(self._records, key=lambda one: one.kind == "session")
        for one in ended_first:
            if over > 0 and one.kind in _PRUNED and self._stays(one):
                over -= self._trash(one, reason, _BUDGET) * one.size

    def _in_trash(self) -> list[SessionRecord]:
        return [one for one in self._records if one.kind == "deleted"]

    def _stays(self, one: SessionRecord) -> bool:
        return str(one.path) not in self._steps

    def _trash(self, one: SessionRecord, reason: str, rule: str) -> int:
        """Plan it unless something protects it; how many were planned."""
        place = f"{self._rules.place}{rule}"
        path = str(one.path)
        if path in self._steps:
            return 0
        why = _protection(one, self._in_use)
        if why:
            self._kept.setdefault(path, Kept(one, why, place))
            return 0
        self._steps[path] = Step("trash", one, reason, place)
        return 1

    def _erase(self, one: SessionRecord, reason: str, rule: str) -> int:
        """Plan it; how many bytes that frees."""
        place = f"{self._rules.place}{rule}"
        self._steps[str(one.path)] = Step("erase", one, reason, place)
        return one.size


def _protection(one: SessionRecord, in_use: Collection[str]) -> str:
    """Why a session must not be taken; "" when nothing speaks against it."""
    if one.labels:
        return f"labelled {', '.join(one.labels)}"
    if one.kind == "session" and one.key in in_use:
        return "open or being answered"
    if one.kind == "session" and chat_type(one.key) == "main":
        return "the operator's main session"
    if one.label and one.kind != "reset":
        return f"named {one.label}"
    return ""


def _age_from(one: SessionRecord) -> int:
    """From when a session's age counts."""
    return one.ended or one.used


def _erases(step: Step) -> bool:
    return step.action == "erase"


def _mb(size: int) -> str:
    return f"{size / (1 << 20):,.1f} MB"
