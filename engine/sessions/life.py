"""What happens to a session as a whole: it ends (reset, archived, deleted), or goes on again.

The transcript itself keeps the last such event as a bookkeeping entry, so the index can be deleted
at any time; whether a session is over is told by its file's name alone (see records.read_name),
which a crash leaves either old or new.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from engine.clock import iso, parse_iso
from engine.sessions.entries import LABELS, LIFE, MODEL

if TYPE_CHECKING:
    from engine.sessions.tree import Tree

__all__ = ["Life", "carry", "life_note", "moment_of", "read_life", "stamp_of"]


class Life(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a session ended, or that it goes on.

    Attributes:
        event: reset, archive, delete or restore.
        reason: for people.
        rule: the place in the config that decided; "" for a person's own wish.
        key: the session key at that time, for files whose header has none.
        at: ms since 1970.
    """

    event: str
    reason: str = ""
    rule: str = ""
    key: str = ""
    at: int = 0


def life_note(life: Life, index: Mapping[str, Any]) -> dict[str, Any]:
    """The entry that keeps a life event.

    Args:
        index: fields of the session's index entry that only the index has; a restore puts them
            back.
    """
    body: dict[str, Any] = {
        "event": life.event,
        "reason": life.reason,
        "rule": life.rule,
        "key": life.key,
    }
    if index:
        body["index"] = dict(index)
    return {"type": "custom", "customType": LIFE, "data": body, "timestamp": iso(life.at)}


def read_life(body: object, stamp: str | None) -> Life | None:
    """The event that an entry's `data` tells of; None when it tells of none."""
    if not isinstance(body, dict) or not isinstance(body.get("event"), str):
        return None
    texts = {name: body[name] for name in ("reason", "rule", "key") if _is_text(body, name)}
    return Life(body["event"], at=(parse_iso(stamp) if stamp else None) or 0, **texts)


def _is_text(body: Mapping[str, Any], name: str) -> bool:
    return isinstance(body.get(name), str)


def carry(
    tree: Tree, name: str | None, stamp: str, new_id: Callable[[], str]
) -> tuple[Mapping[str, Any], ...]:
    """What a reset keeps, as whole entries for a new file: the name, the labels, the model.

    Args:
        tree: of the session that is over.
        name: the session's; the index of the reference may know one that the tree does not.
        stamp: the time now, ISO.
        new_id: makes ids.
    """
    found: list[dict[str, Any]] = [{"type": "session_info", "name": name}] if name else []
    for kind in (LABELS, MODEL):
        if kind in tree.ours:
            data = tree.entry(tree.ours[kind]).data.get("data")
            found.append({"type": "custom", "customType": kind, "data": data})
    ids: list[str | None] = [None, *(new_id() for _ in found)]
    return tuple(
        {**fields, "id": ids[place + 1], "parentId": ids[place], "timestamp": stamp}
        for place, fields in enumerate(found)
    )


def stamp_of(milliseconds: int) -> str:
    """A time as the reference puts it into file names: `2026-11-20T11-18-30.402Z`."""
    return iso(milliseconds).replace(":", "-")


def moment_of(stamp: str) -> int | None:
    """The time in a file name, in ms since 1970; None when there is none."""
    for form in ("%Y-%m-%dT%H-%M-%S.%fZ", "%Y-%m-%dT%H-%M-%SZ"):
        try:
            found = datetime.strptime(stamp.partition("Z")[0] + "Z", form)
        except ValueError:
            continue
        return round(found.replace(tzinfo=UTC).timestamp() * 1000)
    return None
