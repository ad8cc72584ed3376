from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.config.schema import DmScope
from engine.errors import Problem
from engine.events import ConfigBroken, ConfigChanged, ConfigMoved, Event, Noticed
from engine.routing.preview import Change, Exposure, Preview, Share
from tests.engine.reload_support import overwrite, put
from tests.tui.driving import SMALL, running, seed, shows, until
from tests.tui.shown import text
from tui.config.confignews import ConfigNews, InForce, News, changed_words, moved_words
from tui.widgets.dialogs.notices import NoticeHistory

NOTHING = Preview(3, (), (), (), (), (), 0)


def test_changes_are_named_a_few_and_the_rest_counted() -> None:
    assert changed_words(4, ("ui.theme",)) == "Revision 4 is in force: ui.theme"
    told = changed_words(4, ("a", "b", "c", "d", "e"))
    assert told == "Revision 4 is in force: a, b, c and 2 more"
    assert "read again" in changed_words(4, ())
    assert "\x1b" not in changed_words(4, ('keymap["\x1b[31m"]',))


def test_what_moved_begins_with_who_sees_whose_words() -> None:
    exposed = tuple(Exposure(f"r{n}", f"\x1b[1ma{n}", ("k",), 1) for n in range(3))
    merges = (Change("k", ()), Change("l", ()))
    found = Preview(9, merges, (Change("s", ()),), (), (), exposed, 3)
    told = moved_words(found, partial=True)
    assert told.startswith("r0 can now see words of ␛[1ma0; and 2 more; 2 merges; 1 split")
    assert told.endswith("not all recorded messages were looked at")
    assert moved_words(NOTHING) == "" == moved_words(NOTHING, partial=True)


class Hearer:
    """ConfigNews with a clock that a test turns."""

    def __init__(self) -> None:
        self.told: list[News] = []
        self._due: list[Callable[[], None]] = []
        self.scope: DmScope = "per-channel-peer"
        self.news = ConfigNews(
            self.told.append, lambda seconds, call: self._due.append(call), self.in_force
        )

    def in_force(self) -> InForce:
        return InForce(self.scope, undoable=self.scope == "main")

    def hear(self, *events: Event) -> None:
        self.news.hear(events)

    def pass_time(self) -> None:
        due, self._due = self._due, []
        for call in due:
            call()


def test_the_first_edit_is_told_at_once_and_those_that_follow_as_one() -> None:
    ear = Hearer()
    ear.hear(ConfigChanged(2, ("a",)))
    for revision in range(3, 40):
        ear.hear(ConfigChanged(revision, (f"p{revision % 2}",)))
    assert [each.text for each in ear.told] == ["Revision 2 is in force: a"]
    ear.pass_time()
    assert [each.text for each in ear.told[1:]] == ["Revision 39 is in force: p1, p0"]
    ear.pass_time()
    ear.pass_time()
    assert len(ear.told) == 2
    ear.hear(ConfigChanged(40, ("z",)))
    assert len(ear.told) == 3


def test_a_broken_edit_is_told_once_and_a_mended_one_is_told_instead() -> None:
    ear = Hearer()
    problem = Problem("what is this?", line=3, column=4)
    ear.hear(ConfigBroken(2, (problem,)), Noticed(problem))
    assert [each.severity for each in ear.told] == ["error"]
    assert "what is this?" in ear.told[0].text and "Revision 2 stays in force" in ear.told[0].text
    assert ear.news.silences(Noticed(problem))
    assert not ear.news.silences(Noticed(Problem("another")))
    ear.hear(ConfigBroken(2, (problem,)), ConfigChanged(2))
    ear.pass_time()
    assert [each.title for each in ear.told[1:]] == ["Config"]


def test_what_moved_is_a_warning_only_where_words_become_visible() -> None:
    ear = Hearer()
    ear.hear(ConfigMoved(3, NOTHING))
    assert not ear.told
    exposed = Preview(1, (), (), (), (), (Exposure("a", "b", (), 1),), 1)
    ear.hear(ConfigMoved(3, exposed))
    assert [(each.title, each.severity) for each in ear.told] == [
        ("What revision 3 moved", "warning")
    ]


