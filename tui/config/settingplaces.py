"""What the palette offers of the config beside plain settings: lists, maps and groups, and the
values of entries that have names of their own (`channels.telegram.dmPolicy`)."""

from __future__ import annotations

from engine.config.document import read_document
from engine.config.load import Snapshot
from engine.config.scan import KeyPath
from tui.behind.configrows import Entry, entries_of

__all__ = ["MAX_PLACES", "places_of"]

MAX_PLACES = 2000
"""Places offered; whatever is deeper in a huge config is reached level by level."""


def places_of(snapshot: Snapshot) -> tuple[Entry, ...]:
    """Every container, and every value inside of a map that the file has; items of lists are
    left to the list. For a thread."""
    value = read_document(snapshot.text).value or {}
    found: list[Entry] = []
    work: list[tuple[KeyPath, bool]] = [((), False)]
    while work and len(found) < MAX_PLACES:
        path, named = work.pop(0)
        for entry in entries_of(value, path, snapshot.config):
            plain = entry.shape is not None and entry.shape.short and not named
            if plain and not isinstance(entry.raw, dict | list) and not entry.written:
                continue  # it is offered as a plain setting
            if entry.holds:
                found.append(entry)
                if not (isinstance(entry.raw, list) or (named and not entry.written)):
                    inside = entry.shape is not None and entry.shape.sort == "map"
                    work.append((entry.path, named or inside))
            elif named and entry.written:
                found.append(entry)
    return tuple(found)
