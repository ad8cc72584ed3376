"""The session list: sessions grouped by agent, as rows of a RowList."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.binding import Binding, BindingType

from engine.config.schema import Config
from engine.engine import SessionInfo
from engine.text import safe_line
from tui.behind.sessionfilter import find
from tui.look.cells import age, fit
from tui.look.glyphs import UNICODE, Glyphs
from tui.people.naming import agent_name, channel_tag, model_name, session_name
from tui.tracker import Status, Tracker
from tui.widgets.gauge import level
from tui.widgets.rowlist import RowList
from tui.widgets.rows import Line, RowView, Span

__all__ = ["TWO_LINES", "SessionList", "SessionRows"]

TWO_LINES = 25
"""Inner width from which a session gets a second line (preview, reason)."""

_SIGNS = {
    Status.BUSY: ("busy", "busy"),
    Status.NEW: ("new", "new"),
    Status.IDLE: ("idle", "dim"),
    Status.NEEDS: ("needs", "needs"),
    Status.STORED: ("stored", "dim"),
}


@dataclass(frozen=True, slots=True)
class _Group:
    agent_id: str
    name: str
    size: int


class SessionRows:
    """Rows of groups and sessions; a group's key is `("agent", id)`, a session's its ref."""

    def __init__(
        self,
        tracker: Tracker,
        config: Config,
        view: RowView,
        *,
        now: int,
        tall: bool,
        glyphs: Glyphs,
    ):
        self.uniform: int | None = None if tall else 1
        self._tracker = tracker
        self._glyphs = glyphs
        self._now = now
        self._tall = tall
        self._folded = view.folded
        self._rows = _arrange(tracker, config, view)
        self._places = {self.key(index): index for index in range(len(self._rows))}

    def __len__(self) -> int:
        return len(self._rows)

    def height(self, index: int) -> int:
        return 2 if self._tall and isinstance(self._rows[index], SessionInfo) else 1

    def key(self, index: int) -> Hashable:
        row = self._rows[index]
        return ("agent", row.agent_id) if isinstance(row, _Group) else row.ref

    def index_of(self, key: Hashable) -> int | None:
        return self._places.get(key)

    def foldable(self, index: int) -> bool:
        return isinstance(self._rows[index], _Group)

    def lines(self, index: int, width: int) -> Sequence[Line]:
        row = self._rows[index]
        if isinstance(row, _Group):
            return [self._head(row, width)]
        first = self._first(row, width)
        return [first, self._second(row, width)] if self._tall else [first]

    def _head(self, group: _Group, width: int) -> Line:
        folded = ("agent", group.agent_id) in self._folded
        sign = self._glyphs.closed if folded else self._glyphs.open
        number = f" {group.size} "
        name = fit(f"{sign} {group.name}", width - len(number), ellipsis=self._glyphs.ellipsis)
        return [(name, "head"), (number, "dim")]

    def _first(self, info: SessionInfo, width: int) -> Line:
        status = self._tracker.status(info.ref)
        field, tone = _SIGNS[status]
        tag = channel_tag(info)
        tag = fit(tag, 7) if self._tall else fit(tag.split(" ")[0], 3)
        right = self._right(info, status)
        # The second line says it in words, where there is one.
        mark = [(f"{self._glyphs.override} ", "busy")] if info.override and not self._tall else []
        room = width - 2 - len(tag) - sum(len(text) for text, _ in (*mark, *right))
        name_style = "strong" if status in {Status.NEW, Status.NEEDS} else ""
        name = fit(session_name(info), room - 1, ellipsis=self._glyphs.ellipsis) + " "
        sign: str = getattr(self._glyphs, field)
        dim = "dim" if status is Status.STORED else ""
        return [(f"{sign} ", tone), (name, dim or name_style), *mark, (tag, "dim"), *right]

    def _right(self, info: SessionInfo, status: Status) -> list[Span]:
        when = age(self._now - info.last_active) if info.last_active else ""
        tone = "dim"
        if not self._tall and status in {Status.BUSY, Status.NEW, Status.NEEDS}:
            when, tone = status.value.split()[0], _SIGNS[status][1]
        fill = self._tracker.fills.get(info.ref)
        bar = level(fill.part, self._glyphs) if fill is not None and fill.tokens else " "
        full = fill is not None and fill.part >= fill.threshold
        return [(fit(when, 5, right=True), tone), (f" {bar} ", "needs" if full else "dim")]

    def _second(self, info: SessionInfo, width: int) -> Line:
        status = self._tracker.status(info.ref)
        tone = _SIGNS[status][1]
        told = self._tracker.reason(info.ref)
        word = "" if status is Status.IDLE else status.value
        if status is Status.STORED:
            word = safe_line(info.state, limit=20)
        rest = told or safe_line(info.preview, limit=200)
        spans: list[Span] = [("  ", "")]
        if word:
            spans.append((word, tone))
        between: list[Span] = [(" · " if self._glyphs is UNICODE else " - ", "dim")]
        if info.override:
            room = width - sum(len(text) for text, _ in spans) - 12 - 3 * bool(word)
            name = safe_line(model_name(info.override), limit=max(6, room))
            spans += between if word else []
            spans.append((f"{self._glyphs.override} {name} override", "busy"))
        if (word or info.override) and rest:
            spans += between
        used = sum(len(text) for text, _ in spans)
        return [*spans, (fit(rest, width - used - 1, ellipsis=self._glyphs.ellipsis), "dim")]


def _arrange(tracker: Tracker, config: Config, view: RowView) -> list[_Group | SessionInfo]:
    """Groups in the config's order, in each its sessions: found ones best first under a filter,
    else by rank, kept ones (archived, reset …) at the end."""
    groups: dict[str, list[SessionInfo]] = {agent.id: [] for agent in config.agents.list}
    for info in find(tracker, view.query):
        groups.setdefault(info.agent_id, []).append(info)
    rows: list[_Group | SessionInfo] = []
    for agent_id, infos in groups.items():
        if not infos:
            continue
        rows.append(_Group(agent_id, agent_name(config, agent_id), len(infos)))
        if view.query or ("agent", agent_id) not in view.folded:
            rows.extend(infos)
    return rows


class SessionList(RowList):
    """The sidebar."""

    HELP = """\
    ## Sessions

    Every conversation, grouped by the agent that answers it.

    The sign before a name says how it stands: `◐` busy, `●` new reply, `○` idle, `!` needs you,
    `▫` stored (archived or reset). The small bar at the right is how much of the model's window
    the conversation fills.

    The filter finds names loosely, and keys, people and last words as they are written. Words
    such as `is:busy`, `is:new`, `is:needs`, `is:archived`, `agent:ops` and `label:escalated`
    narrow it.

    **Enter** opens, **/** filters, **n** starts a new chat, **y** copies the session key.
    """

    BINDING_GROUP_TITLE = "Sessions"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select", "Open", id="list.select", tooltip="Open, and write"),
        Binding("slash", "screen.filter", "Filter", id="sessions.filter", key_display="/"),
        Binding("n", "screen.new_chat", "New", id="sessions.new", tooltip="A new chat of yours"),
        Binding("m", "screen.model", "Model", id="sessions.model", tooltip="Of the open session"),
        Binding("i", "screen.pane('inspector')", "Inspector", id="sessions.inspector"),
    ]

    def __init__(self, tracker: Tracker, *, id: str | None = None):  # noqa: A002
        super().__init__(empty="No sessions yet", id=id)
        self.border_title = "Sessions"
        self.border_subtitle = "/ filter"
        self._tracker = tracker
        self._config = Config()
        self._glyphs = UNICODE
        self._now = 0

    def show(self, config: Config, glyphs: Glyphs, now: int) -> None:
        """Show the tracker's sessions as of `now` (ms since 1970)."""
        self._config, self._glyphs, self._now = config, glyphs, now
        self.sign = glyphs.cursor
        self.border_title = f"Sessions {len(self._tracker.infos)}"
        self.set_source(self._make_rows)

    @property
    def current_session(self) -> str | None:
        """The key of the session under the cursor, None on a group."""
        info = self._tracker.infos.get(str(self.current))
        return info.key if info is not None else None

    def _make_rows(self, view: RowView) -> SessionRows:
        tall = self.scrollable_content_region.width - 1 >= TWO_LINES
        return SessionRows(
            self._tracker, self._config, view, now=self._now, tall=tall, glyphs=self._glyphs
        )

    def on_resize(self) -> None:
        tall = self.scrollable_content_region.width - 1 >= TWO_LINES
        if (self.rows.uniform is None) != tall:
            self.rebuild()
