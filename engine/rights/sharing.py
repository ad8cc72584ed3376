"""Whose words may be shown to whom: the rules that share, judged from the facts of two messages.

This is the leak monitor's own judgement (SPEC §14). On purpose it uses nothing of the router, the
key maker and their index of links: it looks at where two messages were said, not at where they
were put. Only the form in which ids are compared (engine.routing.ids) is common to both.

What a request holds is read by everybody who reads the answer. So in a group a person's own words
from elsewhere are as foreign as another's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

from engine.config.schema import Config
from engine.routing.ids import chat_kind, normalize_account_id, token, trim

__all__ = ["Ruling", "Sharing", "Speaker", "Verdict", "read_speaker"]

Verdict = Literal["own", "shared", "exposed", "refused"]
"""`own`: the reader's words; `shared`: by a rule that means these people; `exposed`: by a rule
that the operator chose and that mixes people; `refused`: no rule shares them."""

OPERATOR = "operator"
_TERMINAL = "terminal"
_PLACEHOLDER = re.compile(r"\{([A-Za-z_]+)\}")


class Speaker(Struct, frozen=True):
    """Who said something, and where, as the entry's origin tells; ids in comparable form.

    Attributes:
        principal: `operator`, or `channel:account:person` as the engine names people.
        name: untrusted.
        kind: of the peer: dm, group, channel; "" for a message without a peer.
        place: the peer's id, with the thread or topic if there is one.
        thread: the thread alone.
        user: who wrote; in a direct message without a sender its peer.
    """

    principal: str
    name: str = ""
    channel: str = ""
    account: str = ""
    kind: str = ""
    peer: str = ""
    place: str = ""
    thread: str = ""
    user: str = ""
    guild: str = ""
    team: str = ""
    tenant: str = ""

    @property
    def is_operator(self) -> bool:
        return self.principal == OPERATOR

    @property
    def in_room(self) -> bool:
        """Whether others read along."""
        return self.kind in ("group", "channel")

    @property
    def person(self) -> str:
        """The id of the person in question: a direct message's peer, else who wrote."""
        return self.peer if self.kind == "dm" else self.user


class Ruling(Struct, frozen=True):
    """What was decided and by which rule, for people."""

    verdict: Verdict
    rule: str


