from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.schema import Agent, Agents, Binding, Config, Match, PeerMatch, Session
from engine.routing.bindings import TIERS, Failure
from engine.routing.envelope import Envelope, Peer, Sender
from engine.routing.router import Router

AGENTS = Agents(list=tuple(Agent(id=name) for name in ("main", "a", "b", "c", "d")))


def config(*bindings: Binding, **session: Any) -> Config:
    return Config(agents=AGENTS, bindings=bindings, session=Session(**session))


def bind(agent: str, channel: str = "discord", **match: Any) -> Binding:
    return Binding(agent_id=agent, match=Match(channel=channel, **match))


peers = st.builds(
    Peer, st.sampled_from(["dm", "group", "channel"]), st.sampled_from(["1", "2", "*", ""])
)
envelopes = st.builds(
    Envelope,
    channel=st.sampled_from(["discord", " Discord ", "slack"]),
    account_id=st.sampled_from(["default", "work", "WORK", ""]),
    peer=st.none() | peers,
    parent_peer=st.none() | peers,
    guild_id=st.sampled_from([None, "g1", " g1 ", "g2"]),
    team_id=st.sampled_from([None, "t1", "t2"]),
    member_role_ids=st.lists(st.sampled_from(["r1", "r2", "r3"]), max_size=3).map(tuple),
)
matches = st.builds(
    Match,
    channel=st.sampled_from(["discord", "slack", "DISCORD ", ""]),
    account_id=st.sampled_from([None, "*", "work", "Work ", "default"]),
    peer=st.none()
    | st.builds(
        PeerMatch,
        kind=st.sampled_from(["dm", "direct", "group", "channel", "room"]),
        id=st.sampled_from(["1", "2", "*", "", 1]),
    ),
    guild_id=st.sampled_from([None, "g1", "g2", " "]),
    team_id=st.sampled_from([None, "t1"]),
    roles=st.lists(st.sampled_from(["r1", "r2"]), max_size=2).map(tuple),
)
bindings = st.builds(Binding, agent_id=st.sampled_from(["a", "b", "c", "d", "zz"]), match=matches)
configs = st.lists(bindings, max_size=12).map(lambda found: config(*found))


def tier_of(binding: Binding) -> int:
    """The tier a binding stands in, worked out anew from SPEC §2."""
    match = binding.match
    guild, team = (match.guild_id or "").strip(), (match.team_id or "").strip()  # type: ignore[union-attr]
    if match.peer and str(match.peer.id).strip() and match.peer.kind != "room":
        return 3 if match.peer.id == "*" else 1
    if guild:
        return 4 if match.roles else 5
    return 6 if team else 8 if match.account_id == "*" else 7


@given(configs, envelopes)
def test_the_traces_winner_is_the_routes(conf: Config, envelope: Envelope) -> None:
    route = Router(conf).route(envelope)
    trace = route.trace
    (winner,) = [step for step in trace if step.won]
    assert (winner.agent_id, winner.tier) == (route.agent_id, route.matched_by)
    assert winner.failed is None
    for step in trace:
        if step.failed is None and not step.won:
            assert (TIERS.index(winner.tier), trace.index(winner)) < (  # type: ignore[arg-type]
                TIERS.index(step.tier),  # type: ignore[arg-type]
                trace.index(step),
            )


@given(configs, bindings, envelopes)
def test_a_binding_of_a_lower_tier_never_changes_the_winner(
    conf: Config, added: Binding, envelope: Envelope
) -> None:
    before = Router(conf).route(envelope)
    won = TIERS.index(before.matched_by) + 1
    if tier_of(added) > won:
        for changed in ((added, *conf.bindings), (*conf.bindings, added)):
            assert Router(config(*changed)).route(envelope) == before


@given(configs, envelopes, st.randoms(use_true_random=False))
def test_permuting_bindings_of_different_tiers_changes_nothing(
    conf: Config, envelope: Envelope, random: Any
) -> None:
    groups: dict[int, list[Binding]] = {}
    for binding in conf.bindings:
        groups.setdefault(tier_of(binding), []).append(binding)
    order = [tier for tier, group in groups.items() for _ in group]
    random.shuffle(order)
    shuffled = tuple(groups[tier].pop(0) for tier in order)
    assert Router(config(*shuffled)).route(envelope) == Router(conf).route(envelope)


