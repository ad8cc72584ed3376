from __future__ import annotations

import time
import unicodedata

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.app import App, ComposeResult

from engine.errors import ModelError
from engine.events import TurnEnded, TurnQueued, TurnStarted, TurnWaiting
from engine.routing.identity import IdentityLinks
from engine.values import replace
from tests.tui.made import CONFIG, NOW, info
from tests.tui.shown import lines, text
from tui.behind.fuzzy import find_letters, lowered
from tui.behind.sessionfilter import find, read_query
from tui.look.glyphs import ASCII, UNICODE, Glyphs
from tui.tracker import Status, Tracker
from tui.widgets.gauge import Fill
from tui.widgets.rows import RowView
from tui.widgets.sessions.sessionlist import SessionList
from tui.widgets.sessions.sessionrows import TWO_LINES, SessionRows

ALICE, BOB, OLD = "agent:mia:telegram:dm:alice", "agent:ops:slack:dm:bob", "agent:mia:old"
AWAY = ("away", "mia")


def tracker() -> Tracker:
    made = Tracker()
    made.load(
        [
            info(ALICE, "Alice", preview="see you"),
            info(BOB, "Bob", channel="slack"),
            info(OLD, "Past", state="reset", kind="reset", preview="long ago"),
            info(
                "agent:mia:discord:channel:support", "Dan", chat_type="channel", channel="discord"
            ),
        ]
    )
    return made


def rows(
    known: Tracker, view: RowView | None = None, *, tall: bool = True, glyphs: Glyphs = UNICODE
) -> SessionRows:
    return SessionRows(known, CONFIG, view or RowView(), now=NOW, tall=tall, glyphs=glyphs)


def painted(shown: SessionRows, width: int = 28) -> list[str]:
    found: list[str] = []
    for index in range(len(shown)):
        drawn = shown.lines(index, width)[: shown.height(index)]
        found.extend("".join(span for span, _ in line) for line in drawn)
    return found


def test_sessions_stand_under_their_agent_with_sign_name_channel_and_age() -> None:
    shown = painted(rows(tracker()), 30)
    assert shown[0].startswith("▾ Mia") and shown[0].endswith("2 ")
    assert any(line.startswith("○ Alice") and "tg DM" in line and " 1m" in line for line in shown)
    assert any("#support" in line and "dc chn" in line for line in shown)
    assert [line[:5] for line in shown].index("▾ ops") > [line[:6] for line in shown].index(
        "○ Alic"
    )


def test_every_state_has_its_own_sign_and_word() -> None:
    known = tracker()
    known.take([TurnStarted(ALICE, "1", "e", "m"), TurnWaiting(BOB, "2", 41)])
    known.unread.add("agent:mia:discord:channel:support")
    opened = RowView(frozenset({AWAY}))
    shown = "\n".join(painted(rows(known, opened), 40))
    assert "◐ Alice" in shown and "busy" in shown
    assert "! Bob" in shown and "needs you · in use by process 41" in shown
    assert "● #support" in shown and "new" in shown
    assert "▫ Past" in shown and "reset" in shown


def test_a_model_of_its_own_has_a_sign_and_in_two_lines_a_word() -> None:
    known = tracker()
    known.infos[ALICE] = replace(known.infos[ALICE], override="anthropic/claude-opus-5")
    tall = painted(rows(known), 50)
    assert any("▲ claude-opus-5 override · see you" in line for line in tall)
    narrow = painted(rows(known), 28)
    assert any("▲ claude" in line and "override" in line for line in narrow)
    small = painted(rows(known, tall=False), 24)
    assert sum("▲" in line for line in small) == 1
    assert next(line for line in small if "▲" in line).startswith("○ Alice")
    assert {cell_len(line) for line in small} == {24}
    assert "\n".join(painted(rows(known, glyphs=ASCII), 50)).isascii()


