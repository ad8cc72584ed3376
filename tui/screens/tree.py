"""The Tree screen: the whole tree of a session, and beside it what the model sees from anywhere."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import getters, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input

from engine.engine import Counts, Xray
from engine.errors import BranchlineError, SessionNotFound
from engine.events import ConfigChanged, Event, ReplyDelta, TurnEnded
from engine.sessions.outline import VIEWS
from engine.sessions.rows import Fold
from engine.sessions.tree import Tree
from engine.text import safe_line, safe_text
from tui.bridge import Batch
from tui.later import later
from tui.people.naming import agent_name, chat_name, title_of
from tui.screens.tree_search import TreeSearch
from tui.widgets.linefield import LineField
from tui.widgets.rowlist import RowList
from tui.widgets.tree.grove import grow
from tui.widgets.tree.preview import Preview, preview_of
from tui.widgets.tree.treebar import TreeBar, TreeBarState
from tui.widgets.tree.treelines import LIVE, Forest
from tui.widgets.tree.treelist import TreeList

if TYPE_CHECKING:
    from tui.commands.jump import Hidden

__all__ = ["TreeScreen"]

REST = 0.08
"""Seconds the cursor rests on a row before the preview follows it."""


class TreeScreen(TreeSearch):
    """One session as a tree."""

    CSS_PATH = "tree.tcss"
    HELP = TreeList.HELP
    MODE = "tree"
    PANES = (TreeList, Preview)
    BINDING_GROUP_TITLE = "Tree screen"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("v", "view", "View", id="tree.view", show=False),
        Binding("slash", "find", "Search", id="tree.search", key_display="/", show=False),
        Binding("n", "hit(1)", "Next hit", id="tree.next-hit", show=False),
        Binding("N", "hit(-1)", "Previous hit", id="tree.previous-hit", show=False),
        Binding(
            "left_square_bracket",
            "branch(-1)",
            "Branch before",
            id="tree.previous-branch",
            show=False,
        ),
        Binding(
            "right_square_bracket", "branch(1)", "Branch after", id="tree.next-branch", show=False
        ),
        Binding(
            "left_curly_bracket",
            "fork_point(-1)",
            "Fork before",
            id="tree.previous-fork",
            show=False,
        ),
        Binding(
            "right_curly_bracket", "fork_point(1)", "Fork after", id="tree.next-fork", show=False
        ),
        Binding("full_stop", "leaf", "Leaf", id="tree.leaf", tooltip="To the leaf", show=False),
        Binding("x", "xray", "X-ray", id="tree.xray", show=False),
        Binding("p", "preview", "Preview", id="tree.preview", show=False),
        Binding("o", "pager", "Pager", id="tree.pager", show=False),
        Binding("y", "copy_id", "Copy id", id="tree.copy", show=False),
        Binding("z", "zoom", "Zoom", id="tree.zoom", show=False),
        Binding("escape", "back", "Back", id="tree.back", key_display="Esc"),
    ]

    preview = getters.query_one(Preview)
    bar = getters.query_one(TreeBar)

    def __init__(self) -> None:
        super().__init__()
        self.ref = ""
        self.forest: Forest | None = None
        self.counts = Counts(0, 0, 0)
        self._rest: Timer | None = None
        self._wanted: str | None = None
        self._to_leaf = False

    def row_0(self) -> TreeBar:
        return TreeBar(id="tree-bar")

    def body(self) -> ComposeResult:
        with Container(id="grove"):
            with Vertical(id="trunk"):
                yield TreeList(id="tree")
                yield LineField(
                    id="find", compact=True, placeholder='words, "a phrase", re:pattern'
                )
            yield Preview(id="preview")

    # start and news

    def on_mount(self) -> None:
        self.list.add_class("pane")
        self.preview.add_class("pane")
        self.hint()
        self.list.focus()

    @property
    def gone(self) -> bool:
        """Whether the app is being left: the panes go before workers and events stop."""
        return len(self.query("TreeList, Preview")) < 2

    def open(self, ref: str, *, at: str | None = None) -> None:
        """Show the tree of a session, the cursor on an entry (None: on the leaf)."""
        if ref != self.ref:
            self.ref, self.forest = ref, None
            self.list.forget()
            self.forget_hits()
            self.preview.show(None, self.home.glyphs)
        self.load(at=at, to_leaf=True)

    def load(self, *, at: str | None = None, to_leaf: bool = False) -> None:
        """Lay the tree out anew; a wish for the cursor holds until it is done."""
        self._wanted = at or self._wanted
        self._to_leaf = self._to_leaf or to_leaf
        later(self, self._grow, group="grow")

    async def _grow(self) -> None:
        """Read and lay out beside the loop, then show."""
        ref, home = self.ref, self.home
        info = self.tracker.infos.get(ref)
        agent = agent_name(self.engine.config, info.agent_id) if info is not None else "assistant"
        try:
            tree = await self.engine.tree(ref)
            forest, counts = await asyncio.to_thread(grow, tree, self.view, agent=agent)
        except SessionNotFound:  # a chat that nobody has written to yet
            forest, counts = grow(Tree(), self.view, agent=agent)
        except BranchlineError as error:
            home.fail(error)
            return
        if ref != self.ref or self.gone:
            return
        if self.forest is None or self.forest.tree is not forest.tree:
            later(self, partial(self._hold, ref), group="hold")
        self.forest, self.counts = forest, counts
        self.list.show(forest, home.glyphs, self._live_text())
        target = self._wanted or (forest.outline.leaf if self._to_leaf else None)
        self._wanted, self._to_leaf = None, False
        if target == forest.outline.leaf and self.list.go_to(LIVE):
            target = None  # the leaf is being written
        if target is not None:
            self.list.reveal(target)
        self.draw()
        self._look_soon()

    async def _hold(self, ref: str) -> None:
        """Rows are read when they are seen: the session stays open as long as it is shown."""
        with suppress(BranchlineError):
            await self.engine.hold(ref)

    def _on_leaf(self) -> bool:
        here = self.list.current
        return here == LIVE or (self.forest is not None and here == self.forest.outline.leaf)

    def _live_text(self) -> str | None:
        turn = self.tracker.live.get(self.ref)
        return "".join(turn.text) if turn is not None else None

    def overhear(self, batch: Batch) -> bool:
        return any(not isinstance(event, ReplyDelta) for event in self._own(batch))

    def _own(self, batch: Batch) -> list[Event]:
        return [event for event in batch if getattr(event, "session_key", None) == self.ref]

    def news(self, batch: Batch) -> None:
        if self.gone:
            return
        own = self._own(batch)
        follow = self.following or self._on_leaf()
        if own:
            self.list.show_live(self._live_text())
            if follow:
                self.list.go_to(LIVE)
        if any(isinstance(event, TurnEnded) for event in own):
            self.following = False
        if self.overhear(batch) or any(isinstance(event, ConfigChanged) for event in batch):
            self.load(to_leaf=follow)

    def on_screen_resume(self) -> None:
        """The tree of the session that is open now."""
        ref = self.tracker.open_key or ""
        if ref != self.ref:
            self._stale = False
            self.open(ref)

    def again(self) -> None:
        self.load(to_leaf=self._on_leaf())

    def draw(self) -> None:
        home, info = self.home, self.tracker.infos.get(self.ref)
        forest = self.forest
        self.bar.show(
            TreeBarState(
                agent=forest.agent if forest is not None else "",
                title=title_of(info) if info is not None else chat_name(self.ref),
                messages=self.counts.messages,
                branches=self.counts.branches,
                compactions=self.counts.compactions,
                labels=len(forest.tree.labels) if forest is not None else 0,
                view=self.view,
                found=self.found,
            ),
            home.glyphs,
        )

    # the preview

    @on(RowList.Highlighted)
    def _moved(self) -> None:
        self._look_soon()

    @on(RowList.Folded)
    def _folded(self) -> None:
        self._look_soon()

    def _look_soon(self) -> None:
        if self._rest is not None:
            self._rest.stop()
        self._rest = self.set_timer(REST, self._look)

    def _look(self) -> None:
        if self.preview.display:
            later(self, self._preview, group="preview")

    @property
    def entry_here(self) -> str | None:
        """The entry that the cursor stands for: its own, the head of a fold, the leaf."""
        lines = self.list.lines_shown
        if lines is None or self.list.cursor >= len(lines):
            return None
        found = lines.at(self.list.cursor)
        if found is None:
            return lines.forest.outline.leaf
        return found.key if isinstance(found, Fold) else lines.forest.outline.ids[found]

    async def _preview(self) -> None:
        ref, name, forest = self.ref, self.entry_here, self.forest
        lines = self.list.lines_shown
        if name is None or forest is None or lines is None:
            self.preview.show(None, self.home.glyphs)
            return
        xray: Xray | None = None
        problem = ""
        try:
            xray = await self.engine.xray(ref, name)
        except BranchlineError as error:
            problem = safe_line(str(error))
        try:
            shown = await asyncio.to_thread(
                preview_of, forest.tree, forest.outline, lines.row(name), xray, problem
            )
        except BranchlineError as error:
            self.home.fail(error)
            return
        if ref == self.ref and not self.gone:
            self.preview.show(shown, self.home.glyphs)

    # going about

    def action_view(self) -> None:
        """The next view; the cursor stays on its entry, or goes to the nearest above it."""
        self.view = VIEWS[(VIEWS.index(self.view) + 1) % len(VIEWS)]
        self.draw()
        self.load(at=self.entry_here)

    def action_branch(self, step: int) -> None:
        if not self.list.step_branch(step):
            self.say("no other branch begins beside this one", "Branches")

    def action_fork_point(self, step: int) -> None:
        if not self.list.step_fork(step):
            self.say(f"no fork {'below' if step > 0 else 'above'} this row", "Forks")

    def action_leaf(self) -> None:
        if self.forest is not None and self.forest.outline.leaf is not None:
            self.list.reveal(self.forest.outline.leaf)

    def action_preview(self) -> None:
        self.remove_class("-zoom-tree", "-zoom-preview")
        self.toggle_class("-no-preview")
        self.list.focus()
        self.call_after_refresh(self._look)

    def hidden_panes(self) -> list[Hidden]:
        panes: list[tuple[str, Widget]] = [("Tree", self.list), ("Preview", self.preview)]
        return [(name, partial(self._open, pane)) for name, pane in panes if not pane.region.area]

    def _open(self, pane: Widget) -> None:
        """Show a pane: beside the other one, or where both have no room alone."""
        self.remove_class("-zoom-tree", "-zoom-preview", "-no-preview")
        if pane is self.preview and not pane.display:
            self.add_class("-zoom-preview")
        self.call_after_refresh(pane.focus)
        self.call_after_refresh(self._look)

    def action_zoom(self) -> None:
        """The pane in focus alone, or both again."""
        alone = self.has_class("-zoom-tree") or self.has_class("-zoom-preview")
        self.remove_class("-zoom-tree", "-zoom-preview")
        if not alone:
            self.add_class("-zoom-preview" if self.focused is self.preview else "-zoom-tree")

    def action_copy_id(self) -> None:
        name = self.entry_here
        if name is not None:
            self.copy(name, "Id")

    def action_pager(self) -> None:
        later(self, self._page, group="pager")

    async def _page(self) -> None:
        from tui.widgets.external import page

        name, forest = self.entry_here, self.forest
        if name is None or forest is None:
            return
        try:
            entry = await asyncio.to_thread(forest.tree.entry, name)
            await page(self.app, safe_text(entry.text))
        except BranchlineError as error:
            self.home.fail(error)

    def action_back(self) -> None:
        """Esc: close what is open, let go of what is held, else to the conversation."""
        if self.find_line.has_class("-shown"):
            self.close_find()
        elif self.has_class("-zoom-tree") or self.has_class("-zoom-preview"):
            self.action_zoom()
        elif self.list.marked_ids:
            self.list.set_marked(())
            self.hint()
        elif not self.stop_grafting():
            if self.hits:
                self.forget_hits()
            else:
                self.app.switch_mode("sessions")

    def hint(self) -> None:
        """The line under the list: what is held in hand, else what else there is to press."""
        told: tuple[str, ...] = (
            *("/ search", "v view", "Space fold", "[ ] branch", "{ } fork", "u undo"),
        )
        if self.list.marked_ids:
            first = safe_line(self.list.marked_ids[0], limit=24)
            told = (f"d on another one compares it with {first}", "Esc stop")
        elif self._grafting is not None:
            taken = safe_line(self._grafting[1], limit=24)
            told = (f"g puts a copy of {taken} under an entry", "Esc stop")
        self.list.edge(("Branch tree",), told)

    # the X-ray

    def action_xray(self) -> None:
        name = self.entry_here
        if name is not None:
            self.act(partial(self._xray, name))

    async def _xray(self, name: str) -> None:
        from tui.widgets.dialogs.xray import XrayDialog

        xray, forest = await self.engine.xray(self.ref, name), self.forest
        if forest is None:
            return
        chosen = await self.app.push_screen_wait(
            XrayDialog(self.ref, xray, forest.tree, forest.agent, forest.names)
        )
        if chosen is not None and not self.list.reveal(chosen):
            self.view = "all"
            self.load(at=chosen)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if isinstance(self.focused, Input):
            return action == "back"
        return super().check_action(action, parameters)
