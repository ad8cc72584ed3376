from __future__ import annotations

from typing import Any

import anyio
import pytest

from engine import Engine
from engine.agents.leak import LeakMonitor, SessionFacts
from engine.config.schema import Config, Session
from engine.errors import LeakRefused
from engine.events import Event, LeakFound, Noticed
from engine.models.protocol import ChatMessage, ModelRequest, Text
from engine.rights.sharing import Sharing, read_speaker
from engine.sessions.transcript import Transcript
from engine.values import replace
from tests.engine.conftest import Open, answer, dm, said

pytestmark = pytest.mark.usefixtures("open_door")

ALICE = "agent:main:telegram:dm:alice"
APART = '{session: {dmScope: "per-channel-peer"}}'
MAIN = '{session: {dmScope: "main"}}'


async def told(engine: Engine, *envelopes: Any, **options: Any) -> list[Event]:
    found: list[Event] = []
    async with engine.subscribe() as events:
        for envelope in envelopes:
            await (await engine.submit(envelope, **options)).result()
        with anyio.move_on_after(0.05):
            async for event in events:
                found.append(event)
    return [event for event in found if isinstance(event, LeakFound | Noticed)]


async def test_words_of_another_session_stay_in(open_engine: Open) -> None:
    requests: list[ModelRequest] = []
    async with open_engine(APART, checks=(requests.append,)) as engine:
        await answer(engine, dm("alice", "the code is 4711"))
        del requests[:]
        receipt = await engine.submit(dm("bob", "what is the code?"), session_key=ALICE)
        result = await receipt.result()
        assert isinstance(result.error, LeakRefused)
        assert "alice" not in str(result.error).lower()
        assert requests == []
        [seen] = [one for one in engine.leaks.sightings() if one.verdict == "refused"]
        assert (seen.reader_name, seen.author_name, seen.session_key) == ("Bob", "Alice", ALICE)
        page = await engine.history(ALICE)
        words, reply = page.entries[0], page.entries[-1]
        assert words.id in seen.entries
        assert reply.message["stopReason"] == "error"
        assert "4711" not in str(reply.data)


async def test_a_stopped_leak_is_told_to_everybody(open_engine: Open) -> None:
    async with open_engine(APART) as engine:
        await answer(engine, dm("alice", "the code is 4711"))
        events = await told(engine, dm("bob", "what?"), session_key=ALICE)
        found, noticed = events
        assert isinstance(found, LeakFound)
        assert (found.blocked, found.reader, found.author) == (
            True, "telegram:default:bob", "telegram:default:alice",
        )  # fmt: skip
        assert isinstance(noticed, Noticed)
        assert noticed.session_key == ALICE
        assert "Bob" in noticed.problem.message and "Alice" in noticed.problem.message


async def test_an_exposure_by_choice_goes_through_and_is_told_once(open_engine: Open) -> None:
    async with open_engine(MAIN) as engine:
        await answer(engine, dm("alice", "the code is 4711"))
        events = await told(engine, dm("bob", "which code?"), dm("bob", "which code?"))
        found = [event for event in events if isinstance(event, LeakFound)]
        assert [(one.reader_name, one.author_name, one.blocked) for one in found] == [
            ("Bob", "Alice", False)
        ]
        [seen] = engine.leaks.sightings(reader="telegram:default:bob")
        assert (seen.rule, seen.requests) == ("shared by dmScope main", 2)


async def test_the_operator_may_look_in_and_helps(open_engine: Open) -> None:
    async with open_engine(APART) as engine:
        await answer(engine, dm("alice", "the code is 4711"))
        assert "4711" in await answer(engine, said("which code?"), session_key=ALICE)
        assert "4711" in await answer(engine, dm("alice", "which code is it?"))
        verdicts = {
            (one.reader_name, one.author_name): one.rule for one in engine.leaks.sightings()
        }
        assert verdicts == {
            ("operator", "Alice"): "the operator reads every session",
            ("Alice", "operator"): "written into this conversation by the operator",
        }


async def test_sessions_stay_watched_after_a_restart(open_engine: Open) -> None:
    async with open_engine(APART) as engine:
        await answer(engine, dm("alice", "the code is 4711"))
    async with open_engine() as engine:
        receipt = await engine.submit(dm("bob", "what?"), session_key=ALICE)
        assert isinstance((await receipt.result()).error, LeakRefused)