def test_plain_signs_where_unicode_is_not_wanted() -> None:
    shown = "\n".join(painted(rows(tracker(), glyphs=ASCII)))
    assert shown.isascii()
    assert "o Alice" in shown


def test_one_line_rows_tell_the_state_in_place_of_the_age() -> None:
    known = tracker()
    known.take([TurnStarted(ALICE, "1", "e", "m")])
    shown = painted(rows(known, tall=False), 24)
    assert len(shown) == 6
    assert next(line for line in shown if "Alice" in line).rstrip().endswith("busy")


def keys(made: SessionRows) -> list[object]:
    return [made.key(index) for index in range(len(made))]


def test_what_is_kept_stands_last_and_dim_behind_a_row_of_its_own() -> None:
    made = rows(tracker())
    assert OLD not in keys(made) and keys(made)[3] == AWAY
    assert "▸ 1 put away" in [line.rstrip() for line in painted(made)]
    made = rows(tracker(), RowView(frozenset({AWAY})))
    assert keys(made).index(OLD) == 4
    assert "▾ 1 put away" in [line.rstrip() for line in painted(made)]
    line = made.lines(4, 28)[0]
    assert all(style == "dim" for span, style in line if span.strip())


@given(st.text(max_size=30), st.text(max_size=40), st.integers(16, 60))
def test_any_name_and_preview_fit_the_width_and_bring_no_control(
    name: str, preview: str, width: int
) -> None:
    known = Tracker()
    known.load([info(ALICE, name, preview=preview)])
    made = rows(known, tall=width >= TWO_LINES)
    for index in range(len(made)):
        for line in made.lines(index, width):
            shown = "".join(span for span, _ in line)
            assert cell_len(shown) <= width
            assert not {unicodedata.category(character) for character in shown} & {"Cc", "Cs"}


def test_a_full_window_shows_as_a_full_bar() -> None:
    known = tracker()
    known.fills[ALICE] = Fill(30_000, 32_000)
    known.fills[BOB] = Fill(3_000, 32_000)
    shown = painted(rows(known))
    assert next(line for line in shown if "Alice" in line).rstrip().endswith("█")
    assert next(line for line in shown if "Bob" in line).rstrip().endswith("▁")


def test_filter_finds_by_name_and_by_key_even_in_folded_groups() -> None:
    view = RowView(frozenset({("agent", "mia")}), "alc")
    assert [rows(tracker(), view).key(index) for index in range(2)] == [("agent", "mia"), ALICE]
    assert len(rows(tracker(), RowView(query="slack"))) == 2
    assert len(rows(tracker(), RowView(query="zzz"))) == 0


def test_folded_groups_hide_their_sessions() -> None:
    made = rows(tracker(), RowView(frozenset({("agent", "mia")})))
    assert [made.key(index) for index in range(len(made))] == [
        ("agent", "mia"),
        ("agent", "ops"),
        BOB,
    ]


def test_rows_do_not_change_places_when_somebody_writes() -> None:
    known = tracker()
    before = [rows(known).key(index) for index in range(6)]
    newest = [info(OLD, "Past", last_active=NOW), *known.infos.values()]
    known.load(newest)
    after = [rows(known).key(index) for index in range(6)]
    assert before == after


def test_a_failed_turn_elsewhere_asks_for_the_person_until_opened() -> None:
    known = tracker()
    known.opened(ALICE)
    error = ModelError("the key is wrong", kind="auth")
    known.take([TurnEnded(BOB, "1", None, "error", "m", error=error)])
    assert known.status(BOB) is Status.NEEDS
    assert "key is wrong" in known.reason(BOB)
    known.opened(BOB)
    assert known.status(BOB) is Status.IDLE


def test_queued_turns_are_counted_until_they_start() -> None:
    known = tracker()
    known.take([TurnStarted(ALICE, "1", "e", "m"), TurnQueued(ALICE, "2", 1)])
    assert len(known.queued) == 1
    known.take([TurnEnded(ALICE, "1", "r", "stop", "m"), TurnStarted(ALICE, "2", "e", "m")])
    assert (len(known.queued), known.busy) == (0, 1)


