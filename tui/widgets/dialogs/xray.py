"""The window X-ray: every entry on the way to a place, in or out, with its tokens and the reason;
and the request itself, byte for byte."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Hashable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.reactive import var
from textual.widgets import Static

from engine.context.decisions import Decision
from engine.engine import Xray
from engine.errors import BranchlineError
from engine.sessions.rows import Row, read_row
from engine.sessions.tree import Tree
from engine.text import safe_line, safe_text
from tui.home import Home, home_of
from tui.later import later
from tui.look.cells import count, fit
from tui.look.glyphs import Glyphs
from tui.look.tones import MUTED
from tui.widgets.dialogs.dialog import Dialog
from tui.widgets.edged import EdgedVertical
from tui.widgets.rowlist import RowList
from tui.widgets.rows import Line, Rows, RowSource, RowView, Span
from tui.widgets.tree.treelines import in_ascii, local_time

__all__ = ["DecisionRows", "RequestRows", "XrayDialog"]

LINE = 2000
"""Characters of one line of the request that are drawn."""


class DecisionRows:
    """Decisions as rows, the oldest first; under the cursor the whole reason is told below."""

    uniform = 1

    def __init__(
        self, decisions: Sequence[Decision], tree: Tree, agent: str, names: int, glyphs: Glyphs
    ):
        self.decisions = decisions
        self._tree = tree
        self._agent = agent
        self._names = max(9, names)
        self._glyphs = glyphs
        self._read: dict[str, Row] = {}
        self._places = {one.entry_id: place for place, one in enumerate(decisions)}

    def __len__(self) -> int:
        return len(self.decisions)

    def height(self, index: int) -> int:
        return 1

    def key(self, index: int) -> Hashable:
        return self.decisions[index].entry_id

    def index_of(self, key: Hashable) -> int | None:
        return self._places.get(str(key))

    def foldable(self, index: int) -> bool:
        return False

    def lines(self, index: int, width: int) -> Sequence[Line]:
        decision = self.decisions[index]
        row = self._read.get(decision.entry_id)
        if row is None:
            row = read_row(self._tree, decision.entry_id, agent=self._agent)
            if len(self._read) > 4000:
                self._read.clear()
            self._read[decision.entry_id] = row
        sign = self._glyphs.yes if decision.included else self._glyphs.skipped
        word = "in " if decision.included else "out"
        tone = "" if decision.included else "dim"
        tokens = f"{decision.tokens:,}" if decision.included else ""
        reason = safe_line(decision.reason, limit=200)
        room = width - 6 - 6 - self._names - 2 - 9
        share = min(44, room * 2 // 5) if room > 40 else 0
        line: list[Span] = [
            (f" {sign} {word}", "new" if decision.included else "dim"),
            (f" {local_time(row.time, '%H:%M'):5}", "dim"),
            (f" {fit(row.speaker, self._names)} ", tone or "strong"),
            (fit(row.text, max(1, room - share - 1), ellipsis=self._glyphs.ellipsis) + " ", tone),
            (f"{tokens:>8} ", ""),
        ]
        if share:
            line.append((fit(reason, share, ellipsis=self._glyphs.ellipsis), "dim"))
        return [line]


class RequestRows:
    """The request, laid out for reading: one line of JSON to a row."""

    uniform = 1

    def __init__(self, body: bytes):
        self.texts = tuple(safe_text(line[:LINE]) for line in _readable(body))

    def __len__(self) -> int:
        return len(self.texts)

    def height(self, index: int) -> int:
        return 1

    def key(self, index: int) -> Hashable:
        return index

    def index_of(self, key: Hashable) -> int | None:
        return key if isinstance(key, int) and 0 <= key < len(self) else None

    def foldable(self, index: int) -> bool:
        return False

    def lines(self, index: int, width: int) -> Sequence[Line]:
        return [[(fit(self.texts[index].replace("\t", " "), width), "")]]


def _readable(body: bytes) -> list[str]:
    try:
        return json.dumps(json.loads(body), ensure_ascii=False, indent=2).split("\n")
    except (ValueError, RecursionError):
        return body.decode("utf-8", "replace").split("\n")


class XrayDialog(Dialog[str | None]):
    """Shows a window entry by entry; ends with the entry to go to, None for none.

    Args:
        session_key: the session.
        xray: the window from an entry.
        tree: of the session.
        agent: whom replies are by.
        names: cells for the names.
    """

    HELP = """\
    ## X-ray

    Every entry on the way from the beginning to here: whether the model sees it, what it weighs,
    and why it is in or out. **b** shows the request itself as it would be sent, **y** copies it
    byte for byte, **Enter** goes to the entry in the tree, **Esc** closes.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "close", "Close", id="dialog.close"),
        Binding("b", "body", "Request", id="xray.request", tooltip="Byte for byte"),
        Binding("y", "copy", "Copy request", id="xray.copy"),
    ]

    DEFAULT_CSS = """
    XrayDialog { align: center middle; }
    XrayDialog > Vertical {
        width: 96%; height: 92%; padding: 0 1; background: $surface; border: round $border;
        border-title-color: $text; border-subtitle-color: $text-muted;
    }
    XrayDialog RowList { height: 1fr; background: $surface; }
    XrayDialog Static { height: auto; width: 1fr; }
    XrayDialog #xray-head { margin-bottom: 1; }
    XrayDialog #xray-reason { margin-top: 1; min-height: 2; max-height: 3; }
    """

    request: var[bool] = var(False)
    """Whether the request is shown instead of the entries."""

    def __init__(self, session_key: str, xray: Xray, tree: Tree, agent: str, names: int):
        super().__init__()
        self._key = session_key
        self._xray = xray
        self._tree = tree
        self._agent = agent
        self._names = names
        self._body: bytes | None = None

    @property
    def home(self) -> Home:
        return home_of(self)

    def compose(self) -> ComposeResult:
        with EdgedVertical() as box:
            leaf = safe_line(self._xray.leaf, limit=40)
            box.edge(
                (f"What the model sees from {leaf}", "What the model sees"),
                ("b request", "y copy it", "Enter go to", "Esc close"),
                gap=" · ",
            )
            yield Static(self._head(), id="xray-head", markup=False)
            yield RowList(empty="reading …", id="xray-rows")
            yield Static(Content(""), id="xray-reason", markup=False)

    def _head(self) -> Content:
        xray = self._xray
        room = xray.model.context_window
        of = f" of {count(room)}" if room else ""
        told = f"{count(xray.tokens)}{of} tokens · system prompt {count(xray.prompt_tokens)}"
        told += f" · {len(xray.window.messages):,} messages · {safe_line(xray.model.ref, limit=60)}"
        rows = [Content.styled(in_ascii(told, self.home.glyphs), MUTED)]
        problems = (*xray.problems, *xray.window.problems)
        rows += [Content.styled(safe_line(str(one)), "$text-warning") for one in problems]
        return Content("\n").join(rows)

    def on_mount(self) -> None:
        self.query_one(RowList).focus()
        later(self, self._fill, group="fill")

    async def _fill(self) -> None:
        decisions = await asyncio.to_thread(tuple, self._xray.window.decisions)
        rows = DecisionRows(decisions, self._tree, self._agent, self._names, self.home.glyphs)
        rowlist = self.query_one(RowList)
        rowlist.sign = self.home.glyphs.cursor
        rowlist.set_source(_constant(rows))
        rowlist.go_to(self._xray.leaf)
        self._tell()

    def on_row_list_highlighted(self) -> None:
        self._tell()

    def _tell(self) -> None:
        """The whole reason of the entry under the cursor."""
        rows, cursor = self.query_one(RowList).rows, self.query_one(RowList).cursor
        told = Content("")
        if isinstance(rows, DecisionRows) and cursor < len(rows):
            one = rows.decisions[cursor]
            told = Content.assemble(
                (f"{safe_line(one.entry_id, limit=40)}  ", MUTED), safe_line(one.reason)
            )
        elif isinstance(rows, RequestRows) and cursor < len(rows):
            told = Content(rows.texts[cursor].strip())
        self.query_one("#xray-reason", Static).update(told)

    def on_row_list_selected(self, event: RowList.Selected) -> None:
        event.stop()
        if isinstance(event.key, str):
            self.dismiss(event.key)

    def action_body(self) -> None:
        later(self, self._show_body, group="fill")

    async def _show_body(self) -> None:
        if self.request:
            self.request = False
            await self._fill()
            return
        body = await self._read_body()
        if body is None:
            return
        rows = await asyncio.to_thread(RequestRows, body)
        self.request = True
        self.query_one(RowList).set_source(_constant(rows))
        self.query_one(RowList).cursor = 0
        self._tell()

    async def _read_body(self) -> bytes | None:
        if self._body is None:
            try:
                self._body = await self.home.engine.request_body(self._key, self._xray.leaf)
            except BranchlineError as error:
                self.home.fail(error)
        return self._body

    async def action_copy(self) -> None:
        body = await self._read_body()
        if body is not None:
            self.app.copy_to_clipboard(body.decode("utf-8", "replace"))
            self.notify(f"{len(body):,} bytes", title="Request copied", markup=False, timeout=3)

    def action_close(self) -> None:
        self.dismiss(None)


def _constant(rows: Rows) -> RowSource:
    def source(view: RowView) -> Rows:
        return rows

    return source
