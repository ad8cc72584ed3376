from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.load import Loaded, Snapshot, config_from_object, load_config, load_text
from engine.config.schema import Binding, Config, Match, ModelChoice, PeerMatch
from engine.disk import Disk
from engine.errors import ConfigError, Problem
from engine.routing.ids import normalize_agent_id


def load(text: str, **environ: str) -> Loaded:
    return load_text(text, environ, path=Path("branchline.json5"))


def only(loaded: Loaded) -> Problem:
    assert len(loaded.problems) == 1, [str(problem) for problem in loaded.problems]
    return loaded.problems[0]


def test_all_problems_come_at_once_in_the_order_of_the_file() -> None:
    loaded = load(
        """{
  sesion: {},
  agents: { list: [{ id: "a b" }, { id: 3 }, {}] }
  session: { dmScope: "x", maxConcurrent: -1, },
  bindings: [{ agentId: "zzz", match: { chanel: "t" } }],
  compaction: yes,
}"""
    )
    assert [(problem.line, problem.path) for problem in loaded.problems] == [
        (2, "sesion"),
        (3, "agents.list[0].id"),
        (3, "agents.list[1].id"),
        (3, "agents.list[2]"),
        (4, None),
        (4, "session.dmScope"),
        (4, "session.maxConcurrent"),
        (5, "bindings[0].agentId"),
        (5, "bindings[0].match"),
        (5, "bindings[0].match.chanel"),
        (6, None),
    ]


def test_thousands_of_problems_are_counted_and_not_all_listed() -> None:
    text = "{" + ",".join(f"k{index}: 1" for index in range(3000)) + "}"
    loaded = load(text)
    assert len(loaded.problems) == 201
    assert loaded.problems[-1].message == "2,800 more problems"
    assert loaded.config is None


def test_unknown_keys_are_warnings_in_a_file_of_the_reference(tmp_path: Path) -> None:
    text = '{gateway: {port: 1}, agents: {list: [{id: "main", heartbeat: {}}], other: {a: 1}}}'
    for name, severity in (("openclaw.json", "warning"), ("branchline.json5", "error")):
        path = tmp_path / name
        path.write_text(text)
        loaded = load_config(Disk(), path, {})
        assert {problem.severity for problem in loaded.problems} == {severity}
        assert loaded.foreign is (name == "openclaw.json")
        assert (loaded.config is None) is (severity == "error")
    paths = [
        problem.path for problem in load_config(Disk(), tmp_path / "openclaw.json", {}).problems
    ]
    assert paths == ["gateway", "agents.list[0].heartbeat", "agents.other"]


def test_a_variable_in_a_part_nobody_reads_is_no_problem() -> None:
    text = '{gateway: {auth: {token: "${GATEWAY_TOKEN}"}}}'
    loaded = load_text(text, {}, foreign=True)
    assert [problem.path for problem in loaded.problems] == ["gateway"]


def test_the_real_openclaw_config_loads_with_warnings_only(sample_state: Path) -> None:
    loaded = load_config(Disk(), sample_state / "openclaw.json", {})
    assert loaded.errors == ()
    config = loaded.require()
    assert [agent.id for agent in config.agents.list] == ["main", "coder"]
    assert config.agents.list[0].default
    assert config.session.dm_scope == "per-channel-peer"
    assert config.agents.defaults.model == ModelChoice(
        primary="fake/fake-1", fallbacks=("fake/fake-2",)
    )
    assert config.models.aliases == {"f1": "fake/fake-1", "f2": "fake/fake-2"}
    assert config.compaction.keep_recent_tokens == 4000
    assert [spec.context_window for spec in config.models.providers["fake"].models] == [60000] * 2
    assert "sk-fake" not in repr(loaded.config)
    for problem in loaded.problems:
        assert "sk-fake" not in str(problem)


def test_every_routing_case_config_is_taken(
    cases: Callable[[str], list[dict[str, Any]]],
) -> None:
    for case in cases("routing"):
        raw = case["config"]
        config = config_from_object(raw)
        assert len(config.bindings) == len(raw.get("bindings", [])), case["name"]
        assert len(config.agents.list) == len(raw.get("agents", {}).get("list", [])), case["name"]
        session = raw.get("session", {})
        assert config.session.dm_scope == session.get("dmScope", "main")
        assert set(config.session.identity_links) == set(session.get("identityLinks", {}))


def test_lenient_loading_leaves_out_what_is_unusable_and_keeps_the_rest() -> None:
    config = config_from_object(
        {
            "agents": {"list": [{"id": "a"}, {"id": 5}, None, "x", {"default": True}]},
            "session": {"dmScope": "per-foo", "mainKey": "home", "identityLinks": None},
            "bindings": [
                {"agentId": "a", "match": {"channel": "t", "peer": {"kind": "dm"}}},
                {"agentId": "a", "match": {"channel": "t", "peer": {"kind": "zoo", "id": "1"}}},
                {"agentId": "a", "match": {"channel": "t", "peer": {"kind": " Direct", "id": 7}}},
                {"agentId": "a"},
                None,
                {"agentId": "a", "match": {"channel": "t", "guildId": 12, "roles": [1, "r"]}},
            ],
            "whatever": [1],
        }
    )
    assert [agent.id for agent in config.agents.list] == ["a"]
    assert (config.session.dm_scope, config.session.main_key) == ("main", "home")
    assert config.bindings == (
        Binding(agent_id="a", match=Match(channel="t", peer=PeerMatch(kind="direct", id="7"))),
        Binding(agent_id="a", match=Match(channel="t", guild_id="12", roles=("1", "r"))),
    )


