"""A route as rows: every tier in order, the one that won, and why the others did not."""

from __future__ import annotations

from engine.routing.bindings import TIERS, TraceStep
from engine.routing.router import Route
from engine.text import safe_line
from tui.look.glyphs import Glyphs
from tui.look.tones import MUTED

__all__ = ["Row", "route_rows"]

Row = tuple[str, str, str]
"""Sign or label, text, style."""

_NAMES = {
    "binding.peer": "peer",
    "binding.peer.parent": "parent peer",
    "binding.peer.wildcard": "any peer",
    "binding.guild+roles": "guild+roles",
    "binding.guild": "guild",
    "binding.team": "team",
    "binding.account": "account",
    "binding.channel": "channel",
    "routing": "pattern",
    "default": "default",
}
_WIDTH = 12


def route_rows(route: object, glyphs: Glyphs) -> list[Row]:
    """One row a tier, a second one where a reason is known, and the agent that came out."""
    if not isinstance(route, Route):
        return [("", "no message to route yet", MUTED)]
    steps: dict[str, list[TraceStep]] = {}
    for step in route.trace:
        steps.setdefault(step.tier, []).append(step)
    tiers = [*TIERS[:-1], *(["routing"] if "routing" in steps else []), TIERS[-1]]
    rows: list[Row] = []
    for number, tier in enumerate(tiers, 1):
        rows += _tier_rows(f"{number} {_NAMES[tier]}", steps.get(tier, []), glyphs)
    agent = safe_line(route.agent_id, limit=80)
    rows.append((glyphs.arrow, f"agent {agent}", "$text-success bold"))
    return rows


def _tier_rows(title: str, steps: list[TraceStep], glyphs: Glyphs) -> list[Row]:
    head = f"{title:<{_WIDTH + 2}}"
    if not steps:
        return [(glyphs.skipped, title, MUTED)]
    won = next((step for step in steps if step.won), None)
    if won is not None:
        return [(glyphs.yes, f"{head}{_called(won)}".rstrip(), "$text-success")]
    would = next((step for step in steps if step.failed is None), None)
    if would is not None:
        told = f"{_called(would)} would, too" if _called(would) else safe_line(would.agent_id)
        return [(glyphs.would, f"{head}{told}", MUTED)]
    first, more = steps[0], len(steps) - 1
    failed = first.failed
    rows = [(glyphs.no, f"{head}{_called(first)}{f' +{more}' if more else ''}", MUTED)]
    if failed is not None:
        wanted, got = safe_line(failed.wanted, limit=40), safe_line(failed.got, limit=40)
        rows.append(("", f"  {failed.field} {got or 'none'}, not {wanted}", MUTED))
    return rows


def _called(step: TraceStep) -> str:
    """Where the rule stands in the config; the default needs no name."""
    name = safe_line(step.rule, limit=40)
    return "" if name == "default" else name
