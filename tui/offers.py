"""Offers of the command palette: a title, what it says, what it does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import cast

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from tui.home import Home

__all__ = ["Offer", "Offers"]

Offer = tuple[str, str, Callable[[], object]]
"""Title (safe), help (safe), what it does."""


class Offers(Provider):
    """A provider of a list of offers. Titles are text, never markup."""

    SHOWN = 0
    """How many are shown before anything is typed."""

    @property
    def home(self) -> Home:
        return cast("Home", self.app)

    def offers(self) -> Iterator[Offer]:
        raise NotImplementedError

    async def discover(self) -> Hits:
        for number, (title, said, run) in enumerate(self.offers()):
            if number >= self.SHOWN:
                return
            yield DiscoveryHit(Content(title), run, text=title, help=said)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for title, said, run in self.offers():
            score = matcher.match(title)
            if score > 0:
                yield Hit(score, matcher.highlight(title), run, text=title, help=said)
