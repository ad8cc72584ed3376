from __future__ import annotations

import pytest
from rich.cells import cell_len

from engine.agents.models import Outlook, Verdict
from engine.config.schema import Agent, AgentDefaults, Agents, Config, ModelChoice, Models
from engine.errors import StoreError
from engine.models.registry import ModelRegistry
from engine.turns.choice import Layer, Layers, stack
from tests.corpus import HOSTILE, raw_controls
from tui.behind.models import find_models, model_lines
from tui.config.modelsetting import model_path
from tui.look.glyphs import ASCII, UNICODE, Glyphs
from tui.widgets.dialogs.modelrows import ModelRows, about_model, layer_lines
from tui.widgets.dialogs.switchrows import SwitchRows, counts_of, head_line, verdict_words
from tui.widgets.rows import Rows

CONFIG = Config(
    agents=Agents(
        defaults=AgentDefaults(model=ModelChoice(primary="offline/echo")),
        list=(Agent(id="main"),),
    ),
    models=Models(aliases={"tiny": "offline/echo-2k", "big": "anthropic/claude-opus-5-5"}),
)
REGISTRY = ModelRegistry(CONFIG, {"OPENAI_API_KEY": "sk-x"})


def painted(rows: Rows, width: int) -> list[str]:
    return [
        "".join(text for text, _ in line)
        for index in range(len(rows))
        for line in rows.lines(index, width)
    ]


def test_models_in_use_come_first_and_those_that_lack_a_key_last() -> None:
    layers = stack(REGISTRY, "main", session="offline/echo-7k")
    lines = model_lines(REGISTRY, layers)
    assert [line.ref for line in lines[:2]] == ["offline/echo-7k", "offline/echo"]
    assert (lines[0].marks, lines[0].in_force) == (("session",), True)
    assert (lines[1].marks, lines[1].in_force) == (("config",), False)
    by_ref = {line.ref: line for line in lines}
    assert by_ref["offline/echo-2k"].aliases == ("tiny",)
    assert by_ref["openai/gpt-5.6-terra"].wanting == ""
    assert by_ref["xai/grok-4"].wanting == "XAI_API_KEY is not set"
    assert [line.ref for line in lines].index("xai/grok-4") > [line.ref for line in lines].index(
        "openai/gpt-5.6-terra"
    )


def test_a_filter_finds_aliases_marks_letters_and_takes_a_name_that_is_written_out() -> None:
    lines = model_lines(REGISTRY)
    first = find_models(lines, "tiny", REGISTRY)[0]
    assert first.line.ref == "offline/echo-2k" and first.letters
    assert find_models(lines, "opus claude", REGISTRY)[0].line.ref.endswith("claude-opus-5-5")
    assert find_models(lines, "zzzz", REGISTRY) == ()
    typed = find_models(lines, "anthropic/claude-new-9", REGISTRY)
    assert [found.line.ref for found in typed] == ["anthropic/claude-new-9"]
    assert not typed[0].line.listed and typed[0].line.wanting
    assert find_models(lines, "nobody/knows", REGISTRY) == ()
    assert len(find_models(lines, "", REGISTRY)) == len(lines)


@pytest.mark.parametrize("width", [12, 30, 46, 57, 58, 80, 110])
@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
def test_rows_of_models_fit_any_width(width: int, glyphs: Glyphs) -> None:
    layers = stack(REGISTRY, "main", session="tiny")
    shown = painted(
        ModelRows(find_models(model_lines(REGISTRY, layers), "", REGISTRY), glyphs), width
    )
    assert {cell_len(line) for line in shown} == {width}
    assert glyphs is UNICODE or "".join(shown).isascii()
    if width >= 58:
        assert "needs XAI_API_KEY" in "".join(shown) and "session" in shown[0]


def test_the_three_layers_with_the_one_in_force() -> None:
    layers = stack(REGISTRY, "main", session="tiny", turn="big")
    rows = layer_lines(layers, 110, UNICODE).plain.splitlines()
    assert rows[0].startswith("  config") and "agents.defaults.model" in rows[0]
    assert rows[1].startswith("  session") and "▲ offline/echo-2k" in rows[1]
    assert rows[2].startswith("→ next message") and "chosen for this turn only" in rows[2]
    plain = layer_lines(stack(REGISTRY, "main"), 110, UNICODE).plain.splitlines()
    assert "in force: agents.defaults.model" in plain[0] and "as the config" in plain[1]
    lost = layer_lines(stack(REGISTRY, "main", session="gone"), 110, UNICODE).plain
    assert "no model goes by the name" in lost


