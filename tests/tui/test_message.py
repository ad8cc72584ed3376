from __future__ import annotations

import asyncio
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.sessions.entries import Entry
from tests.corpus import HOSTILE, raw_controls
from tests.tui.chat import WHEN, ChatApp, message, other, screen_text, talk
from tests.tui.test_markdown_safe import MARKDOWN
from tui.widgets.chat.layout import BODY_LIMIT, pieces_of
from tui.widgets.chat.message import LiveMessage, MessageView
from tui.widgets.chat.shown import Shown, describe


def rows_of(view: MessageView, width: int = 60) -> list[str]:
    return [row.plain.rstrip() for row in view.rows(width)]


def live(text: str, cuts: list[int]) -> list[str]:
    """The rows of a reply that came in pieces, without its header."""
    view = LiveMessage(Shown("live", "assistant", "mia"))
    at = 0
    for cut in [*sorted(cut % (len(text) + 1) for cut in cuts), len(text)]:
        view.text += text[at:cut]
        view._parse()
        view.rows(60)
        view._laid = (0, [])
        at = cut
    return rows_of(view)[1:]


def whole(text: str) -> list[str]:
    return rows_of(MessageView(Shown("a", "assistant", "mia", body=text)))[1:]


@given(MARKDOWN, st.lists(st.integers(0, 400), max_size=12))
@example("- a\n*b*", [5])
@example("a\n-\nb", [3])
@example("a\n\nb\n\n- c\n- d\n\ne", list(range(20)))
def test_a_streamed_reply_ends_up_like_a_whole_one(text: str, cuts: list[int]) -> None:
    assert live(text, cuts) == whole(text)


def test_a_long_stream_costs_about_what_its_length_costs() -> None:
    part = "Some *words* of a reply with `code`, and more of them.\n\n"

    def cost(count: int) -> float:
        best = 9.0
        for _ in range(3):
            view = LiveMessage(Shown("live", "assistant", "mia"))
            started = time.thread_time()
            for _ in range(count):
                view.text += part
                view._parse()
                view._laid = (0, [])
                view.rows(60)
            best = min(best, time.thread_time() - started)
        return best

    assert cost(160) < 12 * cost(40), "4 times the text may cost little more than 4 times"


def test_a_huge_message_is_cut_for_display_and_says_so() -> None:
    for role in ("person", "assistant"):
        shown = Shown("a", role, "x", body="word " * BODY_LIMIT)  # type: ignore[arg-type]
        rows = [row.plain for piece in pieces_of(shown) for row in piece.rows(80)]
        assert f"{4 * BODY_LIMIT:,} more characters" in rows[-1]
        lines = Shown("a", role, "x", body="y\n" * 9000)  # type: ignore[arg-type]
        rows = [row.plain for piece in pieces_of(lines) for row in piece.rows(80)]
        assert len(rows) < 1200 and "more characters" in rows[-1]


WRONG = [None, 5, "x", [], [5], {}, {"a": [1]}, True, -1, 1e400, "\x1b[2J", [{"type": "text"}]]


