"""People, channels, accounts, threads, links and scopes at random; every text carries a canary.

`may_read` and `home` are the oracle: they know nothing of keys and judge from the facts alone. Two
things are held against it. No request may hold a canary that its reader may not see; and each
request holds exactly the canaries of its conversation, or is not sent at all when a person was put
into a conversation that is not theirs.

Examples: 200, or as many as BRANCHLINE_ISOLATION_EXAMPLES says.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from engine import Disk, Engine, Envelope, Peer, Sender
from engine.agents.leak import LeakMonitor
from engine.errors import BranchlineError, LeakRefused
from engine.models.protocol import ModelRequest, Text
from engine.routing import identity, keys, router
from engine.sessions.store import Store
from engine.turns import request
from engine.turns.pool import SessionPool
from engine.values import replace

pytestmark = [pytest.mark.timeout(3600), pytest.mark.usefixtures("open_door")]

IN_CI = "CI" in os.environ
"""There the same examples each time: a merge must not fail by chance. Elsewhere new ones."""

EXAMPLES = int(os.environ.get("BRANCHLINE_ISOLATION_EXAMPLES", "200"))
CANARY = re.compile(r"canary\d+x")
LINKS = (
    {},
    {"ann": ["telegram:1", "slack:2"]},
    {"ann": ["telegram:1", "telegram:2"], "ben": ["slack:1"]},
    {"ben": ["3"]},
)
SCOPES = ("main", "per-peer", "per-channel-peer", "per-account-channel-peer")


# The oracle ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Facts:
    """Who speaks where. The operator is on no channel."""

    channel: str = ""
    account: str = ""
    who: str = ""
    group: str | None = None
    thread: str | None = None


@dataclass(frozen=True)
class Rules:
    scope: str = "per-channel-peer"
    links: tuple[tuple[str, str], ...] = ()

    def person(self, one: Facts) -> str | None:
        wanted = (one.who, f"{one.channel}:{one.who}")
        return next((name for name, peer in self.links if peer in wanted), None)


Home = tuple[object, ...]
OPERATOR, MAIN = Facts(), ("main",)


def home(rules: Rules, one: Facts) -> Home:
    """The conversation that a message belongs to."""
    if one == OPERATOR:
        return MAIN
    if one.group is not None:
        return ("group", one.channel, one.group, one.thread)
    person = ("person", rules.person(one)) if rules.person(one) else ("id", one.who)
    place: Home = {
        "main": MAIN,
        "per-peer": (person,),
        "per-channel-peer": (person, one.channel),
        "per-account-channel-peer": (person, one.channel, one.account),
    }[rules.scope]
    # Topics of Telegram and threads of Slack are never the same, even with the same id.
    return (*place, "thread", one.channel, one.thread) if one.thread else place


def may_read(rules: Rules, reader: Facts, author: Facts, place: Home) -> bool:
    """Whether words of `author` that lie in `place` may be in an answer to `reader`."""
    if reader == OPERATOR:
        return True
    if author == OPERATOR:
        return root(place) != MAIN or home(rules, reader) == MAIN
    same = identity_of(reader) == identity_of(author)
    if reader.group is not None or author.group is not None:
        return home(rules, reader) == home(rules, author) or (same and reader.group is None)
    linked = rules.person(reader) is not None and rules.person(reader) == rules.person(author)
    if same or linked:
        return True
    if rules.scope != "main":  # then one home is one person, in whatever thread
        reader, author = replace(reader, thread=None), replace(author, thread=None)
    return home(rules, reader) == home(rules, author)


def root(place: Home) -> Home:
    """Where the words of a fork were said first."""
    while place[0] == "fork":
        place = place[1]  # type: ignore[assignment]
    return place


def identity_of(one: Facts) -> tuple[str, str, str]:
    return one.channel, one.account, one.who


# The machine --------------------------------------------------------------------------------------

people = st.builds(
    Facts,
    channel=st.sampled_from(["telegram", "slack"]),
    account=st.sampled_from(["default", "work"]),
    who=st.sampled_from(["1", "1", "1", "2", "3"]),
    group=st.sampled_from([None, None, None, "g1", "g2"]),
    thread=st.sampled_from([None, None, None, "t1"]),
)
anybody = st.one_of(people, people, people, st.just(OPERATOR))


class Quick(Disk):
    def fsync(self, fd: int) -> None:
        pass


@dataclass
class Place:
    """A conversation as it should be: who said which canary, since it was begun afresh."""

    said: list[tuple[Facts, str]] = field(default_factory=list)
    key: str = ""
    folded: bool = False


@dataclass
class Sent:
    """A message under way and the canaries that its request must hold; None: none may be sent."""

    reader: Facts
    canary: str
    wanted: frozenset[str] | None
    folded: bool
    receipt: Any


class Crossing(AssertionError):
    """A canary reached somebody who may not see it."""


class Isolation(RuleBasedStateMachine):
    portal: ClassVar[BlockingPortal]
    exact: ClassVar[bool] = True
    failure: ClassVar[Exception | None] = None

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="isolation-"))
        self.rules = Rules()
        self.places: dict[Home, Place] = {}
        self.authors: dict[str, tuple[Facts, Home, Rules]] = {}
        self.requests: dict[str, frozenset[str]] = {}
        self.open: AbstractContextManager[Engine] = nullcontext()  # type: ignore[assignment]
        self.start()

    def start(self) -> None:
        self.open = self.portal.wrap_async_context_manager(
            Engine.open(self.folder, environ={}, disk=Quick(), paced=False, checks=(self.record,))
        )
        self.engine = self.open.__enter__()
        self.apply(self.rules)

    def apply(self, rules: Rules) -> None:
        self.rules = rules
        links: dict[str, list[str]] = {}
        for name, peer in rules.links:
            links.setdefault(name, []).append(peer)
        config = {
            "session": {"dmScope": rules.scope, "identityLinks": links},
            "compaction": {"preserveRecent": 1, "keepRecentTokens": 1},
            "history": {kind: {"maxMessages": 0, "maxTokens": 0} for kind in ("dm", "group")},
        }
        self.portal.call(self.engine.apply_config, json.dumps(config))

    def record(self, request: ModelRequest) -> None:
        """At the door, after the leak check: what is really sent. The newest message tells whose
        answer it is; a summary is for nobody yet."""
        if request.purpose != "reply":
            return
        texts = [request.system]
        for message in request.messages:
            texts += [block.text for block in message.content if isinstance(block, Text)]
        newest = [message for message in request.messages if message.role == "user"][-1]
        asked = CANARY.findall("".join(getattr(block, "text", "") for block in newest.content))
        self.requests[asked[-1]] = frozenset(CANARY.findall("\n".join(texts)))

    def send(self, one: Facts, place: Home | None = None) -> Sent:
        """Submit a message: to where it belongs, or to somebody else's conversation."""
        canary = f"canary{len(self.authors)}x"
        at = home(self.rules, one) if place is None else place
        here = self.places.setdefault(at, Place())
        self.authors[canary] = one, at, self.rules
        here.said.append((one, canary))
        allowed = all(may_read(self.rules, one, author, at) for author, _ in here.said)
        wanted = frozenset(said for _, said in here.said) if allowed else None
        receipt = self.portal.call(self.submit, envelope_of(one, canary), here.key or None, place)
        here.key = receipt.session_key
        return Sent(one, canary, wanted, here.folded, receipt)

    async def submit(self, envelope: Envelope, key: str | None, place: Home | None) -> Any:
        return await self.engine.submit(envelope, session_key=key if place is not None else None)

    def judge(self, *sent: Sent) -> None:
        try:
            self.look_at(*sent)
        except (AssertionError, BranchlineError) as failure:
            type(self).failure = failure
            raise

    def look_at(self, *sent: Sent) -> None:
        for one in sent:
            result = self.portal.call(one.receipt.result)
            seen = self.requests.get(one.canary)
            _, place, rules = self.authors[one.canary]
            for canary in seen or ():
                author, lies, _ = self.authors[canary]
                # Words that lie elsewhere may come here only if they are the reader's to see.
                if not may_read(rules, one.reader, author, lies):
                    raise Crossing(f"{canary} of {author} reached {one.reader} in {place}")
            if self.exact:
                assert (seen is None) == isinstance(result.error, LeakRefused), result.error
                if one.folded and seen is not None and one.wanted is not None:
                    assert seen <= one.wanted, "a summary may leave words out"
                else:
                    assert seen == one.wanted, (one.reader, place, seen, one.wanted)

    @initialize(scope=st.sampled_from(SCOPES), links=st.sampled_from(LINKS))
    def begin(self, scope: str, links: dict[str, list[str]]) -> None:
        self.apply(Rules(scope))
        self.links_change(links)

    @rule(one=anybody)
    def says(self, one: Facts) -> None:
        self.judge(self.send(one))

    @rule(several=st.lists(anybody, min_size=2, max_size=4))
    def say_at_once(self, several: list[Facts]) -> None:
        self.judge(*[self.send(one) for one in several])

    @rule(data=st.data(), one=anybody)
    def is_put_elsewhere(self, data: st.DataObject, one: Facts) -> None:
        """The operator looks in on somebody; or a person is put where they do not belong."""
        there = [place for place, here in self.places.items() if here.key]
        if there:
            self.judge(self.send(one, data.draw(st.sampled_from(there))))

    @rule(data=st.data())
    def is_forked(self, data: st.DataObject) -> None:
        there = [place for place, here in self.places.items() if here.key and here.said]
        if there and self.exact:
            place = data.draw(st.sampled_from(there))
            here = self.places[place]
            made = self.portal.call(self.engine.branches.fork, here.key, None)
            fork = ("fork", place, made.session_key)
            self.places[fork] = Place(list(here.said), made.session_key, here.folded)

    @rule(data=st.data())
    def is_compacted(self, data: st.DataObject) -> None:
        there = [place for place, here in self.places.items() if here.key and here.said]
        if there and self.exact:
            here = self.places[data.draw(st.sampled_from(there))]
            done = self.portal.call(self.engine.compaction.compact, here.key)
            here.folded = here.folded or done.outcome == "done"

    @rule(one=anybody)
    def begins_afresh(self, one: Facts) -> None:
        receipt = self.portal.call(self.submit, envelope_of(one, "/new"), None, None)
        assert self.portal.call(receipt.result).command
        self.places[home(self.rules, one)] = Place()

    @rule(scope=st.sampled_from(SCOPES), several=st.lists(anybody, max_size=2))
    def scope_changes(self, scope: str, several: list[Facts]) -> None:
        """Also while turns are under way."""
        sent = [self.send(one) for one in several]
        self.apply(Rules(scope, self.rules.links))
        self.judge(*sent)

    @rule(links=st.sampled_from(LINKS))
    def links_change(self, links: dict[str, list[str]]) -> None:
        pairs = tuple((name, peer) for name, peers in links.items() for peer in peers)
        self.apply(Rules(self.rules.scope, pairs))

    @rule()
    def engine_restarts(self) -> None:
        self.open.__exit__(None, None, None)
        self.start()

    def teardown(self) -> None:
        self.open.__exit__(None, None, None)
        shutil.rmtree(self.folder)


