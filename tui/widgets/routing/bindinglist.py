"""The list of bindings: tier, what they match, who answers, hits, the last one, what is amiss."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.fuzzy import Matcher

from engine.routing.bindings import TIERS, Tier
from tui.behind.bindingrows import BindingRow, tier_name
from tui.look.cells import age, fit
from tui.look.glyphs import UNICODE, Glyphs
from tui.widgets.rowlist import RowList
from tui.widgets.rows import Line, RowView
from tui.widgets.tree.treelines import in_ascii

__all__ = ["SCOPE_KEYS", "BindingLines", "BindingList", "head_line", "tier_words"]

SCOPE_KEYS: tuple[BindingType, ...] = (
    Binding("left", "screen.try_scope(-1)", "Scope before", id="routing.scope-before", show=False),
    Binding("right", "screen.try_scope(1)", "Scope after", id="routing.scope-after", show=False),
)
"""Those of the screen, for panes whose own arrows would scroll sideways."""

_NARROW = 60
"""Inner width below which the number and the name of the tier are shortened."""


def tier_words(tier: Tier) -> str:
    """`1 peer`; a pattern has no number: it is tried before the default."""
    number = str(TIERS.index(tier) + 1) if tier in TIERS else " "
    return f"{number} {tier_name(tier)}"


def _columns(width: int) -> tuple[int, int, int, int]:
    """Cells of place, tier, agent and match."""
    place, tier = (5, 12) if width >= _NARROW else (5, 3)
    agent = max(6, min(16, width // 6))
    return place, tier, agent, max(4, width - place - tier - agent - 18)


def _joined(cells: tuple[str, str, str, str, str, str, str], width: int, more: str) -> str:
    place, tier, agent, match = _columns(width)
    return " ".join(
        (
            fit(cells[0], place, right=True),
            fit(cells[1], tier, ellipsis=""),
            fit(cells[2], match, ellipsis=more),
            fit(cells[3], agent, ellipsis=more),
            fit(cells[4], 5, right=True),
            fit(cells[5], 4, right=True),
            cells[6],
        )
    )


def head_line(width: int) -> str:
    """The names of the columns, for a list of `width` cells."""
    return " " + _joined(("#", "tier", "match", "agent", "hits", "last", ""), width - 1, "")


class BindingLines:
    """Rules as rows of one line; a row's key is the rule's place in the config."""

    uniform: int | None = 1

    def __init__(
        self, rows: Sequence[BindingRow], view: RowView, *, now: int, counted: bool, glyphs: Glyphs
    ):
        self._rows = _found(rows, view.query)
        self._now = now
        self._counted = counted
        self._glyphs = glyphs

    def __len__(self) -> int:
        return len(self._rows)

    def height(self, index: int) -> int:
        return 1

    def key(self, index: int) -> Hashable:
        return self._rows[index].key

    def index_of(self, key: Hashable) -> int | None:
        return next((at for at, row in enumerate(self._rows) if row.key == key), None)

    def foldable(self, index: int) -> bool:
        return False

    def lines(self, index: int, width: int) -> Sequence[Line]:
        row, glyphs = self._rows[index], self._glyphs
        mark, tone = " ", "dim" if not row.use.messages else ""
        if row.problems:
            grave = any(problem.severity == "error" for problem in row.problems)
            mark, tone = (glyphs.broken if grave else glyphs.warning), "warned"
        hits = f"{row.use.messages:,}" if row.use.messages < 100_000 else "many"
        cells = (
            f"[{row.index}]" if row.index is not None else glyphs.skipped,
            tier_words(row.tier) if width >= _NARROW else tier_words(row.tier)[:2],
            in_ascii(row.match, glyphs),
            in_ascii(row.agent, glyphs),
            hits if self._counted else glyphs.ellipsis,
            age(self._now - row.use.last) if row.use.last else "-",
            "",
        )
        text = fit(_joined(cells, width, glyphs.ellipsis), width - 2)
        return ([(text, tone), (f" {mark}", "needs" if mark == glyphs.broken else "mark")],)


def _found(rows: Sequence[BindingRow], query: str) -> list[BindingRow]:
    if not query:
        return list(rows)
    matcher = Matcher(query)

    def fits(row: BindingRow) -> bool:
        said = f"{row.match} {row.agent} {tier_words(row.tier)} {row.key}"
        return query.lower() in said.lower() or matcher.match(row.match) > 0

    return [row for row in rows if fits(row)]


class BindingList(RowList):
    """The bindings, most specific tier first, within a tier in the file's order."""

    HELP = """\
    ## Bindings

    Which messages go to which agent. The most specific tier wins; within a tier the binding that
    stands first in the file. **hits** are the messages of all sessions that it would decide as it
    is now, **last** when the last one came. `▲` marks what lint has something to say of; the words
    are below the list.

    **Enter** edits, **n** adds, **x** takes out, **J K** move within the tier: all of it a draft,
    tried at once (**t** tries a message, the effect is in the dmScope pane), in force with **a**,
    in the file with **w**. **u** takes the last step back. **/** filters. **e** opens the file in
    your editor, at this binding.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {"rowlist--warned", "rowlist--mark"}
    DEFAULT_CSS = """
    BindingList {
        & > .rowlist--warned { color: $foreground; }
        & > .rowlist--mark { color: $text-warning; text-style: bold; }
    }
    """
    BINDING_GROUP_TITLE = "Bindings"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "screen.edit_binding", "Edit", id="routing.edit"),
        Binding("n", "screen.add_binding", "New", id="routing.new"),
        Binding("x", "screen.remove_binding", "Remove", id="routing.remove", show=False),
        Binding("J", "screen.move_binding(1)", "Down", id="routing.down", show=False),
        Binding("K", "screen.move_binding(-1)", "Up", id="routing.up", show=False),
        *SCOPE_KEYS,
    ]

    def __init__(self, *, id: str | None = None):  # noqa: A002
        super().__init__(empty="No bindings: all messages go to the default agent", id=id)
        self._shown: Sequence[BindingRow] = ()
        self._now = 0
        self._counted = False
        self._glyphs = UNICODE

    def show(self, rows: Sequence[BindingRow], glyphs: Glyphs, now: int, *, counted: bool) -> None:
        """Show rules as of `now` (ms since 1970); hits only once they were `counted`."""
        self._shown, self._glyphs, self._now, self._counted = rows, glyphs, now, counted
        self.sign = glyphs.cursor
        self.set_source(self._make)

    def _make(self, view: RowView) -> BindingLines:
        return BindingLines(
            self._shown, view, now=self._now, counted=self._counted, glyphs=self._glyphs
        )
