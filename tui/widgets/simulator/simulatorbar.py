"""Row 0 of the Simulator screen: how many people, which scope, how far the scenario is."""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len
from textual.content import Content
from textual.reactive import reactive

from engine.values import replace
from tui.look.cells import fit
from tui.look.glyphs import Glyphs
from tui.look.tones import MUTED
from tui.widgets.bar import Bar
from tui.widgets.drawn import drawn

__all__ = ["SimulatorBar", "SimulatorBarState", "simulator_line"]


@dataclass(frozen=True, slots=True)
class SimulatorBarState:
    """What row 0 says. In an engine of its own there is no scenario (`scenario` is "").

    Attributes:
        step, steps: how many steps were played, and how many there are.
        verdict: "" for none yet, `held` or `failed`.
        now: the virtual clock.
        lanes: `1-2/4` when not all are in view.
        recorded: steps by hand and of the scenario so far.
    """

    people: int = 0
    sessions: int = 0
    scope: str = ""
    scenario: str = ""
    step: int = 0
    steps: int = 0
    running: bool = False
    verdict: str = ""
    now: str = ""
    seed: int = 0
    lanes: str = ""
    recorded: int = 0
    broken: bool = False
    revision: int = 0
    clock: str = ""


Part = tuple[int, str, str]
"""How soon it gives way (larger sooner), text, style."""


def simulator_line(state: SimulatorBarState, width: int, glyphs: Glyphs) -> Content:
    """Row 0 in `width` cells: what matters least is left out first, the time stays."""
    parts = _parts(state, glyphs)
    room = width - cell_len(state.clock) - 2
    while sum(cell_len(text) for _, text, _ in parts) > room and len(parts) > 1:
        parts.remove(max(parts, key=lambda part: part[0]))
    used = sum(cell_len(text) for _, text, _ in parts)
    gap = " " * max(0, room - used + 1)
    shown = [(text, style) for _, text, style in parts]
    if used > room:
        shown = [(fit("".join(text for text, _ in shown), max(0, room)), "")]
    return Content.assemble(*shown, gap, (state.clock, MUTED), " ")


def _parts(state: SimulatorBarState, glyphs: Glyphs) -> list[Part]:
    noun = "person" if state.people == 1 else "people"
    sessions = "session" if state.sessions == 1 else "sessions"
    shared = state.sessions < state.people
    parts: list[Part] = [
        (9, " Branchline ", "$primary bold"),
        (2, " Simulator", "bold"),
        (
            4,
            f"   {state.people} {noun} {glyphs.arrow} {state.sessions} {sessions}",
            "$text-warning" if shared else "",
        ),
        (7, "   dmScope", MUTED),
        (1, f" {state.scope}", ""),
    ]
    if state.scenario:
        parts += _scenario(state, glyphs)
    else:
        sign, tone = (glyphs.live, "$text-success")
        word = f"live r{state.revision}"
        if state.broken:
            sign, tone, word = glyphs.broken, "$text-error bold", f"broken r{state.revision}"
        parts.append((3, f"   {sign} {word}", tone))
    if state.recorded:
        parts.append((8, f"   {glyphs.new} {state.recorded} recorded", MUTED))
    if state.lanes:
        parts.append((5, f"   lane {state.lanes}", MUTED))
    return parts


def _scenario(state: SimulatorBarState, glyphs: Glyphs) -> list[Part]:
    sign = "▶" if state.running else "❚❚"
    if glyphs.dot == "-":
        sign = ">" if state.running else "||"
    over = state.step >= state.steps
    mark = ""
    tone = "$text-accent"
    if state.verdict == "failed":
        mark, tone = f" {glyphs.no}", "$text-error bold"
    elif state.verdict == "held" and over:
        mark, tone = f" {glyphs.yes}", "$text-success"
    return [
        (0, f"   {sign} {state.scenario} {state.step}/{state.steps}{mark}", tone),
        (6, f"   {state.now}", MUTED),
        (8, f"   seed {state.seed}", MUTED),
    ]


class SimulatorBar(Bar):
    """Row 0 of the Simulator screen."""

    state: reactive[SimulatorBarState] = reactive(SimulatorBarState())

    def show(self, state: SimulatorBarState, glyphs: Glyphs) -> None:
        """Say something else."""
        self.glyphs = glyphs
        self.state = state

    def render(self) -> Content:
        state = replace(self.state, clock=self.clock)
        return drawn(self, simulator_line(state, self.size.width, self.glyphs))
