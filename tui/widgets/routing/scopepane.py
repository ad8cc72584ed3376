"""The pane of dmScope: all scopes with their sessions, and what the draft would do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from msgspec import Struct
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from engine.config.schema import DmScope
from engine.errors import Problem
from engine.routing.preview import Preview
from engine.text import safe_line
from tui.behind.scopes import SCOPES
from tui.look.cells import fit
from tui.look.glyphs import UNICODE, Glyphs
from tui.look.tones import MUTED
from tui.widgets.dialogs.scope import effects
from tui.widgets.drawn import put
from tui.widgets.edged import Edged
from tui.widgets.routing.bindinglist import SCOPE_KEYS

__all__ = ["ScopePane", "ScopeState", "in_short", "scope_content"]


class ScopeState(Struct, frozen=True):
    """What the pane shows.

    Attributes:
        now: the scope in force; `tried` the one that is previewed, perhaps the same.
        sessions: for each scope how many sessions direct messages have, None before counting.
        moved: what the draft would do; None while that is worked out.
        changes: whether there is a draft at all.
        links: `session.identityLinks` of what is shown.
        general: what lint says that is of no single binding.
    """

    now: DmScope = "main"
    tried: DmScope = "main"
    sessions: Mapping[str, int] | None = None
    moved: Preview | None = None
    changes: bool = False
    links: Mapping[str, Sequence[object]] = {}
    general: tuple[Problem, ...] = ()


def in_short(found: Preview) -> str:
    """`1 merge · 3 kept`."""
    counted = (
        (len(found.merges), "merge", "merges"),
        (len(found.splits), "split", "splits"),
        (len(found.moves), "moved", "moved"),
        (len(found.kept), "kept", "kept"),
    )
    told = [f"{count:,} {one if count == 1 else many}" for count, one, many in counted if count]
    return " · ".join(told) or "nothing moves"


def scope_content(state: ScopeState, glyphs: Glyphs) -> Content:
    """The scopes, a line each."""
    rows = []
    for scope, _ in SCOPES:
        mark = "(•)" if scope == state.tried else "( )"
        sessions = "" if state.sessions is None else f"{state.sessions.get(scope, 0):>5,}"
        style = "$primary bold" if scope == state.tried else ""
        told = f"{mark} {fit(scope, 25)} {sessions}"
        rows.append(
            Content.assemble((told, style), ("  now" if scope == state.now else "", "bold"))
        )
    return Content("\n").join(rows)


def _links(links: Mapping[str, Sequence[object]]) -> list[Content]:
    rows = [Content.styled("IDENTITY LINKS", MUTED)] if links else []
    for name, ids in list(links.items())[:12]:
        peers = ", ".join(safe_line(str(peer), limit=40) for peer in list(ids)[:6])
        rows.append(
            Content.assemble("  ", (safe_line(name, limit=40), "bold"), (f" = {peers}", MUTED))
        )
    if len(links) > 12:
        rows.append(Content.styled(f"  and {len(links) - 12:,} more", MUTED))
    return rows


def preview_content(state: ScopeState, glyphs: Glyphs) -> Content:
    """What the draft would do, who is linked, and what lint says."""
    if not state.changes:
        rows = [Content.styled("← → tries another scope on the recorded messages", MUTED)]
    elif state.moved is None:
        rows = [Content.styled("trying it on the recorded messages …", MUTED)]
    else:
        rows = [effects(state.moved, glyphs)]
    for problem in state.general[:6]:
        tone = "$text-error" if problem.severity == "error" else "$text-warning"
        sign = glyphs.broken if problem.severity == "error" else glyphs.warning
        rows += [
            Content(""),
            Content.styled(f"{sign} {safe_line(problem.message, limit=240)}", tone),
        ]
    if linked := _links(state.links):
        rows += [Content(""), *linked]
    return Content("\n").join(rows)


class ScopePane(VerticalScroll, Edged, can_focus=True):
    """Scopes and preview."""

    HELP = """\
    ## dmScope

    Which direct messages share a session, and so a memory. The number is how many sessions the
    direct messages recorded so far have under each scope. **← →** tries another one on them: what
    merges, what splits, and **whose words would become visible to whom**. Changed bindings are
    tried along with it. Nothing is in force before **a** (in memory) or **w** (in the file);
    **Esc** keeps what is, **u** takes back what was done. Old sessions stay reachable.
    """
    BINDING_GROUP_TITLE = "dmScope"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "scroll_down", "Down", id="list.down", show=False),
        Binding("k", "scroll_up", "Up", id="list.up", show=False),
        *SCOPE_KEYS,
    ]
    DEFAULT_CSS = """
    ScopePane { scrollbar-size-vertical: 1; padding: 0 1; }
    ScopePane Static { height: auto; width: 1fr; }
    ScopePane #scopes { margin-bottom: 1; }
    """

    class Chosen(Message):
        """A scope was clicked."""

        def __init__(self, scope: DmScope):
            super().__init__()
            self.scope = scope

    def __init__(self, *, id: str | None = None):  # noqa: A002
        super().__init__(id=id)
        self._glyphs = UNICODE

    def compose(self) -> ComposeResult:
        yield Static(id="scopes", markup=False)
        yield Static(id="effects", markup=False)

    def show(self, state: ScopeState, glyphs: Glyphs) -> None:
        """Show scopes and preview."""
        self._glyphs = glyphs
        put(self.query_one("#scopes", Static), scope_content(state, glyphs))
        put(self.query_one("#effects", Static), preview_content(state, glyphs))
        titles = ["dmScope  who shares a memory", "dmScope"]
        if state.tried != state.now:
            titles = [f"{state.now} {glyphs.arrow} {state.tried}", f"{glyphs.arrow} {state.tried}"]
        keys = ["← → preview", "a apply", "w write", "Esc keep"]
        if state.changes and state.moved is not None:
            keys = [in_short(state.moved), "Esc keep"]
        self.edge(titles, keys)

    def on_click(self, event: events.Click) -> None:
        scopes = self.query_one("#scopes", Static)
        at = event.screen_y - scopes.region.y
        if event.widget is scopes and 0 <= at < len(SCOPES):
            self.post_message(self.Chosen(SCOPES[at][0]))
