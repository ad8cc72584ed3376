"""A session's own model, as its transcript has it, else as the reference kept it in its index."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from engine.sessions.entries import MODEL

if TYPE_CHECKING:
    from engine.sessions.tree import Tree

__all__ = ["kept_override", "override_note", "read_override", "told_override"]


def override_note(ref: str | None) -> dict[str, object]:
    """The entry that sets a session's own model; None: the config's again."""
    return {"type": "custom", "customType": MODEL, "data": {"model": ref, "source": "user"}}


def read_override(body: object) -> str:
    """The model that the `data` of an entry sets; "" where it goes back to the config's."""
    model = body.get("model") if isinstance(body, dict) else None
    return model if isinstance(model, str) else ""


def told_override(tree: Tree) -> str | None:
    """What a transcript says last of the session's own model; "" where that was taken away, None
    where it never said anything."""
    entry_id = tree.ours.get(MODEL)
    return None if entry_id is None else read_override(tree.entry(entry_id).data.get("data"))


def kept_override(told: str | None, index: Mapping[str, Any] | None) -> str | None:
    """The model that a person chose for a session; None for the config's.

    Args:
        told: what the transcript says (see `told_override`); it wins.
        index: the session's entry in the index, where the reference keeps it.
    """
    if told is not None:
        return told or None
    found = index or {}
    model, provider = found.get("modelOverride"), found.get("providerOverride")
    if not isinstance(model, str) or not model:
        return None
    return f"{provider}/{model}" if isinstance(provider, str) and provider else model
