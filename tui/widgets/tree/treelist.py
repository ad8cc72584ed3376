"""The tree as a list: flat rows of a session's entries, on the app's one row list."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType

from engine.sessions.rows import Fold, Row, TreeRows
from tui.look.glyphs import UNICODE, Glyphs
from tui.widgets.edged import Edged
from tui.widgets.rowlist import RowList
from tui.widgets.rows import NoRows, RowView
from tui.widgets.tree.treelines import LIVE, Forest, TreeLines

__all__ = ["TreeList"]


class TreeList(RowList, Edged):
    """The tree of one session."""

    HELP = """\
    ## Tree

    Every message of this session, also of branches that were left. A message stays in the column
    of the one it follows; only where branches part does the tree indent, the active one first.

    `●` is on the way to where the conversation goes on (`◀ leaf`), `○` is not; `◆` is a
    compaction, and what it folded opens with **Space**. `◁ tip` is where another branch ends.

    **Enter** continues at a message: on one of a person's, its words come back to the composer.
    **e** edits it and sends it again beside the old one; **r** has it answered again, **R** by
    another model; **f** offers all ways to go on, also in a session of its own.
    Nothing is ever deleted: **u** undoes; it asks first where more was said since, or where it was
    done before this start of the app.

    **[ ]** the branches beside this one · **{ }** where branches part · **.** the leaf ·
    **v** what is shown · **/** searches all words, also folded ones, **n N** go through the hits ·
    **x** shows what the model would see from here, entry by entry.

    **l** label · **b** bookmark · **B** name of the branch · **H** hides a branch ·
    **c** folds everything before an entry into a summary, which is shown first ·
    **d** marks an entry, on a second one compares the two · **g** takes an entry up, and on
    another one puts a copy under it · **y** copies the id.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        f"rowlist--{name}"
        for name in ("line", "active", "off", "fold", "label", "leaf", "person", "agent")
    }

    DEFAULT_CSS = """
    TreeList {
        & > .rowlist--line { color: $foreground 35%; }
        & > .rowlist--active { color: $primary; }
        & > .rowlist--off { color: $foreground 55%; }
        & > .rowlist--fold { color: $text-accent; }
        & > .rowlist--label { color: $text-warning; }
        & > .rowlist--leaf { color: $text-success; text-style: bold; }
        & > .rowlist--person { color: $text-secondary; }
        & > .rowlist--agent { color: $text-primary; }
    }
    """

    BINDING_GROUP_TITLE = "Tree"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select", "Continue", id="tree.continue", tooltip="The leaf moves here"),
        Binding("e", "screen.edit", "Edit", id="tree.edit", tooltip="Edit and send again"),
        Binding("f", "screen.fork", "Fork…", id="tree.fork", tooltip="Go on here or elsewhere"),
        Binding("l", "screen.label", "Label", id="tree.label"),
        Binding("c", "screen.compact", "Compact", id="tree.compact", tooltip="Fold up to here"),
        Binding("d", "screen.mark", "Diff", id="tree.diff", show=False),
        Binding("space", "fold", "Fold", id="tree.fold-below", key_display="Space", show=False),
        Binding("g", "screen.graft", "Graft", id="tree.graft", show=False),
        Binding("r", "screen.regenerate", "Reply again", id="tree.regenerate", show=False),
        Binding(
            "R",
            "screen.regenerate_with",
            "Reply again with another model",
            id="tree.regenerate-with",
            show=False,
        ),
        Binding("b", "screen.bookmark", "Bookmark", id="tree.bookmark", show=False),
        Binding("B", "screen.name_branch", "Name the branch", id="tree.name-branch", show=False),
        Binding("H", "screen.hide", "Hide", id="tree.hide", show=False),
        Binding("u", "screen.undo", "Undo", id="tree.undo", show=False),
    ]

    def __init__(self, *, id: str | None = None):  # noqa: A002
        super().__init__(empty="Nothing to show", id=id)
        self.border_title = "Branch tree"
        self._forest: Forest | None = None
        self._glyphs = UNICODE
        self._words: dict[str, Row] = {}
        self._live: str | None = None
        self._opened: frozenset[str] = frozenset()
        self._marked: tuple[str, ...] = ()
        self._hits: frozenset[str] = frozenset()

    # what is shown

    @property
    def lines_shown(self) -> TreeLines | None:
        return self.rows if isinstance(self.rows, TreeLines) else None

    @property
    def current_id(self) -> str | None:
        """The entry under the cursor; None on a fold or on the reply being written."""
        found = self.current
        return found if isinstance(found, str) else None

    def show(self, forest: Forest, glyphs: Glyphs, live: str | None = None) -> None:
        """Show a tree; folds and cursor stay where they were as far as they can."""
        if self._forest is None or self._forest.tree is not forest.tree:
            self._words = {}
        self._forest, self._glyphs, self._live = forest, glyphs, live
        self.sign = glyphs.cursor
        self.set_source(self._make_rows)

    def forget(self) -> None:
        """Begin anew with another session: no folds, nothing marked."""
        self._forest, self._live, self._opened, self._marked = None, None, frozenset(), ()
        self._look = RowView()

    def show_live(self, text: str | None) -> None:
        """Show a reply as far as it is written; None when there is none."""
        lines = self.lines_shown
        if lines is None or text == self._live:
            return
        before, self._live = self._live, text
        if (before is None) != (text is None):
            self.rebuild()
            return
        lines.live = text
        row = lines.index_of(LIVE)
        if row is not None:
            self._strips = {key: kept for key, kept in self._strips.items() if key[0] != row}
            self.refresh_row(row)

    @property
    def marked_ids(self) -> tuple[str, ...]:
        """Entries that are marked for a comparison."""
        return self._marked

    def set_marked(self, ids: tuple[str, ...]) -> None:
        """Mark entries for a comparison."""
        self._marked = ids
        self.rebuild()

    def set_hits(self, ids: frozenset[str]) -> None:
        """Mark what was found."""
        if ids != self._hits:
            self._hits = ids
            self.rebuild()

    def _make_rows(self, view: RowView) -> TreeLines | NoRows:
        forest = self._forest
        if forest is None:
            return NoRows()
        folded = [str(key) for key in view.folded]
        behind = [fold for fold in forest.behind if fold.key not in self._opened]
        rows = TreeRows(forest.outline, folded, behind)
        return TreeLines(
            forest,
            rows,
            self._words,
            glyphs=self._glyphs,
            live=self._live,
            marked=self._marked,
            hits=self._hits,
        )

    # folds

    def action_fold(self) -> None:
        """Fold or open what is below an entry; on a compaction, what it folded."""
        lines = self.lines_shown
        found = lines.at(self.cursor) if lines is not None and self.cursor < len(lines) else None
        if lines is None or found is None:
            return
        if isinstance(found, Fold):
            self._open(found)
            return
        name = lines.forest.outline.ids[found]
        if any(fold.key == name for fold in lines.forest.behind):
            self._toggle_behind(name)
        elif lines.foldable(self.cursor):
            self.set_folded(name, name not in self.look.folded)

    def _open(self, fold: Fold) -> None:
        """Open a fold and put the cursor on the first entry of it."""
        lines = self.lines_shown
        assert lines is not None
        first = lines.forest.outline.ids[fold.start]
        if fold.behind:
            self._toggle_behind(fold.key)
        else:
            self.set_folded(fold.key, False)
        self.go_to(first)

    def _toggle_behind(self, key: str) -> None:
        self._opened ^= {key}
        self.rebuild()
        self.post_message(self.Folded(self, key, key not in self._opened))

    def reveal(self, node_id: str) -> bool:
        """Put the cursor on an entry, opening what hides it; False when the view leaves it out."""
        lines = self.lines_shown
        while lines is not None and (fold := lines.rows.fold_over(node_id)) is not None:
            if fold.behind:
                self._toggle_behind(fold.key)
            else:
                self.set_folded(fold.key, False)
            lines = self.lines_shown
        return self.go_to(node_id)

    # keys and mouse

    def _place(self) -> int | None:
        """The place of the entry under the cursor, or of the first one of a fold."""
        lines = self.lines_shown
        if lines is None or self.cursor >= len(lines):
            return None
        found = lines.at(self.cursor)
        if found is None:
            leaf = lines.forest.outline.leaf
            return lines.forest.outline.places[leaf] if leaf is not None else None
        return found.start if isinstance(found, Fold) else found

    def _go_to_place(self, place: int) -> None:
        lines = self.lines_shown
        if lines is not None:
            self.cursor = lines.row_near(place)

    def step_branch(self, step: int) -> bool:
        """To the next (1) or previous (-1) of the branches that part where this one begins; stays
        where it is and says no where none part."""
        place, lines = self._place(), self.lines_shown
        if place is None or lines is None:
            return False
        starts, own = lines.forest.outline.siblings(place)
        if len(starts) == 1:
            return False
        self._go_to_place(starts[(own + step) % len(starts)])
        return True

    def step_fork(self, step: int) -> bool:
        """To the next (1) or previous (-1) place where branches part; whether there is one."""
        place, lines = self._place(), self.lines_shown
        if place is None or lines is None:
            return False
        fork = lines.forest.outline.next_fork(place, step)
        if fork is not None:
            self._go_to_place(fork)
        return fork is not None

    def _choose(self, row: int) -> None:
        lines = self.lines_shown
        if lines is None:
            return
        if isinstance(lines.at(row), Fold):
            self.action_fold()
        elif lines.at(row) is not None:
            self.post_message(self.Selected(self, self._rows.key(row)))

    def on_click(self, event: events.Click) -> None:
        """A click goes to a row; a second one on a fold opens it. It never moves the leaf."""
        event.stop()
        event.prevent_default()
        offset = event.get_content_offset(self)
        row = self._row_at(offset.y) if offset is not None else -1
        lines = self.lines_shown
        if row < 0 or lines is None:
            return
        again = row == self.cursor
        self.cursor = row
        if isinstance(lines.at(row), Fold) and (again or event.chain > 1):
            self.action_fold()
