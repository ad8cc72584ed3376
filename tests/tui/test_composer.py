from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from textual import events

from tests.corpus import HOSTILE, raw_controls
from tests.tui.chat import ChatApp, screen_rows, screen_text
from tests.tui.driving import until
from tui.widgets.chat.composer import MESSAGE_LIMIT, Composer, visible
from tui.widgets.chat.prompt_history import PromptHistory


def sent(app: ChatApp) -> list[str]:
    return [event.text for event in app.heard if isinstance(event, Composer.Submitted)]


def flat(app: ChatApp) -> str:
    return " ".join(screen_text(app).replace("│", " ").split())


async def typed(app: ChatApp, text: str) -> None:
    app.composer.focus()
    app.composer.insert(text)


async def test_enter_sends_and_the_text_stays_until_it_is_accepted() -> None:
    app = ChatApp()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        app.composer.focus()
        await pilot.press("h", "i", "enter", "enter")
        assert sent(app) == ["hi"], "a second Enter before the answer sends nothing"
        assert app.composer.draft == "hi"
        app.composer.refused()
        await pilot.press("enter")
        assert sent(app) == ["hi", "hi"]
        await app.composer.accepted()
        assert app.composer.draft == ""


async def test_letters_and_enter_in_one_burst_keep_their_order() -> None:
    app = ChatApp()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        app.composer.focus()
        await pilot.pause()
        for char in "hello":
            app.post_message(events.Key(char, char))
        app.post_message(events.Key("enter", "\r"))
        await pilot.pause()
        assert sent(app) == ["hello"]


async def test_a_command_says_all_it_does_where_the_row_is_too_short() -> None:
    app = ChatApp()
    async with app.run_test(size=(60, 24), notifications=True) as pilot:
        app.composer.focus()
        await pilot.press("slash")
        await until(pilot, lambda: "the old one stays listed" in flat(app), "the help of /new")
        await pilot.press("down")
        await until(pilot, lambda: "settings stay in force" in flat(app), "the help of /clear")
        await until(pilot, lambda: "the old one stays listed" not in flat(app), "the row of /new")
        await pilot.resize_terminal(160, 24)
        await until(pilot, lambda: "the old one stays listed" in flat(app), "room for all")
        assert app.composer.menu.choice is not None
        assert app.composer.menu.choice.label == "/clear"


async def test_the_list_never_answers_for_an_earlier_text() -> None:
    app = ChatApp()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        app.composer.focus()
        await pilot.press("slash")
        assert app.composer.menu.is_open
        for char in "xyzzy":
            app.post_message(events.Key(char, char))
        app.post_message(events.Key("enter", "\r"))
        await pilot.pause()
        assert sent(app) == ["/xyzzy"]


async def test_what_is_typed_after_sending_stays() -> None:
    app = ChatApp()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        app.composer.focus()
        await pilot.press("o", "n", "e", "enter", "t", "w", "o")
        await app.composer.accepted()
        assert app.composer.draft == "two"


@pytest.mark.parametrize("key", ["ctrl+j", "shift+enter", "alt+enter"])
async def test_three_keys_make_a_new_line(key: str) -> None:
    app = ChatApp()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        app.composer.focus()
        await pilot.press("a", key, "b", "enter")
        assert sent(app) == ["a\nb"]


@pytest.mark.parametrize("text", ["", "   ", "\n\n"])
async def test_nothing_is_not_sent(text: str) -> None:
    app = ChatApp()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await typed(app, text)
        await pilot.press("enter")
        assert sent(app) == []


async def test_the_field_grows_with_its_text_up_to_eight_rows() -> None:
    app = ChatApp()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await pilot.pause()
        assert app.composer.size.height == 1
        await typed(app, "a\nb\nc")
        await pilot.pause()
        assert app.composer.size.height == 3
        await typed(app, "\n".join("x" * 30))
        await pilot.pause()
        assert app.composer.size.height == 8


async def test_the_empty_field_tells_its_keys() -> None:
    app = ChatApp()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await pilot.pause()
        assert "Enter sends · ^J new line · / commands" in screen_text(app)
        assert "Enter send · ^J newline · ^G editor" in screen_text(app)


