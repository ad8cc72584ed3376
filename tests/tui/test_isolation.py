from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import OptionList

from engine.engine import Engine
from engine.errors import LeakRefused
from engine.routing.envelope import Envelope, Peer, Sender
from tests.tui.driving import SMALL, folded, running, say, screen, seed, shows, until
from tests.tui.shown import text
from tui.config.isolation import change_scope, show_pairings, undo_config
from tui.widgets.dialogs.box import Choices
from tui.widgets.dialogs.pairings import PairingRequests
from tui.widgets.dialogs.scope import ScopeDialog
from tui.widgets.lines import Banner

ALICE = "agent:main:telegram:dm:alice"
MAIN = "agent:main:main"
ROOM = "agent:main:telegram:group:g1"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def open_door(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes away the guard that keeps people where routing leads them: something must leak."""
    monkeypatch.setattr("engine.engine.check_place", lambda order: None)


def configure(state: Path, **config: Any) -> None:
    (state / "branchline.json5").write_text(json.dumps(config))


def dm(name: str, words: str) -> Envelope:
    return Envelope("telegram", words, peer=Peer("dm", name), sender=Sender(name, name.title()))


def group(name: str, words: str) -> Envelope:
    sender = Sender(name, name.title())
    return Envelope("telegram", words, peer=Peer("group", "g1"), sender=sender)


async def hear(engine: Engine, envelope: Envelope) -> str:
    result = await (await engine.submit(envelope)).result()
    assert result.error is None
    return result.text


GUARDED = {"channels": {"telegram": {"dmPolicy": "pairing"}}}


async def test_a_stranger_is_seen_in_row_0_and_let_in_by_a_key(state: Path) -> None:
    configure(state, **GUARDED)
    async with running(state) as (app, pilot):
        told = await hear(app.engine, dm("mallory", "hello"))
        await shows(pilot, "! 1 asks to be let in")
        await pilot.press("escape", "P")
        [request] = app.engine.pairing.read().requests
        assert request.code in told
        await shows(pilot, "Pairing requests 1", "Mallory", "telegram", request.code, "id mallory")
        await pilot.press("a")
        await shows(pilot, "Mallory may write on telegram now", "Nobody waits to be let in")
        await pilot.press("escape")
        await until(pilot, lambda: "to be let in" not in text(app), "the mark is gone")
        await hear(app.engine, dm("mallory", "hello again"))
        await shows(pilot, "Mallory", "hello again")


async def test_a_request_that_is_rejected_goes_and_its_sender_may_ask_again(state: Path) -> None:
    configure(state, **GUARDED)
    async with running(state) as (app, pilot):
        await hear(app.engine, dm("mallory", "hello"))
        await hear(app.engine, dm("eve", "hello"))
        await shows(pilot, "! 2 ask to be let in")
        show_pairings(app)
        await shows(pilot, "Pairing requests 2", "Mallory", "Eve")
        await pilot.press("j", "r")
        await shows(pilot, "the request of Eve is dropped", "Pairing requests 1")
        assert [one.name for one in app.engine.pairing.read().requests] == ["Mallory"]
        assert app.engine.pairing.read().approvals == ()


async def test_a_key_lets_nobody_in_but_whom_the_cursor_was_on(state: Path) -> None:
    configure(state, **GUARDED)
    async with running(state) as (app, pilot):
        for name in ("mallory", "eve", "olga"):
            await hear(app.engine, dm(name, "hello"))
        show_pairings(app)
        await shows(pilot, "Pairing requests 3")
        await pilot.press("j")
        first, second, third = app.engine.pairing.read().requests
        for gone in (first, second):  # the one above, and then the one under the cursor
            app.engine.pairing.change(
                lambda all_, gone=gone: all_.reject(gone.code, now=gone.created)
            )
            assert isinstance(app.screen, PairingRequests)
            app.screen._look()
            await shows(pilot, "Pairing requests 2" if gone is first else "Pairing requests 1")
            chosen = app.screen.query_one(OptionList).highlighted
            assert chosen == (0 if gone is first else None)
        await pilot.press("a")
        await pilot.pause()
        assert app.engine.pairing.read().approvals == ()
        await pilot.press("j", "a")
        await shows(pilot, "Olga may write on telegram now")
        assert [one.sender_id for one in app.engine.pairing.read().approvals] == [third.sender_id]


async def test_a_request_told_to_another_program_is_seen_and_a_spent_code_is_said(
    state: Path,
) -> None:
    configure(state, **GUARDED)
    async with running(state) as (app, pilot):
        async with Engine.open(state, environ={}) as other:
            await hear(other, dm("mallory", "hello"))
        show_pairings(app)
        await shows(pilot, "Pairing requests 1", "Mallory")
        async with Engine.open(state, environ={}) as other:
            [request] = other.pairing.read().requests
            other.pairing.change(lambda all_: all_.reject(request.code, now=request.created))
        await pilot.press("a")
        await shows(pilot, "somebody else was quicker", "Nobody waits")


async def test_pairings_that_cannot_be_read_are_told(state: Path) -> None:
    (state / "pairings.json").write_text("{")
    async with running(state) as (app, pilot):
        show_pairings(app)
        await shows(pilot, "the pairings cannot be used")


@pytest.mark.usefixtures("open_door")
@pytest.mark.parametrize("size", [(120, 40), SMALL, (50, 15)])
async def test_a_leak_that_was_stopped_stays_in_red_words_until_put_away(
    state: Path, size: tuple[int, int]
) -> None:
    await seed(state, {"alice": ["the code is 4711"]})
    async with running(state, size) as (app, pilot):
        receipt = await app.engine.submit(dm("bob", "what is the code?"), session_key=ALICE)
        assert isinstance((await receipt.result()).error, LeakRefused)
        await shows(pilot, "✖ LEAK STOPPED")
        row = next(line for line in text(app).splitlines() if "LEAK STOPPED" in line)
        assert "Alice" in row and "Bob" in row and "not sent" in row
        app.clear_notifications()
        await pilot.pause(1)
        assert "LEAK STOPPED" in text(app)
        await pilot.press("escape", "X")
        await until(pilot, lambda: "LEAK STOPPED" not in text(app), "put away")
        app.show_problems()
        await shows(pilot, "a leak was stopped: Bob would have seen words of Alice")


@pytest.mark.usefixtures("open_door")
async def test_a_click_puts_the_leak_warning_away(state: Path) -> None:
    await seed(state, {"alice": ["the code is 4711"]})
    async with running(state) as (app, pilot):
        await (await app.engine.submit(dm("bob", "code?"), session_key=ALICE)).result()
        await shows(pilot, "✖ LEAK STOPPED")
        app.clear_notifications()
        await pilot.pause()
        await pilot.click("#leak", offset=(2, 0))
        await until(pilot, lambda: "LEAK STOPPED" not in text(app), "put away")
        assert not app.screen.query_one("#broken", Banner).variants


async def test_the_inspector_says_who_shares_a_memory_and_by_which_rule(state: Path) -> None:
    configure(state, session={"dmScope": "main"})
    await seed(state, {"alice": ["my password is secret"], "bob": ["what is the password?"]})
    async with running(state) as (app, pilot):
        screen(app).open_session(MAIN)
        await shows(pilot, "MEMORY", "2 people", "▲ Alice", "▲ Bob", "▲ shared by dmScope main")
        await hear(app.engine, dm("bob", "and now?"))
        await shows(pilot, "Bob was answered with Alice in sight")
        app.show_problems()
        await shows(pilot, "Bob is answered with words of Alice in sight")


async def test_one_person_alone_is_no_warning(state: Path) -> None:
    await seed(state, {"alice": ["hello"]})
    async with running(state) as (app, pilot):
        screen(app).open_session(ALICE)
        await shows(pilot, "MEMORY 1 person", "· Alice 1")
        assert "▲ Alice" not in text(app)


async def test_a_group_message_that_is_kept_as_context_says_so(state: Path) -> None:
    quiet = {"*": {"requireMention": True}}
    configure(
        state, channels={"telegram": {"groupPolicy": "open", "groups": quiet}},
        agents={"list": [{"id": "main", "groupChat": {"mentionPatterns": ["@mia"]}}]},
    )  # fmt: skip
    async with running(state) as (app, pilot):
        await hear(app.engine, group("alice", "just chatting"))
        screen(app).open_session(ROOM)
        await shows(pilot, "┃ just chatting", "· not answered")
        await hear(app.engine, group("bob", "me too"))
        await until(pilot, lambda: text(app).count("· not answered") == 2, "both")
        await hear(app.engine, group("bob", "@mia hello"))
        await shows(pilot, "┃ @mia hello", "main ▸ echo")
        assert text(app).count("· not answered") == 2
        screen(app).open_session(MAIN)
        await shows(pilot, "main · new chat")
        screen(app).open_session(ROOM)
        await shows(pilot, "┃ @mia hello", "main ▸ echo")
        assert text(app).count("· not answered") == 2


async def test_a_full_house_is_counted_in_row_0_and_among_the_problems(state: Path) -> None:
    configure(state, session={"maxConcurrent": 1, "dmScope": "per-peer"})
    async with running(state, (160, 40)) as (app, pilot):
        await hear(app.engine, dm("alice", "hello"))
        await hear(app.engine, dm("bob", "hello"))
        await shows(pilot, "1 turned away")
        app.show_problems()
        await shows(pilot, "1 message of new senders turned away", "session.maxConcurrent")


async def choose(pilot: Pilot[None], scope: str) -> None:
    await until(pilot, lambda: isinstance(pilot.app.screen, ScopeDialog), "the dialog")
    choices = pilot.app.screen.query_one(Choices)
    while choices.option.key != scope:
        await pilot.press("down")


@pytest.mark.parametrize("size", [(120, 40), SMALL, (50, 15)])
async def test_a_scope_is_shown_with_its_effect_then_written_then_undone(
    state: Path, size: tuple[int, int]
) -> None:
    await seed(state, {"alice": ["my password is secret"], "bob": ["hello"]})
    file = state / "branchline.json5"
    before = file.read_bytes()
    async with running(state, size) as (app, pilot):
        change_scope(app)
        await shows(pilot, "Change dmScope", "This is in force now")
        await choose(pilot, "main")
        await shows(pilot, "▲ WORDS BECOME VISIBLE 2")
        if size == (120, 40):
            await shows(pilot, "MERGES 1", "into Alice, Bob", f"from Alice · 1 message · {ALICE}")
            await shows(pilot, "Bob would see 1 message of Alice")
        assert app.engine.config.session.dm_scope == "per-channel-peer"
        await pilot.press("enter")
        await shows(pilot, "(•) write", "( ) in memory")
        await shows(pilot, '- dmScope: "per-channel-peer",', '+ dmScope: "main",')
        assert (size != (120, 40)) or "▲ WORDS BECOME VISIBLE 2" in text(app)
        assert file.read_bytes() == before
        await pilot.press("enter")
        await until(pilot, lambda: app.engine.config.session.dm_scope == "main", "in force")
        wanted = before.replace(b'dmScope: "per-channel-peer"', b'dmScope: "main"')
        assert file.read_bytes() == wanted and wanted.count(b"//") == before.count(b"//") > 20
        await shows(pilot, "live r2")
        undo_config(app)
        await shows(pilot, "Undo config change", '+ dmScope: "per-channel-peer",')
        assert file.read_bytes() == wanted
        await pilot.press("enter")
        await shows(pilot, "live r3")
        assert app.engine.config.session.dm_scope == "per-channel-peer"
        assert file.read_bytes() == before and not app.engine.settings.unsaved
        undo_config(app)
        await shows(
            pilot,
            "no earlier config to go back to; F5, then h lists"
            if size == (120, 40)
            else "no earlier",
        )


async def test_what_one_person_heard_of_another_is_gone_once_they_are_kept_apart(
    state: Path,
) -> None:
    text_before = (
        "{\n  // one memory for all, for now\n"
        "  session: { dmScope: 'main', /* see above */ },  // end\n}\n"
    )
    file = state / "branchline.json5"
    file.write_text(text_before)
    async with running(state) as (app, pilot):
        await hear(app.engine, dm("alice", "my password is secret"))
        assert "secret" in await hear(app.engine, dm("bob", "what was the last message?"))
        change_scope(app)
        await choose(pilot, "per-channel-peer")
        await shows(pilot, "SPLITS 1")
        await pilot.press("enter")
        await shows(pilot, "(•) write")
        await pilot.press("enter")
        await shows(pilot, "Revision 2 is in force: dmScope", "dmScope per-channel-peer")
        assert file.read_text() == text_before.replace("'main'", "'per-channel-peer'")
        assert "secret" not in await hear(app.engine, dm("bob", "what was the last message?"))


async def test_a_scope_in_memory_leaves_the_file_alone_and_is_undone_at_once(state: Path) -> None:
    async with running(state) as (app, pilot):
        before = (state / "branchline.json5").read_bytes()
        change_scope(app)
        await choose(pilot, "per-peer")
        await shows(pilot, "nobody's words become visible")
        await pilot.press("enter")
        await shows(pilot, "(•) write")
        await pilot.press("down", "enter")
        await shows(pilot, "dmScope per-peer", "in memory only")
        assert (state / "branchline.json5").read_bytes() == before
        assert app.engine.settings.unsaved
        undo_config(app)
        await shows(pilot, "dmScope per-channel-peer", "live r3")
        assert not app.engine.settings.unsaved


async def test_while_the_file_is_broken_a_scope_can_be_put_in_force_in_memory(state: Path) -> None:
    async with running(state) as (app, pilot):
        (state / "branchline.json5").write_text("{ session: ")
        await shows(pilot, "✖ config")
        change_scope(app)
        await choose(pilot, "main")
        await shows(pilot, "nobody's words become visible")
        await pilot.press("enter")
        await shows(pilot, "(•) in memory", "the file cannot be edited now")
        await pilot.press("enter")
        await until(pilot, lambda: app.engine.config.session.dm_scope == "main", "in force")
        assert (state / "branchline.json5").read_text() == "{ session: "
        await shows(pilot, "✖ config")


async def test_a_scope_that_separates_shows_the_split_and_no_exposure(state: Path) -> None:
    configure(state, session={"dmScope": "main"})
    await seed(state, {"alice": ["hello"], "bob": ["hello"]})
    async with running(state) as (app, pilot):
        change_scope(app)
        await shows(pilot, "Change dmScope", "This is in force now")
        await choose(pilot, "per-channel-peer")
        await shows(pilot, "SPLITS 1", f"of Alice, Bob · {MAIN}", "to Alice · 1 message")
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, ScopeDialog))
        assert app.engine.revision == 1


async def test_the_palette_offers_what_decides_who_shares(state: Path) -> None:
    async with running(state) as (_app, pilot):
        await pilot.press("ctrl+p")
        await pilot.pause(0.3)
        await pilot.press(*"dmscope")
        await shows(pilot, "Who shares a session; its effect is shown first")
        await pilot.press("down", "enter")
        await shows(pilot, "Change dmScope", "per-account-channel-peer")


async def test_help_names_the_keys_of_isolation(state: Path) -> None:
    async with running(state, (120, 120)) as (app, pilot):
        await pilot.press("escape", "question_mark")
        await shows(pilot, "Pairing requests")
        assert "Leak warning away" not in text(app), "there is none"


async def test_names_of_strangers_are_text_and_never_markup(state: Path) -> None:
    configure(state, **GUARDED)
    name = "[b]x[/b] [@click=app.quit]y[/]\x1b[31m"
    async with running(state) as (app, pilot):
        sender = Sender("mallory", name)
        envelope = Envelope("telegram", "hi", peer=Peer("dm", "mallory"), sender=sender)
        await hear(app.engine, envelope)
        show_pairings(app)
        await shows(pilot, "[b]x[/b] [@click=app.quit]y[/]")
        assert "\x1b" not in folded(pilot)


@pytest.mark.usefixtures("open_door")
async def test_writing_goes_on_while_a_leak_is_told(state: Path) -> None:
    await seed(state, {"alice": ["the code is 4711"]})
    async with running(state) as (app, pilot):
        await (await app.engine.submit(dm("bob", "code?"), session_key=ALICE)).result()
        await shows(pilot, "✖ LEAK STOPPED")
        await say(pilot, "still here")
        await shows(pilot, "┃ still here")
