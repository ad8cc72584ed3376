"""Offers of the command palette: a title, what it says, what it does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import cast

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.fuzzy import FuzzySearch

from tui.home import Home

__all__ = ["Offer", "Offers", "literal"]

AT_ONCE = 50
"""Offers looked at before others have their turn."""

Offer = tuple[str, str, Callable[[], object]]
"""Title (safe), help (safe), what it does."""


def literal(text: str) -> str:
    """Markup that shows `text` as it is. Textual's own `escape` leaves brackets alone that do not
    look like a tag, and its reader takes some of them for one."""
    return text.replace("[", "\\[")


class Offers(Provider):
    """A provider of a list of offers. Titles and what they say are text, never markup; each word
    that is looked for must be in the title, in any order."""

    SHOWN = 0
    """How many are shown before anything is typed."""

    @property
    def home(self) -> Home:
        return cast("Home", self.app)

    async def prepare(self) -> None:
        """Read what the offers are made of, where that takes time."""

    def offers(self) -> Iterator[Offer]:
        raise NotImplementedError

    async def discover(self) -> Hits:
        for number, (title, said, run) in enumerate(self.offers()):
            if number >= self.SHOWN:
                return
            yield DiscoveryHit(Content(title), run, text=title, help=literal(said))

    async def search(self, query: str) -> Hits:
        search = FuzzySearch()
        words = query.split()
        for number, (title, said, run) in enumerate(self.offers()):
            if number % AT_ONCE == AT_ONCE - 1:
                await asyncio.sleep(0)  # thousands of offers do not hold the next letter up
            found = [search.match(word, title) for word in words]
            if found and all(score for score, _ in found):
                shown = Content(title)  # never as markup: names are chosen by strangers
                for offset in {offset for _, offsets in found for offset in offsets}:
                    shown = shown.stylize(self.match_style or "bold", offset, offset + 1)
                yield Hit(sum(score for score, _ in found), shown, run, title, literal(said))