KEYS = [
    *("agents", "list", "id", "bindings", "match", "channel", "peer", "kind", "agentId", "env"),
    *("session", "dmScope", "models", "providers", "apiKey", "model", "channels", "defaults"),
    *("aliases", "scope", "telegram", "history", "dm", "reset", "groups", "compaction"),
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner,
            max_size=5,
        )
    ),
    max_leaves=30,
)


@given(JSON)
def test_no_object_whatever_makes_the_lenient_builder_raise(raw: Any) -> None:
    assert isinstance(config_from_object(raw), Config)


@given(JSON)
def test_no_object_whatever_makes_the_loader_raise(raw: Any) -> None:
    for foreign in (False, True):
        loaded = load_text(json.dumps(raw), {}, foreign=foreign)
        assert (loaded.config is None) is bool(loaded.errors)


FULL: dict[str, Any] = {
    "agents": {
        "defaults": {
            "workspace": "w",
            "model": {"primary": "offline/echo", "fallbacks": ["offline/echo-2k"]},
            "models": {"offline/echo": {"alias": "e", "params": {}}},
            "compaction": {"memoryFlush": {"enabled": True}},
        },
        "list": [{"id": "main", "groupChat": {"mentionPatterns": ["x"]}, "model": "e"}],
        "tg": {"channels": ["telegram"], "scope": "dm"},
    },
    "bindings": [
        {"agentId": "main", "match": {"channel": "t", "peer": {"kind": "dm", "id": 1}}},
        {"agentId": "main", "match": {"channel": "d", "guildId": "g", "roles": ["r"]}},
    ],
    "routing": {"a:*": "main"},
    "session": {
        "identityLinks": {"a": ["t:1", 2]},
        "reset": {"mode": "daily", "atHour": 4},
        "resetByType": {"dm": "idle"},
        "resetByChannel": {"t": {"idleMinutes": 5}},
        "sendPolicy": {"rules": [{"action": "deny", "match": {"channel": "t"}}]},
        "maintenance": {"diskBudget": "1GB"},
    },
    "channels": {
        "t": {"groups": {"g": {"requireMention": True}}, "dms": {"1": {"historyLimit": 3}}}
    },
    "models": {
        "providers": {
            "p": {
                "apiKey": {"source": "file", "path": "k"},
                "headers": {"a": "b"},
                "models": [{"id": "m", "cost": {"input": 1.5}, "input": ["text"]}],
            }
        },
        "aliases": {"a": "p/m"},
    },
    "history": {"dm": {"maxMessages": 3}},
    "compaction": {"threshold": 0.5, "memoryFlush": {"softThresholdTokens": 1}},
    "messages": {"queue": {"mode": "steer"}},
    "env": {"A": "b"},
}


