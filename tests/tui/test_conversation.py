from __future__ import annotations

import time
from datetime import datetime
from inspect import cleandoc

import pytest
from textual.content import Content
from textual.pilot import Pilot

from engine.engine import HistoryPage
from engine.errors import ModelError
from engine.events import TurnEnded
from engine.values import replace
from tests.tui.chat import KEY, ChatApp, message, other, screen_rows, screen_text, talk
from tui.widgets.chat.backlog import MOUNTED
from tui.widgets.chat.conversation import Conversation
from tui.widgets.chat.layout import header
from tui.widgets.chat.message import LiveMessage, MessageView
from tui.widgets.chat.shown import Shown, describe


def ended(turn: str = "t1", reply: str | None = None, **fields: object) -> TurnEnded:
    return TurnEnded(KEY, turn, reply, fields.pop("stop", "stop"), "echo", **fields)  # type: ignore[arg-type]


def mounted(conversation: Conversation) -> int:
    return len(conversation.query(MessageView))


def row_with(app: ChatApp, words: str) -> str:
    return next(row for row in screen_rows(app) if words in row)


async def until_shown(pilot: Pilot[None], *told: str) -> None:
    end = time.monotonic() + 30
    while not all(each in " ".join(screen_text(pilot.app).split()) for each in told):
        assert time.monotonic() < end, f"never shown: {told}\n{screen_text(pilot.app)}"
        await pilot.pause(0.02)


async def test_people_and_assistant_differ_without_colour() -> None:
    app = ChatApp()
    async with app.run_test(size=(80, 24)) as pilot:
        origin = {"channel": "telegram", "sender": {"id": "1", "name": "alice"}}
        await app.fill(
            [
                message("a", "user", "hello there", origin=origin),
                message("b", "assistant", "**good** day", model="sonnet", usage={"output": 1200}),
            ]
        )
        await pilot.pause()
        assert "┃ hello there" in row_with(app, "hello there")
        assert "alice  " in row_with(app, "alice")
        assert "mia ▸ sonnet" in row_with(app, "sonnet")
        assert row_with(app, "sonnet").rstrip(" ┃│").endswith("1.2k tok")
        assert "  good day" in row_with(app, "good day")
        assert "┃ good" not in row_with(app, "good day")


async def test_a_message_of_the_terminal_is_yours_and_yesterday_has_its_date() -> None:
    app = ChatApp()
    async with app.run_test(size=(80, 24)) as pilot:
        origin = {"channel": "terminal", "sender": {"name": "operator"}}
        await app.fill([message("a", "user", "x", at="2026-11-18T12:00:00.000Z", origin=origin)])
        await pilot.pause()
        assert "you  2026-11-18 " in row_with(app, "you")


async def test_every_kind_of_entry_has_its_line_and_bookkeeping_none() -> None:
    app = ChatApp()
    call = [
        {"type": "text", "text": "let me see"},
        {"type": "toolCall", "name": "lookup", "arguments": {"limit": 3}},
    ]
    async with app.run_test(size=(80, 50)) as pilot:
        await app.fill(
            [
                other("c", "compaction", tokensBefore=27100, tokensAfter=4300, summary="s"),
                message("a", "assistant", "", content=call, stopReason="toolUse"),
                message("b", "toolResult", "three found", toolName="lookup"),
                other("s", "branch_summary", summary="left"),
                other("k", "custom_message", customType="hint", content="remember this"),
                other("u", "from_the_future", words="?"),
                other("l", "label", label="hidden-label"),
                other("i", "session_info", name="hidden-name"),
                message("e", "assistant", "half", stopReason="error", errorMessage="overloaded"),
                message("f", "assistant", "cut", stopReason="aborted"),
            ]
        )
        await pilot.pause()
        text = screen_text(app)
        assert "─◆ compacted · 27.1k → 4.3k ──" in text
        assert '▸ lookup {"limit": 3}' in text
        assert "◂ lookup ok · 11 characters · three found" in text
        assert "┬ summary of a branch" in text
        assert "remember this" in text
        assert "unknown entry: from_the_future" in text
        assert "hidden" not in text
        assert "✘ error" in text and "✘ overloaded" in text
        assert "■ stopped" in text


async def test_an_empty_session_says_what_to_do() -> None:
    app = ChatApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await app.fill([])
        await pilot.pause()
        assert "Nothing has been said here yet" in screen_text(app)
        app.conversation.append(message("a", "user", "first"))
        await pilot.pause()
        assert "Nothing has been said here yet" not in screen_text(app)
        assert "┃ first" in screen_text(app)