def _text(source: Mapping[str, Any], name: str) -> str:
    value = source.get(name)
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _part(source: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    found = source.get(name)
    return found if isinstance(found, dict) else None


def read_speaker(origin: object) -> Speaker | None:
    """The speaker that an entry's `origin` names; None when it is none of ours."""
    if not isinstance(origin, dict) or not isinstance(origin.get("channel"), str):
        return None
    peer, sender = _part(origin, "peer"), _part(origin, "sender")
    if token(origin["channel"]) == _TERMINAL and peer is None:
        return Speaker(OPERATOR, OPERATOR)
    kind = (chat_kind(_text(peer, "kind")) or "") if peer else ""
    peer_id = _text(peer, "id") if peer else ""
    wrote = _text(sender, "id") if sender is not None else peer_id if peer else "unknown"
    account = _text(origin, "accountId") or "default"
    channel, thread = token(origin["channel"]), token(_text(origin, "threadId"))
    return Speaker(
        principal=f"{origin['channel']}:{account}:{wrote}",
        name=(_text(sender, "name") if sender else "") or wrote,
        channel=channel,
        account=normalize_account_id(account),
        kind=kind,
        peer=token(peer_id),
        place=_place(channel, token(peer_id), thread, _part(origin, "parentPeer")),
        thread=thread,
        user=token(wrote),
        guild=trim(_text(origin, "guildId")),
        team=trim(_text(origin, "teamId")),
        tenant=trim(_text(origin, "tenantId")),
    )


def _place(channel: str, peer: str, thread: str, parent: Mapping[str, Any] | None) -> str:
    """One spelling for a room's thread: it may be a peer of its own, or stand beside the peer."""
    if not thread or peer.endswith((f":topic:{thread}", f":thread:{thread}")):
        return peer
    own = parent is not None and token(_text(parent, "id")) != peer
    if channel == "discord" and (peer == thread or own):
        return peer
    return f"{peer}:{'topic' if channel == 'telegram' else 'thread'}:{thread}"


class Sharing:
    """The rules of one config by which people read each other's words."""

    def __init__(self, config: Config):
        session = config.session
        self._scope = session.dm_scope
        self._links = [
            (trim(name), frozenset(token(str(one)) for one in ids))
            for name, ids in session.identity_links.items()
        ]
        template = trim(session.key_format or "")
        self._names = [_snake(name) for name in _PLACEHOLDER.findall(template)]
        self._template = bool(template)

    def judge(self, author: Speaker, reader: Speaker, session_key: str) -> Ruling:
        """Whether `reader` may be answered with what `author` said.

        Args:
            author: who said it and where.
            reader: who is answered and where.
            session_key: where the words lie; only tells whether this is the operator's own chat.
        """
        if reader.is_operator:
            return _OPERATORS if author.is_operator else _READS_ALL
        if author.is_operator:
            return self._of_operator(reader, session_key)
        if self._template and author.kind and reader.kind:
            return self._by_format(author, reader)
        if reader.in_room:
            return self._in_room(author, reader)
        if author.principal == reader.principal:
            return _OWN
        if not reader.kind or not author.kind:
            return self._without_peer(author, reader)
        return _REFUSED if author.in_room else self._direct(author, reader)

    def _of_operator(self, reader: Speaker, session_key: str) -> Ruling:
        if not _operators_own(session_key):
            return _PLACED
        if reader.thread or reader.in_room:
            return _REFUSED
        if not reader.kind:
            return _NO_PEER
        return _MAIN if self._scope == "main" else _REFUSED

    def _in_room(self, author: Speaker, reader: Speaker) -> Ruling:
        here = reader.channel, reader.kind, reader.place
        if (author.channel, author.kind, author.place) != here:
            return _REFUSED
        return _OWN if author.principal == reader.principal else _ROOM

    def _without_peer(self, author: Speaker, reader: Speaker) -> Ruling:
        """A message without a peer belongs to the main session (SPEC §3), whoever sent it."""
        if author.in_room:
            return _REFUSED
        if not author.kind and not reader.kind:
            return _NO_PEER
        return _MAIN if self._scope == "main" and _same_thread(author, reader) else _REFUSED

    def _direct(self, author: Speaker, reader: Speaker) -> Ruling:
        if linked := self._linked(author, reader):
            return linked
        if self._scope == "main":
            return _MAIN if _same_thread(author, reader) else _REFUSED
        # One who is linked is the person of the links, and not whoever has the same id elsewhere.
        if author.peer != reader.peer or self.person(author) != self.person(reader):
            return _REFUSED
        if author.channel != reader.channel:
            return _PER_PEER if self._scope == "per-peer" else _REFUSED
        if self._scope == "per-account-channel-peer" and author.account != reader.account:
            return _REFUSED
        return _SAME_ID

    def _linked(self, author: Speaker, reader: Speaker) -> Ruling | None:
        person = self.person(author)
        if person is None or person != self.person(reader):
            return None
        return Ruling("shared", f"identityLinks: both are {person}")

    def person(self, who: Speaker) -> str | None:
        """The person whom the links name first, or None."""
        ids = {who.person, f"{who.channel}:{who.person}"} if who.person else set()
        return next((name for name, linked in self._links if name and ids & linked), None)

    def _by_format(self, author: Speaker, reader: Speaker) -> Ruling:
        """Under a keyFormat those share whose facts are the same wherever the template looks."""
        for name in self._names:
            if self._fact(author, name) != self._fact(reader, name):
                return _REFUSED
        if "thread_id" not in self._names and author.thread != reader.thread:
            return _REFUSED
        if author.principal == reader.principal:
            return _OWN
        if reader.in_room and self._in_room(author, reader).verdict == "shared":
            return _ROOM
        if linked := self._linked(author, reader):
            return linked
        same = (author.channel, author.kind, author.peer) == (
            reader.channel,
            reader.kind,
            reader.peer,
        )
        return _SAME_ID if same else _FORMAT

    def _fact(self, who: Speaker, name: str) -> str:
        """What stands for a placeholder; "" for a name that means nothing."""
        facts = {
            "tenant_id": who.tenant,
            "channel": who.channel,
            "account_id": who.account,
            "server_id": who.guild or who.team,
            "guild_id": who.guild,
            "team_id": who.team,
            "channel_id": who.peer if who.in_room else "",
            "peer_kind": who.kind,
            "peer_id": who.peer,
            "user_id": self._user(who),
            "thread_id": who.thread,
        }
        return facts.get(name, "").lower()

    def _user(self, who: Speaker) -> str:
        ids = {who.user, f"{who.channel}:{who.user}"}
        named = next((name for name, linked in self._links if name and ids & linked), None)
        return named or who.user

    def leads_to(self, reader: Speaker, session_key: str) -> Ruling:
        """Whether a session is plainly the reader's, for words whose author nobody knows (those
        of a transcript that another program wrote)."""
        if reader.is_operator:
            return _READS_ALL
        rest = session_key.split(":", 2)[-1].partition(":fork:")[0]
        if rest.startswith("subagent:") or (self._template and reader.kind):
            return _SESSION
        if reader.in_room:
            return (
                _SESSION if rest == f"{reader.channel}:{reader.kind}:{reader.place}" else _REFUSED
            )
        base = rest.partition(":thread:")[0].partition(":topic:")[0]
        if base == "main":
            return _MAIN if self._scope == "main" else _NO_PEER if not reader.kind else _REFUSED
        ids = {token(self.person(reader) or "") or reader.peer} - {""}
        ends = tuple(f"dm:{one}" for one in ids)
        return _SESSION if (ends and rest.endswith(ends)) or base.endswith(ends) else _REFUSED


def _operators_own(session_key: str) -> bool:
    """Whether the operator chats here: the main session, or `chat:<name>`."""
    rest = session_key.split(":")[2:]
    if rest[:1] == ["chat"]:
        return True
    # A thread of the main session is other people's: the terminal has none.
    return rest[:1] == ["main"] and not {"thread", "topic"}.intersection(rest)


def _same_thread(one: Speaker, other: Speaker) -> bool:
    """Whether both speak in the same thread, or in none; threads belong to their channel."""
    if one.thread != other.thread:
        return False
    return not one.thread or one.channel == other.channel


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])([A-Z])", r"_\1", name).lower()


_OPERATORS = Ruling("own", "the operator's own words")
_OWN = Ruling("own", "the reader's own words")
_READS_ALL = Ruling("shared", "the operator reads every session")
_PLACED = Ruling("shared", "written into this conversation by the operator")
_ROOM = Ruling("shared", "the same group")
_SAME_ID = Ruling("shared", "the same direct conversation")
_SESSION = Ruling("shared", "no author known; the session is the reader's own")
_MAIN = Ruling("exposed", "shared by dmScope main")
_NO_PEER = Ruling("exposed", "a message without a peer belongs to the main session")
_PER_PEER = Ruling("exposed", "shared by dmScope per-peer: the same id on two channels")
_FORMAT = Ruling("exposed", "shared by keyFormat, which does not tell these people apart")
_REFUSED = Ruling("refused", "no rule shares these words")
