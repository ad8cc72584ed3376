"""The inspector's section on memory: whose words are in the window, and by which rule."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from engine.agents.leak import Sighting
from engine.rights.company import Company, Member
from engine.text import safe_line
from tui.look.cells import fit
from tui.look.glyphs import Glyphs
from tui.look.tones import MUTED, MUTED_BOLD

__all__ = ["memory_section"]

LISTED = 6
"""People named; the rest is counted."""


def memory_section(
    company: Company, seen: Sequence[Sighting], width: int, glyphs: Glyphs
) -> Content:
    """Who shares this session, in `width` cells; nothing for a window without people."""
    if not company.members and not seen:
        return Content("")
    rows = [_heading(company, width)]
    risky = company.mixed or company.exposed
    rows += [_member(one, risky, width, glyphs) for one in company.members[:LISTED]]
    if len(company.members) > LISTED:
        told = f"  and {len(company.members) - LISTED:,} more"
        rows.append(Content.styled(told, MUTED))
    if company.summaries:
        rows.append(Content.styled("  and whoever a summary quotes", MUTED))
    for share in company.shares:
        grave = share.verdict in ("exposed", "refused")
        rows += _wrapped(share.rule, grave, width, glyphs)
    for sighting in seen[-LISTED:]:
        rows += _wrapped(_sighted(sighting), True, width, glyphs)
    return Content("\n").join(rows)


def _heading(company: Company, width: int) -> Content:
    count = len(company.members)
    right = "1 person" if count == 1 else f"{count:,} people"
    return Content.assemble((fit("MEMORY", width - len(right)), MUTED_BOLD), (right, MUTED))


def _member(one: Member, risky: bool, width: int, glyphs: Glyphs) -> Content:
    sign = glyphs.warning if risky and one.direct else glyphs.dot
    said = f" {one.messages:,}"
    name = "you" if one.principal == "operator" else safe_line(one.name, limit=60)
    named = fit(name, max(1, width - 2 - len(said)), ellipsis=glyphs.ellipsis)
    tone = "$text-warning" if sign == glyphs.warning else MUTED
    return Content.assemble((f"{sign} ", tone), named, (said, MUTED))


def _wrapped(told: str, grave: bool, width: int, glyphs: Glyphs) -> list[Content]:
    """A rule or a sighting on as many lines as it needs."""
    sign, tone = (glyphs.warning, "$text-warning") if grave else (glyphs.dot, MUTED)
    lines = Content.styled(safe_line(told, limit=200), "" if grave else MUTED).wrap(width - 2)
    heads = [f"{sign} ", *["  "] * (len(lines) - 1)]
    return [Content.assemble((head, tone), line) for head, line in zip(heads, lines, strict=True)]


def _sighted(seen: Sighting) -> str:
    reader, author = seen.reader_name or seen.reader, seen.author_name or "somebody"
    if seen.verdict == "refused":
        return f"stopped: {reader} would have seen words of {author}"
    times = f"{seen.requests} times" if seen.requests > 1 else "once"
    return f"{reader} was answered with {author} in sight, {times}"
