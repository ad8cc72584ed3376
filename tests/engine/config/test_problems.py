from __future__ import annotations

from pathlib import Path

import pytest

from engine.config.load import Loaded, load_text
from engine.errors import ConfigError, Problem


def load(text: str, **environ: str) -> Loaded:
    return load_text(text, environ, path=Path("branchline.json5"))


def only(loaded: Loaded) -> Problem:
    assert len(loaded.problems) == 1, [str(problem) for problem in loaded.problems]
    return loaded.problems[0]


SCOPES = "main, per-account-channel-peer, per-channel-peer, per-peer"


@pytest.mark.parametrize(
    ("text", "path", "line", "column", "message", "hint"),
    [
        (
            '{\n  session: { dmScop: "main" },\n}',
            "session.dmScop",
            2,
            14,
            "unknown key `dmScop`",
            "did you mean 'dmScope'?",
        ),
        (
            '{\n  session: {\n    dmScope: "per-chanel-peer"\n  }\n}',
            "session.dmScope",
            3,
            14,
            f'expected one of {SCOPES}, found "per-chanel-peer"',
            "did you mean 'per-channel-peer'?",
        ),
        ('{dmScope: "main"}', "dmScope", 1, 2, "unknown key `dmScope`", "it belongs in session"),
        (
            '{agents: {list: [{id: "a"}, {name: "b"}]}}',
            "agents.list[1]",
            1,
            29,
            "`id` is missing",
            None,
        ),
        (
            "{session: {maxConcurrent: 0}}",
            "session.maxConcurrent",
            1,
            27,
            "expected a whole number of at least 1, found 0",
            None,
        ),
        (
            "{compaction: {threshold: 1.5}}",
            "compaction.threshold",
            1,
            26,
            "expected a number from 0 to 1, found 1.5",
            None,
        ),
        (
            "{session: {reset: {atHour: 24}}}",
            "session.reset.atHour",
            1,
            28,
            "expected a whole number from 0 to 23, found 24",
            None,
        ),
        (
            '{compaction: {enabled: "yes"}}',
            "compaction.enabled",
            1,
            24,
            'expected true or false, found "yes"',
            "write true, without quotes",
        ),
        (
            '{history: {dm: {maxMessages: "5"}}}',
            "history.dm.maxMessages",
            1,
            30,
            'expected a whole number, found "5"',
            "write it without quotes",
        ),
        (
            "{history: {dm: {maxMessages: 2.5}}}",
            "history.dm.maxMessages",
            1,
            30,
            "expected a whole number, found 2.5",
            None,
        ),
        (
            "{history: {dm: {maxMessages: Infinity}}}",
            "history.dm.maxMessages",
            1,
            30,
            "expected a whole number, found Infinity",
            None,
        ),
        (
            "{session: {ttlDays: 99999999999999999999}}",
            "session.ttlDays",
            1,
            21,
            "expected a smaller number, found 99999999999999999999",
            None,
        ),
        (
            '{channels: {telegram: {allowFrom: "111"}}}',
            "channels.telegram.allowFrom",
            1,
            35,
            'expected a list, found "111"',
            'write ["111"]',
        ),
        (
            "{channels: {telegram: {allowFrom: [111, true]}}}",
            "channels.telegram.allowFrom[1]",
            1,
            41,
            "expected text or a number, found true",
            None,
        ),
        (
            "{session: {maxConcurrent: true}}",
            "session.maxConcurrent",
            1,
            27,
            "expected a whole number, found true",
            None,
        ),
        (
            '{agents: {list: [{id: "a-b"}, {id: "a-b"}]}}',
            "agents.list[1].id",
            1,
            36,
            'the agent id "a-b" is used twice',
            "the first one counts",
        ),
        ("{agents: [1]}", "agents", 1, 10, "expected an object, found a list", None),
        (
            "{session: {mainKey: 5}}",
            "session.mainKey",
            1,
            21,
            "expected text, found 5",
            'write "5"',
        ),
        (
            '{agents: {list: [{id: "My Agent"}]}}',
            "agents.list[0].id",
            1,
            23,
            '"My Agent" cannot be an agent id',
            'write "my-agent"',
        ),
        (
            '{agents: {list: [{id: "a"}, {id: "a"}]}}',
            "agents.list[1].id",
            1,
            34,
            'the agent id "a" is used twice',
            "the first one counts",
        ),
        (
            '{agents: {defualts: {model: "openai/x"}}}',
            "agents.defualts",
            1,
            11,
            "unknown key `defualts`",
            "did you mean 'defaults'?",
        ),
        (
            '{session: {resetByType: {groop: "idle"}}}',
            "session.resetByType.groop",
            1,
            26,
            "unknown key `groop`",
            "did you mean 'group'?",
        ),
        (
            '{models: {providers: {x: {api: "openai-completion"}}}}',
            "models.providers.x.api",
            1,
            32,
            'the protocol "openai-completion" is not spoken here',
            "did you mean 'openai-completions'?",
        ),
        (
            '{models: {providers: {x: {apiKey: {source: "file"}}}}}',
            "models.providers.x.apiKey",
            1,
            35,
            "`path` is missing",
            '{source: "file", path: "~/key"}',
        ),
        (
            '{agents: {defaults: {model: {provider: "openai"}}}}',
            "agents.defaults.model",
            1,
            29,
            "a model needs both provider and name",
            'or write "provider/name"',
        ),
        (
            '{session: {busyMessage: "\\ud800"}}',
            "session.busyMessage",
            1,
            25,
            "half a character",
            None,
        ),
        ("[]", None, 1, 1, "expected an object, found a list", None),
        ("null", None, 1, 1, "expected an object, found null", None),
        (
            '{agents: {defaults: {workspace: "${NOWHERE}/x"}}}',
            "agents.defaults.workspace",
            1,
            33,
            "the environment variable NOWHERE is not set",
            "export NOWHERE=…, or give a default: ${NOWHERE:-…}",
        ),
    ],
)
def test_an_error_has_its_place_path_value_and_hint(
    text: str, path: str | None, line: int, column: int, message: str, hint: str | None
) -> None:
    loaded = load(text)
    problem = only(loaded)
    assert (problem.path, problem.line, problem.column) == (path, line, column)
    assert message in problem.message
    assert problem.hint == hint
    assert problem.severity == "error"
    assert problem.file == "branchline.json5"
    assert loaded.config is None
    with pytest.raises(ConfigError) as caught:
        loaded.require()
    assert caught.value.problems == (problem,)


