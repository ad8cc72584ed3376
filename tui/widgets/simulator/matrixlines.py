"""The isolation matrix in lines: who shares a memory under each scope, and who saw whose words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from textual.content import Content

from engine.scenario.cast import Persona
from engine.scenario.matrix import Check, MatrixRow
from engine.scenario.troupe import Seen
from engine.text import safe_line
from tui.look.cells import fit
from tui.look.glyphs import Glyphs
from tui.look.tones import MUTED
from tui.people.naming import channel_short

__all__ = ["MatrixState", "exposure_lines", "matrix_lines", "verdict"]

LABEL = 27
"""Cells of the column with the names of the scopes."""

LEAST_CHECKS = 24
"""Cells that the checks keep, however many lanes there are."""

_LEAST_COLUMN = 4

_TONES = ("$text-primary", "$text-secondary", "$text-accent", "$text-warning")

MatrixState = tuple[tuple[MatrixRow, ...], tuple[Persona, ...], tuple[Seen, ...]]
"""Rows of the matrix, the people of its columns, what was seen so far."""


def matrix_lines(state: MatrixState, width: int, height: int, glyphs: Glyphs) -> Content:
    """The matrix in at most `height` rows; what was seen stands in the last one."""
    rows, people, seen = state
    told = verdict(seen, width, glyphs)
    if not people:
        return Content.styled("Nobody is here. ^N adds somebody.", MUTED)
    if height < 6 or width < LABEL + LEAST_CHECKS + _LEAST_COLUMN * len(people):
        if height < 2:
            return _tight(state, glyphs).truncate(max(1, width), ellipsis=True)
        return Content("\n").join([_in_one(rows, width, glyphs), told])
    column = (width - LABEL - LEAST_CHECKS - 16) // max(1, len(people))
    column = max(_LEAST_COLUMN, min(13, column))
    lines = [_head(people, column, width, glyphs)]
    lines += [_row(row, column, width, glyphs) for row in rows]
    return Content("\n").join([*lines[: height - 1], told])


def _head(people: Sequence[Persona], column: int, width: int, glyphs: Glyphs) -> Content:
    names = [
        fit(_column_name(number, one, column), column, ellipsis=glyphs.ellipsis)
        for number, one in enumerate(people, 1)
    ]
    return Content.styled(fit(" " * LABEL + "".join(names), width), MUTED)


def _column_name(number: int, one: Persona, column: int) -> str:
    if column < 8:
        return str(number)
    channel = channel_short(one.envelope.channel)
    name = safe_line(one.name, limit=40)
    room = column - 3 - len(str(number)) - len(channel)
    return f"{number} {fit(name, min(room, cell_len(name)))} {channel}"


def _row(row: MatrixRow, column: int, width: int, glyphs: Glyphs) -> Content:
    label = f"{glyphs.closed} {row.scope}" if row.now else f"  {row.scope}"
    parts: list[Content | tuple[str, str]] = [
        (fit(label, LABEL), "bold" if row.now else MUTED),
    ]
    parts += [(fit(one, column), _tone(one) + (" bold" if row.now else "")) for one in row.letters]
    room = width - LABEL - column * len(row.letters)
    line = Content.assemble(*parts, _told(row, room, glyphs))
    return line.truncate(max(1, width), ellipsis=True)


def _tone(letter: str) -> str:
    return _TONES[(ord(letter[-1]) - ord("A")) % len(_TONES)]


def _told(row: MatrixRow, room: int, glyphs: Glyphs) -> Content:
    """What the checks of a scope say, as fully as there is room for."""
    if not row.mixed and not any(not one.room for one in row.checks):
        meet = "; ".join(_lanes(one) for one in row.checks)
        rest = f"; {meet} in one room" if meet else ""
        for told in (f"everybody has a memory of their own{rest}", f"all apart{rest}", "all apart"):
            if cell_len(told) + 2 <= room:
                break
        return Content.styled(f"{glyphs.yes} {told}", "$text-success")
    mixed = [set(one.lanes) for one in row.checks if one.verdict != "shared"]
    checks = [one for one in row.checks if not one.room and not _within(one, mixed)]
    for short in (False, True):
        found = Content("  ").join([_check(one, row.now, short, glyphs) for one in checks])
        if found.cell_length <= room:
            break
    return found


def _within(check: Check, mixed: Sequence[set[int]]) -> bool:
    """Whether a gentle check says less than a grave one of the same lanes."""
    return check.verdict == "shared" and any(lanes.issuperset(check.lanes) for lanes in mixed)


def _lanes(check: Check) -> str:
    return ", ".join(str(place + 1) for place in check.lanes)


def _check(check: Check, now: bool, short: bool, glyphs: Glyphs) -> Content:
    lanes, would = _lanes(check), "" if now or short else "would "
    if check.verdict == "exposed":
        return Content.styled(f"{glyphs.no} {lanes} {would}share one memory", "$text-error")
    if check.verdict == "refused":
        return Content.styled(f"{glyphs.no} {lanes} {would}meet; stopped", "$text-error")
    rule = safe_line(check.rule, limit=80)
    if (name := rule.removeprefix(_LINKED)) != rule:
        told = f"linked as {name}" if short else f"identity link {name}"
        return Content.styled(f"{glyphs.warning} {lanes} {would}merge: {told}", "$text-warning")
    return Content.styled(f"{glyphs.dot} {lanes}: {rule}", MUTED)


_LINKED = "identityLinks: both are "
"""How engine.rights.sharing names the rule of identity links."""


def _in_one(rows: Sequence[MatrixRow], width: int, glyphs: Glyphs) -> Content:
    """All scopes in one line: `now 1A 2B   main 1A 2A ✘`; what does not fit is left out."""
    line = Content("")
    for row in rows:
        part = _brief(row, glyphs)
        if line.cell_length + part.cell_length + 3 > width and line.cell_length:
            break
        line = Content.assemble(line, "   " if line.cell_length else "", part)
    return line.truncate(max(1, width), ellipsis=True)


def _brief(row: MatrixRow, glyphs: Glyphs) -> Content:
    letters = " ".join(f"{number}{one}" for number, one in enumerate(row.letters, 1))
    sign, tone = (glyphs.no, "$text-error") if row.mixed else (glyphs.yes, "$text-success")
    name = "now" if row.now else row.scope
    return Content.assemble((f"{name} ", MUTED), letters, (f" {sign}", tone))


def _tight(state: MatrixState, glyphs: Glyphs) -> Content:
    """The scope in force and what was seen, in one line."""
    rows, _, seen = state
    fresh = [one for one in seen if not one.earlier]
    if not fresh:
        return _brief(rows[0], glyphs)
    one = fresh[-1]
    told = f"  {safe_line(one.reader, limit=20)} saw {safe_line(one.author, limit=20)}"
    return Content.assemble(_brief(rows[0], glyphs), (told, "$text-error bold"))


def verdict(seen: Sequence[Seen], width: int, glyphs: Glyphs) -> Content:
    """Who was answered with whose words in sight since the config last changed; else what was
    seen before that, as a thing of the past."""
    fresh = [one for one in seen if not one.earlier]
    if fresh:
        last, more = fresh[-1], len(fresh) - 1
        told = next(
            (one for one in _told_seen(last, more, glyphs) if cell_len(one) <= width),
            f"{glyphs.no} {_name(last.reader)} saw {_name(last.author)}",
        )
        return Content.styled(told, "$text-error bold").truncate(max(1, width), ellipsis=True)
    clear = f"{glyphs.yes} no lane saw text of another's"
    if not seen:
        return Content.styled(clear, "$text-success").truncate(max(1, width), ellipsis=True)
    last = seen[-1]
    before = f"  before: {_name(last.reader)} saw {_name(last.author)}, {_line(last.rule)}"
    since = f"{clear} since the config changed"
    return Content.assemble((since, "$text-success"), (before, MUTED)).truncate(
        max(1, width), ellipsis=True
    )


def _name(name: str) -> str:
    return safe_line(name, limit=40) or "somebody"


def _line(text: str) -> str:
    return safe_line(text, limit=120)


def _told_seen(one: Seen, more: int, glyphs: Glyphs) -> Iterator[str]:
    """What was seen, in several lengths, longest first."""
    rest = f" (and {more} more)" if more else ""
    times = f"{one.requests} requests" if one.requests > 1 else "1 request"
    reader, author = _name(one.reader), _name(one.author)
    if one.blocked:
        yield f"{glyphs.no} stopped: {reader} would have seen words of {author}: {one.rule}{rest}"
        yield f"{glyphs.no} stopped: {reader} would have seen {author}{rest}"
        return
    rule = _line(one.rule)
    yield f"{glyphs.no} {reader} is answered with words of {author} in sight: {rule}, {times}{rest}"
    yield f"{glyphs.no} {reader} is answered with {author} in sight: {rule}{rest}"
    yield f"{glyphs.no} {reader} sees {author}: {rule}{rest}"
    yield f"{glyphs.no} {reader} sees {author}{rest}"


def exposure_lines(seen: Sequence[Seen], glyphs: Glyphs) -> tuple[str, ...]:
    """Words that are shared by the operator's own setting, for the banner: in several lengths,
    longest first; () when nobody is answered with another's words now."""
    fresh = [one for one in seen if not one.earlier and not one.blocked]
    if not fresh:
        return ()
    last, more = fresh[-1], len(fresh) - 1
    reader, author, rule = _name(last.reader), _name(last.author), _line(last.rule)
    rest = f" (and {more} more)" if more else ""
    head = f"{glyphs.warning} SHARED MEMORY"
    return (
        f"{head}: {reader} is answered with words of {author} in sight, {rule}{rest}; p changes it",
        f"{head}: {reader} sees words of {author}, {rule}{rest}; p changes it",
        f"{head}: {reader} sees {author}{rest}; p changes it",
        f"{head}: {reader} sees {author}",
    )
