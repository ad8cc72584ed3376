from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from engine.sessions.entries import Entry
from tests.tui.chat import other
from tui.widgets.chat.backlog import KEPT, MOUNTED, PAGE, Backlog
from tui.widgets.chat.shown import Shown


def item(number: int, *, note: bool = False) -> Shown:
    entry: Entry | None = None if note else other(f"{number}", "message")
    return Shown(f"note-{number}" if note else f"{number}", "person", "you", entry=entry)


class Reading(RuleBasedStateMachine):
    """A session of 600 entries, read and written in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.log = Backlog()
        self.newest = 600
        self.log.load([item(n) for n in range(580, 600)], "580")

    @rule(follow=st.booleans(), count=st.integers(1, 60), note=st.booleans())
    def add(self, follow: bool, count: int, note: bool) -> None:
        for _ in range(count):
            self.log.add(item(self.newest, note=note), follow=follow)
            self.newest += 1
        if follow:
            assert self.log.at_end

    @rule()
    def older(self) -> None:
        before = self.log.before
        if before is None:
            return
        top = int(before)
        page = [item(n) for n in range(max(0, top - PAGE + 1), top + 1)]
        seen = self.log.mounted
        fresh = self.log.prepend(page, str(max(0, top - PAGE)) if top - PAGE >= 0 else None)
        assert fresh <= len(page)
        assert self.log.mounted == seen, "what is mounted stays mounted"

    @rule(by=st.sampled_from([-PAGE, PAGE, -1, 1, 0]))
    def slide(self, by: int) -> None:
        was = (self.log.start, self.log.stop)
        assert self.log.slide(by) == (was != (self.log.start, self.log.stop))

    @rule()
    def end(self) -> None:
        self.log.to_end()
        assert self.log.at_end

    @rule()
    def start(self) -> None:
        self.log.to_start()
        assert self.log.start == 0

    @invariant()
    def few_are_mounted_and_none_is_missing(self) -> None:
        log = self.log
        assert 0 <= log.start <= log.stop <= len(log.items)
        assert len(log.mounted) <= MOUNTED
        assert not log.items or log.mounted
        numbers = [int(one.key.removeprefix("note-")) for one in log.items]
        assert numbers == list(range(numbers[0], self.newest)), "no gap, no double, in order"


TestReading = Reading.TestCase


@given(st.lists(st.booleans(), min_size=KEPT, max_size=KEPT + 200))
def test_memory_is_bounded_while_following_and_older_ones_can_be_asked_for(
    notes: list[bool],
) -> None:
    log = Backlog()
    for number, note in enumerate([False, *notes]):
        log.add(item(number, note=note), follow=True)
    assert len(log.items) < KEPT + PAGE + MOUNTED or log.items[log.start].entry is None
    if len(log.items) <= len(notes):
        assert log.before == log.items[0].key
        assert log.items[0].entry is not None


def test_what_was_added_while_a_page_was_read_comes_after_it() -> None:
    log = Backlog()
    log.add(item(2), follow=True)
    log.add(item(3), follow=True)
    log.load([item(1), item(2)], None)
    assert [one.key for one in log.items] == ["1", "2", "3"]