@given(configs, envelopes)
def test_direct_and_dm_and_case_are_one(conf: Config, envelope: Envelope) -> None:
    import msgspec

    renamed = tuple(
        msgspec.structs.replace(
            binding,
            match=msgspec.structs.replace(
                binding.match,
                channel=binding.match.channel.upper(),
                account_id=binding.match.account_id and str(binding.match.account_id).upper(),
                peer=binding.match.peer
                and msgspec.structs.replace(
                    binding.match.peer,
                    kind={"dm": "direct", "direct": "DM"}.get(
                        binding.match.peer.kind, binding.match.peer.kind
                    ),
                ),
            ),
        )
        for binding in conf.bindings
    )
    assert Router(config(*renamed)).route(envelope) == Router(conf).route(envelope)


def test_the_trace_says_what_was_wanted_and_what_was_there() -> None:
    route = Router(
        config(
            bind("a", "slack"),
            bind("a", account_id="home"),
            bind("a", account_id="*", peer=PeerMatch(kind="dm", id="1")),
            bind("a", account_id="*", peer=PeerMatch(kind="group", id="2")),
            bind("a", account_id="*", peer=PeerMatch(kind="group", id="p"), guild_id="g2"),
            bind("a", account_id="*", guild_id="g1", team_id="t"),
            bind("a", account_id="*", guild_id="g1", roles=("x", "y")),
            bind("b", account_id="*", guild_id="g1"),
            bind("c", account_id="*"),
        )
    ).route(
        Envelope(
            "Discord",
            account_id="work",
            peer=Peer("channel", "1"),
            parent_peer=Peer("channel", "p"),
            guild_id="g1",
            member_role_ids=("r",),
        )
    )
    assert [step.failed for step in route.trace] == [
        Failure("channel", "slack", "discord"),
        Failure("accountId", "home", "work"),
        Failure("peer.kind", "dm", "channel"),
        Failure("peer.id", "2", "1"),
        Failure("guildId", "g2", "g1"),
        Failure("teamId", "t", ""),
        Failure("roles", "x | y", "r"),
        None,
        None,
        None,
    ]
    assert [step.tier for step in route.trace][3:6] == [
        "binding.peer",
        "binding.peer.parent",
        "binding.guild",
    ]
    assert [step.rule for step in route.trace if step.won] == ["bindings[7]"]
    assert route.trace[-1].agent_id == "main"


def test_the_operator_speaks_in_the_main_session() -> None:
    router = Router(config(bind("b", "terminal"), dm_scope="per-channel-peer"))
    route = router.route(Envelope("terminal", text="hi"))
    assert (route.agent_id, route.session_key) == ("b", "agent:b:main")


@pytest.mark.parametrize(
    ("envelope", "key"),
    [
        (
            Envelope("slack", peer=Peer("channel", "C1"), thread_id=" 1710.0001 "),
            "agent:main:slack:channel:c1:thread:1710.0001",
        ),
        (
            Envelope("telegram", peer=Peer("group", "-100"), thread_id="42"),
            "agent:main:telegram:group:-100:topic:42",
        ),
        (
            Envelope("telegram", peer=Peer("group", "-100:topic:42"), thread_id="42"),
            "agent:main:telegram:group:-100:topic:42",
        ),
        (
            Envelope("slack", peer=Peer("dm", "U1"), thread_id="7"),
            "agent:main:slack:dm:u1:thread:7",
        ),
        (
            Envelope(
                "discord", peer=Peer("channel", "T7"), parent_peer=Peer("channel", "C1"),
                thread_id="T7",
            ),
            "agent:main:discord:channel:t7",
        ),
        (
            Envelope("discord", peer=Peer("channel", "C1"), thread_id="T7"),
            "agent:main:discord:channel:c1:thread:t7",
        ),
        (Envelope("slack", peer=Peer("group", "G"), thread_id=" "), "agent:main:slack:group:g"),
        (Envelope("webchat", thread_id="9"), "agent:main:main:thread:9"),
    ],
)  # fmt: skip
def test_threads_and_topics_have_their_own_session(envelope: Envelope, key: str) -> None:
    assert Router(config(dm_scope="per-channel-peer")).route(envelope).session_key == key


