"""How the preview of another model for several sessions shows them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

from engine.agents.models import Outlook, Verdict
from engine.errors import BranchlineError
from engine.text import safe_line
from engine.turns.choice import Layer
from tui.look.cells import count, fit
from tui.look.glyphs import Glyphs
from tui.widgets.rows import Line, Span

__all__ = ["SwitchRows", "counts_of", "head_line", "verdict_words"]

WIDE = 84
"""Cells from which a session takes one line."""

_TONES: dict[Verdict, str] = {
    "fits": "new",
    "compacts": "busy",
    "cut": "needs",
    "over": "needs",
    "unusable": "needs",
}

Seen = Outlook | BranchlineError
"""What was found out of a session, or why nothing could be."""


def verdict_words(seen: Seen | None) -> tuple[str, str]:
    """What another model would do to a session, in words, and their tone."""
    if seen is None:
        return "looking …", "dim"
    if isinstance(seen, BranchlineError):
        return safe_line(seen.message, limit=120), "needs"
    if not seen.changes:
        return "stays as it is", "dim"
    return safe_line(seen.reason, limit=120), _TONES[seen.verdict]


def counts_of(seen: Mapping[str, Seen], chosen: Sequence[str]) -> str:
    """What would happen to the chosen sessions, as a sentence: `5 sessions change: 3 fit, 1 would
    be compacted, 1 does not fit`."""
    looked = [seen[key] for key in chosen if key in seen]
    failed = sum(isinstance(one, BranchlineError) for one in looked)
    verdicts = [one.verdict for one in looked if isinstance(one, Outlook) and one.changes]
    missed = f"; {failed:,} could not be looked at" if failed else ""
    if not chosen:
        return "All are left out: no session changes"
    if not verdicts:
        return f"No session changes{missed or ': they have this model already'}"
    if len(verdicts) == 1:
        return f"1 session changes: {_ONE[verdicts[0]]}{missed}"
    told = _tally(verdicts)
    return f"{len(verdicts):,} sessions change: {told}{missed}"


_ONE: dict[Verdict, str] = {
    "fits": "its next message fits",
    "compacts": "older messages would be compacted first",
    "cut": "not all of it fits, so the oldest messages would be left out",
    "over": "its next message does not fit",
    "unusable": "the model could not answer",
}
_SEVERAL: tuple[tuple[frozenset[Verdict], str, str], ...] = (
    (frozenset({"fits"}), "fits", "fit"),
    (frozenset({"compacts"}), "would be compacted", "would be compacted"),
    (frozenset({"cut", "over"}), "does not fit", "do not fit"),
    (frozenset({"unusable"}), "could not answer", "could not answer"),
)


def _tally(verdicts: Sequence[Verdict]) -> str:
    """`3 fit, 1 would be compacted`; `all of them fit` where there is one kind only."""
    told = []
    for kinds, singular, plural in _SEVERAL:
        number = sum(verdict in kinds for verdict in verdicts)
        if number == len(verdicts):
            return f"all of them {plural}"
        if number:
            told.append(f"{number:,} {singular if number == 1 else plural}")
    return ", ".join(told)


def _columns(width: int) -> tuple[int, int, int, int]:
    """Cells of session, models, windows and verdict."""
    windows = 13
    rest = min(33, width // 3)
    names = max(16, (width - 4 - windows - rest) * 3 // 8)
    models = width - 4 - windows - rest - names
    return names, models, windows, rest


def head_line(width: int) -> str:
    """What stands over the columns, "" where there are none."""
    if width < WIDE:
        return ""
    names, models, windows, rest = _columns(width)
    told = (("SESSION", names), ("MODEL NOW → THEN", models), ("WINDOW", windows), ("", rest))
    return "    " + "".join(fit(text, room) for text, room in told)


class SwitchRows:
    """Sessions as rows of a RowList; a row's key is the session's."""

    def __init__(
        self,
        named: Sequence[tuple[str, str]],
        seen: Mapping[str, Seen],
        left_out: frozenset[str],
        width: int,
        glyphs: Glyphs,
    ):
        self._named = named
        self._seen = seen
        self._left_out = left_out
        self._glyphs = glyphs
        self.uniform: int | None = 1 if width >= WIDE else 2
        self._places: dict[Hashable, int] = {key: at for at, (key, _) in enumerate(named)}

    def __len__(self) -> int:
        return len(self._named)

    def height(self, index: int) -> int:
        return self.uniform or 1

    def key(self, index: int) -> Hashable:
        return self._named[index][0]

    def index_of(self, key: Hashable) -> int | None:
        return self._places.get(key)

    def foldable(self, index: int) -> bool:
        return False

    def lines(self, index: int, width: int) -> Sequence[Line]:
        key, name = self._named[index]
        seen = self._seen.get(key)
        out = key in self._left_out
        told, tone = ("left out", "dim") if out else verdict_words(seen)
        tick: Span = ("[ ] " if out else "[x] ", "dim" if out else "")
        models, windows = self._change(seen)
        ellipsis = self._glyphs.ellipsis
        if self.uniform == 1:
            cells = _columns(width)
            texts = ((name, "dim" if out else "strong"), (models, ""), (windows, "dim"))
            spans = [
                (fit(text, room - 1, ellipsis=ellipsis) + " ", style)
                for (text, style), room in zip(texts, cells, strict=False)
            ]
            return ([tick, *spans, (fit(told, cells[3], ellipsis=ellipsis), tone)],)
        first: Line = [
            tick,
            (fit(name, width - 4, ellipsis=ellipsis), "dim" if out else "strong"),
        ]
        change = f"{models}  {windows}" if windows else models
        room = min(len(told), max(8, (width - 4) * 2 // 5), max(0, width - 6))
        second: Line = [
            ("    ", ""),
            (fit(change, width - 6 - room, ellipsis=ellipsis) + "  ", "dim"),
            (fit(told, room, ellipsis=ellipsis), tone),
        ]
        return (first, second)

    def _change(self, seen: Seen | None) -> tuple[str, str]:
        """`echo → ▲ echo-2k`, and `32k → 2k`."""
        if not isinstance(seen, Outlook):
            return "", ""
        arrow = self._glyphs.arrow
        now, then = (self._model(one.in_force) for one in (seen.now, seen.then))
        models = now if not seen.changes else f"{now} {arrow} {then}"
        if seen.window_now == seen.window_then or not seen.window_then:
            return models, count(seen.window_now)
        return models, f"{count(seen.window_now)} {arrow} {count(seen.window_then)}"

    def _model(self, layer: Layer) -> str:
        mark = f"{self._glyphs.override} " if layer.name == "session" else ""
        return f"{mark}{safe_line(layer.ref, limit=80) or 'none'}"
