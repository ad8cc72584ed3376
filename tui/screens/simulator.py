"""The Simulator screen: several people side by side, and who shares a memory with whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.reactive import var

from engine.clock import iso
from engine.config.schema import DmScope
from engine.errors import Problem
from engine.events import ReplyDelta
from engine.scenario.cast import Persona
from engine.scenario.matrix import MatrixRow
from engine.scenario.troupe import LiveTroupe
from engine.text import safe_line
from engine.values import replace
from tui.behind.fills import threshold
from tui.behind.playhouse import Playhouse
from tui.bridge import Batch
from tui.later import later
from tui.screens.simulator_lanes import SHOWN
from tui.screens.simulator_play import PlayScreen
from tui.tracker import Status
from tui.widgets.chat.composer import Composer
from tui.widgets.drawn import entitle
from tui.widgets.lines import Banner
from tui.widgets.sessions import advice
from tui.widgets.simulator.lane import Lane, LaneTalk
from tui.widgets.simulator.lanelines import LaneFacts
from tui.widgets.simulator.lanetabs import LaneTabs
from tui.widgets.simulator.matrixlines import exposure_lines
from tui.widgets.simulator.matrixpanel import MatrixPanel
from tui.widgets.simulator.simulatorbar import SimulatorBar, SimulatorBarState
from tui.widgets.simulator.steplist import StepList

if TYPE_CHECKING:
    from tui.commands.jump import Hidden

__all__ = ["SimulatorScreen"]

_ON_STAGE = frozenset({"step", "run", "reset", "restart", "jump_clock", "toggle_steps"})
"""Actions that need a scenario."""

_WITH_SOMEBODY = frozenset(
    {"remove", "identity", "again", "drop_next", "mention", "copy_key", "zoom", "at_once"}
)
"""Actions that need somebody in the lanes."""


class SimulatorScreen(PlayScreen):
    """People, their conversations, the isolation matrix, and the steps of a scenario."""

    CSS_PATH = "simulator.tcss"
    HELP = LaneTalk.HELP
    MODE = "simulator"
    PANES = (LaneTalk, Composer)
    NAVIGATE = frozenset(
        {
            *("compose", "page", "zoom", "copy_key", "toggle_steps", "remove", "identity"),
            *("at_once", "shuffle", "hold", "again", "drop_next", "mention", "approve"),
            *("open", "live", "run", "step", "reset", "restart", "jump_clock", "record"),
            *("scope", "undo"),
        }
    )
    BINDING_GROUP_TITLE = "Simulator screen"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "lane(1)", "Next pane", id="go.next", show=False),
        Binding("shift+tab", "lane(-1)", "Pane before", id="go.previous", show=False),
        Binding("o", "compose", "Write", id="simulator.write", tooltip="To the composer"),
        Binding("s", "step", "Step", id="simulator.step", tooltip="Play the next step"),
        Binding("r", "run", "Run", id="simulator.run", tooltip="Run the scenario, or pause it"),
        Binding("S", "open", "Scenario", id="simulator.open", tooltip="Open a scenario"),
        Binding("p", "scope", "Scope", id="simulator.scope", tooltip="Change dmScope"),
        Binding("ctrl+n", "add", "Add", id="simulator.add", tooltip="Somebody comes in"),
        *(
            Binding(key, action, says, id=f"simulator.{name}", tooltip=more, show=False)
            for key, action, says, name, more in (
                ("b", "at_once", "At once", "at-once", "Send all that is written at once"),
                ("e", "identity", "Identity", "identity", "Who this is"),
                ("x", "remove", "Remove", "remove", "What they said stays"),
                ("w", "record", "Keep", "record", "Keep what was done as a scenario"),
                ("R", "reset", "Reset", "reset", "Begin the scenario again"),
                ("J", "jump_clock", "Clock", "clock", "Jump the scenario's clock"),
                ("less_than_sign", "page(-1)", "Lanes before", "page-before", ""),
                ("greater_than_sign", "page(1)", "Lanes after", "page-after", ""),
                ("O", "shuffle", "Shuffle", "shuffle", "Send all in another order"),
                ("h", "hold", "Hold", "hold", "Hold messages back until b or O"),
                ("d", "again", "Again", "again", "Deliver the last message again"),
                ("D", "drop_next", "Drop next", "drop", "Lose the next message"),
                ("m", "mention", "Mention", "mention", "Messages address the agent"),
                ("a", "approve", "Let in", "approve", "Who asked for pairing"),
                ("u", "undo", "Undo config", "undo", ""),
                ("T", "restart", "Restart", "restart", "As after a crash"),
                ("L", "live", "Leave scenario", "live", ""),
                ("i", "toggle_steps", "Steps", "steps", "In place of the matrix"),
                ("z", "zoom", "Zoom", "zoom", "This lane alone"),
                ("K", "copy_key", "Copy key", "copy-key", "Of this session"),
            )
        ),
        Binding("ctrl+c", "stop", "Stop", id="simulator.stop", priority=True, key_display="^C"),
        Binding("ctrl+c", "copy", "Copy", id="simulator.copy", priority=True, show=False),
        Binding("escape", "leave", "Look around", id="simulator.leave", show=False),
    ]

    busy: var[bool] = var(False, bindings=True)
    """Whether the lane in focus is being answered."""

    playing: var[bool] = var(False, bindings=True)
    """Whether a scenario is open."""

    def __init__(self) -> None:
        super().__init__()
        self._rows: tuple[object, tuple[MatrixRow, ...]] = (None, ())
        self._put_away: tuple[str, ...] = ()
        self._steps_shown: object = None
        self._troupe: object = None

    def row_0(self) -> SimulatorBar:
        return SimulatorBar(id="simulator-bar")

    def body(self) -> ComposeResult:
        yield LaneTabs(id="tabs")
        with Horizontal(id="lanes"):
            for slot in range(SHOWN):
                yield Lane(self.home.fail, id=f"lane-{slot}")
        with Horizontal(id="below"):
            yield MatrixPanel(id="matrix")
            yield StepList(id="steps", empty="No steps")

    # start and news

    def on_mount(self) -> None:
        self.matrix_panel.add_class("pane")
        self.steps.add_class("pane")
        for lane in self.slots:
            lane.display = False
        self.house = Playhouse(
            self,
            LiveTroupe(self.engine),
            self.home.bridge,
            hear=self._stage_heard,
            changed=self._other_troupe,
            fail=self.home.fail,
        )
        self.ready = True
        later(self, self.begin, group="begin")

    def overhear(self, batch: Batch) -> bool:
        self.house.live.take(batch)
        if self.house.stage is None:
            for lane in self.in_view:
                lane.take(batch)
        return True

    def news(self, batch: Batch) -> None:
        if self.house.stage is None:
            self._news(batch)

    def _stage_heard(self, batch: Batch) -> None:
        if not self.stands or self.house.stage is None:
            return
        self.house.troupe.take(batch)
        for lane in self.in_view:
            lane.take(batch)
        if self.in_front:
            self._news(batch)

    def _news(self, batch: Batch) -> None:
        if not batch or any(not isinstance(event, ReplyDelta) for event in batch):
            self.place()
            self.draw()
        elif any(self._says_otherwise(lane) for lane in self.in_view):
            self.draw()

    def _says_otherwise(self, lane: Lane) -> bool:
        """Whether a lane's state is another than it says: the first word came."""
        facts = lane.facts
        return facts is not None and facts.state != self._state(facts.route.session_key)

    def again(self) -> None:
        if self.ready:
            self.place()
            self.draw()

    def on_screen_resume(self) -> None:
        self.again()

    def _other_troupe(self) -> None:
        """Another troupe is here, or its engine started again."""
        if not self.stands:
            return
        if self._troupe is not self.house.troupe:
            self._troupe = self.house.troupe
            self.forget_lanes()
            self.remove_class("-steps")
        self.playing = self.house.stage is not None
        self.set_class(self.playing, "-stage")
        self.call_after_refresh(lambda: self.go_to_lane(self.at, write=False))

    @on(Lane.Looked)
    def _looked(self, event: Lane.Looked) -> None:
        event.stop()
        chat = event.lane.chat
        if chat is not None and chat.view is not None:
            self.house.tracker.remember(chat.view, threshold(self.house.engine))
        self.draw()

    def on_resize(self, event: events.Resize) -> None:
        self.call_after_refresh(self.again)

    # drawing

    def draw(self) -> None:
        if not self.stands or not self.ready:
            return
        rows = self._matrix()
        for lane in self.in_view:
            if lane.person in self.people:
                lane.tell(self._facts(lane.person, rows[0]), self.home.glyphs)
        glyphs, troupe = self.home.glyphs, self.house.troupe
        people = tuple(self.people)
        self.matrix_panel.show((rows, people, troupe.seen()), glyphs)
        self.query_one(LaneTabs).show(people, self.at, self.first, self.room, glyphs)
        self.bar.show(self._bar_state(rows[0]), glyphs)
        self._draw_steps()
        self.draw_warnings()
        person = self.current
        self.busy = person is not None and self._state(self._key(person)) != "idle"

    def _matrix(self) -> tuple[MatrixRow, ...]:
        """Worked out anew only when people or config changed."""
        troupe = self.house.troupe
        basis = (troupe.engine, troupe.engine.revision, tuple(self.people))
        if self._rows[0] is None or self._rows[0] != basis:
            self._rows = basis, troupe.matrix()
        return self._rows[1]

    def _key(self, person: Persona) -> str:
        return self.house.troupe.route(person).session_key

    def _facts(self, person: Persona | None, row: MatrixRow) -> LaneFacts:
        assert person is not None
        place = self.people.index(person)
        route, tracker = self.house.troupe.route(person), self.house.tracker
        key = route.session_key
        info = tracker.infos.get(key)
        return LaneFacts(
            place + 1,
            person,
            route,
            row.letters[place],
            self._state(key),
            info.messages if info is not None else 0,
            tracker.fills.get(key),
            person in self.dropping,
            person in self.mentioning,
            sum(1 for one, _ in self.held if one == person),
            person == self.current,
            (info.override if info is not None else None) or "",
        )

    def _state(self, key: str) -> str:
        tracker, glyphs = self.house.tracker, self.home.glyphs
        if key in tracker.live:
            turn = tracker.live[key]
            return f"{glyphs.busy} {'answering' if turn.text else 'thinking'}"
        status = tracker.status(key)
        if status is Status.NEEDS:
            return f"{glyphs.needs} {safe_line(tracker.reason(key), limit=60)}"
        return f"{glyphs.busy} waiting" if status is Status.BUSY else "idle"

    def _bar_state(self, row: MatrixRow) -> SimulatorBarState:
        stage, people = self.house.stage, len(self.people)
        last = min(people, self.first + self.room)
        scope: DmScope = row.scope
        state = SimulatorBarState(
            people=people,
            sessions=row.sessions,
            scope=scope,
            lanes=f"{self.first + 1}-{last}/{people}" if people > self.room else "",
            recorded=len(self.house.troupe.recorder),
            broken=bool(advice.config_errors(self.engine)),
            revision=self.engine.revision,
        )
        if stage is None:
            return state
        return replace(
            state,
            scenario=safe_line(stage.stage.scenario.name, limit=40),
            step=len(stage.played),
            steps=len(stage.stage.scenario.steps),
            running=self.running,
            verdict="held" if stage.held else "failed",
            now=iso(stage.stage.now)[:19].replace("T", " "),
            seed=stage.stage.seed,
        )

    def _draw_steps(self) -> None:
        stage = self.house.stage
        if stage is None:
            return
        shown = (stage, len(stage.played), stage.playing, self.home.glyphs)
        if shown == self._steps_shown:
            return
        self._steps_shown = shown
        scenario = stage.stage.scenario
        self.steps.show(scenario, stage.played, stage.failures, stage.playing, self.home.glyphs)
        told = f"Steps {len(stage.played)}/{len(scenario.steps)}"
        entitle(self.steps, Content(told))

    def draw_warnings(self) -> None:
        """Leaks that were stopped, here too; else memory that the operator's setting shares."""
        super().draw_warnings()
        if not self.ready:
            return
        banner, glyphs = self.query_one("#leak", Banner), self.home.glyphs
        if not banner.variants and self.house.stage is not None:
            stopped = tuple(self.house.tracker.leaks.values())
            banner.variants = advice.leak_lines(stopped, glyphs)
        shared = not banner.variants
        if shared:
            told = exposure_lines(self.house.troupe.seen(), glyphs)
            banner.variants = told if told != self._put_away else ()
        banner.set_class(shared, "-shared")

    def tells_of(self, problem: Problem) -> bool:
        """People who share a memory are what the banner and the matrix are about."""
        return problem.path == "session.dmScope"

    def dismiss_leaks(self) -> None:
        self._put_away = exposure_lines(self.house.troupe.seen(), self.home.glyphs)
        self.house.tracker.leaks.clear()
        super().dismiss_leaks()
        self.draw_warnings()

    # keys

    def hidden_panes(self) -> list[Hidden]:
        hidden = self.has_class("-stage") and not self.steps.region.area
        return [("Steps", self.action_toggle_steps)] if hidden else []

    def action_toggle_steps(self) -> None:
        """The steps in place of the matrix, where both have no room."""
        self.toggle_class("-steps")
        (self.steps if self.steps.display else self.slots[0].conversation).focus()
        self.call_after_refresh(self.draw)

    def action_stop(self) -> None:
        if not self.copy_selected() and (person := self.current) is not None:
            self.run_worker(self.house.engine.cancel(self._key(person)), group="cancel")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "stop":
            return self.busy
        if action == "dismiss_leaks" and self.ready and self.query_one("#leak", Banner).variants:
            return not self.writing
        if action in _ON_STAGE or action == "live":
            return self.playing and not self.writing
        if action in _WITH_SOMEBODY:
            return bool(self.ready and self.people) and not self.writing
        return super().check_action(action, parameters)

    @on(LaneTabs.Chosen)
    def _tab_chosen(self, event: LaneTabs.Chosen) -> None:
        event.stop()
        self.go_to_lane(event.place)
