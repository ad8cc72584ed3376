"""Does the agent answer in a group, or only listen (SPEC §4).

A direct message is answered. In a group it depends on the session's `/activation`, else on the
group's `requireMention` (true unless the config says otherwise; a channel that the config does
not name is simulated, and there the agent answers). What is not addressed to the agent is kept
as context, unless `groupChat.historyLimit` is 0.
"""

from __future__ import annotations

import re
from typing import Literal

from msgspec import Struct

from engine.config.document import dotted
from engine.config.scan import KeyPath
from engine.config.schema import Agent, Config, GroupChat
from engine.errors import Problem
from engine.routing.access import channel_in_force, group_settings, is_operator
from engine.routing.envelope import Envelope
from engine.routing.ids import normalize_agent_id, token, trim
from engine.routing.wordpattern import PatternError, WordPattern, clean

__all__ = ["Activation", "Hearing", "Mentions", "read_activation"]

Activation = Literal["mention", "always"]
"""What `/activation` sets for a session."""

Code = Literal[
    "direct",  # a direct message, or the operator
    "mentioned",  # the channel says that the agent was addressed
    "pattern",  # the text matches a mention pattern
    "command",  # a slash command
    "always",  # nobody needs to address the agent here
    "not_addressed",  # kept as context
    "not_kept",  # not addressed, and no context is wanted
]


Fault = tuple[KeyPath, str, str]
"""Where a pattern stands, why it cannot be used, what to write instead."""


class Hearing(Struct, frozen=True):
    """What becomes of a message that its sender may write.

    Attributes:
        decision: answer it; keep it as context for later answers; or ignore it.
        code: why, for programs.
        reason: why, for people.
        rule: the place in the config (or `/activation`) that decided, "" where none did.
    """

    decision: Literal["answer", "context", "ignore"]
    code: Code
    reason: str
    rule: str = ""


class _Named(Struct, frozen=True):
    """A pattern and where it comes from."""

    place: str
    pattern: WordPattern


def read_activation(word: str) -> Activation | None:
    """What `/activation WORD` asks for; None when the word is neither mention nor always."""
    found = token(word)
    return "mention" if found == "mention" else "always" if found == "always" else None


class Mentions:
    """The mention rules of one config, compiled once."""

    __slots__ = ("_agents", "_config", "_shared", "faults")

    def __init__(self, config: Config):
        found: list[Fault] = []
        self._config = config
        shared = config.messages.group_chat
        place: KeyPath = ("messages", "groupChat")
        self._shared = None
        if shared.mention_patterns is not None:
            self._shared = _compile(shared.mention_patterns, place, found)
        self._agents: dict[str, tuple[GroupChat, tuple[_Named, ...] | None, Agent]] = {}
        for order, agent in enumerate(config.agents.list):
            own = agent.group_chat.mention_patterns
            where: KeyPath = ("agents", "list", order, "groupChat")
            patterns = None if own is None else _compile(own, where, found)
            self._agents.setdefault(
                normalize_agent_id(agent.id), (agent.group_chat, patterns, agent)
            )
        self.faults = tuple(found)
        """Patterns that cannot be used; they match nothing."""

    @property
    def problems(self) -> tuple[Problem, ...]:
        """The faults, for people."""
        return tuple(
            Problem(f"this pattern {what}", "warning", path=dotted(path), hint=hint)
            for path, what, hint in self.faults
        )

    def patterns(self, agent_id: str) -> tuple[_Named, ...]:
        """The agent's own patterns, else everybody's, else what its name and id come to."""
        own = self._agents.get(agent_id)
        if own and own[1] is not None:
            return own[1]
        if self._shared is not None:
            return self._shared
        return _from_name(agent_id, (own[2].name or "") if own else "")

    def addressed(self, agent_id: str, text: str) -> tuple[str, str] | None:
        """(pattern, its place) of the first pattern found in a text."""
        cleaned = clean(text)
        for named in self.patterns(agent_id):
            if named.pattern.walk(cleaned)[0]:
                return named.pattern.source, named.place
        return None

    def hear(
        self,
        agent_id: str,
        envelope: Envelope,
        *,
        activation: Activation | None = None,
        command: bool = False,
    ) -> Hearing:
        """Decide what becomes of a message.

        Args:
            agent_id: the agent that it is routed to.
            envelope: the message; its sender may write (see engine.routing.access).
            activation: what the session was told by `/activation`.
            command: the text is a slash command that the sender may use; commands are for the
                agent, whoever else reads them.
        """
        peer = envelope.peer
        if is_operator(envelope) or peer is None or peer.kind == "dm":
            return Hearing("answer", "direct", "a direct message")
        needed, rule = self._needs_mention(envelope, activation)
        if not needed:
            return Hearing("answer", "always", "nobody needs to address the agent here", rule)
        if envelope.mentions_agent:
            return Hearing("answer", "mentioned", "the message mentions the agent", rule)
        if command:
            return Hearing("answer", "command", "a command", rule)
        if found := self.addressed(agent_id, envelope.text):
            return Hearing("answer", "pattern", f"the text matches {found[0]}", found[1])
        limit, where = self._kept(agent_id)
        if limit == 0:
            return Hearing("ignore", "not_kept", "not addressed to the agent, and not kept", where)
        return Hearing("context", "not_addressed", "not addressed to the agent", rule)

    def _needs_mention(self, envelope: Envelope, activation: Activation | None) -> tuple[bool, str]:
        if activation is not None:
            return activation == "mention", f"/activation {activation}"
        found = channel_in_force(self._config, envelope)
        if found is None:
            return False, ""
        channel, place = found
        entry = group_settings(channel.groups, envelope)
        if entry is None or "requireMention" not in entry[1]:
            return True, f"{place}.groups"
        return entry[1]["requireMention"], f'{place}.groups["{entry[0]}"].requireMention'

    def _kept(self, agent_id: str) -> tuple[int | None, str]:
        """How many unaddressed messages are kept, and what says so."""
        own = self._agents.get(agent_id)
        if own and own[0].history_limit is not None:
            return own[0].history_limit, f"groupChat.historyLimit of agent {agent_id}"
        return self._config.messages.group_chat.history_limit, "messages.groupChat.historyLimit"


def _compile(sources: tuple[str, ...], place: KeyPath, faults: list[Fault]) -> tuple[_Named, ...]:
    made = []
    for order, source in enumerate(sources):
        where = dotted((*place, "mentionPatterns", order))
        try:
            if not trim(source):
                raise PatternError("it is empty and would match everything")
            made.append(_Named(where, WordPattern(source)))
        except PatternError as error:
            hint = "plain words, \\b . [] () | ? * + {m,n} can be used"
            faults.append(((*place, "mentionPatterns", order), f"cannot be used: {error}", hint))
    return tuple(made)


def _from_name(agent_id: str, name: str) -> tuple[_Named, ...]:
    """The agent's name as a word, with or without an @, and its id after an @."""
    words = name.split()
    sources = [rf"\B@{re.escape(agent_id)}\b"]
    if words:
        head = r"\b" if words[0][0].isalnum() else ""
        tail = r"\b" if words[-1][-1].isalnum() else ""
        phrase = r"\s+".join(map(re.escape, words))
        sources.append(f"{head}@?{phrase}{tail}")
    made = []
    for source in sources:
        try:
            made.append(_Named("the agent's name", WordPattern(source)))
        except PatternError:
            continue  # a name longer than any pattern may be is addressed by mention only
    return tuple(made)
