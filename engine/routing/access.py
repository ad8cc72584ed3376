"""May they write here: DM and group policies, allow lists, paired senders (SPEC §4).

`check_access` is the rule itself, on plain values (reference: OpenClaw 2026.4.15); `judge` finds
these values in a config for one message. Whether the agent then answers in a group is for
engine.routing.mentions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from msgspec import Struct

from engine.config.schema import Account, Channel, Config, Group
from engine.routing.envelope import OPERATOR_CHANNEL, Envelope
from engine.routing.ids import normalize_account_id, token, trim
from engine.values import replace

__all__ = [
    "Access",
    "ReasonCode",
    "channel_in_force",
    "check_access",
    "group_settings",
    "is_operator",
    "judge",
    "normalize_sender",
    "sender_id",
]

ReasonCode = Literal[
    "dm_policy_open",
    "dm_policy_disabled",
    "dm_policy_allowlisted",
    "dm_policy_pairing_required",
    "dm_policy_not_allowlisted",
    "group_policy_allowed",
    "group_policy_disabled",
    "group_policy_empty_allowlist",
    "group_policy_not_allowlisted",
    # Ours, from here on.
    "operator",  # the person at the terminal
    "channel_simulated",  # the config does not name the channel
    "channel_disabled",  # enabled: false
    "group_disabled",  # groups.<id>.enabled: false
    "group_not_listed",  # there are groups listed, and this is not one of them
    "sender_unknown",  # nobody to give a pairing code to
]

WILDCARD = "*"
_PREFIXES = {"telegram": ("telegram:", "tg:")}


class Access(Struct, frozen=True):
    """Whether a sender may write, and what says so.

    Attributes:
        decision: allow; block; or pairing: the sender is to be given a one-time code.
        reason_code: why, for programs.
        reason: why, for people.
        rule: the place in the config that decided, "" where none did.
        effective_allow_from: senders let in by direct message: allowFrom and, unless the policy
            is allowlist, paired ones. In the order given, with repetitions.
        effective_group_allow_from: senders let in in groups; never paired ones.
    """

    decision: Literal["allow", "block", "pairing"]
    reason_code: ReasonCode
    reason: str
    rule: str = ""
    effective_allow_from: tuple[str, ...] = ()
    effective_group_allow_from: tuple[str, ...] = ()

    @property
    def allowed(self) -> bool:
        return self.decision == "allow"


Same = Callable[[str], str]


def check_access(
    *,
    is_group: bool,
    sender: str,
    dm_policy: str | None = None,
    group_policy: str | None = None,
    allow_from: Iterable[str | int] = (),
    group_allow_from: Iterable[str | int] = (),
    store_allow_from: Iterable[str | int] = (),
    group_falls_back: bool = True,
    same: Same = trim,
) -> Access:
    """Judge one sender by a channel's policies.

    Args:
        is_group: whether the message came in a group or channel.
        sender: id of who wrote; blank is let in by `*` and open policies only.
        dm_policy: pairing (the default), allowlist, open or disabled.
        group_policy: open or disabled; anything else is allowlist.
        allow_from: senders listed for direct messages.
        group_allow_from: senders listed for groups; with none, `allow_from` counts there too. A
            list of blanks is a list that lets in nobody.
        store_allow_from: senders approved by pairing.
        group_falls_back: False keeps `allow_from` out of groups.
        same: brings an id to the form in which ids are compared.
    """
    direct = _entries(allow_from)
    listed = tuple(group_allow_from)
    groups = _entries(listed) if listed or not group_falls_back else direct
    senders = direct if dm_policy == "allowlist" else direct + _entries(store_allow_from)
    if is_group:
        found = _check_group(group_policy, groups, _holds(groups, sender, same))
    else:
        found = _check_dm(dm_policy or "pairing", _holds(senders, sender, same))
    return replace(found, effective_allow_from=senders, effective_group_allow_from=groups)


def _entries(ids: Iterable[str | int]) -> tuple[str, ...]:
    return tuple(entry for entry in (trim(str(one)) for one in ids) if entry)


def _holds(entries: tuple[str, ...], sender: str, same: Same) -> bool:
    """Whether a list lets a sender in: `*` lets in everybody, also a sender without an id."""
    if WILDCARD in entries:
        return True
    wanted = same(sender)
    return bool(wanted) and any(same(entry) == wanted for entry in entries)


def _check_group(policy: str | None, entries: tuple[str, ...], listed: bool) -> Access:
    if policy == "disabled":
        return Access("block", "group_policy_disabled", "groupPolicy=disabled")
    if policy == "open":
        return Access("allow", "group_policy_allowed", "groupPolicy=open")
    if not entries:
        reason = "groupPolicy=allowlist (empty allowlist)"
        return Access("block", "group_policy_empty_allowlist", reason)
    if not listed:
        reason = "groupPolicy=allowlist (not allowlisted)"
        return Access("block", "group_policy_not_allowlisted", reason)
    return Access("allow", "group_policy_allowed", "groupPolicy=allowlist")


def _check_dm(policy: str, listed: bool) -> Access:
    if policy == "disabled":
        return Access("block", "dm_policy_disabled", "dmPolicy=disabled")
    if policy == "open":
        return Access("allow", "dm_policy_open", "dmPolicy=open")
    if listed:
        return Access("allow", "dm_policy_allowlisted", f"dmPolicy={policy} (allowlisted)")
    reason = f"dmPolicy={policy} (not allowlisted)"
    if policy == "pairing":
        return Access("pairing", "dm_policy_pairing_required", reason)
    return Access("block", "dm_policy_not_allowlisted", reason)


def is_operator(envelope: Envelope) -> bool:
    """Whether the person at the terminal speaks: on channel `terminal`, without a peer."""
    return token(envelope.channel) == OPERATOR_CHANNEL and envelope.peer is None


def sender_id(envelope: Envelope) -> str:
    """Who wrote: the sender, or in a direct message without one its peer; "" for nobody."""
    if envelope.sender and (found := trim(envelope.sender.id)):
        return found
    peer = envelope.peer
    return trim(peer.id) if peer and peer.kind == "dm" else ""


def normalize_sender(channel: str, sender: str) -> str:
    """A sender's id as allow lists compare it: no case, no `channel:` in front, no space around.

    Keys ignore case too, so two spellings that pass as one here are one conversation there.
    """
    found = token(sender)
    name = token(channel)
    for prefix in _PREFIXES.get(name, (f"{name}:",)):
        if found.startswith(prefix):
            return trim(found[len(prefix) :])
    return found


def channel_in_force(config: Config, envelope: Envelope) -> tuple[Channel, str] | None:
    """The settings of the channel and account a message came by, and their place in the config.

    What an account gives wins over what its channel gives. None: the config does not name the
    channel.
    """
    name = token(envelope.channel)
    found = next(
        ((key, value) for key, value in config.channels.items() if token(key) == name), None
    )
    if found is None:
        return None
    wanted = normalize_account_id(envelope.account_id)
    for key, account in found[1].accounts.items():
        if normalize_account_id(key) == wanted:
            return _merged(found[1], account), f"channels.{found[0]}.accounts.{key}"
    return found[1], f"channels.{found[0]}"


def _merged(channel: Channel, account: Account) -> Channel:
    import msgspec

    given = {
        name: getattr(account, name)
        for name in account.__struct_fields__
        if name != "name" and getattr(account, name) is not None
    }
    return msgspec.structs.replace(channel, **given)


def group_settings(groups: Mapping[str, Group], envelope: Envelope) -> tuple[str, Group] | None:
    """What `groups` says of the group a message came in: (its key there, settings).

    Looked for by the peer's id, by it without a topic or thread, by the parent's id; what such an
    entry does not give comes from `*`. None: there is no entry, not even `*`.
    """
    default = groups.get(WILDCARD)
    for wanted in _group_ids(envelope):
        for key, settings in groups.items():
            if key != WILDCARD and token(key) == wanted:
                return key, {**(default or {}), **settings}
    return None if default is None else (WILDCARD, default)


def _group_ids(envelope: Envelope) -> list[str]:
    ids = []
    if envelope.peer:
        whole = token(envelope.peer.id)
        ids += [whole, whole.partition(":topic:")[0], whole.partition(":thread:")[0]]
    if envelope.parent_peer:
        ids.append(token(envelope.parent_peer.id))
    return list(dict.fromkeys(one for one in ids if one))


def judge(config: Config, envelope: Envelope, approved: Iterable[str] = ()) -> Access:
    """Whether the sender of a message may write where it was written.

    Args:
        config: the snapshot in force.
        envelope: the message.
        approved: senders paired on this channel and account (`Pairings.approved_ids`).
    """
    if is_operator(envelope):
        return Access("allow", "operator", "the operator at the terminal")
    found = channel_in_force(config, envelope)
    if found is None:
        reason = "the config does not name this channel: it is simulated and open"
        return Access("allow", "channel_simulated", reason)
    channel, place = found
    if not channel.enabled:
        return Access("block", "channel_disabled", "enabled=false", f"{place}.enabled")
    if envelope.peer and envelope.peer.kind != "dm":
        return _judge_group(channel, place, envelope)
    return _judge_dm(channel, place, envelope, approved)


def _same(envelope: Envelope) -> Same:
    return lambda sender: normalize_sender(envelope.channel, sender)


def _group_refusal(channel: Channel, place: str, entry: tuple[str, Group] | None) -> Access | None:
    """Why a group is not served whoever writes in it; a disabled policy speaks for itself."""
    if channel.group_policy == "disabled":
        return None
    if entry is None and channel.groups:
        reason = "groups are listed, and this is not one of them"
        return Access("block", "group_not_listed", reason, f"{place}.groups")
    if entry and not entry[1].get("enabled", True):
        where = f"{_entry_place(place, entry[0])}.enabled"
        return Access("block", "group_disabled", "this group has enabled=false", where)
    return None


def _entry_place(place: str, group: str) -> str:
    return f'{place}.groups["{group}"]'


def _judge_group(channel: Channel, place: str, envelope: Envelope) -> Access:
    entry = group_settings(channel.groups, envelope)
    if refused := _group_refusal(channel, place, entry):
        return refused
    policy, rule = channel.group_policy, f"{place}.groupPolicy"
    listed: Iterable[str | int] = channel.group_allow_from
    own = entry[1].get("allowFrom") if entry else None
    if entry and own is not None:
        listed = own
        if policy != "disabled":
            # A group's own list holds under an open policy too; an empty one lets nobody in.
            policy, rule = "allowlist", f"{_entry_place(place, entry[0])}.allowFrom"
    found = check_access(
        is_group=True,
        sender=sender_id(envelope),
        dm_policy=channel.dm_policy,
        group_policy=policy,
        allow_from=channel.allow_from,
        group_allow_from=listed,
        group_falls_back=own is None,
        same=_same(envelope),
    )
    return replace(found, rule=rule)


def _judge_dm(channel: Channel, place: str, envelope: Envelope, approved: Iterable[str]) -> Access:
    policy: str = channel.dm_policy
    if policy == "open" and WILDCARD not in _entries(channel.allow_from):
        policy = "open-without-wildcard"  # open needs "*" (SPEC §4); until then only those listed
    sender = sender_id(envelope)
    found = check_access(
        is_group=False,
        sender=sender,
        dm_policy=policy,
        group_policy=channel.group_policy,
        allow_from=channel.allow_from,
        group_allow_from=channel.group_allow_from,
        store_allow_from=approved,
        same=_same(envelope),
    )
    if policy == "open-without-wildcard":
        word = "allowlisted" if found.allowed else "not allowlisted"
        found = replace(found, reason=f'dmPolicy=open without "*" in allowFrom ({word})')
    if found.decision == "pairing" and not normalize_sender(envelope.channel, sender):
        reason = "dmPolicy=pairing (the message names no sender)"
        found = replace(found, decision="block", reason_code="sender_unknown", reason=reason)
    return replace(found, rule=f"{place}.dmPolicy")