class ListApp(App[None]):
    def __init__(self, known: Tracker):
        super().__init__()
        self.known = known

    def compose(self) -> ComposeResult:
        yield SessionList(self.known)

    def on_mount(self) -> None:
        self.query_one(SessionList).show(CONFIG, UNICODE, NOW)


async def test_two_lines_a_session_where_there_is_room_and_one_where_not() -> None:
    app = ListApp(tracker())
    async with app.run_test(size=(30, 20)) as pilot:
        await pilot.pause()
        assert "see you" in text(app)
        await pilot.resize_terminal(22, 20)
        await pilot.pause()
        assert "see you" not in text(app)
        assert "Alice" in text(app)
        assert {cell_len(line) for line in lines(app)} == {22}


def test_a_thousand_sessions_are_filtered_in_the_time_of_a_key() -> None:
    known = Tracker()
    known.load(info(f"agent:mia:telegram:dm:p{one}", f"Person {one}") for one in range(1000))
    empty = min(_seconds(known, "") for _ in range(3))
    found = min(_seconds(known, "person 77") for _ in range(3))
    print(f"filter of 1,000 sessions: {found * 1000:.1f} ms, {found / empty:.1f} x unfiltered")
    assert found < 100 * empty


def _seconds(known: Tracker, query: str) -> float:
    start = time.perf_counter()
    rows(known, RowView(query=query))
    return time.perf_counter() - start


def found(known: Tracker, query: str) -> set[str]:
    return {each.key for each in find(known, read_query(query))}


def test_words_of_the_filter_narrow_it_and_all_must_fit() -> None:
    known = tracker()
    known.take([TurnStarted(ALICE, "1", "e", "m"), TurnWaiting(BOB, "2", 41)])
    assert found(known, "is:busy") == {ALICE}
    assert found(known, "is:needs") == {BOB}
    assert found(known, "is:earlier") == {OLD}
    assert found(known, "is:stored") == {OLD}
    assert found(known, "is:archived") == set()
    assert found(known, "agent:OPS") == {BOB}
    assert found(known, "agent:ops is:busy") == set()
    assert found(known, "is:busy ali") == {ALICE}


def test_the_filter_finds_labels_and_last_words() -> None:
    known = tracker()
    known.infos[BOB] = replace(known.infos[BOB], labels=("active", "escalated"))
    assert found(known, "label:esc") == {BOB}
    assert found(known, "long ago") == {OLD}


def test_a_word_with_a_colon_that_is_no_filter_is_looked_for_in_keys() -> None:
    assert found(tracker(), "dm:alice") == {ALICE}
    assert found(tracker(), "is:nonsense") == set()
    assert found(tracker(), "is: [bold]\x1b[31m") == set()


def with_generations() -> Tracker:
    known = tracker()
    over = [
        info(ALICE, "Alice", ref=f"/{kind}", kind=kind, state=kind, preview=f"was {kind}")
        for kind in ("reset", "archived", "deleted")
    ]
    known.load([*known.infos.values(), *over])
    return known


def test_what_a_key_held_before_is_folded_under_its_session() -> None:
    known = with_generations()
    shown = painted(rows(known), 40)
    assert known.size == 3
    place = next(at for at, line in enumerate(shown) if "Alice" in line)
    assert shown[place + 2].rstrip() == "  ▸ 2 earlier"  # not what is in the trash
    made = rows(known, RowView(frozenset({("earlier", ALICE)})))
    fold = keys(made).index(("earlier", ALICE))
    assert set(keys(made)[fold + 1 : fold + 3]) == {"/archived", "/reset"}
    shown = painted(made, 40)
    assert "  ▾ 2 earlier" in [line.rstrip() for line in shown]
    assert any(line.startswith("  ▫ was reset") for line in shown)
    assert any(line.startswith("    reset · 4 messages") for line in shown)


