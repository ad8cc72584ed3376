"""The session list in order: agents, their sessions, and what is over folded behind a row."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass

from engine.config.schema import Config
from engine.engine import SessionInfo
from engine.routing.identity import IdentityLinks
from tui.behind.sessionfilter import Query, find, read_query
from tui.people.naming import agent_name, is_stored
from tui.tracker import Tracker

__all__ = ["Fold", "Group", "Place", "Row", "arrange", "fold_of"]


@dataclass(frozen=True, slots=True)
class Group:
    """An agent with its sessions, by ref."""

    agent_id: str
    name: str
    refs: tuple[str, ...]
    is_open: bool

    @property
    def size(self) -> int:
        return len(self.refs)

    @property
    def key(self) -> Hashable:
        return ("agent", self.agent_id)


@dataclass(frozen=True, slots=True)
class Fold:
    """Conversations that are over, behind a row of their own: what a session's key held before,
    or, at the end of an agent's, those whose key has no session now. `depth`: how far the row
    stands to the right."""

    key: Hashable
    told: str
    is_open: bool
    depth: int


@dataclass(frozen=True, slots=True)
class Place:
    """A session. `depth`: 1 for what is under its key."""

    info: SessionInfo
    depth: int = 0

    @property
    def key(self) -> Hashable:
        return self.info.ref


Row = Group | Fold | Place


def fold_of(tracker: Tracker, info: SessionInfo) -> Hashable:
    """The row behind which a conversation that is over is folded without a filter."""
    return ("earlier", info.key) if tracker.runs(info.key) else ("away", info.agent_id)


def arrange(tracker: Tracker, config: Config, folded: frozenset[Hashable], query: str) -> list[Row]:
    """The rows: groups in the config's order, in each its sessions: found ones best first under a
    filter, else by rank.

    Args:
        folded: keys of groups that are folded, and of folds that are open: they begin closed.
        query: the filter. What is over is in its place only where it is asked for.
    """
    wanted = read_query(query)
    links = IdentityLinks(config.session.identity_links)
    groups: dict[str, list[SessionInfo]] = {agent.id: [] for agent in config.agents.list}
    for info in find(tracker, wanted, links):
        groups.setdefault(info.agent_id, []).append(info)
    rows: list[Row] = []
    for agent_id, infos in groups.items():
        if not infos:
            continue
        here = [info for info in infos if wanted.kept or not is_stored(info)]
        is_open = bool(query) or ("agent", agent_id) not in folded
        refs = tuple(info.ref for info in here)
        rows.append(Group(agent_id, agent_name(config, agent_id), refs, is_open))
        if is_open:
            kept = [] if wanted.kept else [info for info in infos if is_stored(info)]
            rows += _members(agent_id, here, kept, folded, wanted)
    return rows


def _members(
    agent_id: str,
    here: list[SessionInfo],
    kept: list[SessionInfo],
    folded: frozenset[Hashable],
    query: Query,
) -> Iterable[Row]:
    """An agent's sessions, each with what its key held before; the rest of what is over last."""
    under: dict[str, list[SessionInfo]] = {}
    for info in kept if not query.words else ():
        under.setdefault(info.key, []).append(info)
    for info in here:
        yield Place(info)
        if before := under.pop(info.key, None):
            key = ("earlier", info.key)
            yield from _folded(key, before, f"{len(before)} earlier", key in folded, 1)
    rest = kept if query.words else [info for some in under.values() for info in some]
    if rest:
        key = ("away", agent_id)
        begins_open = bool(query.words) and not here
        told = f"{len(rest)} put away"
        yield from _folded(key, rest, told, (key in folded) != begins_open, 0)


def _folded(
    key: Hashable, infos: list[SessionInfo], told: str, is_open: bool, depth: int
) -> Iterable[Row]:
    yield Fold(key, told, is_open, depth)
    if is_open:
        yield from (Place(info, 1) for info in infos)