def envelope_of(one: Facts, text: str) -> Envelope:
    if one == OPERATOR:
        return Envelope("terminal", text=text)
    peer = Peer("dm", one.who) if one.group is None else Peer("group", one.group)
    return Envelope(
        one.channel,
        text=text,
        account_id=one.account,
        peer=peer,
        thread_id=one.thread,
        sender=Sender(one.who, f"N{one.who}"),
    )


# The tests ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module", autouse=True)
def portal() -> Iterator[None]:
    with start_blocking_portal("asyncio") as found:
        Isolation.portal = found
        yield


QUICKLY: dict[str, Any] = {
    "phases": [Phase.generate],
    "database": None,
    "print_blob": False,
    "derandomize": True,
    "report_multiple_bugs": False,
}
"""Without shrinking: that a broken guard is noticed is enough."""


def run(machine: type[Isolation], examples: int, **options: Any) -> None:
    how = settings(
        max_examples=examples, stateful_step_count=16, deadline=None, **(QUICKLY | options)
    )
    # Turns run side by side, so the same steps need not go the same way twice, which hypothesis
    # does not like. A failure that was seen once counts; without one the machine starts again.
    for attempt in range(3):
        machine.failure = None
        try:
            run_state_machine_as_test(machine, settings=how)
            return
        except Flaky:
            if machine.failure is not None:
                raise machine.failure from None
            if attempt == 2:
                raise


