"""Finding what was once said: in all sessions, on every branch, also in what was put away."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import cast

from textual.command import Hit, Hits, Provider
from textual.content import Content

from engine.errors import BranchlineError
from engine.sessions.records import SessionRecord
from engine.sessions.search import Hit as Found
from engine.sessions.search import SessionHits
from engine.text import safe_line
from tui.commands.offers import literal
from tui.home import Home
from tui.later import later
from tui.people.naming import chat_name, title_of
from tui.widgets.dialogs.dialog import Commands

__all__ = ["find_words"]

PAUSE = 0.15
"""Seconds without a letter before the disk is searched."""

SHORTEST = 2
"""Letters that are looked for; one alone is in everything."""

OF_ONE = 8
"""Hits shown of one session, so that a long one does not hide the others."""

MOST = 200
"""Hits of all together."""


class _Finder(Provider):
    """Entries that hold the words, the sessions used last first."""

    async def search(self, query: str) -> Hits:
        home = cast("Home", self.app)
        await asyncio.sleep(PAUSE)  # the next letter ends this search
        if len(query.strip()) < SHORTEST:
            return
        shown = 0
        try:
            async for found in home.engine.keeping.search(query, limit=MOST):
                for hit in found.hits[:OF_ONE]:
                    shown += 1
                    yield self._offer(found, hit, 1 / shown)
        except BranchlineError as error:
            told = safe_line(str(error), limit=200)
            yield Hit(1, Content(told), partial(home.fail, error), told, "Write it in another way")

    def _offer(self, found: SessionHits, hit: Found, score: float) -> Hit:
        """A line of the list: the words around, and where they were said."""
        home = cast("Home", self.app)
        before, match, after = map(_one_line, (hit.before, hit.match, hit.after))
        words = Content.assemble(before, (match, self.match_style or "bold"), after)
        if hit.where not in ("text", "summary"):
            words = Content(f"{hit.where}: ") + words
        run = partial(_go, home, ref_of(found.record), hit.entry_id)
        return Hit(score, words, run, words.plain, literal(self._place(found.record, hit)))

    def _place(self, record: SessionRecord, hit: Found) -> str:
        home = cast("Home", self.app)
        info = home.bridge.tracker.infos.get(ref_of(record))
        title = title_of(info) if info is not None else chat_name(record.key)
        who = {"user": "a person", "assistant": "the agent"}.get(hit.role or "", hit.type)
        aside = () if hit.on_path else ("on another branch",)
        kept = () if record.kind == "session" else (record.kind,)
        return " · ".join((title, safe_line(who, limit=40), *aside, *kept))


def _one_line(text: str) -> str:
    """A part of a snippet; the blank at either end stays."""
    lead = " " if text[:1].isspace() else ""
    tail = " " if text[-1:].isspace() and text.strip() else ""
    return f"{lead}{safe_line(text.strip())}{tail}"


def ref_of(record: SessionRecord) -> str:
    """What the engine's views take: the key of a session in use, the file of what is over."""
    return record.key if record.kind == "session" else str(record.path)


def _go(home: Home, ref: str, entry_id: str) -> None:
    later(home, partial(home.to_tree, entry_id, ref), group="go", exclusive=True)


def find_words(home: Home) -> None:
    """Ask for words and show where they were said; Enter leads to the entry in its tree."""
    told = 'Words said in any session, "a phrase", re:pattern'
    home.push_screen(Commands(providers=[_Finder], placeholder=told))
