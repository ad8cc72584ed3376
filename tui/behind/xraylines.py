"""What the model sees from an entry, in groups that a person can take in at a glance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from engine.context.decisions import Decision, Decisions, no_message_reason
from engine.engine import Xray
from engine.sessions.tree import Tree

__all__ = ["MOST_BEHIND", "Group", "Seen", "look"]

MOST_BEHIND = 20_000
"""Entries behind the window that are counted; beyond, the count says that it is more."""

Kind = Literal["prompt", "summary", "messages", "folded", "cut", "left out"]


@dataclass(frozen=True, slots=True)
class Group:
    """Neighbouring entries that share their fate.

    Attributes:
        first, last: ids of the oldest and the newest; "" for the system prompt.
        entries: how many of them; messages only.
        tokens: in the window; for what is folded, what it weighed before, if known.
        reason: why they are out.
    """

    kind: Kind
    first: str
    last: str
    entries: int
    tokens: int | None
    reason: str = ""

    @property
    def included(self) -> bool:
        return self.kind in ("prompt", "summary", "messages")


@dataclass(frozen=True, slots=True)
class Seen:
    """The window from an entry.

    Attributes:
        groups: what is in, oldest first, then what is out.
        own: tokens of the entry itself there; None when it is out.
        depth: messages and summaries on the path.
        inside: those of them that are in the window.
        more: whether not everything behind was counted.
    """

    groups: tuple[Group, ...]
    own: int | None
    depth: int
    inside: int
    more: bool = False


def look(xray: Xray, tree: Tree) -> Seen:
    """Put the decisions of a window in groups. Cost: what is in it, and MOST_BEHIND entries."""
    decisions = xray.window.decisions
    recent = decisions.recent if isinstance(decisions, Decisions) else tuple(decisions)
    said = [one for one in recent if no_message_reason(one.type) is None or one.included]
    groups = [Group("prompt", "", "", 0, xray.prompt_tokens)] if xray.prompt_tokens else []
    groups += _inside(said)
    behind = decisions.behind() if isinstance(decisions, Decisions) else iter(())
    out, counted, more = _behind(behind, tree, xray)
    left = [one for one in said if not one.included]
    if left:
        reason = left[-1].reason
        out.append(Group("left out", left[0].entry_id, left[-1].entry_id, len(left), None, reason))
    own = recent[-1] if recent and recent[-1].entry_id == xray.leaf else None
    inside = sum(one.included for one in said)
    tokens = own.tokens if own is not None and own.included else None
    return Seen((*groups, *out), tokens, len(said) + counted, inside, more)


def _inside(said: list[Decision]) -> list[Group]:
    """What is in, oldest first; a summary stands alone and before all, as the model reads it."""
    summaries = [one for one in said if one.included and one.type == "compaction"]
    found = [Group("summary", one.entry_id, one.entry_id, 1, one.tokens) for one in summaries]
    run: list[Decision] = []

    def close() -> None:
        if run:
            total = sum(one.tokens for one in run)
            found.append(Group("messages", run[0].entry_id, run[-1].entry_id, len(run), total))
            run.clear()

    for one in said:
        if not one.included or one.type == "compaction":
            continue
        if one.type == "branch_summary":
            close()
            found.append(Group("summary", one.entry_id, one.entry_id, 1, one.tokens))
        else:
            run.append(one)
    if len(run) > 1:  # the entry itself stands alone at the end
        last = run.pop()
        close()
        run.append(last)
    close()
    return found


def _behind(decisions: Iterator[Decision], tree: Tree, xray: Xray) -> tuple[list[Group], int, bool]:
    """What is out before the window, newest first, by its reason."""
    groups: list[Group] = []
    counted = 0
    for walked, one in enumerate(decisions):
        if walked == MOST_BEHIND:
            return groups, counted, True
        if no_message_reason(one.type) is not None:
            continue
        counted += 1
        if one.included:
            continue
        if groups and groups[-1].reason == one.reason:
            last = groups[-1]
            groups[-1] = Group(
                last.kind, one.entry_id, last.last, last.entries + 1, last.tokens, last.reason
            )
            continue
        folded = one.reason.startswith("folded into")
        kind: Kind = "folded" if folded else "cut"
        tokens = _before(tree, xray.leaf) if folded else None
        groups.append(Group(kind, one.entry_id, one.entry_id, 1, tokens, one.reason))
    return groups, counted, False


def _before(tree: Tree, leaf: str) -> int | None:
    """What the conversation weighed before the compaction that counts here."""
    name = tree.nearest(leaf, "compaction")
    value = tree.entry(name).data.get("tokensBefore") if name is not None else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None