def test_no_words_reach_anybody_who_may_not_read_them() -> None:
    run(Isolation, EXAMPLES, derandomize=IN_CI)


Break = Callable[[pytest.MonkeyPatch], None]


def no_monitor(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(LeakMonitor, "check", lambda *_: None)


def no_scope(patch: pytest.MonkeyPatch) -> None:
    whole = keys.peer_key
    patch.setattr(
        router, "peer_key", lambda *args, **kw: whole(*args, **{**kw, "dm_scope": "main"})
    )


def everybody_linked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(identity.IdentityLinks, "__bool__", lambda self: True)
    patch.setattr(identity.IdentityLinks, "person", lambda *_: "ann")


def nobody_linked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(identity.IdentityLinks, "person", lambda *_: None)


def no_threads(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(router, "thread_keys", lambda base, *_, **__: keys.ThreadKeys(base))


def no_account(patch: pytest.MonkeyPatch) -> None:
    whole = keys.peer_key
    patch.setattr(
        router, "peer_key", lambda *args, **kw: whole(*args, **{**kw, "account_id": "default"})
    )


def no_channel(patch: pytest.MonkeyPatch) -> None:
    whole = keys.peer_key
    patch.setattr(router, "peer_key", lambda agent, _, *args, **kw: whole(agent, "x", *args, **kw))


def one_group(patch: pytest.MonkeyPatch) -> None:
    whole = keys.peer_key

    def made(agent: str, channel: str, kind: Any, peer: str | None, **options: Any) -> str:
        return whole(agent, channel, kind, peer if kind == "dm" else "g", **options)

    patch.setattr(router, "peer_key", made)


def another_window(patch: pytest.MonkeyPatch) -> None:
    """Requests are built from the session that was looked at first since the start."""
    whole, start, first = request.build_window, Isolation.start, []

    def build(tree: Any, leaf: Any, *args: Any) -> Any:
        if not first and leaf is not None:
            first.append((tree, leaf))
        return whole(*(first[0] if first else (tree, leaf)), *args)

    def begin(self: Isolation) -> None:
        first.clear()
        start(self)

    patch.setattr(request, "build_window", build)
    patch.setattr(Isolation, "start", begin)


def no_fresh_start(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(SessionPool, "renew", lambda *_: None)


def one_file(patch: pytest.MonkeyPatch) -> None:
    """The store gives the same session to all."""
    whole_get, whole_create = Store.get, Store.create
    patch.setattr(Store, "get", lambda self, _: whole_get(self, "agent:main:one"))
    patch.setattr(
        Store,
        "create",
        lambda self, _, *args, **kw: whole_create(self, "agent:main:one", *args, **kw),
    )


GUARDS: tuple[Break, ...] = (
    no_monitor,
    no_scope,
    everybody_linked,
    nobody_linked,
    no_threads,
    no_account,
    no_channel,
    one_group,
    another_window,
    no_fresh_start,
    one_file,
)


@pytest.mark.parametrize("broken", GUARDS, ids=lambda guard: guard.__name__)
def test_without_a_guard_the_machine_fails(broken: Break, monkeypatch: pytest.MonkeyPatch) -> None:
    broken(monkeypatch)
    with pytest.raises((AssertionError, BranchlineError)):
        run(Isolation, 600)


class Crossings(Isolation):
    """Looks only at what is read by whom, not at what is missing or held back."""

    exact = False


MERGING = (no_scope, everybody_linked, no_account, no_channel, one_group, another_window, one_file)


@pytest.mark.parametrize("broken", MERGING, ids=lambda guard: guard.__name__)
def test_without_the_monitor_a_broken_guard_lets_words_cross(
    broken: Break, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken(monkeypatch)
    no_monitor(monkeypatch)
    with pytest.raises(Crossing):
        run(Crossings, 600)


@pytest.mark.parametrize("broken", MERGING, ids=lambda guard: guard.__name__)
def test_the_monitor_alone_lets_no_words_cross(
    broken: Break, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken(monkeypatch)
    run(Crossings, 30)