async def test_a_short_conversation_begins_at_the_top() -> None:
    app = ChatApp()
    async with app.run_test(size=(80, 40)) as pilot:
        await app.fill(talk(2))
        await pilot.pause()
        assert "you" in screen_rows(app)[2]


async def test_a_reply_streams_and_its_entry_takes_its_place() -> None:
    app = ChatApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await app.fill(talk(3))
        app.conversation.turn_started("t1", "echo")
        await pilot.pause()
        assert "◐ waiting" in row_with(app, "◐")
        for part in ("The an", "swer is **4", "2**.\n\nAnd ", "more"):
            app.conversation.stream("t1", part)
        await pilot.pause(0.1)
        assert "The answer is 42." in screen_text(app)
        assert "◐ streaming" in screen_text(app)
        reply = message("r", "assistant", "The answer is **42**.\n\nAnd more", model="echo")
        app.conversation.append(reply)
        app.conversation.turn_ended(ended(reply="r"))
        await pilot.pause()
        assert screen_text(app).count("The answer is 42.") == 1
        assert "◐" not in screen_text(app)
        assert not app.query(LiveMessage)


async def test_the_end_of_a_turn_may_come_before_its_entry() -> None:
    app = ChatApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await app.fill(talk(1))
        app.conversation.turn_started("t1", "echo")
        app.conversation.stream("t1", "done now")
        app.conversation.turn_ended(ended(reply="r"))
        await pilot.pause()
        assert screen_text(app).count("done now") == 1
        app.conversation.append(message("r", "assistant", "done now"))
        await pilot.pause()
        assert screen_text(app).count("done now") == 1
        assert not app.query(LiveMessage)


async def test_a_turn_with_tools_writes_several_replies() -> None:
    app = ChatApp()
    async with app.run_test(size=(80, 30)) as pilot:
        await app.fill(talk(1))
        app.conversation.turn_started("t1", "echo")
        app.conversation.stream("t1", "let me look")
        app.conversation.append(message("r1", "assistant", "let me look", stopReason="toolUse"))
        app.conversation.append(message("r2", "toolResult", "found it", toolName="look"))
        app.conversation.stream("t1", "here it is")
        await pilot.pause()
        rows = [row.strip(" ┃│") for row in screen_rows(app)]
        order = [
            rows.index(next(row for row in rows if words in row))
            for words in ("let me look", "found it", "here it is")
        ]
        assert order == sorted(order)
        app.conversation.append(message("r3", "assistant", "here it is"))
        app.conversation.turn_ended(ended(reply="r3"))
        await pilot.pause()
        assert screen_text(app).count("here it is") == 1
        assert not app.query(LiveMessage)


async def test_a_failed_turn_says_why_and_a_stopped_one_that_it_was() -> None:
    app = ChatApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await app.fill(talk(1))
        app.conversation.turn_started("t1", "echo")
        error = ModelError("no answer [/] \x1b[2J", kind="timeout")
        app.conversation.turn_ended(ended(stop="error", error=error))
        app.conversation.turn_started("t2", "echo")
        app.conversation.turn_ended(ended("t2", stop="aborted"))
        await pilot.pause()
        assert "✘ Model problem: no answer [/] ␛[2J" in screen_text(app)
        assert "▲ stopped" in screen_text(app)


async def test_a_reply_beside_another_is_marked_and_a_branch_that_came_since() -> None:
    app = ChatApp()
    async with app.run_test(size=(80, 24)) as pilot:
        page = HistoryPage(talk(3), None, onward=1)
        await app.conversation.show(Content("Alice"), page, session_key=KEY)
        app.conversation.turn_started("t1", "echo")
        app.conversation.stream("t1", "half a")
        await until_shown(pilot, "◐ streaming · ┬ 2 branches")
        app.conversation.append(message("m3", "assistant", "half a word", model="echo"))
        app.conversation.turn_ended(ended("t1", reply="m3"))
        await until_shown(pilot, "mia ▸ echo", "half a word", "┬ 2 branches")
        app.conversation.append(message("m4", "user", "alone"))
        app.conversation.turn_started("t2", "echo")
        await until_shown(pilot, "alone", "◐ waiting")
        assert screen_text(app).count("┬") == 1
        app.conversation.mark(HistoryPage(talk(2), None, {"m0": 3}))
        await until_shown(pilot, "┬ 3 branches")


