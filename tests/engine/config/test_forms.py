from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.config.load import Loaded, load_text
from engine.config.schema import HistoryLimit, ModelChoice, PeerMatch


def load(text: str, **environ: str) -> Loaded:
    return load_text(text, environ, path=Path("branchline.json5"))


@pytest.mark.parametrize("given_model", ["anthropic/x", {"provider": "claude", "name": "x"}])
def test_a_model_may_be_written_in_several_ways(given_model: Any) -> None:
    for model in (given_model, {"primary": "anthropic/x"}):
        loaded = load(json.dumps({"agents": {"list": [{"id": "main", "model": model}]}}))
        assert loaded.problems == ()
        assert loaded.require().agents.list[0].model == ModelChoice(primary="anthropic/x")


def test_agents_by_name_become_agents_and_bindings() -> None:
    loaded = load(
        """{
  agents: {
    "telegram-dm": { channels: ["telegram"], scope: "dm", model: "openai/x" },
    crowd: { channels: ["telegram", "discord"], scope: "group" },
    rest: { channels: ["slack"] },
    list: [{ id: "main", default: true }],
  },
  bindings: [{ agentId: "main", match: { channel: "irc" } }],
}"""
    )
    config = loaded.require()
    assert loaded.problems == ()
    assert [agent.id for agent in config.agents.list] == ["main", "telegram-dm", "crowd", "rest"]
    found = [
        (item.agent_id, item.match.channel, item.match.account_id, item.match.peer)
        for item in config.bindings
    ]
    group = PeerMatch(kind="group", id="*")
    assert found == [
        ("main", "irc", None, None),
        ("telegram-dm", "telegram", "*", PeerMatch(kind="dm", id="*")),
        ("crowd", "telegram", "*", group),
        ("crowd", "discord", "*", group),
        ("rest", "slack", "*", None),
    ]


def test_an_agent_by_name_is_checked_where_it_stands() -> None:
    loaded = load('{\n agents: {\n  "a b": {channels: ["t"]},\n  c: {channels: "t", scop: "dm"}}}')
    assert [(problem.line, problem.path) for problem in loaded.problems] == [
        (3, 'agents["a b"]'),
        (4, "agents.c.channels"),
        (4, "agents.c.scop"),
    ]


def test_null_counts_as_absent_except_for_a_key() -> None:
    text = (
        "{agents: null, session: {dmScope: null}, models: {providers: {x: {apiKey: null}, y: {}}}}"
    )
    config = load(text).require()
    assert config.session.dm_scope == "main"
    assert config.models.providers["x"].api_key is False
    assert config.models.providers["y"].api_key is None


def test_part_of_a_limit_keeps_the_default_of_the_rest() -> None:
    config = load("{history: {dm: {maxMessages: 5}}}").require()
    assert config.history.dm == HistoryLimit(max_messages=5, max_tokens=32000)
    assert config.history.group == HistoryLimit(max_messages=30, max_tokens=8000)


def test_our_compaction_wins_over_the_one_in_the_reference_place() -> None:
    config = load(
        "{agents: {defaults: {compaction: {reserveTokens: 1, keepRecentTokens: 2,"
        " memoryFlush: {enabled: false}}}},"
        " compaction: {keepRecentTokens: 3, memoryFlush: {softThresholdTokens: 4}}}"
    ).require()
    assert (config.compaction.reserve_tokens, config.compaction.keep_recent_tokens) == (1, 3)
    flush = config.compaction.memory_flush
    assert (flush.enabled, flush.soft_threshold_tokens) == (False, 4)


def test_channel_names_are_folded_and_numeric_ids_become_text() -> None:
    config = load(
        '{channels: {" Telegram": {allowFrom: [111, "*", 1e3], dmHistoryLimit: 4.0}},'
        " session: {identityLinks: {ann: [5]}}}"
    ).require()
    assert config.channels["telegram"].allow_from == ("111", "*", "1000")
    assert config.channels["telegram"].dm_history_limit == 4
    assert config.session.identity_links == {"ann": ("5",)}


def test_order_of_the_file_is_kept() -> None:
    config = load('{routing: {"b:*": "x", "a:*": "y", "c:*": "z"}}').require()
    assert list(config.routing) == ["b:*", "a:*", "c:*"]


def test_variables_are_filled_in_and_keys_left_as_written() -> None:
    config = load(
        '{env: {HOST: "from-config", TAKEN: "config"},'
        ' agents: {defaults: {workspace: "${ROOT}/${HOST}/${TAKEN}/${NONE:-none}/$${ROOT}"}},'
        ' models: {providers: {openai: {apiKey: "${ROOT}", baseUrl: "http://${HOST}/v1",'
        ' headers: {"X-Team": "${ROOT}"}}}}}',
        ROOT="/srv",
        TAKEN="process",
    ).require()
    assert config.agents.defaults.workspace == "/srv/from-config/process/none/${ROOT}"
    provider = config.models.providers["openai"]
    assert provider.base_url == "http://from-config/v1"
    assert provider.api_key == "${ROOT}"
    assert provider.headers == {"X-Team": "${ROOT}"}


def test_what_a_variable_holds_is_not_filled_in_again() -> None:
    config = load('{session: {mainKey: "${A}"}}', A="${B}", B="no").require()
    assert config.session.main_key == "${B}"


def test_a_key_of_the_wrong_type_is_not_quoted_in_the_problem() -> None:
    loaded = load("{models: {providers: {x: {apiKey: 123456789, headers: {a: 987654321}}}}}")
    assert len(loaded.errors) == 2
    for problem in loaded.problems:
        assert "123456789" not in str(problem) and "987654321" not in str(problem)


def test_the_schema_key_of_editors_is_allowed() -> None:
    assert load('{"$schema": "https://example.org/x"}').problems == ()


def test_our_aliases_win_over_those_in_the_reference_place() -> None:
    config = load(
        '{agents: {defaults: {models: {"openai/a": {alias: "x"}, "openai/b": {alias: "y"}}}},'
        ' models: {aliases: {x: "openai/c"}}}'
    ).require()
    assert config.models.aliases == {"x": "openai/c", "y": "openai/b"}


def test_two_spellings_of_one_agent_id_are_one_id() -> None:
    loaded = load('{agents: {list: [{id: "a"}, {id: "A "}]}}')
    assert [(problem.severity, problem.path) for problem in loaded.problems] == [
        ("warning", "agents.list[1].id"),
        ("error", "agents.list[1].id"),
    ]


def test_bindings_that_do_not_route_may_name_any_agent() -> None:
    loaded = load('{bindings: [{type: "acp", agentId: "far", match: {channel: "t"}}]}')
    assert loaded.problems == ()
    assert loaded.require().bindings[0].type == "acp"
