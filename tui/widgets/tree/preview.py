"""The preview beside the tree: an entry in full, and what the model would see from there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from engine.clock import parse_iso
from engine.engine import Xray
from engine.sessions.entries import Entry
from engine.sessions.outline import Outline
from engine.sessions.rows import Row, words_of
from engine.sessions.tree import Tree
from engine.text import safe_line
from tui.behind.xraylines import Group, Seen, look
from tui.look.cells import count, fit
from tui.look.glyphs import UNICODE, Glyphs
from tui.look.tones import MUTED, MUTED_BOLD
from tui.widgets.chat.layout import cut
from tui.widgets.chat.markdown_safe import parse, plain
from tui.widgets.chat.pieces import Piece
from tui.widgets.drawn import put
from tui.widgets.edged import Edged
from tui.widgets.tree.treelines import in_ascii, local_time

__all__ = ["Preview", "Previewed", "head_of", "preview_of"]


_KEYS = ("x what the model sees", "o pager", "p hide")

LOW = 12
"""Fewer rows than these show facts and window in two lines, above the words."""


@dataclass(frozen=True, slots=True)
class Previewed:
    """All the preview shows.

    Attributes:
        pieces: the words, ready to be laid out.
        more: characters of them that are left out.
        sibling: which of the branches that part here it begins, and how many there are.
        times: the time of day of entries that groups name, by id.
        seen: the window from here; None when it cannot be told, then `problem` says why.
        copies: where it was grafted from.
    """

    row: Row
    entry: Entry
    pieces: tuple[Piece, ...]
    more: int
    sibling: tuple[int, int]
    xray: Xray | None
    seen: Seen | None
    times: dict[str, str]
    label: str = ""
    problem: str = ""


def preview_of(
    tree: Tree, outline: Outline, row: Row, xray: Xray | None, problem: str = ""
) -> Previewed:
    """Gather what the preview shows. Reads entries and parses text: for a thread.

    Raises:
        EntryNotFound, StoreError: the entry cannot be read.
    """
    entry = tree.entry(row.node_id)
    text, more = cut(entry.text or words_of(entry))
    markdown = row.kind in ("assistant", "compaction", "summary")
    seen = look(xray, tree) if xray is not None else None
    times: dict[str, str] = {}
    for group in seen.groups if seen is not None else ():
        for name in {group.first, group.last} & tree.nodes.keys():
            times[name] = local_time(parse_iso(tree.entry(name).timestamp), "%H:%M")
    return Previewed(
        row,
        entry,
        parse(text) if markdown else plain(text),
        more,
        _sibling(outline, row.node_id),
        xray,
        seen,
        times,
        safe_line(tree.labels.get(row.node_id, ""), limit=80),
        problem,
    )


def _sibling(outline: Outline, name: str) -> tuple[int, int]:
    place = outline.places.get(name)
    if place is None or outline.segments[outline.segment_at(place)].start != place:
        return 1, 1
    starts, own = outline.siblings(place)
    return own + 1, len(starts)


def head_of(row: Row) -> str:
    """`m_041 · alice · 11:02`."""
    when = local_time(row.time, "%H:%M")
    return " · ".join(
        part for part in (safe_line(row.node_id, limit=24), row.speaker, when) if part
    )


class Preview(VerticalScroll, Edged, can_focus=True):
    """An entry and the window from it; two texts that are made anew together."""

    BINDING_GROUP_TITLE = "Preview"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "scroll_down", "Down", id="list.down", show=False),
        Binding("k", "scroll_up", "Up", id="list.up", show=False),
    ]

    HELP = """\
    ## Preview

    The message under the cursor in full, and **what the model would see** if the conversation
    went on from it: the system prompt, the summary that stands for what was folded, the messages,
    and below the line what it does not see and why. **x** shows every entry with its tokens and
    its reason, and the request byte for byte; **o** opens the message in your pager.
    """

    DEFAULT_CSS = """
    Preview { padding: 0 1; scrollbar-size-vertical: 1; }
    Preview Static { height: auto; width: 1fr; }
    """

    def __init__(self, *, id: str | None = None):  # noqa: A002
        super().__init__(id=id)
        self._keys, self._gap = _KEYS, " · "
        self.glyphs: Glyphs = UNICODE
        self.shown: Previewed | None = None
        self.flat = False
        """Whether the pane is low: facts and window in two lines, the words below."""

    def compose(self) -> ComposeResult:
        yield Static(id="preview-top", markup=False)
        yield Static(id="preview-rest", markup=False)

    def show(self, shown: Previewed | None, glyphs: Glyphs) -> None:
        """Show an entry; None empties the pane."""
        fresh = self.shown is None or shown is None or self.shown.entry.id != shown.entry.id
        self.shown, self.glyphs = shown, glyphs
        self.edge((), _KEYS, gap=in_ascii(" · ", glyphs))
        if fresh:
            self.scroll_home(animate=False)
        self._draw()

    def on_resize(self) -> None:
        self.flat = self.size.height < LOW
        self._draw()

    def _draw(self) -> None:
        width = self.scrollable_content_region.width
        if width < 10 or not self.is_mounted:
            return
        top, rest = self.query_one("#preview-top", Static), self.query_one("#preview-rest", Static)
        shown = self.shown
        if shown is None:
            self.border_title = "Preview"
            put(top, Content(""))
            put(rest, Content(""))
            return
        self.border_title = Content(in_ascii(head_of(shown.row), self.glyphs))
        body = _body(shown, width)
        if self.flat:
            put(top, Content("\n").join([*_brief(shown, width, self.glyphs), Content("")]))
            put(rest, body)
            return
        put(top, body)
        facts = [Content(""), *_facts(shown, width), Content("")]
        put(rest, Content("\n").join([*facts, *_window(shown, width, self.glyphs)]))


def _body(shown: Previewed, width: int) -> Content:
    rows = [row for piece in shown.pieces for row in piece.rows(width)]
    if shown.more:
        rows.append(Content.styled(f"… {shown.more:,} more characters · o opens them all", MUTED))
    return Content("\n").join(rows)


def _limit(shown: Previewed) -> str:
    xray = shown.xray
    if xray is None:
        return "?"
    room = xray.model.context_window
    return f"{count(xray.tokens)} / {count(room)}" if room else count(xray.tokens)


def _facts(shown: Previewed, width: int) -> list[Content]:
    """Two columns of facts; one where it is narrow."""
    row, entry, seen = shown.row, shown.entry, shown.seen
    origin = entry.data.get("origin")
    channel = origin.get("channel") if isinstance(origin, dict) else None
    model = entry.message.get("model")
    own = f"{seen.own:,}" if seen is not None and seen.own is not None else "-"
    place, of = shown.sibling
    depth = "-"
    if seen is not None:
        depth = f"{seen.depth:,}{'+' if seen.more else ''} (ctx {seen.inside:,})"
    pairs = [
        ("id", safe_line(row.node_id, limit=40)),
        ("parent", safe_line(entry.parent_id or "none", limit=40)),
        ("tokens", own),
        ("ctx here", _limit(shown)),
        ("model", safe_line(model, limit=60) if isinstance(model, str) else "-"),
        ("channel", safe_line(channel, limit=30) if isinstance(channel, str) else "-"),
        ("siblings", f"{place} of {of}"),
        ("depth", depth),
    ]
    if shown.label:
        pairs.append(("label", shown.label))
    when = local_time(row.time, "%d %b %Y %H:%M:%S")
    pairs.append(("time", when or "-"))
    grafted = entry.data.get("graftedFrom")
    if isinstance(grafted, dict) and isinstance(grafted.get("entryId"), str):
        pairs.append(("from", safe_line(grafted["entryId"], limit=40)))
    return _columns(pairs, width)


def _columns(pairs: list[tuple[str, str]], width: int) -> list[Content]:
    half = width // 2 if width >= 36 else width
    rows: list[Content] = []
    line: list[Content] = []
    used = 0
    for name, value in pairs:
        size = half if len(value) + 10 <= half else width
        if used + size > width:
            rows.append(Content("").join(line))
            line, used = [], 0
        told = Content.assemble((fit(name, 9), MUTED), fit(value, max(1, size - 10)), " ")
        line.append(told)
        used += size
    if line:
        rows.append(Content("").join(line))
    return rows


def _window(shown: Previewed, width: int, glyphs: Glyphs) -> list[Content]:
    """The window from here, group by group."""
    title = [Content.styled("CONTEXT THE MODEL SEES FROM HERE", MUTED_BOLD)]
    if shown.seen is None:
        return [*title, *Content.styled(shown.problem or "reading …", MUTED).wrap(width)]
    inside = [group for group in shown.seen.groups if group.included]
    out = [group for group in shown.seen.groups if not group.included]
    rows = [_group(shown, group, width, glyphs) for group in inside]
    if not inside:
        rows.append(Content.styled("nothing", MUTED))
    if out:
        rows.append(Content.styled(in_ascii("─", glyphs) * width, MUTED))
    for group in out:
        rows.append(_group(shown, group, width, glyphs))
        if group.kind != "folded":
            rows += [Content("  ") + row for row in _reason(group, width - 2)]
    problems = shown.xray.problems if shown.xray is not None else ()
    for problem in problems:
        rows += Content.styled(safe_line(str(problem)), "$text-warning").wrap(width)
    return [*title, *rows]


def _reason(group: Group, width: int) -> list[Content]:
    return list(Content.styled(safe_line(group.reason), MUTED).wrap(max(4, width)))


def _group(shown: Previewed, group: Group, width: int, glyphs: Glyphs) -> Content:
    tokens = count(group.tokens) if group.tokens is not None else ""
    left = fit(f" {_told(shown, group, glyphs)}", max(1, width - len(tokens) - 1))
    style = {"summary": "$text-accent", "prompt": ""}.get(group.kind, "")
    return Content.assemble((left, style if group.included else MUTED), " ", (tokens, MUTED))


def _told(shown: Previewed, group: Group, glyphs: Glyphs) -> str:
    first, last = shown.times.get(group.first, ""), shown.times.get(group.last, "")
    noun = "message" if group.entries == 1 else "messages"
    more = "+" if shown.seen is not None and shown.seen.more else ""
    match group.kind:
        case "prompt":
            return "system prompt"
        case "summary":
            return in_ascii(f"◆ {safe_line(group.first, limit=12)} summary", glyphs)
        case "messages" if group.last == shown.row.node_id:
            return f"{last} {shown.row.speaker}".strip()
        case "messages":
            span = first if first == last else in_ascii(f"{first} … {last}", glyphs)
            return f"{span}   {group.entries:,} {noun}".strip()
        case "folded":
            return in_ascii(f"hidden behind ◆   {group.entries:,}{more} {noun}", glyphs)
        case "cut":
            return f"beyond the limit   {group.entries:,}{more} {noun}"
    return f"left out   {group.entries:,} {noun}"


def _brief(shown: Previewed, width: int, glyphs: Glyphs) -> list[Content]:
    """Facts and window in one line, for low panes."""
    seen = shown.seen
    place, of = shown.sibling
    facts = f"ctx here {_limit(shown)} · sibling {place} of {of}"
    if seen is None:
        return [Content.styled(fit(shown.problem or f"{facts} · reading …", width), MUTED)]
    names = {"prompt": "system", "summary": "◆ summary"}
    told_in = [group for group in seen.groups if group.kind in names]
    parts = [f"{names[group.kind]} {count(group.tokens or 0)}" for group in told_in]
    said = [group for group in seen.groups if group.kind == "messages"]
    if said:
        number = sum(group.entries for group in said)
        parts.append(f"{number:,} msgs {count(sum(group.tokens or 0 for group in said))}")
    hidden = [
        f"{group.entries:,} {group.kind}" + (f" {count(group.tokens)}" if group.tokens else "")
        for group in seen.groups
        if not group.included
    ]
    told = f"model sees: {' + '.join(parts) or 'nothing'}"
    if hidden:
        told += f"   hidden: {', '.join(hidden)}"
    return [Content.styled(fit(in_ascii(line, glyphs), width), MUTED) for line in (facts, told)]