def origin(person: str) -> dict[str, Any]:
    peer = {"kind": "dm", "id": person}
    return {"channel": "x", "accountId": "default", "peer": peer, "sender": {"id": person}}


def spoken(person: str | None, text: str = "words") -> dict[str, Any]:
    entry: dict[str, Any] = {"type": "message", "message": {"role": "user", "content": text}}
    return entry if person is None else entry | {"origin": origin(person)}


REPLY: dict[str, Any] = {"type": "message", "message": {"role": "assistant", "content": "so"}}


class Watched:
    """A transcript and a monitor that looks at it."""

    def __init__(self, transcript: Transcript, scope: str = "per-peer"):
        self.transcript = transcript
        self.events: list[Event] = []
        self.sharing = Sharing(Config(session=Session(dm_scope=scope)))  # type: ignore[arg-type]
        self.monitor = LeakMonitor(self.look, self.events.append)
        self.header: dict[str, Any] | None = None

    def look(self, key: str) -> SessionFacts | None:
        return SessionFacts(self.transcript.tree, self.header) if key == "k" else None

    def ask(self, person: str, *ids: str, key: str = "k") -> None:
        messages = tuple(ChatMessage("user", (Text("t"),), "", (name,)) for name in ids)
        request = ModelRequest("m", messages, session_key=key, principal=f"x:default:{person}")
        self.monitor.check(request, self.sharing)


@pytest.fixture
def watched(tmp_path: Any) -> Any:
    head = {"type": "session", "version": 3, "id": "s", "timestamp": "2026-01-01T00:00:00Z"}
    transcript = Transcript.create(tmp_path / "s.jsonl", head)
    yield Watched(transcript)
    transcript.close()


def test_a_reply_belongs_to_the_person_it_answers(watched: Watched) -> None:
    add = watched.transcript.append
    theirs, reply, mine = add(spoken("1")), add(REPLY), add(spoken("2"))
    watched.ask("2", mine.id)
    for foreign in (theirs, reply):
        with pytest.raises(LeakRefused):
            watched.ask("2", foreign.id, mine.id)


def test_a_summary_belongs_to_all_whom_it_folds(watched: Watched) -> None:
    add = watched.transcript.append
    add(spoken("1"))
    mine = add(spoken("2"))
    fold = {"type": "compaction", "summary": "s", "firstKeptEntryId": mine.id, "tokensBefore": 1}
    first = add(fold)
    later = add(spoken("2"))
    second = add(fold)
    for summary in (first, second):
        with pytest.raises(LeakRefused):
            watched.ask("2", summary.id, later.id)
    [seen] = watched.monitor.sightings()
    assert (seen.author, seen.requests) == ("x:default:1", 2)


def test_a_summary_of_ones_own_words_is_ones_own(watched: Watched) -> None:
    add = watched.transcript.append
    mine = add(spoken("2"))
    summary = add({"type": "compaction", "summary": "s", "firstKeptEntryId": mine.id})
    watched.ask("2", summary.id, add(spoken("2")).id)
    assert watched.monitor.sightings() == ()


def test_a_side_branch_belongs_to_those_who_spoke_on_it(watched: Watched) -> None:
    add = watched.transcript.append
    root = add(spoken("2"))
    side = add(spoken("1"), parent=root.id)
    summary = add({"type": "branch_summary", "fromId": side.id, "summary": "s"}, parent=root.id)
    with pytest.raises(LeakRefused):
        watched.ask("2", summary.id, root.id)


def test_what_was_grafted_is_still_the_other_sessions(watched: Watched) -> None:
    add = watched.transcript.append
    mine = add(spoken("2"))
    source = {"sessionId": "s", "entryId": "e"}
    theirs = add(REPLY | {"graftedFrom": source | {"sessionKey": "agent:main:dm:1"}})
    own = add(REPLY | {"graftedFrom": source | {"sessionKey": "agent:main:dm:2"}})
    watched.ask("2", mine.id, own.id)
    with pytest.raises(LeakRefused):
        watched.ask("2", mine.id, theirs.id)
    words = add(spoken("1") | {"graftedFrom": source | {"sessionKey": "agent:main:dm:2"}})
    with pytest.raises(LeakRefused):
        watched.ask("2", mine.id, words.id)


