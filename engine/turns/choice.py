"""Which model answers: three layers that may say so, each with its source (SPEC §9).

What a turn uses and what a person is shown is this one value.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from engine.errors import ModelError
from engine.models.registry import ModelRegistry
from engine.turns.order import Order
from engine.turns.pool import LiveSession

__all__ = ["Layer", "LayerName", "Layers", "layers_of", "stack"]

LayerName = Literal["config", "session", "turn"]


class Layer(Struct, frozen=True):
    """One place that may say which model answers.

    Attributes:
        name: the config, the session's own choice, or the next turn's only.
        ref: `provider/model`; where that is not known, what was written.
        place: in the config: its path, the variable whose key made the choice, or `offline`.
        error: why it leads to no model.
    """

    name: LayerName
    ref: str
    place: str = ""
    error: ModelError | None = None


class Layers(Struct, frozen=True):
    """All that say which model answers in a session; the last one that is there is in force.

    Attributes:
        session: what a person chose for the session; None: nothing.
        turn: what was chosen for one turn; None: nothing.
        chain: names that the config has tried where its own model cannot answer.
    """

    config: Layer
    session: Layer | None = None
    turn: Layer | None = None
    chain: tuple[str, ...] = ()

    @property
    def in_force(self) -> Layer:
        return self.turn or self.session or self.config

    @property
    def fallbacks(self) -> tuple[str, ...]:
        """What a person chose is strict: it has none (PROVIDERS: an explicit choice is never
        replaced silently)."""
        return self.chain if self.in_force is self.config else ()

    @property
    def why(self) -> str:
        """Why that layer is in force, for people."""
        chosen = self.in_force
        if chosen is self.turn:
            return "chosen for this turn only"
        if chosen is self.session:
            return "chosen for this session"
        if chosen.place == "offline":
            return "the config names no model, and no key is set"
        if chosen.place.isupper():
            return f"the config names no model, and {chosen.place} is set"
        return f"the config says so ({chosen.place})" if chosen.place else "the config says so"

    def chosen(self) -> str:
        """The reference in force.

        Raises:
            ModelError: it leads to no model.
        """
        if self.in_force.error is not None:
            raise self.in_force.error
        return self.in_force.ref


def stack(
    registry: ModelRegistry, agent_id: str, *, session: str | None = None, turn: str | None = None
) -> Layers:
    """What the layers say.

    Args:
        registry: the models of the config in force.
        agent_id: who answers.
        session: what was chosen for the session.
        turn: what was chosen for this turn.
    """
    chain: tuple[str, ...] = ()
    try:
        choice = registry.default_choice(agent_id)
        config, chain = Layer("config", choice.ref, choice.source), choice.fallbacks
    except ModelError as error:
        config = Layer("config", "", error=error)
    return Layers(config, _said(registry, "session", session), _said(registry, "turn", turn), chain)


def _said(registry: ModelRegistry, name: LayerName, text: str | None) -> Layer | None:
    if text is None:
        return None
    try:
        return Layer(name, registry.resolve(text))
    except ModelError as error:
        return Layer(name, text, error=error)


def layers_of(order: Order, session: LiveSession | None) -> Layers:
    """The layers of an order's turn. `session`: None for one that has no entry yet."""
    own = session.override if session is not None else None
    return stack(order.setup.registry, order.agent_id, session=own, turn=order.model)
