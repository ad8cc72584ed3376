"""The Simulator's people, kept over a restart: who they are, and what they did not send."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from engine.errors import EnvelopeError
from engine.routing.envelope import Envelope
from engine.routing.read import read_envelope
from engine.scenario.cast import Persona, facts_of

__all__ = ["MOST", "kept_lanes", "lanes_of"]

MOST = 40
"""People that are kept."""


def kept_lanes(
    people: Iterable[Persona], draft_of: Callable[[Persona], str]
) -> tuple[dict[str, Any], ...]:
    """People and their drafts as JSON."""
    return tuple(
        {"facts": facts_of(one.envelope), "draft": draft_of(one)} for one in list(people)[:MOST]
    )


def lanes_of(kept: Sequence[Any]) -> list[tuple[Envelope, str]]:
    """Whoever can be read from that, with their drafts; the rest is passed over."""
    found: list[tuple[Envelope, str]] = []
    for one in kept[:MOST]:
        try:
            facts, draft = dict(one["facts"]), one.get("draft")
            envelope = read_envelope(facts)
        except (EnvelopeError, KeyError, TypeError, ValueError, AttributeError):
            continue
        found.append((envelope, draft if isinstance(draft, str) else ""))
    return found
