"""The leak monitor: hangs at the one model door and looks at every request (SPEC §14).

Each message of a request names the transcript entries that its words come from. The monitor looks
these entries up in the session that the request claims to be of, finds out who wrote them, and
asks engine.rights.sharing whether the person who is answered may read them. A request that holds
one entry too many is not sent. What was judged is kept, bounded, for whoever wants to know who
saw whose words.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from weakref import ref

from msgspec import Struct

from engine.config.schema import Config
from engine.errors import LeakRefused, Problem
from engine.events import Event, LeakFound, Noticed
from engine.models.door import Check
from engine.models.protocol import ModelRequest
from engine.rights.sharing import Ruling, Sharing, Speaker, Verdict, read_speaker
from engine.sessions.nodes import Node
from engine.sessions.tree import Tree
from engine.text import safe_line
from engine.turns.pool import SessionPool
from engine.values import replace

__all__ = ["LeakMonitor", "SessionFacts", "Sighting", "look_in"]

KEPT = 4096
"""Sightings kept; the oldest are forgotten first."""

NAMED = 64
"""Entries named per sighting, the newest."""

SESSIONS, ENTRIES = 256, 8192
"""Sessions and, in each, entries whose authors are remembered."""

FOLDED = 1000
"""Messages read to find out whose words a summary holds."""

NEARBY = 64
"""Entries looked at to find the message that an entry without an author belongs to."""


class SessionFacts(Struct, frozen=True):
    """What the monitor looks at of a session: its tree and what its file says of its origin."""

    tree: Tree
    origin: Mapping[str, Any] | None = None


class Sighting(Struct, frozen=True):
    """Words of one person in requests that were answered to another.

    Attributes:
        reader: principal of the person who was (or would have been) answered.
        author: principal of the person who wrote; "" where nobody knows.
        rule: what shares the words, or that nothing does.
        entries: entry ids of the words, the newest NAMED.
        requests: how many requests held any of them.
    """

    session_key: str
    reader: str
    reader_name: str
    author: str
    author_name: str
    verdict: Verdict
    rule: str
    entries: tuple[str, ...]
    requests: int = 1


def look_in(pool: SessionPool) -> Callable[[str], SessionFacts | None]:
    """Looks at the sessions that a pool has open: a turn's own always is."""

    def look(key: str) -> SessionFacts | None:
        live = pool.peek(key)
        if live is None or live.transcript.key not in (None, key):
            return None
        origin = live.transcript.header.get("origin")
        return SessionFacts(live.transcript.tree, origin if isinstance(origin, dict) else None)

    return look


class Nobody(Struct, frozen=True):
    """Words whose author no entry tells; they are judged by the session they were said in."""

    session_key: str


_Pair = tuple[str, str, str, str]
_Authors = tuple[Speaker | Nobody, ...]


