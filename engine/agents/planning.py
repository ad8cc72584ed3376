"""What is told of the config's changes: what one would do, and how the last reading went."""

from __future__ import annotations

from msgspec import Struct

from engine.config.edit import Edit
from engine.config.schema import Config
from engine.errors import Problem
from engine.routing.preview import Preview

__all__ = ["Plan", "Reading"]


class Plan(Struct, frozen=True):
    """What an edit would do, before it is made.

    Attributes:
        edit: with its diff.
        config: what would be in force; None when the text is still broken after the edit.
        problems: of the edited text, warnings too.
        changes: dotted paths of what would differ from what is in force.
        moved: what it would do to the conversations that are there.
        partial: not all recorded messages were looked at.
    """

    edit: Edit
    config: Config | None
    problems: tuple[Problem, ...]
    changes: tuple[str, ...]
    moved: Preview | None
    partial: bool


class Reading(Struct, frozen=True):
    """The last time that the file said something new.

    Attributes:
        when: milliseconds since 1970.
        seconds: from the look at the file to the config in force.
        ok: whether it could be used.
    """

    when: int
    seconds: float
    ok: bool
