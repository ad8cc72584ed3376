"""Keys that put two conversations into one, each with two messages that show it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise

from engine.config.scan import KeyPath
from engine.config.schema import Config
from engine.routing.envelope import Envelope, Peer, Sender
from engine.routing.identity import IdentityLinks
from engine.routing.ids import token, trim
from engine.routing.keyformat import KeyFormat
from engine.routing.lintfound import Found
from engine.routing.preview import person_of
from engine.routing.router import Router
from engine.values import replace

__all__ = ["lint_key_format", "lint_links", "lint_main", "lint_met"]

_ADVICE = 'set session.dmScope to "per-channel-peer"'


def _dm(channel: str, who: str, account_id: str = "default") -> Envelope:
    return Envelope(channel, account_id=account_id, peer=Peer("dm", who), sender=Sender(who))


def _room(channel: str, who: str, group: str) -> Envelope:
    return Envelope(channel, peer=Peer("group", group), sender=Sender(who))


def _shared(router: Router, first: Envelope, second: Envelope) -> str:
    """The key that two messages have in common, "" if they are kept apart."""
    key = router.route(first).session_key
    return key if key == router.route(second).session_key else ""


def _open_doors(config: Config) -> Iterator[tuple[KeyPath, str, str]]:
    """(place, channel, account) where anybody may write a direct message."""
    for name, channel in config.channels.items():
        where: KeyPath = ("channels", name)
        if _lets_all_in(channel.dm_policy, channel.allow_from):
            yield (*where, "allowFrom"), name, "default"
        for account, own in channel.accounts.items():
            listed = channel.allow_from if own.allow_from is None else own.allow_from
            given = own.allow_from is not None or own.dm_policy is not None
            if given and _lets_all_in(own.dm_policy or channel.dm_policy, listed):
                yield (*where, "accounts", account), name, account


def _lets_all_in(policy: str, allow_from: Iterable[str | int]) -> bool:
    return policy != "disabled" and any(trim(str(one)) == "*" for one in allow_from)


def lint_main(config: Config, router: Router) -> Iterator[Found]:
    """dmScope main where anybody may write."""
    if config.session.dm_scope != "main":
        return
    for path, channel, account in _open_doors(config):
        pair = _dm(channel, "someone", account), _dm(channel, "stranger", account)
        if key := _shared(router, *pair):
            message = (
                f"anybody may write on {channel}, and dmScope main puts them all into one session:"
                " each can be answered with the other's words"
            )
            yield Found("main_open", path, message, _ADVICE, pair, key)


def lint_met(config: Config, router: Router, seen: Iterable[Envelope]) -> Iterator[Found]:
    """Sessions in which the direct messages of several people met."""
    links = IdentityLinks(config.session.identity_links)
    sessions: dict[str, dict[str, Envelope]] = defaultdict(dict)
    for envelope in seen:
        if envelope.peer and envelope.peer.kind == "dm":
            people = sessions[router.route(envelope).session_key]
            people.setdefault(person_of(envelope, links), replace(envelope, text=""))
    for key, people in sorted(sessions.items()):
        if len(people) > 1:
            names = ", ".join(list(people)[:5]) + (" …" if len(people) > 5 else "")
            first, second, *_ = people.values()
            where = "keyFormat" if config.session.key_format else "dmScope"
            yield Found(
                "dm_shared",
                ("session", where),
                f"{len(people)} people share the session {key}: {names}",
                _ADVICE if where == "dmScope" else "name the user in session.keyFormat",
                (first, second),
                key,
            )


def lint_links(config: Config) -> Iterator[Found]:
    """Links that hold for more than they seem to."""
    given = config.session.identity_links
    owner: dict[str, str] = {}
    for person, ids in given.items():
        for at, one in enumerate(map(str, ids)):
            peer, path = token(one), ("session", "identityLinks", person, at)
            if peer in owner and owner[peer] != person:
                message = f'"{one}" is linked to {owner[peer]} already, who was named first'
                yield Found("link_twice", path, message, "keep one of the two")
            owner.setdefault(peer, person)
            pair = _dm("telegram", peer), _dm("discord", peer)
            if ":" in peer or not peer or IdentityLinks(given).person("discord", peer) is None:
                continue
            yield Found(
                "link_without_channel",
                path,
                f'"{one}" names no channel: whoever has this id on any channel is {person}',
                f'write "telegram:{one}", or the channel it belongs to',
                pair,
                person,
            )


def _conversations() -> tuple[tuple[str, str, Envelope, Envelope], ...]:
    """Pairs that ought to be apart: (what a shared key would do, what to add, one, the other)."""
    ann = _dm("telegram", "ann")
    return (
        (
            "leaves out the user: all direct messages share one session",
            "{user_id}",
            ann,
            _dm("telegram", "ben"),
        ),
        ("gives the same id on two channels one session", "{channel}", ann, _dm("slack", "ann")),
        (
            "puts a direct message and the same person's words in a group into one session",
            "{channel_id}",
            ann,
            _room("telegram", "ann", "friends"),
        ),
        (
            "puts two groups into one session",
            "{channel_id}",
            _room("telegram", "ann", "friends"),
            _room("telegram", "ann", "work"),
        ),
    )


def lint_key_format(config: Config, router: Router) -> Iterator[Found]:
    """A template that leaves out what tells conversations apart, or lets values run together."""
    template = config.session.key_format
    if not template or not template.strip():
        return
    path = ("session", "keyFormat")
    for what, missing, first, second in _conversations():
        if key := _shared(router, first, second):
            message = f"the template {what}"
            yield Found("key_format_shares", path, message, f"add {missing}", (first, second), key)
    for left, between, right in _neighbours(KeyFormat(template)):
        pair = _colliding(left, between, right)
        if pair and (key := _shared(router, *pair)):
            message = (
                f"{{{left}}} and {{{right}}} run into each other: two pairs of values, one key"
            )
            hint = f"put a colon between them: {{{left}}}:{{{right}}}"
            yield Found("key_format_collides", path, message, hint, pair, key)


def _neighbours(template: KeyFormat) -> Iterator[tuple[str, str, str]]:
    """(name, text between, name) of placeholders that no colon keeps apart."""
    for (_, left), (between, right) in pairwise(template.parts):
        if left and right and ":" not in between:
            yield left, between, right


def _colliding(left: str, between: str, right: str) -> tuple[Envelope, Envelope] | None:
    """Two messages whose values differ and read the same when written one after the other."""
    first = _with({left: "a", right: f"b{between}c"})
    second = _with({left: f"a{between}b", right: "c"})
    return (first, second) if first and second and first != second else None


def _with(values: dict[str, str]) -> Envelope | None:
    """A message with these values; None when no message can have both. The channel and the kind
    of peer are words from a short list, which do not run into others, and stay as they are."""
    if {"peer_id", "channel_id"} <= values.keys():
        return None
    group = values.get("channel_id") or values.get("peer_id")
    user = values.get("user_id", "ann")
    return Envelope(
        "telegram",
        account_id=values.get("account_id", "default"),
        peer=Peer("group", group) if group else Peer("dm", user),
        thread_id=values.get("thread_id"),
        guild_id=values.get("guild_id") or values.get("server_id"),
        team_id=values.get("team_id"),
        tenant_id=values.get("tenant_id"),
        sender=Sender(user),
    )