@pytest.mark.parametrize(
    ("width", "row"),
    [
        (60, "  alice  2026-02-09 16:01"),
        (24, "  alice  9 Feb"),
        (18, "  alice  9 Feb"),
        (14, "  alice"),
    ],
)
def test_in_little_room_a_date_gets_short_and_then_goes_as_a_whole(width: int, row: str) -> None:
    local = datetime(2026, 2, 9, 16, 1).astimezone().isoformat()
    shown = describe(message("a", "user", "hi", at=local), agent="mia", today="2026-11-20")
    assert shown is not None
    shown = replace(shown, title="alice")
    assert header(shown, width, right="").plain.rstrip() == row
    older = describe(message("a", "user", "hi", at=local), agent="mia", today="2027-01-01")
    assert older is not None and older.brief == "Feb 2026"


def test_what_stands_at_the_right_loses_its_last_parts_whole() -> None:
    shown = Shown("a", "assistant", "mia", "claude-opus-5-5", beside=2)
    told = [header(shown, width, right="1.2k tok · 2.1 s").plain.split("  ")[-1].strip()
            for width in (80, 50, 40, 20)]  # fmt: skip
    assert told == [
        "1.2k tok · 2.1 s · ┬ 2 branches", "1.2k tok · 2.1 s · ┬ 2", "1.2k tok · ┬ 2", "┬ 2"
    ]  # fmt: skip


async def test_how_a_kept_reply_failed_is_said_once_and_to_its_end() -> None:
    app = ChatApp()
    async with app.run_test(size=(60, 24)) as pilot:
        await app.fill(talk(1))
        app.conversation.turn_started("t1", "echo")
        app.conversation.stream("t1", "half a")
        error = ModelError("the service is overloaded", kind="overloaded", remedy="W" * 80)
        app.conversation.append(
            message("r", "assistant", "half a", stopReason="error", errorMessage=str(error))
        )
        app.conversation.turn_ended(ended(reply="r", stop="error", error=error))
        await pilot.pause()
        assert screen_text(app).count("the service is overloaded") == 1
        assert screen_text(app).count("W") == 80


async def test_a_stream_belongs_to_its_session() -> None:
    app = ChatApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await app.fill(talk(2))
        app.conversation.turn_started("t1", "echo")
        app.conversation.stream("t1", "for alice only")
        await app.fill([message("b", "user", "hello from bob")], key="agent:mia:telegram:dm:bob")
        app.conversation.stream("t1", " and more")
        await pilot.pause()
        assert "for alice" not in screen_text(app)
        assert "and more" not in screen_text(app)
        await app.fill(talk(2), live=("t1", "echo", "for alice only and more"))
        app.conversation.stream("t1", " yet")
        await pilot.pause(0.1)
        assert "for alice only and more yet" in screen_text(app)
        assert "hello from bob" not in screen_text(app)


async def test_an_entry_that_is_already_there_is_not_shown_twice() -> None:
    app = ChatApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await app.fill(talk(2))
        app.conversation.append(talk(2)[1])
        await pilot.pause()
        assert screen_text(app).count("answer 1") == 1


async def test_few_widgets_however_long_the_session() -> None:
    app = ChatApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await app.fill(talk(5000))
        await pilot.pause()
        assert mounted(app.conversation) <= MOUNTED
        assert "answer 4999" in screen_text(app)
        for entry in talk(100, 5000):
            app.conversation.append(entry)
        await pilot.pause()
        assert mounted(app.conversation) <= MOUNTED
        assert "answer 5099" in screen_text(app)


async def test_scrolling_up_mounts_older_ones_from_memory_then_asks() -> None:
    app = ChatApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await app.fill(talk(60, 100), before="m100")
        app.conversation.focus()
        await pilot.pause()
        for _ in range(4):
            await pilot.press("home")
            await pilot.pause()
        assert mounted(app.conversation) <= MOUNTED
        assert "question 100" in screen_text(app)
        wanted = [e.before for e in app.heard if isinstance(e, Conversation.OlderWanted)]
        assert wanted == ["m100"]
        await app.conversation.prepend(HistoryPage(talk(20, 80), "m80"), "m100")
        await pilot.pause()
        assert "question 100" in screen_text(app), "what was in view stays in view"
        await pilot.press("home", "home")
        await pilot.pause()
        assert "question 80" in screen_text(app)
        assert mounted(app.conversation) <= MOUNTED


