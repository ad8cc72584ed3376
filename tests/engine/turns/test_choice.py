from __future__ import annotations

import pytest

from engine.config.schema import Agent, AgentDefaults, Agents, Config, ModelChoice, Models
from engine.errors import ModelNotFound
from engine.models.registry import ModelRegistry
from engine.turns.choice import Layer, stack

CONFIG = Config(
    agents=Agents(
        defaults=AgentDefaults(
            model=ModelChoice(primary="offline/echo", fallbacks=("offline/echo-2k",))
        ),
        list=(Agent(id="main"), Agent(id="ops", model=ModelChoice(primary="small"))),
    ),
    models=Models(aliases={"small": "offline/echo-4k"}),
)
REGISTRY = ModelRegistry(CONFIG, {})


def test_the_config_says_so_at_a_place() -> None:
    found = stack(REGISTRY, "main")
    assert found.in_force == Layer("config", "offline/echo", "agents.defaults.model")
    assert found.fallbacks == ("offline/echo-2k",)
    assert found.why == "the config says so (agents.defaults.model)"
    assert stack(REGISTRY, "ops").config == Layer(
        "config", "offline/echo-4k", "agents.list[1].model"
    )


def test_the_nearest_layer_wins_and_has_no_fallbacks() -> None:
    session = stack(REGISTRY, "main", session="small")
    assert session.in_force == Layer("session", "offline/echo-4k")
    assert session.fallbacks == ()
    assert session.why == "chosen for this session"
    both = stack(REGISTRY, "main", session="small", turn="offline/echo-8k")
    assert both.in_force == Layer("turn", "offline/echo-8k")
    assert both.session == session.session and both.config == session.config
    assert both.why == "chosen for this turn only"


def test_where_the_config_names_none_the_reason_is_told() -> None:
    nothing = stack(ModelRegistry(Config(), {}), "main")
    assert (nothing.config.ref, nothing.config.place) == ("offline/echo", "offline")
    assert nothing.why == "the config names no model, and no key is set"
    keyed = stack(ModelRegistry(Config(), {"ANTHROPIC_API_KEY": "sk-ant-x"}), "main")
    assert keyed.config.ref.startswith("anthropic/")
    assert keyed.why == "the config names no model, and ANTHROPIC_API_KEY is set"


def test_a_layer_that_leads_nowhere_matters_only_where_it_is_in_force() -> None:
    config = Config(agents=Agents(defaults=AgentDefaults(model=ModelChoice(primary="gone"))))
    broken = stack(ModelRegistry(config, {}), "main")
    with pytest.raises(ModelNotFound, match="gone"):
        broken.chosen()
    chosen = stack(ModelRegistry(config, {}), "main", session="offline/echo")
    assert chosen.chosen() == "offline/echo"
    assert isinstance(chosen.config.error, ModelNotFound)
    lost = stack(REGISTRY, "main", session="nobody-knows")
    assert lost.session is not None and lost.session.ref == "nobody-knows"
    with pytest.raises(ModelNotFound, match="nobody-knows"):
        lost.chosen()
