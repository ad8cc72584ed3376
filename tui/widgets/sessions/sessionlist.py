"""The session list: sessions grouped by agent, as rows of a RowList."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message

from engine.config.schema import Config
from tui.behind.sessionorder import fold_of
from tui.look.glyphs import UNICODE, Glyphs
from tui.people.naming import is_stored
from tui.tracker import Tracker
from tui.widgets.drawn import entitle
from tui.widgets.rowlist import RowList
from tui.widgets.rows import RowView
from tui.widgets.sessions.sessionrows import TWO_LINES, SessionRows

__all__ = ["SessionList"]


class SessionList(RowList):
    """The sidebar."""

    HELP = """\
    ## Sessions

    Every conversation, grouped by the agent that answers it.

    The sign before a name says how it stands: `◐` busy, `●` something new, `○` idle, `!` needs
    you, `▫` over (archived or reset). A folded agent counts such signs. The small bar at the right
    is how much of the model's window the conversation fills. What a key held before is folded
    under its session (*3 earlier*), what was put away at the end of its agent's; **Space** or
    **Enter** unfolds.

    **Space** on a session peeks into it: its last messages, without opening it or calling it read.
    **M** marks it: **L** labels, **A** archives, **D** deletes, **R** calls read and **m** gives
    another model to all that are marked. On an agent **M** marks all below. **Esc** unmarks.

    The filter finds names loosely; keys, people, labels and first words as they are written; each
    word must be found. Words with a meaning narrow it:

    - `is:busy`, `is:new`, `is:needs`, `is:idle`
    - `is:archived`: put away; `is:earlier`: what a reset or another program left; `is:trash`;
      `is:stored`: all three. Without them what is over stays folded.
    - `agent:ops`, `label:escalated`
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {"rowlist--mark", "rowlist--label"}

    DEFAULT_CSS = """
    SessionList {
        & > .rowlist--mark { color: $text-accent; text-style: bold; }
        & > .rowlist--label { color: $text-warning; }
    }
    """

    BINDING_GROUP_TITLE = "Sessions"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select", "Open", id="list.select", tooltip="Open, and write"),
        Binding("space", "peek", "Peek", id="sessions.peek", tooltip="Its last messages; or fold"),
        Binding("slash", "screen.filter", "Filter", id="sessions.filter", key_display="/"),
        Binding(
            "M", "mark", "Mark", id="sessions.mark", show=False, tooltip="To act on several at once"
        ),
        Binding("n", "screen.new_chat", "New", id="sessions.new", tooltip="A new chat of yours"),
        Binding("m", "screen.model", "Model", id="sessions.model", tooltip="Of this session"),
        Binding("i", "screen.pane('inspector')", "Inspector", id="sessions.inspector", show=False),
    ]

    @dataclass
    class Peeked(Message):
        """A look into a session is wanted."""

        list: SessionList
        ref: str

    def __init__(self, tracker: Tracker, *, id: str | None = None):  # noqa: A002
        super().__init__(empty="No sessions yet", id=id)
        self._tracker = tracker
        self._config = Config()
        self._glyphs = UNICODE
        self._now = 0
        self._marks: set[Hashable] = set()
        self._tell_marks()

    def show(self, config: Config, glyphs: Glyphs, now: int) -> None:
        """Show the tracker's sessions as of `now` (ms since 1970)."""
        self._config, self._glyphs, self._now = config, glyphs, now
        self.sign = glyphs.cursor
        self._marks.intersection_update(self._tracker.infos)
        self._tell_marks()
        self.set_source(self._make_rows)

    def filter(self, query: str) -> None:
        self.empty = "Nothing fits; Esc: all" if query else "No sessions yet"
        super().filter(query)
        if query:
            self.cursor = 0
            self.step(1)  # to the best one

    @property
    def current_session(self) -> str | None:
        """The key of the session under the cursor, None on a group."""
        info = self._tracker.infos.get(str(self.current))
        return info.key if info is not None else None

    def _make_rows(self, view: RowView) -> SessionRows:
        return SessionRows(
            self._tracker,
            self._config,
            view,
            now=self._now,
            tall=self._is_tall,
            glyphs=self._glyphs,
            marks=self._marks,
        )

    @property
    def _is_tall(self) -> bool:
        return self.scrollable_content_region.width - 1 >= TWO_LINES

    def on_resize(self) -> None:
        if (self.rows.uniform is None) != self._is_tall:
            self.rebuild()

    def go_to(self, key: Hashable) -> bool:
        """Put the cursor on a session; one that is over is unfolded first."""
        info = self._tracker.infos.get(str(key))
        hidden = self.rows.index_of(key) is None and not self.look.query
        if info is not None and is_stored(info) and hidden:
            self.set_folded(fold_of(self._tracker, info), True)  # which opens it: see RowView
        return super().go_to(key)

    def step(self, step: int) -> str | None:
        """Move the cursor to the next session, over groups and folds; None at the end."""
        rows, place = self.rows, self.cursor + step
        while 0 <= place < len(rows):
            if not rows.foldable(place):
                self.cursor = place
                return str(rows.key(place))
            place += step
        return None

    # marks

    def marked_refs(self) -> tuple[str, ...]:
        """Refs of the marked sessions, in the order of the list."""
        refs = sorted(map(str, self._marks), key=self._tracker.rank)
        return tuple(refs)

    @property
    def refs_here(self) -> tuple[str, ...]:
        """The sessions that the row under the cursor stands for: its own, or those of its group."""
        rows = self.rows
        if not isinstance(rows, SessionRows) or self.cursor >= len(rows):
            return ()
        return tuple(rows.refs_under(self.cursor))

    def clear_marks(self) -> bool:
        """Whether there were any."""
        return self._set_marks(set())

    def action_mark(self) -> None:
        """Mark the session under the cursor, or all of a group, and go on; what is marked already
        is unmarked."""
        rows, here = self.rows, set(self.refs_here)
        if not here:
            return
        self._set_marks(self._marks - here if here <= self._marks else self._marks | here)
        if not rows.foldable(self.cursor):
            self.action_move(1)

    def _set_marks(self, marks: set[Hashable]) -> bool:
        changed = marks ^ self._marks
        self._marks.symmetric_difference_update(changed)
        for key in changed:
            self.repaint_row(key)
        self._tell_marks()
        return bool(changed)

    def _tell_marks(self) -> None:
        many = len(self._marks)
        size = self._tracker.size
        title = f"{many} of {size} marked" if many else f"Sessions {size}"
        entitle(self, Content(title), Content("Esc unmarks" if many else "/ filter  M mark"))

    def action_peek(self) -> None:
        """Look into the session under the cursor; fold or unfold a row that has others below."""
        if self.cursor >= len(self.rows):
            return
        if self.rows.foldable(self.cursor):
            self.action_fold()
        else:
            self.post_message(self.Peeked(self, str(self.current)))