@given(
    st.sampled_from(
        ["message", "compaction", "branch_summary", "custom_message", "x\x1b[2J", "", "label"]
    ),
    st.dictionaries(
        st.sampled_from(
            [
                "message",
                "summary",
                "tokensBefore",
                "tokensAfter",
                "details",
                "content",
                "origin",
                "customType",
                "display",
            ]
        ),
        st.one_of(
            st.sampled_from(WRONG),
            st.dictionaries(
                st.sampled_from(
                    [
                        "role",
                        "content",
                        "usage",
                        "model",
                        "stopReason",
                        "timestamp",
                        "sender",
                        "errorMessage",
                        "toolName",
                        "isError",
                        "folded",
                        "channel",
                        "command",
                    ]
                ),
                st.sampled_from(
                    [*WRONG, "user", "assistant", "toolResult", "error", "bashExecution"]
                ),
            ),
        ),
    ),
    st.sampled_from([WHEN, "", "yesterday", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00"]),
)
def test_no_entry_however_wrong_breaks_its_widget(
    type_: str, data: dict[str, object], at: str
) -> None:
    shown = describe(Entry("e", type_, None, at, data), agent="mia", today="2026-11-20")
    if shown is None:
        return
    for width in (9, 60):
        for row in MessageView(shown).rows(width):
            assert not raw_controls(row.plain)
            assert row.cell_length <= max(width, 8)


def entries_with(text: str) -> list[Entry]:
    call = [{"type": "toolCall", "name": text, "arguments": {text: text}}]
    return [
        message("u", "user", text, origin={"channel": "x", "sender": {"name": text}}),
        message("a", "assistant", text, model=text, stopReason="error", errorMessage=text),
        message("c", "assistant", "", content=call),
        message("t", "toolResult", text, toolName=text),
        message("r", text, text),
        other("k", "compaction", summary=text, tokensBefore=text),
        other("b", "branch_summary", summary=text),
        other("m", "custom_message", customType=text, content=text),
        other("w", text, words=text),
        message("l", "user", "the end"),
    ]


def assert_harmless(app: ChatApp, name: str) -> None:
    for strip in app.screen._compositor.render_strips():
        for part in strip:
            assert not raw_controls(part.text), (name, ascii(part.text))
            if part.style is not None:
                assert part.style.link is None, name
                assert "@click" not in part.style.meta, name


@pytest.mark.parametrize("group", range(6))
async def test_hostile_text_is_harmless_everywhere_in_the_column(group: int) -> None:
    app = ChatApp()
    async with app.run_test(size=(60, 120), notifications=True) as pilot:
        conversation = app.conversation
        for name in sorted(HOSTILE)[group::6]:
            text = HOSTILE[name]
            await app.fill(entries_with(text))
            conversation.focus()
            await pilot.pause()
            assert_harmless(app, name)
            for view in app.query(MessageView):
                assert not raw_controls(view.text_to_copy()), name
                assert not raw_controls(view.last_code() or ""), name
            conversation.turn_started("t", text)
            for start in range(0, min(len(text), 3000), 500):
                conversation.stream("t", text[start : start + 500], thinking=text[:50])
            conversation.note(text, "error")
            conversation.action_follow()
            await pilot.pause()
            assert_harmless(app, name)
            conversation.append(message("z", "assistant", text))
            await app.workers.wait_for_complete()
            await pilot.pause()
            assert_harmless(app, name)
            conversation.scroll_home(animate=False)
            await pilot.pause()
            assert_harmless(app, name)
        assert app.is_running and app.fired == []


async def test_a_click_on_any_hostile_word_fires_nothing() -> None:
    texts = [HOSTILE["markup click"], HOSTILE["osc link"]]
    texts += ["[@click=app.fire('m')]x[/]", "[fire](action:app.fire('l')) [f](https://x.example)"]
    texts += ["<https://x.example> https://y.example ![p](https://z.example/p.png)"]
    app = ChatApp()
    async with app.run_test(size=(60, 44)) as pilot:
        await app.fill(
            [
                message(f"{role}{n}", role, text)
                for n, text in enumerate(texts)
                for role in ("user", "assistant")
            ]
        )
        await pilot.pause()
        for y in range(1, app.conversation.size.height):
            for x in (5, 14):
                await pilot.click(offset=(x, y))
        assert app.fired == [] and app.is_running


async def test_a_reply_that_is_dear_to_parse_is_parsed_less_often_and_still_to_its_end() -> None:
    app = ChatApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await app.fill(talk(1))
        app.conversation.turn_started("t", "m")
        parsed = 0
        view = app.conversation._in_order()[-1]
        assert isinstance(view, LiveMessage)
        parse = view._parse

        def counted() -> None:
            nonlocal parsed
            parsed += 1
            parse()

        view._parse = counted  # type: ignore[method-assign]
        for _ in range(300):
            app.conversation.stream("t", "![a](b *_ `")
        app.conversation.stream("t", "\n\nthe last words")
        for _ in range(100):
            await pilot.pause(0.05)
            if "the last words" in screen_text(app):
                break
        assert "the last words" in screen_text(app)
        assert parsed < 150


async def test_a_long_reply_from_elsewhere_is_parsed_beside_the_loop() -> None:
    app = ChatApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await app.fill(talk(2))
        app.conversation.append(
            message("long", "assistant", "# Head\n\n" + "**word** **word**\n\n" * 300)
        )
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert "**" not in screen_text(app)
        assert "word word" in screen_text(app)


async def held_up(page: list[Entry]) -> float:
    """Fill the column; the longest time in which the loop did nothing else, as a part of it all."""
    app = ChatApp()
    async with app.run_test(size=(80, 24)) as pilot:
        late = [0.0]

        async def watch() -> None:
            while True:
                started = time.perf_counter()
                await asyncio.sleep(0.005)
                late.append(time.perf_counter() - started)

        task = asyncio.create_task(watch())
        await asyncio.sleep(0.02)
        late.clear()
        started = time.perf_counter()
        await app.fill(page)
        await pilot.pause()
        whole = time.perf_counter() - started
        task.cancel()
        return max(late, default=whole) / whole


async def test_the_loop_is_not_held_up_while_a_page_of_long_messages_is_shown() -> None:
    dear = "**word** *x* `c`\n\n" * 900
    page = [message(f"n{n}", "assistant", dear + str(n)) for n in range(20)]
    # Parsed on the loop, this is four fifths of the time. A machine that is busy elsewhere can
    # stop a loop as well, but not every time for so much of it.
    for _ in range(5):
        if await held_up(page) < 0.5:
            return
    raise AssertionError("the loop did nothing else for most of the time, each time")


async def test_a_key_costs_the_same_in_a_long_session() -> None:
    async def cost(count: int) -> tuple[float, int]:
        app = ChatApp()
        async with app.run_test(size=(100, 40)) as pilot:
            await app.fill(talk(count))
            app.composer.focus()
            await pilot.pause()
            times = []
            for _ in range(30):
                started = time.perf_counter()
                app.composer.insert("x")
                await asyncio.sleep(0)
                app.screen._compositor.render_strips()
                await pilot._wait_for_screen()
                times.append(time.perf_counter() - started)
            return sorted(times)[len(times) // 2], len(list(app.query("*")))

    short, few = await cost(10)
    long, many = await cost(5000)
    assert many <= few + 40, "widgets do not grow with the session"
    assert long < 3 * short + 0.02
