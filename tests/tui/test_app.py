from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.cells import cell_len

from engine.errors import Problem
from engine.routing.envelope import Envelope, Peer, Sender
from tests.tui.driving import SMALL, TINY, WIDE, folded, running, say, screen, seed, shows, until
from tests.tui.shown import lines, text
from tests.tui.test_palette import choose
from tui.memory import save_memory
from tui.people.naming import is_stored
from tui.widgets.chat.conversation import Conversation
from tui.widgets.lines import HintLine

ALICE = "agent:main:telegram:dm:alice"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.mark.parametrize("size", [WIDE, SMALL, TINY, (20, 8), (200, 60)])
async def test_a_first_start_is_a_chat_with_one_line_of_advice(
    state: Path, size: tuple[int, int]
) -> None:
    async with running(state, size) as (app, pilot):
        assert screen(app).chat.ref == "agent:main:main"
        assert screen(app).focused is screen(app).composer
        assert {cell_len(line) for line in lines(app)} == {size[0]}
        if size[0] >= 50:
            assert "ANTHROPIC_API_KEY" in text(app)
            await say(pilot, "remember the number 42")
            await shows(pilot, "offline model")


async def test_a_question_is_answered_from_what_was_said_and_again_after_a_restart(
    state: Path,
) -> None:
    async with running(state) as (app, pilot):
        await say(pilot, "remember the number 42")
        await shows(pilot, "This is the first")
        await say(pilot, "what number?")
        await shows(pilot, "what number?", "“remember the number 42”")
        await until(pilot, lambda: screen(app).composer.draft == "", "the composer is empty")
        await pilot.press("ctrl+q")
        await pilot.pause()
    assert "agent:main:main" in app.farewell and "branchline" in app.farewell
    async with running(state) as (app, pilot):
        await shows(pilot, "what number?")
        await say(pilot, "and now, what number?")
        await shows(pilot, "and now, what number? main ▸ echo")


async def test_sessions_are_listed_opened_and_told_by_the_inspector(state: Path) -> None:
    await seed(state, {"alice": ["my password is secret"], "bob": ["hello"]})
    async with running(state) as (app, pilot):
        await shows(pilot, "Sessions 2", "Alice", "Bob", "tg DM")
        await pilot.press("escape")
        screen(app).sessions.focus()
        screen(app).sessions.go_to(ALICE)
        await pilot.press("enter")
        await shows(pilot, "Alice · Telegram DM", "my password is secret", "✔ 9 default")
        assert screen(app).focused is screen(app).composer
        await shows(pilot, "offline/echo", "of 32k", "msgs 2")


async def test_what_is_said_in_one_session_stays_out_of_the_other(state: Path) -> None:
    await seed(state, {"alice": ["my password is secret"], "bob": ["hello"]})
    async with running(state) as (app, pilot):
        screen(app).open_session(ALICE.replace("alice", "bob"))
        await shows(pilot, "Bob · Telegram DM")
        await say(pilot, "what is the password?")
        await shows(pilot, "what is the password?")
        await until(pilot, lambda: not app.bridge.tracker.live)
        assert "my password is secret" not in folded(pilot).split("Inspector")[0].split("Bob ·")[-1]


async def test_entries_of_another_engine_show_up_by_themselves(state: Path) -> None:
    await seed(state, {"alice": ["hello"]})
    async with running(state) as (app, pilot):
        screen(app).open_session(ALICE)
        await shows(pilot, "Alice · Telegram DM")
        await pilot.pause(0.5)
        await seed(state, {"alice": ["from elsewhere"], "carol": ["a new face"]})
        await shows(pilot, "from elsewhere", "Carol")


async def test_a_reply_in_a_session_that_is_not_open_marks_it_new(state: Path) -> None:
    await seed(state, {"alice": ["hello"]})
    async with running(state) as (app, pilot):
        envelope = Envelope("telegram", "more", peer=Peer("dm", "alice"), sender=Sender("alice"))
        await (await app.engine.submit(envelope)).result()
        await shows(pilot, "● Alice", "new")
        screen(app).open_session(ALICE)
        await shows(pilot, "○ Alice")


