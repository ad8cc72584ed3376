"""A session as one HTML page that stands alone: styles inside, no script, nothing fetched.

The path that is current runs down the page in one open block; where other branches part from it
they stand as closed blocks, with their own branches nested inside. Every text is escaped and no
link leads out of the page. Browsers draw blocks only to a certain depth: deeper branches follow
at the end of the page and are linked to.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING

from engine.sessions.interchange.shown import Shown, facts, follow, shown, title_of
from engine.sessions.pieces import Piece
from engine.text import safe_line, safe_text

if TYPE_CHECKING:
    from engine.sessions.transcript import Transcript

__all__ = ["html_lines"]

DEEPEST = 60
"""Blocks within blocks; browsers flatten a page's tree near 512."""

_FOLDED = frozenset({"thinking", "result", "output"})

_STYLE = """
:root { color-scheme: light dark; --line: #8885; --soft: #8881; --mark: #3b78d8; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; font-size: .9rem; }
dd { margin: 0; overflow-wrap: anywhere; }
article { margin: .8rem 0; padding: .5rem .8rem; border-left: 3px solid var(--line); }
article.user { border-color: var(--mark); background: var(--soft); }
article.summary { border-style: double; border-width: 3px; }
article.note, article.data, article.other, article.tool { font-size: .85rem; }
details:target { outline: 2px solid var(--mark); }
header { display: flex; flex-wrap: wrap; gap: .2rem .8rem; font-size: .8rem; opacity: .85; }
header b { overflow-wrap: anywhere; }
pre { font: inherit; white-space: pre-wrap; overflow-wrap: anywhere; margin: .3rem 0; }
pre.code { font: .85rem/1.4 ui-monospace, monospace; }
.label { background: var(--mark); color: #fff; border-radius: .6rem; padding: 0 .5rem; }
details.branch { margin: .5rem 0; border-left: 1px dashed var(--line); padding-left: .6rem; }
details.branch > summary { cursor: pointer; font-size: .85rem; overflow-wrap: anywhere; }
"""

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def html_lines(
    transcript: Transcript, leaf: str | None, *, branches: bool, key: str = ""
) -> Iterator[str]:
    """The page in pieces, to be written one after the other.

    Raises:
        StoreError: the file cannot be read.
    """
    tree = transcript.tree
    tip = tree.leaf if leaf is None else leaf
    title = _line(title_of(transcript, key))
    yield (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n<dl>\n"
    )
    for name, value in facts(transcript, tip, key):
        yield f"<dt>{name}</dt><dd>{_line(value)}</dd>\n"
    yield "</dl>\n<main>\n"
    yield from _Page(transcript, tip, branches).blocks()
    yield "</main>\n</body>\n</html>\n"


class _Page:
    """The blocks of one page, made by a stack of what is still to be written."""

    def __init__(self, transcript: Transcript, tip: str | None, branches: bool):
        self.tree = transcript.tree
        self.on_path = {node.id for node in self.tree.up(tip)}
        self.branches = branches
        self._numbers: dict[str, int] = {}
        self._late: deque[str] = deque()

    def blocks(self) -> Iterator[str]:
        roots = self.tree.children(None)
        current = [name for name in roots if name in self.on_path]
        others = [name for name in roots if name not in self.on_path] if self.branches else []
        for name in current:
            yield '<details class="branch current" open><summary>Current path</summary>\n'
            yield from self._run(name, 1)
            yield "</details>\n"
        for name in others:
            yield from self._branch(name, 1)
        while self._late:
            yield from self._branch(self._late.popleft(), 1)

    def _branch(self, name: str, level: int) -> Iterator[str]:
        yield self._opening(name)
        yield from self._run(name, level)
        yield "</details>\n"

    def _run(self, name: str, level: int) -> Iterator[str]:
        """An entry and all below it. Strings on the stack are markup, pairs entries to come."""
        work: list[str | tuple[str, int]] = [(name, level)]
        while work:
            item = work.pop()
            if isinstance(item, str):
                yield item
                continue
            name, level = item
            yield self._entry(name)
            goes_on, others = follow(self.tree, name, self.on_path)
            if not self.branches and (goes_on not in self.on_path):
                goes_on = None
            if goes_on is not None:
                work.append((goes_on, level))
            for other in reversed(others if self.branches else []):
                if level >= DEEPEST:
                    self._late.append(other)
                    work.append(
                        f'<p><a href="#b{self._number(other)}">a branch, further down</a></p>\n'
                    )
                else:
                    work += ["</details>\n", (other, level + 1), self._opening(other)]

    def _opening(self, name: str) -> str:
        one = self._first(name)
        words = " ".join(part.text for part in one.parts[:1]) if one is not None else ""
        who = one.who if one is not None else "entry"
        return (
            f'<details class="branch" id="b{self._number(name)}"><summary>Branch {_line(name)}: '
            f"{_line(who)} · {_line(words, 120)}</summary>\n"
        )

    def _first(self, name: str) -> Shown | None:
        """The first entry of a branch that is shown."""
        at: str | None = name
        while at is not None:
            one = shown(self.tree, self.tree.nodes[at])
            if one is not None:
                return one
            at = follow(self.tree, at, self.on_path)[0]
        return None

    def _number(self, name: str) -> int:
        return self._numbers.setdefault(name, len(self._numbers))

    def _entry(self, name: str) -> str:
        one = shown(self.tree, self.tree.nodes[name])
        if one is None:
            return ""
        label = f'<span class="label">{_line(one.label)}</span>' if one.label else ""
        note = f"<span>{_line(one.note)}</span>" if one.note else ""
        when = f"<time>{_line(one.when)}</time>" if one.when else ""
        head = f"<b>{_line(one.who)}</b>{note}{label}{when}<code>{_line(one.id)}</code>"
        body = "".join(map(_part, one.parts))
        return f'<article class="{one.kind}"><header>{head}</header>{body}</article>\n'


def _part(part: Piece) -> str:
    text = escape(safe_text(part.text))
    match part.where:
        case "text" | "summary" | "label" | "name":
            return f"<pre>{text}</pre>"
        case "image":
            return f"<p><i>image ({text})</i></p>"
    title = _line(part.title or part.where)
    code = f'<pre class="code">{text}</pre>'
    if part.where in _FOLDED:
        return f"<details><summary>{title}</summary>{code}</details>"
    return f"<p>{title}</p>{code}"


def _line(text: str, limit: int = 300) -> str:
    """Text on one line, safe as content and within a quoted attribute."""
    return escape(safe_line(text, limit=limit))