def found_refs(known: Tracker, query: str) -> set[str]:
    return {each.ref for each in find(known, read_query(query))}


def test_what_is_over_is_in_the_list_only_where_it_is_asked_for() -> None:
    known = with_generations()
    assert found_refs(known, "is:archived") == {"/archived"}
    assert found_refs(known, "is:earlier") == {"/reset", OLD}
    assert found_refs(known, "is:trash") == {"/deleted"}
    assert len(found_refs(known, "is:stored")) == 4
    assert keys(rows(known, RowView(query="is:trash"))) == [("agent", "mia"), "/deleted"]
    # Found by its words beside others it is behind a row; alone it is shown.
    assert keys(rows(known, RowView(query="alice"))) == [("agent", "mia"), ALICE, AWAY]
    assert "/reset" in keys(rows(known, RowView(query="was reset")))


def lit(made: SessionRows, key: str, line: int = 0, width: int = 40) -> str:
    index = made.index_of(key)
    assert index is not None
    return "".join(text for text, style in made.lines(index, width)[line] if style == "match")


def test_letters_that_were_found_are_lit() -> None:
    known = tracker()
    assert lit(rows(known, RowView(query="alc")), ALICE) == "Alc"
    assert lit(rows(known, RowView(query="SEE")), ALICE, line=1) == "see"
    assert lit(rows(known, RowView(query="is:idle")), ALICE) == ""
    assert lit(rows(known), ALICE) == ""


def test_loose_text_finds_labels_and_people_and_each_word_must_be_found() -> None:
    known = tracker()
    known.infos[BOB] = replace(known.infos[BOB], labels=("active", "escalated"))
    assert found(known, "escal") == {BOB}
    assert found(known, "bob escal") == {BOB}
    assert found(known, "alice escal") == set()
    links = IdentityLinks({"Robert": ["slack:bob"]})
    assert [each.key for each in find(known, read_query("robert"), links)] == [BOB]
    assert any("⚑ escalated" in line for line in painted(rows(known), 50))


def test_a_name_made_to_be_slow_is_looked_through_as_fast_as_any() -> None:
    known = Tracker()
    known.load(info(f"agent:mia:telegram:dm:p{one}", "ab" * 40) for one in range(200))
    start = time.process_time()
    rows(known, RowView(query="aabbaabbaabbx"))
    rows(known, RowView(query="aabbaabbaabb"))
    assert time.process_time() - start < 2


@given(st.text(max_size=12), st.text(max_size=60))
def test_letters_found_are_those_of_the_word_in_order(word: str, told: str) -> None:
    places = find_letters(word, told)
    assert list(places) == sorted(set(places))
    if places:
        assert "".join(lowered(told)[place] for place in places) == lowered(word)
    else:
        assert not word or lowered(word) not in lowered(told)


async def test_marks_are_seen_counted_and_taken_away() -> None:
    app = ListApp(tracker())
    async with app.run_test(size=(40, 20)) as pilot:
        shown = app.query_one(SessionList)
        shown.focus()
        shown.go_to(ALICE)
        await pilot.press("M")
        assert shown.marked_refs() == (ALICE,)
        assert shown.current != ALICE  # on to the next
        await pilot.pause()
        assert "✔ Alice" in text(app) and "marked · see you" in text(app)
        assert shown.border_title == "1 of 3 marked"
        shown.go_to(("agent", "mia"))
        await pilot.press("M")
        assert set(shown.marked_refs()) == {ALICE, "agent:mia:discord:channel:support"}
        await pilot.press("M")
        assert shown.marked_refs() == ()
        await pilot.pause()
        assert "marked" not in text(app)