class LeakMonitor:
    """One for an engine; `check_for` gives the check of a config.

    Args:
        look: the session of a key as it is open now, or None.
        publish: told of what was found.
    """

    def __init__(
        self, look: Callable[[str], SessionFacts | None], publish: Callable[[Event], None]
    ):
        self._look = look
        self._publish = publish
        self._sessions: OrderedDict[str, _Session] = OrderedDict()
        self._sightings: OrderedDict[_Pair, Sighting] = OrderedDict()

    def check_for(self, config: Config) -> Check:
        """The check that judges by a config, for ModelDoor."""
        sharing = Sharing(config)
        return lambda request: self.check(request, sharing)

    def check(self, request: ModelRequest, sharing: Sharing) -> None:
        """Judge a request.

        Raises:
            LeakRefused: it holds words that its reader may not see.
        """
        ids = tuple(name for message in request.messages for name in message.entry_ids)
        if not ids:
            return
        session = self._session(request.session_key)
        strangers = [name for name in ids if session is None or name not in session.tree.nodes]
        if session is None or strangers:
            stranger = _stranger(request, strangers or ids)
            self._note(stranger)
            self._refuse(request, stranger)
            return
        if request.purpose == "summary":
            return  # nobody reads it yet; in a reply it counts as the words of all whom it folds
        reader = session.reader(request.principal, ids)
        found = _judge(session, ids, reader, sharing, request.session_key)
        for sighting in found:
            self._note(sighting)
        refused = [sighting for sighting in found if sighting.verdict == "refused"]
        if refused:
            self._refuse(request, *refused)

    def sightings(
        self, *, session_key: str | None = None, reader: str | None = None
    ) -> tuple[Sighting, ...]:
        """Who saw whose words, oldest first; of one session or reader, or all that is known."""
        return tuple(
            one
            for one in self._sightings.values()
            if session_key in (None, one.session_key) and reader in (None, one.reader)
        )

    def _session(self, key: str) -> _Session | None:
        there = self._look(key)
        if there is None:
            return None
        known = self._sessions.get(key)
        if known is None or not known.is_of(there.tree):
            known = self._sessions[key] = _Session(there, key)
        self._sessions.move_to_end(key)
        while len(self._sessions) > SESSIONS:
            self._sessions.popitem(last=False)
        return known

    def _note(self, seen: Sighting) -> None:
        pair = seen.session_key, seen.reader, seen.author, seen.rule
        before = self._sightings.pop(pair, None)
        if before is None:
            self._sightings[pair] = seen
            if seen.verdict == "exposed":
                self._publish(_event(seen))
        else:
            entries = tuple(dict.fromkeys((*before.entries, *seen.entries)))[-NAMED:]
            self._sightings[pair] = replace(seen, entries=entries, requests=before.requests + 1)
        while len(self._sightings) > KEPT:
            self._sightings.popitem(last=False)

    def _refuse(self, request: ModelRequest, *found: Sighting) -> None:
        for one in found:
            self._publish(_event(one))
        names = ", ".join(safe_line(one.author_name or "somebody", limit=60) for one in found)
        reader = safe_line(found[0].reader_name, limit=60)
        message = f"an answer to {reader} would have held words of {names}: nothing was sent"
        hint = "see who wrote in this session; /new begins it afresh"
        self._publish(Noticed(Problem(message, hint=hint), request.session_key))
        raise LeakRefused(found)


def _event(one: Sighting) -> LeakFound:
    return LeakFound(
        one.session_key,
        one.reader,
        one.author,
        one.rule,
        blocked=one.verdict == "refused",
        entry_ids=one.entries,
        reader_name=one.reader_name,
        author_name=one.author_name,
    )


def _stranger(request: ModelRequest, ids: Iterable[str]) -> Sighting:
    """Entries that are not of the session that the request is for."""
    return Sighting(
        request.session_key,
        request.principal,
        request.principal,
        "",
        "another session",
        "refused",
        "the words are not of this session",
        tuple(ids)[-NAMED:],
    )


def _judge(
    session: _Session, ids: tuple[str, ...], reader: Speaker | None, sharing: Sharing, key: str
) -> list[Sighting]:
    """What a request shows its reader of others, a sighting for each author and rule."""
    rulings: dict[Speaker | Nobody, Ruling] = {}
    entries: dict[Speaker | Nobody, list[str]] = {}
    for name in ids:
        for author in session.authors(name):
            if author not in rulings:
                rulings[author] = _rule(author, reader, sharing, key)
            entries.setdefault(author, []).append(name)
    return [
        Sighting(
            key,
            reader.principal if reader else "",
            reader.name if reader else "somebody unknown",
            author.principal if isinstance(author, Speaker) else "",
            author.name if isinstance(author, Speaker) else "",
            ruling.verdict,
            ruling.rule,
            tuple(entries[author])[-NAMED:],
        )
        for author, ruling in rulings.items()
        if ruling.verdict != "own"
    ]