def test_a_request_for_a_summary_needs_no_reader_but_its_session(watched: Watched) -> None:
    entry = watched.transcript.append(spoken("1"))
    message = ChatMessage("user", (Text("t"),), "", (entry.id,))
    watched.monitor.check(
        ModelRequest("m", (message,), session_key="k", purpose="summary"), watched.sharing
    )
    with pytest.raises(LeakRefused):
        watched.monitor.check(
            ModelRequest("m", (message,), session_key="x", purpose="summary"), watched.sharing
        )


def test_entries_that_are_not_of_the_session_are_refused(watched: Watched) -> None:
    mine = watched.transcript.append(spoken("2"))
    with pytest.raises(LeakRefused):
        watched.ask("2", "00000000", mine.id)
    with pytest.raises(LeakRefused):
        watched.ask("2", mine.id, key="another")
    assert {one.rule for one in watched.monitor.sightings()} == {
        "the words are not of this session"
    }


def test_a_reader_whom_nobody_knows_gets_nothing(watched: Watched) -> None:
    theirs = watched.transcript.append(spoken("1"))
    with pytest.raises(LeakRefused):
        watched.ask("9", theirs.id)


def test_words_without_an_author_are_the_sessions(watched: Watched) -> None:
    unknown = watched.transcript.append(spoken(None))
    mine = watched.transcript.append(spoken("2"))
    with pytest.raises(LeakRefused):
        watched.ask("2", unknown.id, mine.id)  # its key is nobody's
    again = Watched(watched.transcript)
    again.header = origin("2")
    again.ask("2", unknown.id, mine.id)
    again = Watched(watched.transcript)
    again.header = origin("1")
    with pytest.raises(LeakRefused):
        again.ask("2", unknown.id, mine.id)


def test_what_is_remembered_is_bounded(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.agents import leak

    monkeypatch.setattr(leak, "KEPT", 3)
    monkeypatch.setattr(leak, "ENTRIES", 2)
    monkeypatch.setattr(leak, "NAMED", 2)
    watched.sharing = Sharing(Config(session=Session(dm_scope="main")))
    entries = [watched.transcript.append(spoken(str(n))) for n in range(6)]
    watched.ask("0", *(entry.id for entry in entries))
    assert [one.author for one in watched.monitor.sightings()] == [
        f"x:default:{n}" for n in (3, 4, 5)
    ]
    more = [watched.transcript.append(spoken("5")) for _ in range(4)]
    watched.ask("0", entries[0].id, *(entry.id for entry in more))
    assert watched.monitor.sightings()[-1].entries == tuple(entry.id for entry in more[-2:])


def test_a_request_without_words_of_a_transcript_passes(watched: Watched) -> None:
    watched.ask("1", key="nowhere")


async def test_each_entry_is_read_once(open_engine: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.agents import leak

    read: list[object] = []
    whole = leak.read_speaker
    monkeypatch.setattr(leak, "read_speaker", lambda origin: read.append(origin) or whole(origin))
    async with open_engine(APART) as engine:
        for n in range(5):
            await answer(engine, dm("alice", f"message {n}"))
    # Five messages, and the header once.
    assert len([one for one in read if isinstance(one, dict)]) == 6


def test_the_error_names_nobody() -> None:
    assert str(LeakRefused()) == str(LeakRefused((replace,)))


def test_a_linked_person_is_not_whoever_has_the_same_id_elsewhere() -> None:
    sharing = Sharing(
        Config(session=Session(dm_scope="per-peer", identity_links={"ann": ("telegram:1",)}))
    )
    ann = read_speaker({"channel": "telegram", "peer": {"kind": "dm", "id": "1"}})
    other = read_speaker({"channel": "slack", "peer": {"kind": "dm", "id": "1"}})
    third = read_speaker({"channel": "matrix", "peer": {"kind": "dm", "id": "1"}})
    assert ann and other and third
    assert sharing.judge(other, ann, "agent:main:dm:1").verdict == "refused"
    assert sharing.judge(ann, other, "agent:main:dm:1").verdict == "refused"
    assert sharing.judge(third, other, "agent:main:dm:1").verdict != "refused"
    assert sharing.leads_to(ann, "agent:main:dm:1").verdict == "refused"
    assert sharing.leads_to(ann, "agent:main:dm:ann").verdict != "refused"