@pytest.mark.parametrize(
    ("text", "path", "message", "hint"),
    [
        (
            '{agents: {list: [{id: "coder"}]},'
            ' bindings: [{agentId: "codr", match: {channel: "telegram"}}]}',
            "bindings[0].agentId",
            'no agent "codr": its messages go to the default agent `coder`',
            "did you mean 'coder'?",
        ),
        (
            '{routing: {"slack:*": "acme"}}',
            'routing["slack:*"]',
            'no agent "acme": its messages go to the default agent `main`',
            "agents: main",
        ),
        (
            '{models: {aliases: {fast: "antropic/x"}}}',
            "models.aliases.fast",
            'the model "antropic/x" leads nowhere: no provider `antropic`',
            "did you mean 'anthropic'?",
        ),
        (
            '{models: {aliases: {smart: "openai/x"}}, agents: {list: [{id: "a", model: "smrt"}]}}',
            "agents.list[0].model.primary",
            'the model "smrt" leads nowhere: neither provider/model nor an alias',
            "did you mean 'smart'?",
        ),
        (
            '{models: {aliases: {me: "me"}}}',
            "models.aliases.me",
            'the alias "me" leads in a circle',
            None,
        ),
        (
            '{models: {aliases: {quick: "claude"}}}',
            "models.aliases.quick",
            'the model "claude" leads nowhere: neither provider/model nor an alias',
            "write provider/model",
        ),
        (
            '{channels: {telegram: {dmPolicy: "open"}}}',
            "channels.telegram.dmPolicy",
            'open lets nobody in until allowFrom holds "*"',
            'add allowFrom: ["*"]',
        ),
        (
            '{models: {providers: {openai: {apiKey: "${NOT_SET}"}}}}',
            "models.providers.openai.apiKey",
            "the environment variable NOT_SET is not set",
            "export NOT_SET=…, or give a default: ${NOT_SET:-…}",
        ),
        (
            '{agents: {list: [{id: "Coder"}]}}',
            "agents.list[0].id",
            'agent ids are lower case: "Coder" is read as `coder`',
            None,
        ),
        (
            '{agents: {list: [{id: "a", default: true}, {id: "b", default: true}]}}',
            "agents.list[1].default",
            "a second default agent",
            "the first one counts",
        ),
    ],
)
def test_a_warning_does_not_stop_the_config(text: str, path: str, message: str, hint: str) -> None:
    loaded = load(text)
    problem = only(loaded)
    assert (problem.path, problem.message, problem.hint) == (path, message, hint)
    assert problem.severity == "warning"
    assert loaded.config is not None
    assert loaded.warnings == (problem,) and loaded.errors == ()
