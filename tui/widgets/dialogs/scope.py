"""Choosing another dmScope, with its effect on the conversations there are before it is made."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from engine.config.schema import DmScope
from engine.errors import BranchlineError
from engine.routing.preview import Change, Preview, Share
from engine.text import safe_line
from tui.behind.scopes import SCOPES, Trial
from tui.later import later
from tui.look.glyphs import Glyphs
from tui.look.tones import MUTED, MUTED_BOLD
from tui.widgets.dialogs.box import BOX, Choices, Option
from tui.widgets.dialogs.dialog import Dialog

__all__ = ["ScopeDialog", "effects"]

KEPT = 12
"""Sessions named that stay as they are."""

NAMED = 4
"""People of one session that are named; the rest is counted."""

LISTED = 40
"""Changes of one sort that are spelled out; the rest is counted."""


class ScopeDialog(Dialog[DmScope | None]):
    """Asks for a dmScope; ends with it, or None when nothing is to change.

    Args:
        trial: tries scopes on the recorded messages.
        now: the scope in force.
    """

    HELP = """\
    ## Change dmScope

    Which direct messages share a session. Each scope is tried on the messages recorded so far:
    what merges, what splits, what goes on elsewhere, and **whose words would become visible to
    whom**. **Enter** goes on to the change in the file, **Esc** leaves all as it is. Old sessions
    stay reachable, and *Undo config change* among the commands takes it back.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "accept", "Go on", id="dialog.accept", priority=True),
        Binding("escape", "cancel", "Cancel", id="dialog.cancel"),
    ]

    DEFAULT_CSS = f"""
    ScopeDialog {{ align: center middle; }}
    ScopeDialog > Vertical {{ {BOX} width: 90; }}
    ScopeDialog Choices {{ margin-bottom: 1; }}
    ScopeDialog VerticalScroll {{ height: auto; max-height: 24; scrollbar-size-vertical: 1; }}
    ScopeDialog Static {{ height: auto; width: 1fr; }}
    """

    def __init__(self, trial: Trial, now: DmScope, glyphs: Glyphs):
        super().__init__()
        self._trial = trial
        self._now = now
        self._glyphs = glyphs
        self._seen: DmScope | None = None
        """The scope whose effect is on the screen."""

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = Content("Change dmScope")
            box.border_subtitle = Content("↑ ↓ choose · Enter go on · Esc cancel")
            yield Choices([Option(name, name, does) for name, does in SCOPES])
            with VerticalScroll():
                yield Static(markup=False)

    def on_mount(self) -> None:
        choices = self.query_one(Choices)
        choices.chosen = [name for name, _ in SCOPES].index(self._now)
        choices.focus()
        self._try_out()

    def on_choices_changed(self) -> None:
        self._try_out()

    def _try_out(self) -> None:
        scope = self._chosen()
        if scope != self._seen:
            self._seen = None
            self._tell(Content.styled("trying it on the recorded messages …", MUTED))
            later(self, partial(self._show, scope), group="try")

    def _chosen(self) -> DmScope:
        return cast("DmScope", self.query_one(Choices).option.key)

    async def _show(self, scope: DmScope) -> None:
        try:
            found = await self._trial.try_out(scope)
        except BranchlineError as error:
            self._tell(Content.styled(safe_line(str(error), limit=600), "$text-error"))
            return
        if scope == self._chosen():
            self._seen = scope
            self._tell(effects(found, self._glyphs, same=scope == self._now))

    def _tell(self, content: Content) -> None:
        self.query_one(Static).update(content)

    def action_accept(self) -> None:
        """Only what was looked at is applied."""
        scope = self._chosen()
        if scope == self._now:
            self.dismiss(None)
        elif scope == self._seen:
            self.dismiss(scope)
        else:
            self.notify("Wait for the effect to be shown", timeout=2, markup=False)

    def action_cancel(self) -> None:
        self.dismiss(None)


def effects(found: Preview, glyphs: Glyphs, *, same: bool = False) -> Content:
    """A preview for reading: whose words become visible to whom first, then what moves."""
    if same:
        return Content.styled("This is in force now.", MUTED)
    rows = _exposures(found, glyphs)
    rows += _changes("MERGES", "into", "from", found.merges, found, glyphs)
    rows += _changes("SPLITS", "of", "to", found.splits, found, glyphs)
    rows += _changes("GOES ON ELSEWHERE", "from", "to", found.moves, found, glyphs)
    kept = len(found.kept)
    stay = "1 session stays as it is" if kept == 1 else f"{kept:,} sessions stay as they are"
    told = f"{found.messages:,} recorded messages {glyphs.dot} {stay}"
    rows.append(Content.styled(told, MUTED))
    rows += [_share(part, "keeps", found, glyphs) for part in found.kept[:KEPT]]
    return Content("\n").join(rows)


def _exposures(found: Preview, glyphs: Glyphs) -> list[Content]:
    if not found.exposed:
        told = f"{glyphs.yes} nobody's words become visible to anybody else"
        return [Content.styled(told, "$text-success"), Content("")]
    title = f"{glyphs.warning} WORDS BECOME VISIBLE {found.exposed:,}"
    rows = [Content.styled(title, "$text-error bold")]
    for one in found.exposes[:LISTED]:
        noun = "message" if one.messages == 1 else "messages"
        rows.append(
            Content.assemble(
                "  ",
                (_line(found.called(one.reader)), "bold"),
                f" would see {one.messages:,} {noun} of ",
                (_line(found.called(one.author)), "bold"),
            )
        )
    return [*rows, *_rest(found.exposed), Content("")]


def _changes(
    title: str, here: str, there: str, changes: Sequence[Change], found: Preview, glyphs: Glyphs
) -> list[Content]:
    if not changes:
        return []
    rows = [Content.styled(f"{title} {len(changes):,}", MUTED_BOLD)]
    for change in changes[:LISTED]:
        rows.append(_whole(change, here, found, glyphs))
        rows += [_share(part, there, found, glyphs) for part in change.parts[:LISTED]]
        rows += _rest(len(change.parts))
    return [*rows, *_rest(len(changes)), Content("")]


def _whole(change: Change, here: str, found: Preview, glyphs: Glyphs) -> Content:
    """The session that is merged into, split or left: whose it is, then its key."""
    people = sorted({one for part in change.parts for one in part.people})
    key = f" {glyphs.dot} {_line(change.key)}"
    return Content.assemble(f"  {here} ", (_people(people, found), "bold"), (key, MUTED))


def _share(part: Share, there: str, found: Preview, glyphs: Glyphs) -> Content:
    noun = "message" if part.messages == 1 else "messages"
    told = f" {glyphs.dot} {part.messages:,} {noun} {glyphs.dot} {_line(part.key)}"
    return Content.assemble(f"     {there} {_people(part.people, found)}", (told, MUTED))


def _people(people: Sequence[str], found: Preview) -> str:
    """Whose a session is, by their names: `Alice, Bob and 2 more`."""
    named = ", ".join(_line(found.called(one)) for one in people[:NAMED])
    more = f" and {len(people) - NAMED:,} more" if len(people) > NAMED else ""
    return f"{named}{more}"


def _rest(count: int) -> list[Content]:
    return [Content.styled(f"  and {count - LISTED:,} more", MUTED)] if count > LISTED else []


def _line(text: str) -> str:
    return safe_line(text, limit=120)