def test_an_unknown_agent_goes_to_the_default_where_agents_are_listed() -> None:
    router = Router(config(bind("nobody", account_id="*")))
    assert router.route(Envelope("discord")).agent_id == "main"
    assert not router.agents.knows("nobody") and router.agents.knows(" A ")
    unlisted = Router(Config(bindings=(bind("Any Body", account_id="*"),)))
    assert unlisted.route(Envelope("discord")).agent_id == "any-body"
    assert unlisted.agents.knows("Any Body") and not unlisted.agents.knows(" ")


def test_routing_patterns_come_after_bindings_and_before_the_default() -> None:
    conf = Config(
        agents=AGENTS,
        bindings=(bind("a", "slack", team_id="T09ABC7", account_id="*"),),
        routing={"slack:T09ABC*:*": "b", "telegram:dm:*": "c", "slack:*": "d", "*:x": "ghost"},
    )
    router = Router(conf)

    def agent(channel: str, team: str | None = None, peer: Peer | None = None) -> str:
        return router.route(Envelope(channel, team_id=team, peer=peer)).agent_id

    assert agent("slack", "T09ABC7", Peer("channel", "C1")) == "a"
    assert agent("Slack", "t09abc8", Peer("channel", "C1")) == "b"
    assert agent("slack", "T1", Peer("channel", "C1")) == "d"
    assert agent("telegram", None, Peer("dm", "5")) == "c"
    assert agent("telegram", None, Peer("group", "5")) == "main"
    route = router.route(Envelope("slack", team_id="T09ABC8", peer=Peer("channel", "C1")))
    assert route.matched_by == "binding.channel"
    assert [(step.rule, step.won) for step in route.trace] == [
        ("bindings[0]", False),
        ('routing["slack:T09ABC*:*"]', True),
        ('routing["telegram:dm:*"]', False),
        ('routing["slack:*"]', False),
        ('routing["*:x"]', False),
        ("default", False),
    ]


FORMAT = "tenant-{tenant_id}-{channel}:{server_id}:{channel_id}:{user_id}"


@pytest.mark.parametrize(
    ("template", "envelope", "key"),
    [
        (
            FORMAT,
            Envelope(
                "Discord", peer=Peer("channel", "C1"), guild_id="G1", tenant_id="42",
                sender=Sender("U7"),
            ),
            "agent:main:tenant-42-discord:g1:c1:u7",
        ),
        (
            FORMAT,
            Envelope("telegram", peer=Peer("dm", "111"), tenant_id="42"),
            "agent:main:tenant-42-telegram:none:none:alice",
        ),
        (
            "{channel}:{userId}",
            Envelope("matrix", peer=Peer("dm", "@a:b%"), thread_id="T"),
            "agent:main:matrix:@a%3ab%25:thread:t",
        ),
        (
            "{peer_kind}/{thread_id}/{who}",
            Envelope("slack", peer=Peer("group", "G"), thread_id="T"),
            "agent:main:group/t/{who}",
        ),
        (FORMAT, Envelope("terminal"), "agent:main:main"),
    ],
)  # fmt: skip
def test_key_format(template: str, envelope: Envelope, key: str) -> None:
    conf = config(key_format=template, identity_links={"alice": ("telegram:111",)})
    assert Router(conf).route(envelope).session_key == key


def test_an_unknown_name_in_a_key_format_is_told() -> None:
    (problem,) = Router(config(key_format="{user_id}-{who}")).problems
    assert problem.path == "session.keyFormat" and "{who}" in problem.message


def test_identity_links_join_channels_but_not_under_main() -> None:
    links = {"alice": ("telegram:111", "discord:222")}
    one = Envelope("telegram", peer=Peer("dm", "111"))
    other = Envelope("discord", peer=Peer("dm", "222"))
    per_peer = Router(config(identity_links=links, dm_scope="per-peer"))
    assert per_peer.route(one).session_key == "agent:main:dm:alice"
    assert per_peer.route(other).session_key == "agent:main:dm:alice"
    assert Router(config(identity_links=links)).route(one).session_key == "agent:main:main"


def test_a_main_key_does_nothing_and_that_is_told() -> None:
    router = Router(config(main_key="Home"))
    route = router.route(Envelope("terminal"))
    assert route.session_key == route.main_session_key == "agent:main:main"
    assert [problem.path for problem in router.problems] == ["session.mainKey"]
    assert not Router(config(main_key=" Main ")).problems
