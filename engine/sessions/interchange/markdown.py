"""A session as Markdown that says what was said and does nothing.

Each text is a quotation, so that nothing in it can end the quotation or open a heading of the
document. In it Markdown stays Markdown, but raw HTML, images, link definitions and links to
anything but the web become plain text, and no control character is left.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from engine.sessions.interchange.shown import Shown, facts, follow, shown, title_of
from engine.sessions.pieces import Piece
from engine.text import safe_line, safe_text

if TYPE_CHECKING:
    from engine.sessions.transcript import Transcript

__all__ = ["markdown_lines"]

_OPEN = re.compile(r"(`{3,})[^`]*|(~{3,}).*")
_CLOSE = re.compile(r" {0,3}(`+|~+) *")
_ACTIVE = re.compile(r"<(?=[A-Za-z/!?])|!(?=\[)|\](?=[(:\[])|&(?=#|\w)")
_WEB_LINK = re.compile(r"\]\(https?://[^\s()<>\\&\"'`]+\)")
_PUNCTUATION = re.compile(r"([\\`*_{}\[\]<>#|~&!])")
_TICKS = re.compile(r"`{3,}")


def markdown_lines(
    transcript: Transcript, leaf: str | None, *, branches: bool, key: str = ""
) -> Iterator[str]:
    """The document in pieces: head, the path, then every other branch under a heading.

    Raises:
        StoreError: the file cannot be read.
    """
    tree = transcript.tree
    tip = tree.leaf if leaf is None else leaf
    yield f"# {_plain(title_of(transcript, key))}\n\n"
    for name, value in facts(transcript, tip, key):
        yield f"- {name}: {_plain(value)}\n"
    on_path = {node.id for node in tree.up(tip)}
    path = tree.path(tip)
    waiting = [name for name in tree.children(None) if name not in on_path]
    yield "\n## Conversation\n\n"
    for node in path:
        yield _entry(shown(tree, node))
        waiting += follow(tree, node.id, on_path)[1]
        if node.id == tip:
            below = follow(tree, node.id, on_path)[0]
            waiting += [below] if below is not None else []
    if branches:
        yield from _others(transcript, waiting, on_path)
    elif waiting:
        count = len(waiting)
        yield f"*{count:,} more {'branch is' if count == 1 else 'branches are'} left out.*\n"


def _others(transcript: Transcript, waiting: list[str], on_path: set[str]) -> Iterator[str]:
    tree = transcript.tree
    work = waiting[::-1]
    while work:
        start: str | None = work.pop()
        parent = tree.nodes[start or ""].parent_id
        fork = f"from {_plain(parent)}" if parent in tree.nodes else "a root of its own"
        yield f"## Branch {_plain(start or '')}, {fork}\n\n"
        parted: list[str] = []
        while start is not None:
            yield _entry(shown(tree, tree.nodes[start]))
            start, others = follow(tree, start, on_path)
            parted += others
        work += reversed(parted)


def _entry(one: Shown | None) -> str:
    if one is None or one.kind == "data":
        return ""
    label = f" · **{_plain(one.label)}**" if one.label else ""
    when = f" · {_plain(one.when)}" if one.when else ""
    note = f" · {_plain(one.note)}" if one.note else ""
    head = f"### {_plain(one.who)}{when}{note}{label}\n\n"
    return head + "".join(map(_part, one.parts))


def _part(part: Piece) -> str:
    text = safe_text(part.text)
    match part.where:
        case "text" | "summary":
            return _quote("\n".join(_tame(text)))
        case "call":
            return f"Calls {_plain(part.title)}:\n\n{_verbatim(text)}"
        case "image":
            return f"*Image ({_plain(part.text)})*\n\n"
        case "thinking":
            return f"Thinking:\n\n{_verbatim(text)}"
    return _verbatim(text)


def _tame(text: str) -> Iterator[str]:
    """Lines of Markdown with everything active in them made plain.

    A fence counts only at the margin, where nothing around it can hold it or end it early; what
    is elsewhere is treated as if it were no code, which is safe either way.
    """
    fence = ""
    # A tab is worth fewer columns within a quotation, which would change what ends a fence.
    for line in text.expandtabs(4).split("\n"):
        if fence:
            yield line
            found = _CLOSE.fullmatch(line)
            if found and found[1].startswith(fence):
                fence = ""
        elif found := _OPEN.fullmatch(line):
            fence = found[1] or found[2]
            yield line
        else:
            yield _harmless(line)


def _harmless(line: str) -> str:
    """A line with raw HTML, images, entities and links other than plain web links escaped."""
    if not _ACTIVE.search(line):
        return line
    out, place = [], 0
    for found in _ACTIVE.finditer(line):
        out.append(line[place : found.start()])
        place = found.start()
        if not _WEB_LINK.match(line, place) and not _escaped(line, place):
            out.append("\\")
    return "".join((*out, line[place:]))


def _escaped(line: str, place: int) -> bool:
    """Whether a backslash takes a character's meaning away already."""
    start = place
    while start > 0 and line[start - 1] == "\\":
        start -= 1
    return (place - start) % 2 == 1


def _quote(text: str) -> str:
    return "".join(f"> {line}\n" if line else ">\n" for line in text.split("\n")) + "\n"


def _verbatim(text: str) -> str:
    """A quoted block of code that holds the text as it is."""
    longest = max((len(run) for run in _TICKS.findall(text)), default=2)
    fence = "`" * (longest + 1)
    return _quote(f"{fence}\n{text}\n{fence}")


def _plain(text: str) -> str:
    """One line in which no Markdown is."""
    return _PUNCTUATION.sub(r"\\\1", safe_line(text, limit=300))