async def test_an_answer_to_an_old_question_for_older_ones_is_dropped() -> None:
    app = ChatApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await app.fill(talk(4), before="m0")
        long = [message("x", "assistant", "strange words " * 400)]
        import asyncio

        late = asyncio.create_task(app.conversation.prepend(HistoryPage(tuple(long), None), "m0"))
        await asyncio.sleep(0)
        await app.fill([message("b", "user", "bob")], key="agent:mia:telegram:dm:bob")
        await late
        await pilot.pause()
        assert "strange" not in screen_text(app)


async def test_following_until_the_person_scrolls_and_again_with_end() -> None:
    app = ChatApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await app.fill(talk(30))
        app.conversation.focus()
        await pilot.pause()
        assert "auto-follow" in screen_text(app)
        await pilot.press("up", "up", "up")
        await pilot.pause()
        view = [row[:-2] for row in screen_rows(app)[1:18]]
        for entry in talk(3, 30):
            app.conversation.append(entry)
        await pilot.pause()
        assert "3 new below · End to follow" in screen_text(app)
        assert [row[:-2] for row in screen_rows(app)[1:18]] == view, (
            "new messages do not move what is being read"
        )
        await pilot.press("end")
        await pilot.pause()
        assert "question 32" in screen_text(app)
        assert "auto-follow" in screen_text(app)
        app.conversation.append(message("z", "user", "the newest"))
        await pilot.pause()
        assert "the newest" in screen_text(app)


async def test_a_reply_streams_out_of_sight_and_is_whole_when_one_comes_back() -> None:
    app = ChatApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await app.fill(talk(120))
        app.conversation.focus()
        await pilot.press("home", "home", "home")
        app.conversation.turn_started("t1", "echo")
        app.conversation.stream("t1", "written unseen")
        await pilot.pause()
        assert "written unseen" not in screen_text(app)
        await pilot.press("end")
        await pilot.pause()
        assert "written unseen" in screen_text(app)


async def test_the_block_cursor_moves_copies_and_opens() -> None:
    app = ChatApp()
    async with app.run_test(size=(80, 30)) as pilot:
        code = "see\n\n```sh\nls\x1b[2J\n```\n\n```py\nprint(1)\n```\ndone"
        await app.fill(
            [
                other("c", "compaction", tokensBefore=10, summary="what was before"),
                message("a", "assistant", code),
                message("b", "user", "the last one"),
            ]
        )
        app.conversation.focus()
        await pilot.pause()
        assert "▌" in row_with(app, "the last one")
        await pilot.press("y")
        assert app.clipboard == "the last one"
        await pilot.press("k", "Y")
        assert app.clipboard == "print(1)\n"
        await pilot.press("y")
        assert "\x1b" not in app.clipboard and "␛[2J" in app.clipboard
        await pilot.press("enter")
        opened = [event.entry.id for event in app.heard if isinstance(event, Conversation.Opened)]
        assert opened == ["a"]
        await pilot.press("k")
        await pilot.press("j", "j", "j", "j")
        assert app.conversation.current is not None
        assert app.conversation.current.id == "b"


async def test_enter_unfolds_a_summary_and_a_tool_result_and_folds_them_again() -> None:
    app = ChatApp()
    async with app.run_test(size=(80, 40)) as pilot:
        result = "line one\n**not bold** [/]\nline three"
        await app.fill(
            [
                other("c", "compaction", tokensBefore=10, summary="They spoke of **orders**."),
                message("t", "toolResult", result, toolName="look"),
            ]
        )
        app.conversation.focus()
        await pilot.pause()
        assert "They spoke" not in screen_text(app) and "line three" in row_with(app, "look")
        await pilot.press("enter", "k", "enter")
        await pilot.pause()
        assert "They spoke of orders." in screen_text(app)
        inside = [row.strip(" ┃▌") for row in screen_rows(app)]
        assert "**not bold** [/]" in inside and "line three" in inside
        await pilot.press("enter")
        await pilot.pause()
        assert "They spoke" not in screen_text(app)


