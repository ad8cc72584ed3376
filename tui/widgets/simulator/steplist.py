"""The steps of a scenario as a list: what was played, what did not hold, what comes."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from engine.clock import iso
from engine.scenario.play import Failure, Played
from engine.scenario.values import Message, Scenario, Step
from engine.text import safe_line
from tui.look.cells import fit
from tui.look.glyphs import UNICODE, Glyphs
from tui.widgets.rowlist import RowList
from tui.widgets.rows import Line, RowView

__all__ = ["StepList", "StepRows", "step_words"]

SHOWN = 3
"""Failures of a step that are spelled out; the rest are counted."""


def step_words(step: Step) -> str:
    """A step in a line; untrusted."""
    match step.kind:
        case "say":
            return _said(step.messages[0])
        case "atOnce" | "reorder":
            word = "at once" if step.kind == "atOnce" else "shuffled"
            return f"{word}: " + "; ".join(map(_said, step.messages))
        case "drop":
            return f"lost: {_said(step.messages[0])}"
        case "redeliver":
            times = f" {step.times} times" if step.times > 1 else ""
            return f"again{times}: {step.value}"
        case "wait":
            return f"wait {step.value:g} s"
        case "clock":
            return f"clock {iso(step.value)[:16]}"
        case "config":
            during = f" during {_said(step.messages[0])}" if step.messages else ""
            return f"config {_config(step.value)}{during}"
        case "approve" | "reject":
            return f"{step.kind} {step.value}"
    return step.kind


def _said(message: Message) -> str:
    return f"{message.user}: {safe_line(message.text, limit=200)}"


def _config(value: Any) -> str:
    if not isinstance(value, dict):
        return str(value)
    return ", ".join(
        f"{name}.{_config(inner)}" if isinstance(inner, dict) else f"{name} {inner}"
        for name, inner in value.items()
    )


class StepRows:
    """Steps as rows; a step that failed has two lines for each thing that did not hold."""

    uniform = None

    def __init__(
        self,
        scenario: Scenario,
        played: Sequence[Played],
        failures: Sequence[Failure],
        playing: int,
        glyphs: Glyphs,
    ):
        self._scenario = scenario
        self._played = played
        self._playing = playing
        self._glyphs = glyphs
        self._failed = {one.step: one.failures for one in played if one.failures}
        if failures:
            self._failed[0] = tuple(failures)

    def __len__(self) -> int:
        return len(self._scenario.steps) + (1 if self._scenario.exposed is not None else 0)

    def _number(self, index: int) -> int:
        """The step's number; 0 for the last row, which is the scenario as a whole."""
        return index + 1 if index < len(self._scenario.steps) else 0

    def height(self, index: int) -> int:
        failed = len(self._failed.get(self._number(index), ()))
        return 1 + 2 * min(failed, SHOWN) + (1 if failed > SHOWN else 0)

    def key(self, index: int) -> Hashable:
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self._number(index)

    def index_of(self, key: Hashable) -> int | None:
        if not isinstance(key, int) or not 0 <= key <= len(self._scenario.steps):
            return None
        if key:
            return key - 1
        return len(self) - 1 if self._scenario.exposed is not None else None

    def foldable(self, index: int) -> bool:
        return False

    def lines(self, index: int, width: int) -> Sequence[Line]:
        number = self._number(index)
        sign, tone = self._sign(number)
        words = step_words(self._scenario.steps[index]) if number else self._whole()
        head = f"{sign} {number:>2} " if number else f"{sign}    "
        room = max(1, width - len(head))
        text = fit(safe_line(words, limit=400), room, ellipsis=self._glyphs.ellipsis)
        faded = "" if tone else "dim"
        lines: list[Line] = [[(head, tone or "dim"), (text, faded)]]
        failed = self._failed.get(number, ())
        for one in failed[:SHOWN]:
            for told in (f"expected {one.expected}", f"got {one.got or 'nothing'}"):
                words = f"     {safe_line(told, limit=300)}"
                lines.append([(fit(words, width, ellipsis=self._glyphs.ellipsis), "needs")])
        if len(failed) > SHOWN:
            lines.append([(f"     and {len(failed) - SHOWN} more", "dim")])
        return lines

    def _whole(self) -> str:
        exposed = self._scenario.exposed or ()
        pairs = "; ".join(f"{reader} sees {author}'s" for reader, author in sorted(exposed))
        return f"in the end: {pairs or 'nobody sees another'}"

    def _sign(self, number: int) -> tuple[str, str]:
        glyphs = self._glyphs
        if number in self._failed:
            return glyphs.no, "needs"
        if number and number <= len(self._played):
            return glyphs.yes, "new"
        if number == 0 and len(self._played) == len(self._scenario.steps):
            return glyphs.yes, "new"
        return (glyphs.busy, "busy") if number and number == self._playing else (glyphs.idle, "")


class StepList(RowList):
    """The steps of the scenario that is open."""

    BINDING_GROUP_TITLE = "Steps"
    HELP = """\
    ## Steps

    `✔` held, `✘` did not (what was expected and what came stands below), `○` is still to come.
    `s` plays the next step, `Enter` all up to the one under the cursor, `r` all of them; `R` begins
    again.
    """

    def show(
        self,
        scenario: Scenario,
        played: Sequence[Played],
        failures: Sequence[Failure],
        playing: int,
        glyphs: Glyphs = UNICODE,
    ) -> None:
        """Show how far a scenario is; the cursor goes with it."""
        rows = StepRows(scenario, tuple(played), tuple(failures), playing, glyphs)

        def source(view: RowView) -> StepRows:
            return rows

        self.set_source(source)
        at = playing or len(played)
        if at:
            self.go_to(0 if failures else at)