def test_names_of_models_are_harmless() -> None:
    evil = HOSTILE["csi clear"] + HOSTILE["bidi override"]
    registry = ModelRegistry(
        Config(models=Models(aliases={evil: f"anthropic/{evil}"})), {"ANTHROPIC_API_KEY": "sk"}
    )
    lines = model_lines(registry, stack(registry, "main", session=f"anthropic/{evil}"))
    rows = ModelRows(find_models(lines, "", registry), UNICODE)
    told = "".join((*painted(rows, 90), *(about_model(line, UNICODE).plain for line in lines)))
    assert raw_controls(told) == set()


def outlook(verdict: Verdict, key: str = "k", now: int = 32_000, then: int = 2_000) -> Outlook:
    layers = Layers(Layer("config", "offline/echo"))
    own = Layers(Layer("config", "offline/echo"), Layer("session", "offline/echo-2k"))
    return Outlook(key, layers, own, now, then, 1_500, 1_700, verdict, f"it {verdict}")


def test_a_preview_counts_what_becomes_of_each() -> None:
    same = outlook("fits", "d")
    seen = {
        "a": outlook("fits"),
        "b": outlook("compacts"),
        "c": outlook("over"),
        "d": Outlook("d", same.now, same.now, 1, 1, 1, 1, "fits", "fits"),
        "e": StoreError("the disk failed"),
    }
    told = counts_of(seen, tuple(seen))
    assert told == (
        "3 sessions change: 1 fits, 1 would be compacted, 1 does not fit; 1 could not be looked at"
    )
    assert counts_of(seen, ("a",)) == "1 session changes: its next message fits"
    assert counts_of(seen, ("c", "d")) == "1 session changes: its next message does not fit"
    assert counts_of(seen, ("d",)) == "No session changes: they have this model already"
    assert counts_of(seen, ("d", "e")) == "No session changes; 1 could not be looked at"
    assert counts_of(seen, ()) == "All are left out: no session changes"
    alike = {"a": outlook("fits"), "b": outlook("fits")}
    assert counts_of(alike, tuple(alike)) == "2 sessions change: all of them fit"
    assert verdict_words(seen["d"])[0] == "stays as it is"
    assert verdict_words(seen["e"]) == ("the disk failed", "needs")
    assert verdict_words(None)[0].startswith("looking")


@pytest.mark.parametrize("width", [20, 44, 83, 84, 111])
def test_rows_of_a_preview_fit_any_width(width: int) -> None:
    named = [("a", "Alice · Telegram DM"), ("b", "漢字" * 30), ("c", "Carol"), ("d", "Dan")]
    seen = {"a": outlook("fits"), "b": outlook("compacts"), "c": StoreError("it failed " * 20)}
    rows = SwitchRows(named, seen, frozenset({"c"}), width, UNICODE)
    shown = painted(rows, width)
    assert len(shown) == 4 * rows.height(0)
    assert max(cell_len(line) for line in shown) <= width
    assert sum(line.startswith("[ ]") for line in shown) == 1
    if width >= 84:
        assert head_line(width) and "offline/echo" in shown[0] and "32k → 2k" in shown[0]
    else:
        assert head_line(width) == ""


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({}, ("agents", "defaults", "model")),
        ({"agents": {"defaults": {"model": "x"}}}, ("agents", "defaults", "model")),
        (
            {"agents": {"defaults": {"model": {"primary": "x"}}}},
            ("agents", "defaults", "model", "primary"),
        ),
        ({"agents": {"list": [{"id": "a"}, {"id": "ops"}]}}, ("agents", "list", 1, "model")),
        (
            {"agents": {"list": [{"id": "ops", "model": {"provider": "p", "name": "n"}}]}},
            ("agents", "list", 0, "model"),
        ),
        ({"agents": {"ops": {"channels": ["slack"]}}}, ("agents", "ops", "model")),
        ({"agents": {"desk": {"id": "ops"}}}, ("agents", "desk", "model")),
    ],
)
def test_where_the_file_says_which_model_an_agent_has(
    document: dict[str, object], path: tuple[str | int, ...]
) -> None:
    assert model_path(document, "ops") == path
