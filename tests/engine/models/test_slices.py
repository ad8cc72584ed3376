from __future__ import annotations

import pytest

from engine.errors import ModelError
from engine.models.protocol import StreamEvent, Text, TextDelta, ToolCall, ToolCallDelta
from tests.engine.models.recorded import RECORDED, Recorded
from tests.engine.models.support import decode, decoder, done, said

pytestmark = pytest.mark.parametrize("case", RECORDED.values(), ids=RECORDED.keys())


def test_the_answer_is_what_was_sent(case: Recorded) -> None:
    end = done(decode(case.api, [case.data]))
    assert end.content == case.content
    assert end.stop_reason == case.stop
    assert end.usage == case.usage


def test_the_deltas_add_up_to_the_answer(case: Recorded) -> None:
    events = decode(case.api, [case.data])
    text = "".join(block.text for block in case.content if isinstance(block, Text))
    assert said(events) == text
    calls = [event for event in events if isinstance(event, ToolCallDelta)]
    heads = [(event.id, event.name) for event in calls if event.id]
    assert heads == [(b.id, b.name) for b in case.content if isinstance(b, ToolCall)]


def test_cut_at_every_position_gives_the_same_events(case: Recorded) -> None:
    whole = decode(case.api, [case.data])
    for cut in range(len(case.data) + 1):
        assert decode(case.api, [case.data[:cut], case.data[cut:]]) == whole


def test_byte_by_byte_gives_the_same_events(case: Recorded) -> None:
    slices = [case.data[i : i + 1] for i in range(len(case.data))]
    assert decode(case.api, slices) == decode(case.api, [case.data])


def test_ending_at_every_position_is_whole_or_told(case: Recorded) -> None:
    whole = decode(case.api, [case.data])
    for cut in range(len(case.data)):
        reader = decoder(case.api)
        events: list[StreamEvent] = []
        try:
            events = reader.feed(case.data[:cut])
            events += reader.finish()
        except ModelError as error:
            assert error.kind == "connection"
            assert whole[: len(events)] == events
            assert reader.text.startswith(said(events))
            assert said(whole).startswith(reader.text)
        else:
            # The model had said why it stopped: only what came after that may be missing.
            assert done(events).content == case.content
            assert done(events).stop_reason == case.stop


def test_no_text_is_told_twice(case: Recorded) -> None:
    reader = decoder(case.api)
    events = reader.feed(case.data)
    events += reader.finish()
    assert reader.text == "".join(e.text for e in events if isinstance(e, TextDelta))
    assert reader.feed(case.data) == []
