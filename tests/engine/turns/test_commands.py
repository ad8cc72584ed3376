from __future__ import annotations

import pytest

from engine.errors import CommandError
from engine.rights.permissions import USER_COMMANDS, Principal, may_use
from engine.turns.commands import COMMANDS, allowed_commands, parse_command, run_command

OPERATOR = Principal("operator")
BOB = Principal("telegram:default:bob", "Bob")


class RecordingDesk:
    def __init__(self) -> None:
        self.done: list[tuple[str, ...]] = []

    def __getattr__(self, name: str) -> object:
        async def note(*args: str | None) -> str:
            self.done.append((name, *map(str, args)))
            return f"{name} done."

        return note


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/new", ("new", "")),
        ("/Model  anthropic/x ", ("model", "anthropic/x")),
        ("  /help\n", ("help", "")),
        ("/model a\nb", ("model", "a\nb")),
        ("/etc/hosts is odd", None),
        ("/ new", None),
        ("//new", None),
        ("/2", None),
        ("say /new", None),
        ("/", None),
        ("", None),
    ],
)
def test_a_command_is_a_slash_and_one_word(text: str, expected: tuple[str, str] | None) -> None:
    assert parse_command(text) == expected


async def test_commands_reach_the_desk_with_their_arguments() -> None:
    desk = RecordingDesk()
    await run_command(desk, OPERATOR, "k", "model", "offline/echo")
    await run_command(desk, OPERATOR, "k", "model", "default")
    await run_command(desk, OPERATOR, "k", "model", "")
    await run_command(desk, OPERATOR, "k", "reset", "")
    await run_command(desk, OPERATOR, "k", "clear", "")
    assert desk.done == [
        ("override_model", "k", "offline/echo"),
        ("override_model", "k", "None"),
        ("describe_model", "k"),
        ("new_session", "k"),
        ("clear_session", "k"),
    ]


async def test_new_takes_a_model_along() -> None:
    desk = RecordingDesk()
    result = await run_command(desk, OPERATOR, "k", "new", "offline/echo-2k")
    assert [one[0] for one in desk.done] == ["new_session", "override_model"]
    assert result.text == "new_session done. override_model done."


async def test_an_unknown_command_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(CommandError, match=r"no command /modle.*Did you mean /model\?"):
        await run_command(RecordingDesk(), OPERATOR, "k", "modle", "")


async def test_arguments_where_none_belong_are_refused() -> None:
    desk = RecordingDesk()
    with pytest.raises(CommandError, match="takes no arguments"):
        await run_command(desk, OPERATOR, "k", "clear", "everything")
    assert desk.done == []


async def test_a_person_gets_only_what_the_profile_allows_and_reads_the_rule() -> None:
    desk = RecordingDesk()
    with pytest.raises(CommandError, match="profile user does not allow /model"):
        await run_command(desk, BOB, "k", "model", "x/y")
    assert desk.done == []
    text = (await run_command(desk, BOB, "k", "help", "")).text
    assert "/new" in text and "/status" in text
    assert "/model" not in text


def test_every_command_is_decided_for_everybody() -> None:
    for command in COMMANDS:
        assert may_use(OPERATOR, command.name).allowed
        assert may_use(BOB, command.name).allowed == (command.name in USER_COMMANDS)
    assert {one.name for one in allowed_commands(BOB)} == USER_COMMANDS & {c.name for c in COMMANDS}