async def test_a_new_chat_asks_for_a_name_and_is_made_by_its_first_message(state: Path) -> None:
    async with running(state) as (app, pilot):
        await pilot.press("escape")
        screen(app).sessions.focus()
        await pilot.press("n")
        await shows(pilot, "New chat", "by your first message")
        await pilot.press("enter")
        await shows(pilot, "A chat needs a name")
        await pilot.press(*"plans", "enter")
        await shows(pilot, "plans · new chat")
        assert not list(state.glob("agents/*/sessions/*.jsonl"))
        await say(pilot, "first things first")
        await shows(pilot, "plans · your chat", "first things first")
        assert screen(app).chat.ref == "agent:main:chat:plans"
        assert screen(app).sessions.current == "agent:main:chat:plans"


async def test_a_name_that_is_taken_is_said_while_typing(state: Path) -> None:
    async with running(state) as (app, pilot):
        screen(app).open_session("agent:main:chat:plans")
        await say(pilot, "hello")
        await shows(pilot, "plans · your chat")
        await pilot.press("escape", "n", *"plans", "enter")
        await shows(pilot, "There is a chat agent:main:chat:plans already")
        await pilot.press("escape")
        assert len(app.screen_stack) == 1


async def test_slash_finds_a_session_and_escape_brings_all_back(state: Path) -> None:
    await seed(state, {"alice": ["hello"], "bob": ["hello"]})
    async with running(state) as (app, pilot):
        await pilot.press("escape", "slash", *"bob")
        await until(pilot, lambda: len(screen(app).sessions.rows) == 2, "filtered")
        await pilot.press("enter", "down", "enter")
        await shows(pilot, "Bob · Telegram DM")
        await pilot.press("escape", "slash", "escape")
        await until(pilot, lambda: len(screen(app).sessions.rows) == 3, "all")


async def test_a_command_answers_in_the_conversation_and_stores_nothing(state: Path) -> None:
    async with running(state) as (app, pilot):
        await say(pilot, "/status")
        await shows(pilot, "nothing said yet", "offline/echo (config)")
        await until(pilot, lambda: screen(app).composer.draft == "")
        assert not list(state.glob("agents/*/sessions/*.jsonl"))


async def test_what_the_engine_refuses_stays_in_the_composer(state: Path) -> None:
    async with running(state) as (app, pilot):
        await say(pilot, "/nosuch thing")
        await shows(pilot, "there is no command /nosuch", "Command")
        assert screen(app).composer.draft == "/nosuch thing"


async def test_a_page_or_a_list_that_cannot_be_read_is_told_and_ends_nothing(state: Path) -> None:
    await seed(state, {"alice": ["hello"]})
    async with running(state) as (app, pilot):
        screen(app).open_session(ALICE)
        await shows(pilot, "Alice · Telegram DM", "┃ hello")
        folder = next(state.glob("agents/*/sessions"))
        folder.rename(folder.with_name("gone"))
        folder.write_text("this is no directory")
        app.engine._pool.drop(ALICE)
        screen(app).conversation._log.before = "x"
        screen(app).post_message(Conversation.OlderWanted("x"))
        await shows(pilot, "Could not")
        app.clear_notifications()
        app.bridge._stale.set()
        await shows(pilot, "Problem")
        assert app.is_running and ALICE in app.bridge.tracker.infos