async def test_arrows_walk_through_earlier_prompts_and_back_to_the_draft(tmp_path: Path) -> None:
    history = PromptHistory(tmp_path / "prompts.jsonl")
    for prompt in ("first", "second\nof two lines"):
        await history.add(prompt)
    app = ChatApp(PromptHistory(tmp_path / "prompts.jsonl"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await typed(app, "draft")
        await pilot.press("up")
        assert app.composer.draft == "second\nof two lines"
        await pilot.press("up")
        assert app.composer.draft == "second\nof two lines", "first to the line above"
        await pilot.press("up")
        assert app.composer.draft == "first"
        await pilot.press("up")
        assert app.composer.draft == "first"
        await pilot.press("down", "down")
        assert app.composer.draft == "draft"
        await pilot.press("down")
        assert app.composer.draft == "draft"


async def test_a_changed_old_prompt_is_a_new_one() -> None:
    history = PromptHistory()
    await history.add("one")
    await history.add("two")
    app = ChatApp(history)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        app.composer.focus()
        await pilot.press("up", "x", "up")
        assert app.composer.draft == "two", "the walk begins anew at the newest"
        await pilot.press("down")
        assert app.composer.draft == "twox"


async def test_earlier_prompts_are_searched() -> None:
    history = PromptHistory()
    for prompt in ("find the invoice", "hello", "the other invoice"):
        await history.add(prompt)
    app = ChatApp(history)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await typed(app, "invoice")
        await pilot.press("ctrl+r")
        await pilot.pause()
        assert "the other invoice" in screen_text(app) and "hello" not in screen_text(app)
        await pilot.press("down", "enter")
        assert app.composer.draft == "find the invoice"
        assert not app.composer.menu.is_open
        await pilot.press("enter")
        assert sent(app) == ["find the invoice"]


async def test_slash_lists_commands_above_and_tab_takes_one() -> None:
    app = ChatApp(arguments={"model": ["offline/echo", "anthropic/sonnet", "openai/mini"]})
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        app.composer.focus()
        await pilot.press("/")
        await pilot.pause()
        assert "/new" in screen_text(app) and "/clear" in screen_text(app)
        await pilot.press("m", "o")
        await pilot.pause()
        assert "/model [ref | default]" in screen_text(app)
        assert "/clear" not in screen_text(app)
        await pilot.press("tab")
        await pilot.pause()
        assert app.composer.draft == "/model "
        assert app.focused is app.composer
        assert "anthropic/sonnet" in screen_text(app)
        await pilot.press("s", "o", "n", "enter")
        assert app.composer.draft == "/model anthropic/sonnet"
        assert sent(app) == []
        await pilot.press("enter")
        assert sent(app) == ["/model anthropic/sonnet"]


async def test_a_command_typed_out_is_sent_by_the_first_enter() -> None:
    app = ChatApp()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        app.composer.focus()
        await pilot.press(*"/status", "enter")
        assert sent(app) == ["/status"]
        await app.composer.accepted()
        await pilot.press(*"/new", "enter")
        assert sent(app) == ["/status", "/new"], "an argument that may be left out is left out"


async def test_escape_closes_the_list_and_only_then_leaves() -> None:
    app = ChatApp()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        app.composer.focus()
        await pilot.press("/")
        await pilot.pause()
        assert app.composer.menu.is_open
        await pilot.press("escape")
        await pilot.pause()
        assert not app.composer.menu.is_open
        assert app.composer.draft == "/"
        assert app.composer.check_action("close_menu", ()) is False


async def test_an_unknown_command_is_sent_as_typed() -> None:
    app = ChatApp()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        app.composer.focus()
        await pilot.press(*"/zzz", "enter")
        assert sent(app) == ["/zzz"]


async def test_a_path_in_the_middle_is_no_command() -> None:
    app = ChatApp()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await typed(app, "see /new")
        await pilot.pause()
        assert not app.composer.menu.is_open


async def test_too_large_a_paste_is_refused_and_the_text_kept() -> None:
    app = ChatApp()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await typed(app, "kept")
        app.post_message(events.Paste("é" * (MESSAGE_LIMIT // 2)))
        await pilot.pause()
        assert app.composer.draft == "kept"
        assert "over 1 MiB" in screen_text(app)


async def test_a_draft_over_the_limit_is_not_sent_and_stays() -> None:
    app = ChatApp()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        text = "word " * (MESSAGE_LIMIT // 5 + 1)
        app.composer.set_draft(text)
        app.composer.focus()
        await pilot.press("enter")
        assert sent(app) == []
        assert app.composer.draft == text
        assert "may hold 1 MiB" in screen_text(app)


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_what_is_drawn_has_the_columns_of_what_is_typed(name: str) -> None:
    for line in HOSTILE[name].splitlines():
        drawn = visible(line)
        assert len(drawn) == len(line)
        assert not raw_controls(drawn.replace("\t", "")), ascii(drawn[:80])


async def test_what_is_sent_is_what_was_pasted_though_it_is_drawn_safely() -> None:
    text = "a\x1b[2Jb\x9b31m\u202ec\u200bd [/] [@click=app.fire('x')]e[/]"
    app = ChatApp()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        app.composer.focus()
        app.post_message(events.Paste(text))
        await pilot.pause()
        assert not raw_controls(screen_text(app).replace("\n", ""))
        assert "a␛[2Jb�31m�c�d [/] [@click=app.fire('x')]e[/]" in screen_text(app)
        await pilot.click(app.composer, offset=(40, 1))
        await pilot.press("enter")
        assert sent(app) == [text]
        assert app.fired == []


async def test_hostile_drafts_prompts_and_values_are_drawn_safely(tmp_path: Path) -> None:
    texts = [text for text in HOSTILE.values() if len(text) < 60_000]
    history = PromptHistory()
    for text in texts:
        await history.add(text)
    app = ChatApp(history, {"model": texts})
    async with app.run_test(size=(60, 24)) as pilot:
        app.composer.focus()
        for text in texts:
            app.composer.set_draft(text)
            await pilot.pause()
            assert not raw_controls("".join(screen_rows(app))), ascii(text[:40])
        for start in ("", "/model "):
            app.composer.set_draft(start)
            if not start:
                app.composer.action_search()
            else:
                app.composer.insert("x")
                app.composer.action_delete_left()
            for _ in range(len(texts)):
                await pilot.pause()
                assert app.composer.menu.is_open
                assert not raw_controls("".join(screen_rows(app)))
                app.composer.menu.move(1)
        assert app.fired == []


def script(tmp_path: Path, body: str) -> str:
    path = tmp_path / "program"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


async def test_a_terminal_that_cannot_be_handed_over_is_no_crash(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("VISUAL", script(tmp_path, "exit 0"))
    app = ChatApp()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await typed(app, "words")
        await pilot.press("ctrl+g")
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert app.composer.draft == "words"
        assert "cannot be handed" in screen_text(app)


async def test_a_throbber_turns_only_while_a_turn_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    app = ChatApp()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        app.animation_level = "full"
        assert app.composer._throbber is None
        app.composer.busy = True
        await pilot.pause()
        assert "◐ answering · ^C stop" in screen_text(app) or "◓" in screen_text(app)
        assert app.composer._throbber is not None
        app.composer.busy = False
        await pilot.pause()
        assert app.composer._throbber is None
        assert "answering" not in screen_text(app)
        app.animation_level = "none"
        app.composer.busy = True
        await pilot.pause()
        assert app.composer._throbber is None
        assert "◐ answering" in screen_text(app)


async def test_typing_goes_on_while_a_turn_runs() -> None:
    app = ChatApp()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        app.composer.busy = True
        app.composer.focus()
        await pilot.press("h", "i", "enter")
        assert sent(app) == ["hi"]


async def test_history_is_bounded_private_and_survives_damage(tmp_path: Path) -> None:
    path = tmp_path / "state" / "prompts.jsonl"
    history = PromptHistory(path, limit=5)
    for number in range(23):
        await history.add(f"prompt {number}")
        await history.add(f"prompt {number}")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert len(path.read_bytes().splitlines()) <= 10
    with path.open("ab") as file:
        file.write(b'\xff\xfe garbage\n[1]\n{"text": 5}\n{"text": "torn')
    again = PromptHistory(path, limit=5)
    await again.load()
    assert again.prompts == tuple(f"prompt {number}" for number in range(18, 23))
    await again.add("after \ud800 damage")
    third = PromptHistory(path, limit=5)
    await third.load()
    assert third.prompts[-1] == "after \ud800 damage"
    assert json.loads(path.read_bytes().splitlines()[-1])["text"] == "after \ud800 damage"


async def test_history_that_cannot_be_written_costs_no_message(tmp_path: Path) -> None:
    (tmp_path / "blocked").write_text("a file where a folder should be")
    app = ChatApp(PromptHistory(tmp_path / "blocked" / "prompts.jsonl"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        app.composer.focus()
        await pilot.press("h", "i", "enter")
        await app.composer.accepted()
        await pilot.pause()
        assert app.composer.draft == ""
        assert "not remembered" in screen_text(app)
        await pilot.press("up")
        assert app.composer.draft == "hi"