def test_a_change_and_what_it_moved_are_one_notice_with_the_details_in_the_list() -> None:
    ear = Hearer()
    exposes = (Exposure("Bob", "Alice", (), 1), Exposure("Carol", "Bob", (), 2))
    moved = Preview(3, (Change("k", (Share("a", ("Alice", "Bob"), 3),)),), (), (), (), exposes, 2)
    ear.scope = "main"
    ear.hear(ConfigChanged(2, ("ui.theme", "session.dmScope"), compared=True))
    assert not ear.told
    ear.hear(ConfigMoved(2, moved))
    [told] = ear.told
    assert (told.title, told.severity) == ("Config", "warning")
    assert told.text == (
        "Bob can now see words of Alice; and 1 more; 1 merge. Revision 2 is in force: dmScope "
        "per-channel-peer → main, ui.theme. ^P, then Undo config change"
    )
    assert told.details == (
        "Bob can see 1 message of Alice", "Carol can see 2 messages of Bob",
        "merges into k: Alice, Bob",
    )  # fmt: skip
    for _ in range(3):
        ear.pass_time()
    ear.scope = "per-peer"
    ear.hear(ConfigChanged(3, ("session.dmScope",), compared=True), ConfigMoved(3, NOTHING))
    assert ear.told[1].text == (
        "Revision 3 is in force: dmScope main → per-peer. No conversation moves"
    )


def test_what_moved_is_not_waited_for_long() -> None:
    ear = Hearer()
    ear.hear(ConfigChanged(2, ("bindings[0]",), compared=True))
    ear.hear(ConfigChanged(3, ("bindings[1]",), compared=True))
    assert not ear.told
    ear.pass_time()
    assert [each.text for each in ear.told] == ["Revision 3 is in force: bindings[0], bindings[1]"]
    exposed = Preview(1, (), (), (), (), (Exposure("a", "b", (), 1),), 1)
    ear.hear(ConfigMoved(3, exposed))
    ear.pass_time()
    assert [each.title for each in ear.told[1:]] == ["What revision 3 moved"]


def test_a_broken_edit_waits_for_nothing() -> None:
    ear = Hearer()
    ear.hear(ConfigChanged(2, ("bindings[0]",), compared=True))
    ear.hear(ConfigBroken(2, (Problem("what is this?"),)))
    assert [each.severity for each in ear.told] == ["information", "error"]


@pytest.mark.parametrize("save", [put, overwrite])
@pytest.mark.parametrize("size", [(120, 40), SMALL, (50, 15)])
async def test_an_edit_by_hand_says_what_changed_and_whose_words_it_shows(
    tmp_path: Path,
    size: tuple[int, int],
    save: Callable[[Path, str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ConfigNews, "PATIENCE", 60.0)
    await seed(tmp_path, {"alice": ["my password is secret"], "bob": ["hello"]})
    file = tmp_path / "branchline.json5"
    async with running(tmp_path, size) as (app, pilot):
        save(file, file.read_text().replace('"per-channel-peer"', '"main"'))
        await shows(pilot, "live r2", "can now see words of")
        if size == (120, 40):
            await shows(pilot, "dmScope per-channel-peer → main. ^P, then Undo config change")
        [told] = app.notices.told()
        assert told.title == "Config"
        app.show_notices()
        await until(pilot, lambda: isinstance(app.screen, NoticeHistory), "the list")
        await shows(pilot, "Alice can see 1 message of Bob", "merges into agent:main:main")


@pytest.mark.parametrize("mode", ["sessions", "tree"])
async def test_a_broken_edit_is_seen_on_every_screen_until_it_is_mended(
    tmp_path: Path, mode: str
) -> None:
    async with running(tmp_path) as (app, pilot):
        file = tmp_path / "branchline.json5"
        good = file.read_text()
        await app.switch_mode(mode)
        put(file, good.replace("per-channel-peer", "everybody"))
        await shows(
            pilot, "✖ config line 36, column 14: session.dmScope", "revision 1 stays in force"
        )
        assert "Problem" not in text(app)
        app.clear_notifications()
        await pilot.pause(0.5)
        assert "✖ config line" in text(app)
        put(file, good)
        await until(pilot, lambda: "✖ config line" not in text(app), "mended")
        os.utime(file)
