"""Searching a tree: all words of all branches, also of what is folded."""

from __future__ import annotations

from functools import partial

from textual import getters, on
from textual.widgets import Input

from engine.errors import SessionNotFound
from engine.sessions.outline import VIEWS, View
from tui.screens.tree_actions import TreeActions

__all__ = ["TreeSearch"]


class TreeSearch(TreeActions):
    """The part of the tree screen that finds things."""

    find_line = getters.query_one("#find", Input)
    view: View = VIEWS[0]
    hits: tuple[str, ...] = ()
    _hit = -1
    _asked: tuple[str, str] | None = None
    """The session, and what was looked for in it last."""

    @property
    def found(self) -> str:
        """`3 of 12` while hits are gone through."""
        return f"{self._hit + 1:,} of {len(self.hits):,}" if self.hits else ""

    def draw(self) -> None:
        """Bring row 0 up to date."""
        raise NotImplementedError

    def action_find(self) -> None:
        self.find_line.add_class("-shown")
        self.find_line.focus()

    def close_find(self) -> None:
        self.find_line.remove_class("-shown")
        self.list.focus()

    def forget_hits(self) -> None:
        self.hits, self._hit, self._asked = (), -1, None
        self.list.set_hits(frozenset())
        self.draw()

    @on(Input.Submitted, "#find")
    def _find(self, event: Input.Submitted) -> None:
        event.stop()
        self.close_find()
        if event.value.strip():
            self.act(partial(self._search, event.value))
        else:
            self.forget_hits()

    async def _search(self, query: str) -> None:
        """Find entries by their words, in the order of the tree; go to the first from here on."""
        asked = self._asked = self.ref, query
        try:
            found = await self.engine.search(*asked)
        except SessionNotFound:  # a chat that nobody has written to yet
            found = []
        if asked is not self._asked:
            return  # something else is looked for by now, or in another session
        places = self.forest.outline.places if self.forest is not None else {}
        names = sorted(
            dict.fromkeys(hit.entry_id for hit in found),
            key=lambda name: places.get(name, len(places)),
        )
        self.hits, self._hit = tuple(names), -1
        self.list.set_hits(frozenset(names))
        if not names:
            self.draw()
            self.say(f"nothing here holds {query}; ^F looks in all sessions", "Search")
            return
        here = places.get(self.entry_here or "", 0)
        first = next((i for i, name in enumerate(names) if places.get(name, -1) >= here), 0)
        self._go_to_hit(first)

    def action_hit(self, step: int) -> None:
        if self.hits:
            self._go_to_hit((self._hit + step) % len(self.hits))
        else:
            self.say("nothing was searched for yet; / searches this tree", "Search")

    def _go_to_hit(self, number: int) -> None:
        """Open what hides a hit; where the view leaves it out, show everything."""
        self._hit = number
        name = self.hits[number]
        if not self.list.reveal(name):
            self.view = "all"
            self.load(at=name)
        self.draw()