async def test_new_starts_afresh_and_the_old_one_stays_listed(state: Path) -> None:
    async with running(state) as (app, pilot):
        await say(pilot, "remember the number 42")
        await shows(pilot, "This is the first")
        await say(pilot, "/new")
        await shows(pilot, "A fresh start", "Sessions 1", "1 earlier")
        await until(pilot, lambda: "┃ remember" not in text(app), "an empty column")
        kept = next(ref for ref in app.bridge.tracker.infos if ref != "agent:main:main")
        screen(app).open_session(kept)
        await shows(pilot, "┃ remember the number 42", "main · your chat · reset")
        await say(pilot, "hello?")
        await shows(pilot, "takes no messages")
        assert screen(app).composer.draft == "hello?"


async def test_the_model_of_a_session_is_chosen_in_a_list_and_told_with_its_source(
    state: Path,
) -> None:
    async with running(state) as (_app, pilot):
        await say(pilot, "hello")
        await shows(pilot, "from config")
        await pilot.press("ctrl+l")
        await pilot.pause(0.3)
        await pilot.press(*"echo-2k")
        await pilot.pause(0.5)
        await pilot.press("down", "enter")
        await shows(pilot, "offline/echo-2k", "from session", "of 2k")


async def test_problems_are_told_as_text_and_never_as_markup(state: Path) -> None:
    async with running(state) as (app, pilot):
        app.engine.notice(Problem("3 lines [b]unreadable[/b] [@click=app.quit]x[/]", "warning"))
        await shows(pilot, "[b]unreadable[/b] [@click=app.quit]x[/]", "Please note")


async def test_many_problems_are_counted_and_listed_on_demand(state: Path) -> None:
    state.mkdir(mode=0o700)
    names = [{"agentId": f"ghost{number}", "match": {"channel": "x"}} for number in range(6)]
    config = {"agents": {"list": [{"id": "main"}]}, "bindings": names}
    (state / "branchline.json5").write_text(json.dumps(config))
    async with running(state) as (app, pilot):
        await shows(pilot, "in all: ^P, then Problems")
        app.show_problems()
        await shows(pilot, "ghost5", "bindings[5].agentId")
        assert text(app).count('no agent "ghost5"') == 1
        await pilot.press("escape")


async def test_ascii_signs_where_the_config_asks_for_them(state: Path) -> None:
    state.mkdir(mode=0o700)
    (state / "branchline.json5").write_text('{"ui": {"glyphs": "ascii"}}')
    await seed(state, {"alice": ["hello"]})
    async with running(state) as (app, pilot):
        await shows(pilot, "o Alice", "* live")
        panes = [line[:30] + line[86:] for line in lines(app)[2:-1]]
        assert all(line.isascii() for line in panes), panes