async def test_what_is_unfolded_is_read_from_its_beginning_not_from_its_end() -> None:
    app = ChatApp()
    summary = "\n\n".join(f"point {number}" for number in range(40))
    async with app.run_test(size=(80, 20)) as pilot:
        await app.fill([*talk(4), other("c", "compaction", summary=summary), *talk(2, start=4)])
        app.conversation.focus()
        await pilot.press("k", "k")
        assert "▌─◆ compacted" in screen_text(app)
        await pilot.press("enter")
        await pilot.pause()
        assert "▌─◆ compacted" in screen_text(app)
        assert "point 0" in screen_text(app)
        assert "point 39" not in screen_text(app)


async def test_the_cursor_shows_only_while_the_conversation_has_the_focus() -> None:
    app = ChatApp()
    async with app.run_test(size=(80, 30)) as pilot:
        app.composer.focus()
        await app.fill(talk(4))
        await pilot.pause()
        assert "▌" not in screen_text(app)
        app.conversation.focus()
        await pilot.pause()
        assert "▌" in row_with(app, "answer 3")
        await pilot.press("k")
        await pilot.pause()
        assert "▌" in row_with(app, "question 2") and "▌" not in row_with(app, "answer 3")
        app.composer.focus()
        await pilot.pause()
        assert "▌" not in screen_text(app)
        app.conversation.focus()
        await pilot.pause()
        assert "▌" in row_with(app, "question 2")


async def test_the_cursor_walks_through_everything_with_few_widgets() -> None:
    app = ChatApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await app.fill(talk(100))
        app.conversation.focus()
        await pilot.pause()
        seen = set()
        for _ in range(130):
            app.conversation.action_move(-1)
            await pilot.pause()
            assert mounted(app.conversation) <= MOUNTED
            assert app.conversation.current is not None
            seen.add(app.conversation.current.id)
        assert "m0" in seen and len(seen) >= 99


async def test_signs_are_ascii_where_the_config_asks_for_it() -> None:
    app = ChatApp()
    async with app.run_test(size=(80, 40)) as pilot:
        app.screen.add_class("-ascii")
        await app.fill(
            [
                other("c", "compaction", tokensBefore=27100, tokensAfter=4300, summary="s"),
                message("a", "user", "hello"),
                message("b", "assistant", "- one\n\n```py\nx\n```\n\n|a|\n|-|\n|1|", model="m"),
                message("e", "assistant", "half", stopReason="error"),
            ]
        )
        app.conversation.focus()
        await pilot.pause()
        inside = [row[1:-1] for row in screen_rows(app)[1 : app.conversation.size.height + 1]]
        assert not [row for row in inside if not row.isascii()]
        assert "-# compacted . 27.1k" in screen_text(app)
        assert "| hello" in screen_text(app) and "mia > m" in screen_text(app)


async def test_the_cursor_stays_on_a_reply_when_it_is_finished() -> None:
    app = ChatApp()
    async with app.run_test(size=(80, 30)) as pilot:
        await app.fill(talk(1))
        app.conversation.turn_started("t1", "echo")
        app.conversation.stream("t1", "being written")
        app.conversation.focus()
        await pilot.press("j")
        await pilot.pause()
        assert "▌" in row_with(app, "being written")
        app.conversation.append(message("r", "assistant", "being written"))
        app.conversation.turn_ended(ended(reply="r"))
        await pilot.pause()
        assert "▌" in row_with(app, "being written")
        assert app.conversation.current is not None and app.conversation.current.id == "r"


async def test_a_page_that_never_came_can_be_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tui.widgets.chat.chatscroll.ASK_AGAIN", 0.0)
    app = ChatApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await app.fill(talk(6, 10), before="m10")
        app.conversation.focus()
        await pilot.press("home", "home", "home")
        await pilot.pause()
        assert len([e for e in app.heard if isinstance(e, Conversation.OlderWanted)]) >= 2


async def test_text_can_be_selected_with_the_mouse() -> None:
    app = ChatApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await app.fill([message("a", "user", "pick these words")])
        await pilot.pause()
        y = next(i for i, row in enumerate(screen_rows(app)) if "pick these" in row)
        x = screen_rows(app)[y].index("pick")
        await pilot.mouse_down(offset=(x, y))
        await pilot.hover(offset=(x + 10, y))
        await pilot.mouse_up(offset=(x + 10, y))
        await pilot.pause()
        assert (app.screen.get_selected_text() or "").startswith("pick these")


async def test_every_binding_has_an_id() -> None:
    app = ChatApp()
    for widget in (app.conversation, app.composer):
        for binding in type(widget).BINDINGS:
            assert getattr(binding, "id", None), binding
        assert cleandoc(widget.HELP).startswith("## ")