async def test_marks_of_sessions_that_are_gone_are_gone() -> None:
    app = ListApp(tracker())
    async with app.run_test(size=(40, 20)):
        shown = app.query_one(SessionList)
        shown.go_to(ALICE)
        shown.action_mark()
        app.known.load([each for each in app.known.infos.values() if each.ref != ALICE])
        shown.show(CONFIG, UNICODE, NOW)
        assert shown.marked_refs() == ()


def test_what_came_while_nobody_looked_is_told_from_what_was_known() -> None:
    known = Tracker()
    since = NOW - 30_000
    known.load(
        [
            info("agent:mia:a", heard=3),  # two of them new
            info("agent:mia:b", heard=1),
            info("agent:mia:c", heard=1, last_active=NOW),  # made since
            info("agent:mia:d", heard=1, last_active=since - 1),  # older, never looked at
            info("agent:mia:e", heard=0, last_active=NOW),  # the operator's own words alone
            info("agent:mia:f", heard=2, trouble="no such model"),
        ]
    )
    known.recall({"agent:mia:a": 1, "agent:mia:b": 1, "agent:mia:f": 1}, since)
    assert known.unread == {"agent:mia:a", "agent:mia:c"}
    assert known.needs == {"agent:mia:f": "no such model"}
    seen = known.seen()
    assert (seen["agent:mia:a"], seen["agent:mia:c"], seen["agent:mia:f"]) == (1, 0, 2)
    again = Tracker()
    again.load(known.infos.values())
    again.recall(seen, known.latest, known.lasting())
    assert (again.unread, again.needs) == (known.unread, known.needs)
    again.set_read(["agent:mia:a", "agent:mia:f"], True)
    assert again.unread == {"agent:mia:c"} and not again.needs
    assert again.seen()["agent:mia:a"] == 3


def test_what_needed_the_person_does_so_until_somebody_said_more() -> None:
    known = Tracker()
    known.load([info(ALICE, heard=2), info(BOB, heard=3)])
    known.recall({ALICE: 2, BOB: 2}, NOW, {ALICE: "no key", BOB: "no key", "agent:gone:x": "?"})
    assert known.needs == {ALICE: "no key"} and known.unread == {BOB}
    known.take([TurnWaiting(BOB, "2", 41)])
    assert set(known.needs) == {ALICE, BOB} and set(known.lasting()) == {ALICE}


def test_nothing_is_news_at_a_first_start() -> None:
    known = Tracker()
    known.load([info(ALICE, heard=4), info(BOB, heard=1, trouble="no key")])
    known.recall({})
    assert not known.unread and not known.needs


def test_what_is_called_unread_again_is_so_after_a_restart() -> None:
    known = Tracker()
    known.load([info(ALICE, heard=4)])
    known.set_read([ALICE], False)
    assert known.status(ALICE) is Status.NEW
    later = Tracker()
    later.load(known.infos.values())
    later.recall(known.seen(), known.latest)
    assert later.unread == {ALICE}


def test_why_a_session_needs_the_person_has_the_room_of_what_else_is_told() -> None:
    known = tracker()
    known.infos[BOB] = replace(
        known.infos[BOB], override="anthropic/claude", labels=("active", "slow")
    )
    known.take([TurnWaiting(BOB, "2", 41)])
    shown = painted(rows(known), 28)
    place = next(at for at, line in enumerate(shown) if line.startswith("! Bob"))
    assert "▲" in shown[place]
    assert shown[place + 1].startswith("  needs you · in use by pr")


def test_a_folded_group_tells_what_waits_in_it() -> None:
    known = tracker()
    known.take([TurnWaiting(ALICE, "2", 41)])
    known.unread.add("agent:mia:discord:channel:support")
    assert "!1" not in painted(rows(known))[0]
    head = painted(rows(known, RowView(frozenset({("agent", "mia")}))))[0]
    assert head.startswith("▸ Mia") and head.endswith(" !1 ●1 2 ")
