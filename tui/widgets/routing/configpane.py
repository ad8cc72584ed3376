"""The pane of the config file: what is in force, what would be written, what it said before."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import ClassVar

from msgspec import Struct
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from engine.agents.reload import Reading
from engine.config.revisions import Revision
from engine.errors import Problem
from engine.text import safe_line
from tui.look.glyphs import Glyphs
from tui.look.tones import MUTED, MUTED_BOLD
from tui.widgets.difflines import diff_content
from tui.widgets.drawn import put
from tui.widgets.edged import Edged
from tui.widgets.routing.bindinglist import SCOPE_KEYS

__all__ = ["ConfigPane", "ConfigState", "config_content", "reading_words", "revision_words"]

SHOWN = 6
"""Revisions listed; `h` shows all."""


class ConfigState(Struct, frozen=True):
    """What the pane shows.

    Attributes:
        path: the file, as a person writes it, safe.
        revision: in force.
        unsaved: what is in force is not in the file.
        watching: edits of the file are seen.
        last: how the last one was taken in.
        broken: what is wrong with the file now.
        diff: what `w` would write; "" for nothing.
        kept: the texts that the file had, the newest first.
        text: what the file says now.
    """

    path: str = ""
    revision: int = 0
    unsaved: bool = False
    watching: bool = False
    last: Reading | None = None
    broken: tuple[Problem, ...] = ()
    diff: str = ""
    kept: Sequence[Revision] = ()
    text: str = ""


def reading_words(last: Reading | None) -> str:
    """`last reload 16:03:52 ok in 31 ms`."""
    if last is None:
        return "no edit from elsewhere yet"
    clock = time.strftime("%H:%M:%S", time.localtime(last.when / 1000))
    said = "ok" if last.ok else "broken"
    return f"last reload {clock} {said} in {last.seconds * 1000:.0f} ms"


def config_content(state: ConfigState, glyphs: Glyphs) -> Content:
    """The pane's text."""
    return Content("\n").join([*_status(state, glyphs), *_pending(state), *_kept(state, glyphs)])


def _status(state: ConfigState, glyphs: Glyphs) -> list[Content]:
    tone, sign, word = "$text-success", glyphs.live, "live"
    if state.broken:
        tone, sign, word = "$text-error bold", glyphs.broken, "file broken, in force"
    elif state.unsaved:
        tone, sign, word = "$text-warning bold", glyphs.warning, "in memory only"
    seen = "watching" if state.watching else "not watched"
    rows = [
        Content.assemble((f"{sign} {word} r{state.revision}", tone), (f"   {seen}", MUTED)),
        Content.styled(reading_words(state.last), MUTED),
    ]
    for problem in state.broken[:3]:
        column = f", column {problem.column}" if problem.column else ""
        where = f"line {problem.line}{column}: " if problem.line else ""
        rows.append(Content.styled(f"{where}{safe_line(problem.message, limit=300)}", tone))
    return [*rows, Content("")]


def _pending(state: ConfigState) -> list[Content]:
    if not state.diff:
        return [Content.styled("w: nothing to write", MUTED), Content("")]
    title = Content.styled("WHAT w WOULD WRITE", MUTED_BOLD)
    said = Content.styled("comments and layout are kept", MUTED)
    return [title, diff_content(state.diff, most=200), said, Content("")]


def _kept(state: ConfigState, glyphs: Glyphs) -> list[Content]:
    if not state.kept:
        return [Content.styled("no revisions yet", MUTED)]
    rows = [Content.styled("REVISIONS   h rolls back", MUTED_BOLD)]
    now = next((one.number for one in state.kept if one.text == state.text), None)
    for one in state.kept[:SHOWN]:
        mark = glyphs.live if one.number == now else " "
        rows.append(Content(f"{mark} {revision_words(one)}"))
    if len(state.kept) > SHOWN:
        rows.append(Content.styled(f"  and {len(state.kept) - SHOWN} more", MUTED))
    return rows


def revision_words(one: Revision) -> str:
    """`12  28 Nov 16:03  set session.dmScope to "main"`."""
    when = time.strftime("%d %b %H:%M", time.localtime(one.time / 1000)) if one.time else ""
    return f"{one.number:>4}  {when:<12}  {safe_line(one.reason, limit=120)}"


class ConfigPane(VerticalScroll, Edged, can_focus=True):
    """State, pending difference, revisions."""

    HELP = """\
    ## Config

    What is in force and how the file stands to it. An edit of the file from any editor is taken in
    at once; one that cannot be used changes nothing and stays here, with its line, until it is
    mended. **w** writes what is shown, and nothing else: comments and layout stay. **d** shows the
    whole difference, **h** all texts that the file had, to go back to, **e** opens the file in
    your editor, **u** takes the last change back, in the file too.
    """
    BINDING_GROUP_TITLE = "Config"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "scroll_down", "Down", id="list.down", show=False),
        Binding("k", "scroll_up", "Up", id="list.up", show=False),
        *SCOPE_KEYS,
    ]
    DEFAULT_CSS = """
    ConfigPane { scrollbar-size-vertical: 1; padding: 0 1; }
    ConfigPane Static {
        height: auto; width: 1fr; text-wrap: nowrap; text-overflow: ellipsis;
    }
    """

    def compose(self) -> ComposeResult:
        yield Static(markup=False)

    def show(self, state: ConfigState, glyphs: Glyphs) -> None:
        """Show how file and force stand to each other."""
        put(self.query_one(Static), config_content(state, glyphs))
        name, folder = f"Config r{state.revision}", state.path.rpartition("/")[2]
        keys = ("d diff", "h history", "e editor", "u undo")
        self.edge((f"{name}  {state.path}", f"{name}  {folder}", name), keys)