def spots(value: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    work = [value]
    while work:
        item = work.pop()
        keys = (
            item if isinstance(item, dict) else range(len(item)) if isinstance(item, list) else ()
        )
        for key in keys:
            found.append((item, key))
            work.append(item[key])
    return found


@given(st.integers(0, 10_000), JSON, st.booleans())
def test_any_value_anywhere_is_taken_or_blamed_on_its_place(
    where: int, value: Any, foreign: bool
) -> None:
    raw = json.loads(json.dumps(FULL))
    every = spots(raw)
    target, key = every[where % len(every)]
    target[key] = value
    loaded = load_text(json.dumps(raw), {}, foreign=foreign)
    assert (loaded.config is None) is bool(loaded.errors)
    assert isinstance(config_from_object(raw), Config)


def test_the_full_example_is_free_of_problems() -> None:
    loaded = load(json.dumps(FULL))
    assert loaded.problems == ()
    assert config_from_object(FULL) == loaded.config


def test_an_object_nested_thousands_deep_is_no_trouble() -> None:
    deep: list[Any] = []
    for _ in range(20_000):
        deep = [deep]
    raw = {"agents": deep, "session": {"dmScope": "per-peer", "reset": deep}, "unknown": deep}
    assert config_from_object(raw).session.dm_scope == "per-peer"


@given(st.text(max_size=80))
def test_agent_ids_fold_as_the_router_folds_them(name: str) -> None:
    from engine.config.checks import folded_agent_id

    assert folded_agent_id(name) == normalize_agent_id(name)


def test_a_missing_file_is_a_problem_with_its_name(tmp_path: Path) -> None:
    loaded = load_config(Disk(), tmp_path / "no.json5", {})
    assert loaded.config is None
    assert only(loaded).file == str(tmp_path / "no.json5")
    assert "No such file" in only(loaded).message


@pytest.mark.parametrize("kind", ["dir", "fifo", "large"])
def test_what_is_not_a_plain_small_file_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "branchline.json5"
    if kind == "dir":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.write_bytes(b" " * (1024 * 1024 + 1))
    loaded = load_config(Disk(), path, {})
    assert loaded.config is None
    assert "cannot read the config" in only(loaded).message


def test_a_config_behind_a_link_is_read(tmp_path: Path) -> None:
    (tmp_path / "real.json5").write_text('{session: {mainKey: "k"}}')
    (tmp_path / "branchline.json5").symlink_to("real.json5")
    loaded = load_config(Disk(), tmp_path / "branchline.json5", {})
    assert loaded.require().session.main_key == "k"


def test_bytes_that_are_not_text_have_a_place(tmp_path: Path) -> None:
    path = tmp_path / "branchline.json5"
    path.write_bytes(b"{\n  // caf\xe9\n}")
    problem = only(load_config(Disk(), path, {}))
    assert (problem.line, problem.column) == (2, 9)
    assert "0xe9" in problem.message


@given(st.binary(max_size=200))
def test_binary_garbage_is_a_problem_and_no_exception(data: bytes) -> None:
    import tempfile

    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        loaded = load_config(Disk(), Path(file.name), {})
    assert (loaded.config is None) is bool(loaded.errors)


def test_a_literal_key_in_a_readable_file_is_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "branchline.json5"
    path.write_text('{models: {providers: {openai: {apiKey: "sk-literal-1234"}}}}')
    path.chmod(0o644)
    problem = only(load_config(Disk(), path, {}))
    assert (problem.severity, problem.path) == ("warning", "models.providers.openai.apiKey")
    assert problem.hint == f"chmod 600 {path}"
    path.chmod(0o600)
    assert load_config(Disk(), path, {}).problems == ()
    path.write_text('{models: {providers: {openai: {apiKey: "${K}"}}}}')
    path.chmod(0o644)
    assert load_config(Disk(), path, {"K": "v"}).problems == ()


def test_a_broken_edit_keeps_the_last_good_config_in_force() -> None:
    first = Snapshot.first(load('{session: {dmScope: "per-peer"}}'))
    assert (first.revision, first.broken) == (1, False)
    broken = first.after(load("{session: {dmScope: 1}}"))
    assert broken.broken and broken.revision == 1
    assert broken.config is first.config
    assert broken.problems[0].path == "session.dmScope"
    same = broken.after(load('{ /* mended */ session: {dmScope: "per-peer"}}'))
    assert (same.revision, same.broken) == (1, False)
    assert same.config is first.config
    other = same.after(load('{session: {dmScope: "main"}}'))
    assert (other.revision, other.config.session.dm_scope) == (2, "main")
    with pytest.raises(ConfigError):
        Snapshot.first(load("{"))


@pytest.mark.parametrize("cut", range(0, 700, 7))
def test_a_config_cut_anywhere_loads_or_says_where(cut: int) -> None:
    from engine.config.first_run import FIRST_CONFIG

    start = FIRST_CONFIG.index("{\n")
    loaded = load(FIRST_CONFIG[: start + cut])
    assert (loaded.config is None) is bool(loaded.errors)
    for problem in loaded.problems:
        assert problem.line and problem.column


def test_a_key_written_without_quotes_is_not_quoted_in_the_problem() -> None:
    loaded = load("{models: {providers: {x: {apiKey: sk-ant-1234567890abcdef}}}}")
    assert "1234567890" not in str(only(loaded))
    assert only(loaded).column == 35


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        (
            {"models": {"providers": {"x": {"apiKey": True, "baseUrl": "http://a"}}}},
            lambda config: config.models.providers["x"].base_url == "http://a",
        ),
        (
            {"channels": {"\ud800": {}}, "session": {"mainKey": "k"}},
            lambda config: config.session.main_key == "k",
        ),
        (
            {"session": {"identityLinks": {"\ud800": ["a"], "b": ["\ud800", "c"]}}},
            lambda config: config.session.identity_links == {"b": ("c",)},
        ),
        (
            {"agents": {"list": [{"id": "a", "model": {"provider": "x"}}]}},
            lambda config: config.agents.list[0].model is None,
        ),
        ({"routing": {"a": 1, "b": "c"}}, lambda config: config.routing == {"b": "c"}),
    ],
)
def test_lenient_loading_drops_no_more_than_it_must(
    raw: Any, kept: Callable[[Config], bool]
) -> None:
    assert kept(config_from_object(raw))


def test_a_large_file_of_nothing_but_mistakes_is_answered() -> None:
    keys = "{" + ",".join(f"dmScope{index}: 1" for index in range(50_000)) + "}"
    assert len(load(keys).problems) == 201
    bindings = ",".join(
        f'{{agentId: "nobody{index}", match: {{channel: "t"}}}}' for index in range(15_000)
    )
    agents = ",".join(f'{{id: "somebody{index}"}}' for index in range(2_000))
    loaded = load(f"{{agents: {{list: [{agents}]}}, bindings: [{bindings}]}}")
    assert len(loaded.problems) == 201
    assert loaded.config is not None