async def test_no_colour_still_shows_every_state(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    await seed(state, {"alice": ["hello"]})
    async with running(state) as (app, pilot):
        assert app.no_color
        await app.engine.submit(
            Envelope("telegram", "more", peer=Peer("dm", "alice"), sender=Sender("alice"))
        )
        await shows(pilot, "● Alice", "new")


async def test_the_keymap_of_the_config_moves_a_key_and_a_clash_is_told(state: Path) -> None:
    state.mkdir(mode=0o700)
    (state / "branchline.json5").write_text('{"keymap": {"sessions.new": "N,o"}}')
    async with running(state) as (app, pilot):
        await shows(pilot, "sessions.new and sessions.write share o")
        await pilot.press("escape", "N")
        await until(pilot, lambda: len(app.screen_stack) == 2, "the dialog")


async def test_an_unknown_name_in_the_keymap_is_told(state: Path) -> None:
    state.mkdir(mode=0o700)
    (state / "branchline.json5").write_text('{"keymap": {"sessions.nwe": "N"}}')
    async with running(state) as (_app, pilot):
        await shows(pilot, "no key goes by the name sessions.nwe", "did you mean sessions.new?")


async def test_stop_keeps_what_was_written_and_a_second_message_waits_visibly(
    state: Path, slow_model: str
) -> None:
    state.mkdir(mode=0o700)
    (state / "branchline.json5").write_text(slow_model)
    async with running(state) as (app, pilot):
        main = "agent:main:main"
        await say(pilot, "tell me a long story")
        await shows(pilot, "word1", "^C Stop", "◐ main")
        await say(pilot, "and another one")
        await shows(pilot, "waits its turn: and another one", "1 queued")
        assert screen(app).composer.draft == ""
        screen(app).open_session("agent:main:chat:other")
        await shows(pilot, "other · new chat")
        screen(app).open_session(main)
        await shows(pilot, "tell me a long story", "word1")
        await pilot.press("ctrl+c")
        await shows(pilot, "stopped", "and another one")
        page = await app.engine.history(main)
        assert page.entries[1].message.get("stopReason") == "aborted"
        assert "word1" in page.entries[1].text


async def test_the_footer_shows_no_more_than_eight_keys_and_only_those_that_act(
    state: Path,
) -> None:
    async with running(state) as (app, pilot):
        for keys in ((), ("escape",), ("tab",), ("tab",), ("tab",)):
            await pilot.press(*keys)
            await pilot.pause()
            shown = [each for each in app.screen.active_bindings.values() if each.binding.show]
            assert 0 < len(shown) <= 8, [each.binding.description for each in shown]
            assert all(each.enabled for each in shown)
            assert not any(each.binding.key in {"f2", "f3", "f4", "f5"} for each in shown)


async def test_a_letter_in_the_composer_is_a_letter(state: Path) -> None:
    async with running(state) as (app, pilot):
        await pilot.press("n", "i", "z", "o", "question_mark")
        assert screen(app).composer.draft == "nizo?"
        assert len(app.screen_stack) == 1


async def test_help_tells_of_the_pane_in_focus(state: Path) -> None:
    async with running(state) as (app, pilot):
        await pilot.press("escape")
        screen(app).inspector.focus()
        await pilot.press("question_mark")
        await shows(pilot, "where the choice comes from")
        await pilot.press("f1")
        await until(pilot, lambda: len(app.screen_stack) == 1)


async def test_another_config_in_force_is_told_and_shown(state: Path) -> None:
    async with running(state) as (app, pilot):
        await shows(pilot, "live r1", "dmScope per-channel-peer")
        text_of = (state / "branchline.json5").read_text()
        await app.engine.apply_config(text_of.replace("per-channel-peer", "per-peer"))
        await shows(pilot, "live r2", "dmScope per-peer", "Revision 2 is in force")


async def test_a_theme_of_ones_own_is_found_used_and_remembered(state: Path) -> None:
    (state / "themes").mkdir(parents=True, mode=0o700)
    (state / "themes" / "sea.json5").write_text("{primary: '#00aaff', background: '#001122',}")
    (state / "themes" / "bad.json5").write_text("{primary: 12}")
    async with running(state) as (app, pilot):
        await until(pilot, lambda: "sea" in app.available_themes)
        await shows(pilot, "bad.json5", "not a colour")
        app.theme = "sea"
        await pilot.pause()
        assert app.memory.theme == "sea"
        save_memory(state, app.memory)
    async with running(state) as (app, pilot):
        await until(pilot, lambda: app.theme == "sea")


async def test_advice_that_was_put_away_does_not_come_back(state: Path) -> None:
    async with running(state) as (app, pilot):
        await pilot.click(HintLine)
        await until(pilot, lambda: "ANTHROPIC_API_KEY" not in text(app))
        screen(app).leave()
        save_memory(state, app.memory)
    async with running(state) as (app, pilot):
        assert "ANTHROPIC_API_KEY" not in text(app)


@pytest.mark.parametrize(
    ("size", "pane"), [(SMALL, "i"), ((70, 20), "s"), (TINY, "s"), (TINY, "i")]
)
async def test_a_pane_without_room_slides_over_the_chat_and_goes_again(
    state: Path, size: tuple[int, int], pane: str
) -> None:
    title = "Inspector" if pane == "i" else "Sessions 0"
    async with running(state, size) as (app, pilot):
        await pilot.press("escape")
        assert title not in text(app)
        await pilot.press(pane)
        await shows(pilot, title)
        assert {cell_len(line) for line in lines(app)} == {size[0]}
        await pilot.press(pane)
        await until(pilot, lambda: title not in text(app))
        await pilot.press(pane, "o")
        await until(pilot, lambda: title not in text(app))
        assert screen(app).focused is screen(app).composer


async def test_panes_hide_zoom_and_come_back(state: Path) -> None:
    async with running(state) as (app, pilot):
        await pilot.press("escape", "i")
        await until(pilot, lambda: "Inspector" not in text(app))
        await pilot.press("i", "s")
        await until(pilot, lambda: "Inspector" in text(app) and "Sessions 0" not in text(app))
        await pilot.press("s", "z")
        await until(pilot, lambda: "Inspector" not in text(app) and "Sessions 0" not in text(app))
        await pilot.press("escape")
        await until(pilot, lambda: "Inspector" in text(app) and "Sessions 0" in text(app))


async def test_resizing_through_every_layout_leaves_no_ragged_row(state: Path) -> None:
    await seed(state, {"alice": ["hello"]})
    async with running(state) as (app, pilot):
        for size in (
            (80, 24),
            (50, 15),
            (160, 50),
            (61, 17),
            (99, 30),
            (100, 33),
            (30, 6),
            (120, 40),
        ):
            await pilot.resize_terminal(*size)
            await pilot.pause(0.1)
            assert {cell_len(line) for line in lines(app)} == {size[0]}, size
            assert len(lines(app)) == size[1]


async def test_the_palette_opens_sessions_and_offers_commands(state: Path) -> None:
    await seed(state, {"alice": ["hello"]})
    async with running(state) as (_app, pilot):
        await choose(pilot, "alice", "Open Alice")
        await shows(pilot, "Alice · Telegram DM")
        await choose(pilot, "/status", "/status")
        await shows(pilot, "context")


async def test_a_sample_of_the_reference_opens_with_its_leftovers(sample_state: Path) -> None:
    async with running(sample_state) as (app, pilot):
        await until(pilot, lambda: len(app.bridge.tracker.infos) > 5)
        for ref in list(app.bridge.tracker.infos):
            screen(app).open_session(ref)
            await until(pilot, lambda ref=ref: screen(app).chat.ref == ref, ref)
        assert any(is_stored(info) for info in app.bridge.tracker.infos.values())


async def test_the_bars_of_the_sessions_in_view_are_looked_up(state: Path) -> None:
    await seed(state, {"alice": ["hello"], "bob": ["many words " * 2000]})
    async with running(state) as (app, pilot):
        await until(pilot, lambda: len(app.bridge.tracker.fills) == 2, "both are known")
        fills = app.bridge.tracker.fills
        bob, alice = fills[ALICE.replace("alice", "bob")], fills[ALICE]
        assert bob.part > alice.part > 0
        row = next(line for line in lines(app) if "Bob" in line)
        assert row[:30].rstrip(" │")[-1] in "▁▂▃▄▅▆▇█"


async def test_nothing_is_read_between_the_keys_of_one_who_goes_down_the_list(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await seed(state, {f"p{number}": ["hello"] for number in range(4)})
    async with running(state) as (app, pilot):
        home, seen = screen(app), app.bridge.tracker.fills
        await until(pilot, lambda: len(seen) >= 4, "all are known")
        looks: list[str] = []
        view = app.engine.view

        async def counted(ref: str) -> object:
            looks.append(ref)
            return await view(ref)

        monkeypatch.setattr(app.engine, "view", counted)
        seen.clear()
        home.sessions.focus()
        for step in (1, 1, -1, -1) * 3:
            home.sessions.action_move(step)
            await pilot.pause(0.01)
        assert looks == []
        await until(pilot, lambda: len(seen) >= 4, "looked up after a rest")
        assert len(looks) == len(set(looks))