def _rule(author: Speaker | Nobody, reader: Speaker | None, sharing: Sharing, key: str) -> Ruling:
    if reader is None:
        return Ruling("refused", "nobody knows for whom the answer is")
    if isinstance(author, Nobody):
        return sharing.leads_to(reader, author.session_key)
    return sharing.judge(author, reader, key)


class _Session:
    """Who wrote what in one session, found out once per entry."""

    def __init__(self, facts: SessionFacts, key: str):
        # Not held: what is remembered here must not keep closed sessions in memory.
        self._tree = ref(facts.tree)
        self._key = key
        self._owner = read_speaker(facts.origin) or Nobody(key)
        self._known: dict[str, _Authors] = {}

    @property
    def tree(self) -> Tree:
        found = self._tree()
        assert found is not None, "it is looked at only while the session is open"
        return found

    def is_of(self, tree: Tree) -> bool:
        """Whether this was found out of that very tree."""
        return self._tree() is tree

    def reader(self, principal: str, ids: tuple[str, ...]) -> Speaker | None:
        """The person who is answered: whoever goes by this principal and spoke last."""
        if principal == "operator":
            return Speaker(principal, principal)
        for name in reversed(ids):
            for author in self.authors(name):
                if isinstance(author, Speaker) and author.principal == principal:
                    return author
        for node in _users(self.tree.up(self.tree.leaf), FOLDED):
            found = self._speaker(node.id)
            if found is not None and found.principal == principal:
                return found
        return None

    def authors(self, entry_id: str) -> _Authors:
        """Who wrote an entry; of a summary, everybody whom it may quote."""
        found = self._known.get(entry_id)
        if found is None:
            found = self._find(self.tree.node(entry_id))
            if len(self._known) >= ENTRIES:
                self._known.clear()
            self._known[entry_id] = found
        return found

    def _find(self, node: Node) -> _Authors:
        data = self.tree.entry(node.id).data
        own = read_speaker(data.get("origin"))
        if own is not None:
            return (own,)
        if grafted := self._grafted(data):
            return (grafted,)
        if node.type == "compaction":
            return self._folded(self.tree.up(node.parent_id))
        if node.type == "branch_summary":
            source = data.get("fromId")
            return self._folded(self.tree.up(source if isinstance(source, str) else None))
        return (self._above(node) or self._owner,)

    def _grafted(self, data: Mapping[str, Any]) -> Nobody | None:
        """What was copied from another session is still that one's."""
        source = data.get("graftedFrom")
        key = source.get("sessionKey") if isinstance(source, dict) else None
        return Nobody(key) if isinstance(key, str) and key != self._key else None

    def _speaker(self, entry_id: str) -> Speaker | None:
        known = self._known.get(entry_id)
        if known is not None and len(known) == 1:
            return known[0] if isinstance(known[0], Speaker) else None
        return read_speaker(self.tree.entry(entry_id).data.get("origin"))

    def _above(self, node: Node) -> Speaker | None:
        """The author of the message that an entry answers or belongs to."""
        for count, above in enumerate(self.tree.up(node.parent_id)):
            if count == NEARBY:
                return None
            if above.role == "user" and (found := self._speaker(above.id)):
                return found
        return None

    def _folded(self, nodes: Iterator[Node]) -> _Authors:
        """Everybody who spoke on a stretch, up to a summary whose authors are known already."""
        found: dict[Speaker | Nobody, None] = {}
        for node in _users(nodes, FOLDED, summaries=True):
            if node.type == "message":
                found[self._speaker(node.id) or self._owner] = None
            elif node.id in self._known:
                found.update(dict.fromkeys(self._known[node.id]))
                break
        return tuple(found) or (self._owner,)


def _users(nodes: Iterator[Node], limit: int, *, summaries: bool = False) -> Iterator[Node]:
    """Messages of people (and compactions) among nodes, at most `limit`."""
    count = 0
    for node in nodes:
        if node.role == "user" or (summaries and node.type == "compaction"):
            yield node
            count += 1
            if count == limit:
                return
