"""Compaction, planned: when it is due, what is folded, what stays, and the entry that says so.

Pure functions on frozen values; asking a model for the summary is engine.branching.compact's.
Rules: SPEC §8; where a path is cut: engine.context.cut.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct

from engine.config.schema import Compaction
from engine.context.cut import Cut, Part, cut_at, cut_places, find_cut
from engine.context.limits import Limits
from engine.context.stretch import stretch_of
from engine.context.window import Window, WindowMessage, WindowSettings, build_window
from engine.sessions.tree import Node, Tree
from engine.values import replace

__all__ = [
    "BY_HAND",
    "OUTCOME",
    "Budget",
    "Fold",
    "Nothing",
    "Outcome",
    "Trigger",
    "budget_for",
    "compaction_fields",
    "due",
    "join_summaries",
    "outcome_fields",
    "plan_fold",
    "standstill",
]

OUTCOME = "branchline.compaction"
"""custom entry: an attempt that folded nothing, `data {outcome, reason, trigger, streak …}`."""

Trigger = Literal["threshold", "overflow", "command"]
Outcome = Literal["done", "failed", "cancelled"]

_TURN_INTRO = "The turn that goes on below began so:"
_STILL = 2
"""Attempts in a row without any gain after which a session stops compacting by itself."""

_GROWN = 1.25
"""How much heavier it must have become before it tries again."""


class Budget(Struct, frozen=True):
    """What a session may weigh, in tokens, and what compaction leaves of it.

    Attributes:
        limit: compaction is due above it, system prompt included.
        keep_tokens: of recent talk that stays.
        keep_messages: most messages that stay; 0: only `keep_tokens` counts.
        summary_tokens: most tokens of a summary.
    """

    window: int
    limit: int
    keep_tokens: int
    keep_messages: int
    summary_tokens: int


def budget_for(config: Compaction, window: int, prompt_tokens: int = 0) -> Budget:
    """The budget of a model's window under a config.

    The limit is `threshold` of the window or the window less the reserve, whichever comes first;
    reserve, summary and what is kept are scaled down for windows that they would fill.

    Args:
        window: tokens the model holds.
        prompt_tokens: of the system prompt, which is always in.
    """
    reserve = min(max(config.reserve_tokens, config.reserve_tokens_floor), window // 5)
    limit = max(1, min(int(window * config.threshold), window - reserve))
    summary = max(1, min(config.summary_max_tokens, window // 5))
    room = max(0, limit - prompt_tokens - summary)
    keep = min(config.keep_recent_tokens, room // 2)
    return Budget(window, limit, keep, config.preserve_recent, summary)


def due(tokens: int, budget: Budget) -> bool:
    """Whether a request of so many tokens calls for compaction."""
    return tokens > budget.limit


class Fold(Struct, frozen=True):
    """What a compaction would do.

    Attributes:
        leaf: the entry it starts from.
        first_kept: id of the first entry that stays.
        folded: messages of whole turns that go into the summary, oldest first.
        prefix: the beginning of the turn that is cut in two; it gets a summary of its own.
        kept: messages that stay as they are.
        previous: the summary so far, which the new one takes over.
        window: the window all this comes from, without any history limit.
    """

    leaf: str
    first_kept: str
    folded: tuple[WindowMessage, ...]
    prefix: tuple[WindowMessage, ...]
    kept: tuple[WindowMessage, ...]
    previous: WindowMessage | None
    window: Window

    @property
    def count(self) -> int:
        """Messages that are folded."""
        return len(self.folded) + len(self.prefix)

    @property
    def split(self) -> bool:
        return bool(self.prefix)

    @property
    def gone(self) -> tuple[WindowMessage, ...]:
        """All that the summary stands for: the earlier summary and the folded messages."""
        earlier = (self.previous,) if self.previous is not None else ()
        return (*earlier, *self.folded, *self.prefix)

    @property
    def tokens_folded(self) -> int:
        return sum(message.tokens for message in self.gone)

    @property
    def tokens_kept(self) -> int:
        return sum(message.tokens for message in self.kept)


class Nothing(Struct, frozen=True):
    """There is nothing to fold, and why; `remedy`: what a person can do about it."""

    reason: str
    remedy: str


BY_HAND = (
    "name the first message that is to stay: c on it in the tree, on the command line --keep-from "
    "ID"
)
"""How a person says what folds, whatever the budget keeps."""
_TOO_EARLY = "nothing stands before that entry that could be folded"
_LATER = "Choose a later one, on the way to the leaf and after the last compaction"


def plan_fold(
    tree: Tree,
    leaf: str | None,
    budget: Budget,
    settings: WindowSettings,
    *,
    keep_from: str | None = None,
    count_notes: bool = True,
) -> Fold | Nothing:
    """What to fold of the path to `leaf`.

    Starts where an earlier compaction's kept part starts, so that every message is kept or
    summarised exactly once. History limits do not matter here: what they leave out is folded too.

    Args:
        settings: estimator and calibration; its limits are not used.
        keep_from: an entry of the path from which everything stays, instead of the budget's.
        count_notes: see engine.context.cut.find_cut.
    """
    stretch = stretch_of(tree, leaf)
    nodes = list(stretch.nodes)[::-1]
    if leaf is None or not nodes:
        return Nothing("nothing was said yet", "There has to be a conversation first")
    if nodes[-1].type == "compaction":
        return Nothing(
            "nothing was said since the last compaction",
            "To fold otherwise, undo it first: u in the tree, or /undo",
        )
    window = build_window(tree, leaf, replace(settings, limits=Limits()))
    parts, messages = _parts(nodes, window, count_notes=count_notes)
    cut = _choose(parts, budget, keep_from, count_notes)
    if cut is None:
        return Nothing(_TOO_EARLY, _LATER)
    folded = tuple(_between(messages, 0, cut.folded_to))
    prefix = tuple(_between(messages, cut.folded_to, cut.first))
    if not folded and not prefix and keep_from is not None:
        return Nothing(_TOO_EARLY, _LATER)
    if not folded and not prefix:
        return Nothing(
            "everything that was said is recent enough to stay (compaction.preserveRecent says "
            "how much that is)",
            f"To fold all the same, {BY_HAND}",
        )
    first = window.messages[0] if window.messages else None
    return Fold(
        leaf,
        parts[cut.first].id,
        folded,
        prefix,
        tuple(_between(messages, cut.first, len(parts))),
        first if first is not None and first.role == "compactionSummary" else None,
        window,
    )


def _parts(
    nodes: Sequence[Node], window: Window, *, count_notes: bool
) -> tuple[list[Part], list[WindowMessage | None]]:
    """The path as the cut sees it, and the message of each of its entries."""
    by_id = {
        message.entry_id: message
        for message in window.messages
        if message.role != "compactionSummary"
    }
    messages = [by_id.get(node.id) for node in nodes]
    parts = []
    for node, message in zip(nodes, messages, strict=True):
        if message is None:
            # An empty branch summary says nothing, yet OpenClaw 2026.4.15 cuts before it.
            empty = node.type == "branch_summary" and not count_notes
            role = "branchSummary" if empty else None
            parts.append(Part(node.id, node.type, role))
            continue
        calls = tuple(str(call["id"]) for call in message.tool_calls if "id" in call)
        parts.append(
            Part(node.id, node.type, message.role, message.tokens, calls, message.tool_call_id)
        )
    return parts, messages


def _between(messages: Sequence[WindowMessage | None], start: int, end: int) -> list[WindowMessage]:
    return [message for message in messages[start:end] if message is not None]


def _choose(
    parts: Sequence[Part], budget: Budget, keep_from: str | None, count_notes: bool
) -> Cut | None:
    """The cut: where a person wants it, else the later one of what tokens and messages allow."""
    end = len(parts)
    places = cut_places(parts, 0, end)
    if keep_from is not None:
        wanted = next((i for i, part in enumerate(parts) if part.id == keep_from), None)
        chosen = [place for place in places if wanted is not None and place <= wanted]
        return cut_at(parts, 0, chosen[-1]) if chosen else None
    cut = find_cut(parts, 0, end, budget.keep_tokens, count_notes=count_notes)
    if places and cut.first <= places[0] and _over(parts, budget.limit):
        # The first message alone fills what is kept, and all of it is too much.
        cut = cut_at(parts, 0, places[-1])
    return _recent(parts, places, budget.keep_messages, cut)


def _over(parts: Sequence[Part], tokens: int) -> bool:
    return tokens > 0 and sum(part.tokens for part in parts) >= tokens


def _recent(parts: Sequence[Part], places: Sequence[int], most: int, cut: Cut) -> Cut:
    """`cut`, or a later one that keeps no more than the newest `most` messages: at the beginning
    of their turn if what that adds is within `cut` too."""
    said = [index for index, part in enumerate(parts) if part.role is not None]
    if most < 1 or len(said) <= most:
        return cut
    fitting = [place for place in places if place <= said[-most]]
    if not fitting or fitting[-1] <= cut.first:
        return cut
    later = cut_at(parts, 0, fitting[-1])
    if parts[fitting[-1]].starts_turn:
        return Cut(later.first)
    turn = later.turn
    if turn is not None and turn in fitting and turn >= cut.first and turn > places[0]:
        return cut_at(parts, 0, turn)
    return later


def join_summaries(history: str, prefix: str) -> str:
    """The summary of whole turns and that of the beginning of the turn that goes on."""
    if not prefix:
        return history
    return f"{history}\n\n{_TURN_INTRO}\n{prefix}".strip()


def compaction_fields(
    fold: Fold,
    summary: str,
    *,
    before: int,
    after: int,
    trigger: Trigger,
    model: str,
    focus: str | None = None,
    edited: bool = False,
) -> dict[str, Any]:
    """The `compaction` entry. Readers of plain v3 know the first four fields; the others say what
    was folded and how."""
    gone = (*fold.folded, *fold.prefix)
    fields: dict[str, Any] = {
        "type": "compaction",
        "summary": summary,
        "firstKeptEntryId": fold.first_kept,
        "tokensBefore": before,
        "tokensAfter": after,
        "folded": {
            "messages": fold.count,
            "firstId": gone[0].entry_id,
            "lastId": gone[-1].entry_id,
        },
        "kept": len(fold.kept),
        "trigger": trigger,
        "model": model,
    }
    optional = {"focus": focus, "edited": edited, "splitTurn": fold.split}
    return fields | {name: value for name, value in optional.items() if value}


def outcome_fields(
    tree: Tree,
    leaf: str | None,
    outcome: Outcome,
    reason: str,
    *,
    trigger: Trigger,
    tokens: int,
    gainless: bool = False,
) -> dict[str, Any]:
    """The entry of an attempt that folded nothing; `gainless`: it would have gained nothing.

    Only attempts that nobody asked for count as a row of fruitless ones.
    """
    earlier = _last_outcome(tree, leaf)
    streak = int(earlier.get("streak", 0)) if earlier is not None else 0
    if trigger != "command":
        streak = streak + 1 if gainless else 0
    body = {
        "outcome": outcome,
        "reason": reason,
        "trigger": trigger,
        "tokensBefore": tokens,
        "compaction": tree.nearest(leaf, "compaction"),
        "streak": streak,
    }
    return {"type": "custom", "customType": OUTCOME, "data": body}


def standstill(tree: Tree, leaf: str | None, tokens: int) -> str | None:
    """Why the session does not compact by itself just now; None when it does.

    After two attempts without gain it stops, until a compaction was made by hand or the session
    weighs a quarter more.

    Args:
        tokens: what the session weighs.
    """
    last = _last_outcome(tree, leaf)
    if last is None or last.get("streak", 0) < _STILL:
        return None
    before = last.get("tokensBefore")
    if isinstance(before, int) and tokens > before * _GROWN:
        return None
    return str(last.get("reason") or "folding gained nothing")


def _last_outcome(tree: Tree, leaf: str | None) -> Mapping[str, Any] | None:
    """The last fruitless attempt, unless a compaction was done since or the branch is another."""
    entry_id = tree.ours.get(OUTCOME)
    if entry_id is None:
        return None
    body = tree.entry(entry_id).data.get("data")
    if not isinstance(body, dict) or not isinstance(body.get("streak"), int):
        return None
    return body if body.get("compaction") == tree.nearest(leaf, "compaction") else None
