"""The Routing screen: which messages go where, tried before it is so; the config and its past."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.timer import Timer
from textual.widgets import Input, Static

from engine.config.revisions import Revision
from engine.config.schema import Config
from engine.errors import BranchlineError, ConfigError, Problem
from engine.events import ConfigBroken, ConfigChanged, ConfigMoved
from engine.routing.envelope import Envelope
from engine.routing.preview import Preview, preview
from engine.routing.usage import Seen, dm_sessions
from engine.text import safe_line
from engine.values import replace
from tui.behind.bindingrows import study
from tui.behind.scopes import SCOPES, with_scope
from tui.bridge import Batch
from tui.config.draft import Draft
from tui.later import later
from tui.look.glyphs import Glyphs
from tui.screens.routing_actions import RoutingActions
from tui.widgets.drawn import put
from tui.widgets.edged import EdgedVertical
from tui.widgets.routing.bindinglist import BindingList
from tui.widgets.routing.configpane import ConfigState
from tui.widgets.routing.scopepane import ScopeState
from tui.widgets.routing.tryout import try_out
from tui.widgets.routing.trypane import Field, TraceView, TryPane
from tui.widgets.rowlist import RowList
from tui.widgets.sessions import advice

__all__ = ["RoutingScreen"]

REST = 0.3
"""Seconds between two countings of hits while messages come."""

LETTER_REST = 0.05
"""Seconds after a letter in the form until what would become of the message is worked out."""


def _effects(
    now: Config, then: Config, seen: Seen, names: Mapping[Envelope, str]
) -> tuple[Preview, dict[str, int]]:
    """(what the draft does to the conversations there are, sessions of direct messages by scope)"""
    counts = {envelope: use.messages for envelope, use in seen.items()}
    sessions: dict[str, int] = {
        scope: len(dm_sessions(with_scope(then, scope), seen)) for scope, _ in SCOPES
    }
    return preview(now, then, counts, names), sessions


def _lint_content(problems: Sequence[Problem], glyphs: Glyphs) -> Content:
    rows = []
    for problem in problems[:3]:
        grave = problem.severity == "error"
        hint = f" ({problem.hint})" if problem.hint else ""
        sign = glyphs.broken if grave else glyphs.warning
        rows.append(
            Content.styled(
                f"{sign} {safe_line(problem.message + hint, limit=240)}",
                "$text-error" if grave else "$text-warning",
            )
        )
    return Content("\n").join(rows)


class RoutingScreen(RoutingActions):
    """Bindings, a trial, dmScope, the config file."""

    CSS_PATH = "routing.tcss"
    HELP = BindingList.HELP
    MODE = "routing"
    NAVIGATE = frozenset(
        {"try_message", "try_scope", "apply", "write", "undo", "editor", "full_diff", "history"}
        | {"filter", "zoom", "pane"}
    )
    BINDING_GROUP_TITLE = "Routing screen"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("t", "try_message", "Try", id="routing.try", tooltip="A message; nothing is sent"),
        Binding("a", "apply", "Apply", id="routing.apply", tooltip="In memory; shown first"),
        Binding("w", "write", "Write", id="routing.write", tooltip="Into the file; shown first"),
        Binding("u", "undo", "Undo", id="routing.undo"),
        Binding("left", "try_scope(-1)", "Scope before", id="routing.scope-before", show=False),
        Binding("right", "try_scope(1)", "Scope after", id="routing.scope-after", show=False),
        Binding("e", "editor", "Editor", id="routing.editor", show=False),
        Binding("d", "full_diff", "Whole diff", id="routing.diff", show=False),
        Binding("h", "history", "Revisions", id="routing.history", show=False),
        Binding("slash", "filter", "Filter", id="routing.filter", key_display="/", show=False),
        Binding("z", "zoom", "Zoom", id="routing.zoom", show=False),
        Binding("b", "pane('bindings')", "Bindings", id="routing.bindings", show=False),
        Binding("m", "pane('scope')", "dmScope", id="routing.scope", show=False),
        Binding("c", "pane('config')", "Config", id="routing.config", show=False),
        Binding("tab", "step_pane(1)", "Next pane", id="routing.next-pane", show=False),
        Binding("shift+tab", "step_pane(-1)", "Pane before", id="routing.pane-before", show=False),
        Binding("escape", "back", "Back", id="routing.back", key_display="Esc", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.moved: Preview | None = None
        self._sessions: dict[str, int] | None = None
        self._kept: tuple[Revision, ...] = ()
        self._diff = ""
        self._counted = -1
        self._soon: Timer | None = None
        self._trial: Timer | None = None
        self._told = ""
        self._awaited: str | None = None
        self._due = False

    # start and news

    def on_mount(self) -> None:
        self.setup = self.engine.setup
        later(self.app, self._count, group="uses")
        self.set_interval(1, self._look_at_text)
        self.refresh_all()

    async def _count(self) -> None:
        """Count messages for as long as the app runs."""
        try:
            await self.engine.uses.keep(self.home.bridge.tell_again)
        except BranchlineError as error:
            self.home.fail(error)

    def refresh_all(self) -> None:
        """Read everything anew, after what is being done. News that come faster than it is read
        are seen by the next reading, and none is cut short by them."""
        if self._due:
            return
        self._due = True

        async def run() -> None:
            async with self.turns.lock:
                self._due = False
                await self.look()

        later(self, run, group="look", exclusive=False)

    def news(self, batch: Batch) -> None:
        if self.gone:
            return
        self.draw_bar()
        if any(isinstance(event, ConfigChanged | ConfigBroken | ConfigMoved) for event in batch):
            self.refresh_all()
        elif self.engine.uses.version != self._counted and self._soon is None:
            self._soon = self.set_timer(REST, self._count_again)

    def _count_again(self) -> None:
        self._soon = None
        self.refresh_all()

    def again(self) -> None:
        self.refresh_all()

    def _look_at_text(self) -> None:
        """An edit that changes no value (a comment) is told by nobody."""
        if self.in_front and self.at_rest and self.draft is not None:
            stale = self.engine.settings.file_text != self.draft.base
            if stale and not (self.draft.changes and self.engine.setup.snapshot.broken):
                self.refresh_all()

    # reading

    async def look(self) -> None:
        """Take the file's text under the draft, then work out and draw what follows from both."""
        try:
            text = await self.engine.settings.text()
            kept = await self.engine.settings.revisions()
        except BranchlineError as error:
            self._tell_once(error)
            return
        self._told = ""
        self._await_revision(text, kept)
        await self._rebase(text)
        uses = self.engine.uses
        counted, ready, seen, names = uses.version, uses.ready, uses.seen(), uses.names()
        found = await asyncio.to_thread(study, self.setup, seen, names)
        now, then = self.engine.config, self.setup.config
        moved, sessions = await asyncio.to_thread(_effects, now, then, seen, names)
        pending = await self.pending()
        if self.gone:
            return
        self.study, self._kept, self._counted = found, kept, counted
        self.moved, self._sessions = (moved, sessions) if ready else (None, None)
        self._diff = pending.diff if pending is not None else ""
        self.draw()

    def _await_revision(self, text: str, kept: tuple[Revision, ...]) -> None:
        """An edit is in force before it is kept: look once more."""
        late = bool(kept) and kept[0].text != text and self._awaited != text
        if late and self._soon is None:
            self._awaited = text
            self._soon = self.set_timer(REST, self._count_again)

    def _tell_once(self, error: BranchlineError) -> None:
        if str(error) != self._told:
            self._told = str(error)
            self.home.fail(error)

    async def _rebase(self, text: str) -> None:
        """The draft on the file's text as it is now; what it comes to."""
        draft, lost, setup = self.draft or Draft.of(text), 0, self.engine.setup
        if not (draft.changes and setup.snapshot.broken):  # else it waits for the file to be mended
            draft, lost = await asyncio.to_thread(draft.on, text)
        if draft.changes:
            try:
                setup = await asyncio.to_thread(self.engine.prepare_config, draft.text)
            except ConfigError:  # it does not go together with what the file says now
                draft, lost = Draft.of(text), lost + len(draft.steps)
        else:
            draft = Draft.of(text)
        self.draft, self.setup = draft, setup
        if lost:
            noun = "1 change" if lost == 1 else f"{lost} changes"
            self.say(f"{noun} of the draft could not be made in the file as it is now", "Draft")

    # drawing

    def draw(self) -> None:
        home, glyphs = self.home, self.home.glyphs
        self.draw_bar()
        now = round(time.time() * 1000)
        self.table.show(self.study.rows, glyphs, now, counted=home.engine.uses.ready)
        if self._wanted is not None:
            self.table.go_to(self._wanted)
            self._wanted = None
        self._draw_title()
        self.draw_lint()
        self.draw_try()
        self.scopes.show(self._scope_state(), glyphs)
        self.config_pane.show(self._config_state(), glyphs)
        self.tabs.names = (
            "Bindings",
            "Try a message",
            "dmScope",
            f"Config r{home.engine.revision}",
        )

    def draw_bar(self) -> None:
        asking = len(self.home.pairings.waiting)
        state = advice.bar_state(self.engine, self.tracker, asking)
        self.bar.show(replace(state, place="Routing"), self.home.glyphs)

    def _draw_title(self) -> None:
        draft = self.draft
        said = "most specific wins, then file order"
        if draft is not None and draft.changes:
            count = len(draft.steps) + (draft.scope is not None)
            noun = "change" if count == 1 else "changes"
            in_force = draft.text == self.engine.setup.snapshot.text
            said = f"{count} {noun} {'not written' if in_force else 'not applied'}, u takes back"
        pane = self.query_one("#bindings", EdgedVertical)
        keys = ("J K move", "x remove", "/ filter", "e editor")
        pane.edge((f"Bindings  {said}", f"Bindings  {said.partition(',')[0]}", "Bindings"), keys)

    def draw_lint(self) -> None:
        """What lint says of the rule under the cursor."""
        row = self.row
        told = _lint_content(row.problems if row else (), self.home.glyphs)
        put(self.query_one("#lint", Static), told)

    def draw_try(self) -> None:
        envelope = self.form.envelope
        outcome = try_out(self.setup, envelope) if envelope is not None else None
        key = outcome.route.session_key if outcome is not None else ""
        info = self.tracker.infos.get(key)
        session = (info.model or "") if info is not None else None
        self.form.show(outcome, self.home.glyphs, session=session)

    def _scope_state(self) -> ScopeState:
        session = self.setup.config.session
        draft = self.draft
        return ScopeState(
            now=self.engine.config.session.dm_scope,
            tried=session.dm_scope,
            sessions=self._sessions,
            moved=self.moved,
            changes=draft is not None and draft.changes,
            links=session.identity_links,
            general=self.study.general,
        )

    def _config_state(self) -> ConfigState:
        engine, room = self.engine, self.engine.settings
        return ConfigState(
            path=advice.short_path(engine.config_path),
            revision=engine.revision,
            unsaved=room.unsaved,
            watching=room.watching,
            last=room.last,
            broken=tuple(advice.config_errors(engine)),
            diff=self._diff,
            kept=self._kept,
            text=self.draft.base if self.draft is not None else "",
        )

    # going about

    @on(RowList.Highlighted)
    def _moved(self) -> None:
        self.draw_lint()

    @on(TryPane.Changed)
    def _tried(self) -> None:
        """The letter comes first, what would become of the message a moment later."""
        if self._trial is not None:
            self._trial.stop()
        self._trial = self.set_timer(LETTER_REST, self.draw_try)

    def sights(self) -> Iterable[str]:
        """A message that is tried."""
        trying = isinstance(self.focused, (Field, TraceView))
        if trying and self.form.envelope is not None:
            yield "message tried"

    def action_try_message(self) -> None:
        """To the form, with a message that the rule under the cursor asks for, or lint shows."""
        row = self.row
        if row is not None and self.focused is self.table and row.key != "default":
            self.form.fill(row.example)
        self.go_to_pane("try", self.form.query_one("#try-channel", Field))

    def action_back(self) -> None:
        """Esc: close what is open, let go of what is tried, else back."""
        if isinstance(self.focused, Field):
            self.form.trace.focus()
        elif self.close_filter():
            return
        elif self.has_class("-zoom"):
            self.action_zoom()
        elif self.draft is not None and self.draft.scope is not None:
            self.act(partial(self._keep_scope))
        elif self.shown != "bindings":
            self.go_to_pane("bindings")
        else:
            self.app.switch_mode("sessions")

    async def _keep_scope(self) -> None:
        if self.draft is not None:
            self.draft = await asyncio.to_thread(self.draft.with_scope, None)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if isinstance(self.focused, Input) and action in ("step_pane", "back"):
            return True
        return super().check_action(action, parameters)
