"""Slash commands: one registry feeds the parser, completion, the palette and /help (SPEC §10)."""

from __future__ import annotations

import difflib
import re
from collections.abc import Awaitable, Callable
from typing import Protocol

from msgspec import Struct

from engine.errors import CommandError
from engine.rights.permissions import Principal, may_use

__all__ = [
    "COMMANDS",
    "Command",
    "CommandResult",
    "Desk",
    "allowed_commands",
    "parse_command",
    "run_command",
    "waits_its_turn",
]

_COMMAND = re.compile(r"/([a-z][a-z-]*)(?:\s+(.*))?", re.DOTALL | re.IGNORECASE)


class CommandResult(Struct, frozen=True):
    """What the person who gave the command reads. `session_key`: where to look afterwards."""

    text: str
    session_key: str


class Desk(Protocol):
    """What commands may do; the engine stands behind it."""

    async def new_session(self, session_key: str) -> str: ...

    async def clear_session(self, session_key: str) -> str: ...

    async def override_model(self, session_key: str, model: str | None) -> str: ...

    async def describe(self, session_key: str) -> str: ...

    async def describe_model(self, session_key: str) -> str: ...

    async def set_activation(self, session_key: str, word: str) -> str: ...

    async def stop(self, session_key: str) -> str: ...

    async def compact_session(self, session_key: str, focus: str) -> str: ...

    async def undo(self, session_key: str) -> str: ...

    async def fork_session(self, session_key: str, node: str) -> str: ...

    async def label_entry(self, session_key: str, text: str) -> str: ...


Run = Callable[[Desk, str, str], Awaitable[str]]


class Command(Struct, frozen=True):
    """A slash command. `args` is how its arguments are written, "" for none. `waits`: it takes its
    turn behind the messages sent before it; others answer at once."""

    name: str
    args: str
    help: str
    run: Run
    aliases: tuple[str, ...] = ()
    waits: bool = False

    @property
    def usage(self) -> str:
        return f"/{self.name} {self.args}".strip()


async def _new(desk: Desk, key: str, args: str) -> str:
    done = await desk.new_session(key)
    return f"{done} {await desk.override_model(key, args)}" if args else done


async def _clear(desk: Desk, key: str, args: str) -> str:
    return await desk.clear_session(key)


async def _model(desk: Desk, key: str, args: str) -> str:
    if not args:
        return await desk.describe_model(key)
    return await desk.override_model(key, None if args.lower() == "default" else args)


async def _status(desk: Desk, key: str, args: str) -> str:
    return await desk.describe(key)


async def _stop(desk: Desk, key: str, args: str) -> str:
    return await desk.stop(key)


async def _activation(desk: Desk, key: str, args: str) -> str:
    return await desk.set_activation(key, args)


async def _compact(desk: Desk, key: str, args: str) -> str:
    return await desk.compact_session(key, args)


async def _undo(desk: Desk, key: str, args: str) -> str:
    return await desk.undo(key)


async def _fork(desk: Desk, key: str, args: str) -> str:
    return await desk.fork_session(key, args)


async def _label(desk: Desk, key: str, args: str) -> str:
    return await desk.label_entry(key, args)


async def _help(desk: Desk, key: str, args: str) -> str:
    raise AssertionError("answered in run_command, which knows who asks")


COMMANDS: tuple[Command, ...] = (
    Command(
        "new",
        "[model]",
        "start afresh: an empty transcript under the same key; the old one stays listed",
        _new,
        aliases=("reset",),
        waits=True,
    ),
    Command(
        "clear",
        "",
        "empty the context: the conversation stays in the tree, settings stay in force",
        _clear,
        waits=True,
    ),
    Command(
        "model",
        "[ref | default]",
        "show or override the model of this session",
        _model,
        waits=True,
    ),
    Command(
        "activation",
        "mention | always",
        "when the agent answers in this group: only if addressed, or always",
        _activation,
        waits=True,
    ),
    Command(
        "compact",
        "[focus]",
        "fold the older part of the conversation into a summary; /undo brings it back",
        _compact,
    ),
    Command("fork", "[entry id]", "copy the conversation into a session of its own", _fork),
    Command("label", "[text]", "label the newest message; without text: no label", _label),
    Command("undo", "", "take back the last move, label, edit, graft or compaction", _undo),
    Command("status", "", "key, model, context and counts of this session", _status),
    Command("stop", "", "stop the answer being written; what is there is kept", _stop),
    Command("help", "", "the commands you may use", _help),
)

_BY_NAME = {name: command for command in COMMANDS for name in (command.name, *command.aliases)}


def parse_command(text: str) -> tuple[str, str] | None:
    """(name, arguments) when a message is a slash command, else None.

    `/etc/hosts` or `/ 2` are ordinary text: a command is a slash and one word.
    """
    match = _COMMAND.fullmatch(text.strip())
    if match is None:
        return None
    return match.group(1).lower(), (match.group(2) or "").strip()


def allowed_commands(principal: Principal) -> tuple[Command, ...]:
    """The commands that a person may use, in the registry's order."""
    return tuple(command for command in COMMANDS if may_use(principal, command.name).allowed)


def waits_its_turn(name: str) -> bool:
    """Whether a command goes through the session's lane."""
    command = _BY_NAME.get(name)
    return command is not None and command.waits


def _find(name: str, principal: Principal) -> Command:
    command = _BY_NAME.get(name)
    known = [one.name for one in allowed_commands(principal)]
    if command is None:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f"Did you mean /{near[0]}? " if near else ""
        raise CommandError(f"there is no command /{name}", remedy=f"{hint}/help lists them")
    permission = may_use(principal, command.name)
    if not permission.allowed:
        raise CommandError(f"/{name} is not for you: {permission.rule}", remedy="/help lists yours")
    return command


async def run_command(
    desk: Desk, principal: Principal, session_key: str, name: str, args: str
) -> CommandResult:
    """Carry out a slash command for a person.

    Raises:
        CommandError: unknown, not allowed, or its arguments make no sense.
    """
    command = _find(name, principal)
    if command.args == "" and args:
        raise CommandError(f"/{name} takes no arguments", remedy=f"Write {command.usage}")
    if command.name == "help":
        rows = [f"{one.usage}: {one.help}" for one in allowed_commands(principal)]
        return CommandResult("\n".join(rows), session_key)
    return CommandResult(await command.run(desk, session_key, args), session_key)
