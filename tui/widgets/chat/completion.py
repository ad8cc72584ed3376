"""Completion for the composer: what fits what is typed, and the list that shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from textual.binding import BindingType
from textual.content import Content
from textual.fuzzy import Matcher
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from engine.text import safe_line
from tui.look.cells import fit

__all__ = ["Choice", "CommandHint", "CompletionMenu", "complete", "search"]

SHOWN = 50
"""Most choices offered at a time; typing on narrows them."""


class CommandHint(Protocol):
    """What completion needs to know of a slash command (engine.turns.commands has them)."""

    @property
    def name(self) -> str: ...

    @property
    def args(self) -> str: ...

    @property
    def help(self) -> str: ...

    @property
    def aliases(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class Choice:
    """One offer: `text` is what the composer holds once it is taken."""

    label: str
    help: str
    text: str


def complete(
    text: str, commands: Iterable[CommandHint], arguments: Mapping[str, Sequence[str]]
) -> list[Choice]:
    """Choices for what is typed so far.

    Args:
        text: everything before the cursor; only a single line that starts with `/` completes.
        commands: the commands there are.
        arguments: command name → values of its first argument (model references for `model`).
    """
    if not text.startswith("/") or "\n" in text:
        return []
    name, space, rest = text[1:].partition(" ")
    if space:
        values = arguments.get(_full_name(name, commands), ())
        ranked = _ranked(rest, ((value, value) for value in values))
        return [Choice(safe_line(value), "", f"/{name} {value}") for value in ranked]
    by_name = {one.name: one for one in commands}
    if name:  # other names of a command help only those who begin to type one
        by_name |= {spelt: one for one in commands for spelt in one.aliases}
    return [
        Choice(
            f"/{spelt} {by_name[spelt].args}".rstrip(),
            by_name[spelt].help,
            f"/{spelt} " if by_name[spelt].args else f"/{spelt}",
        )
        for spelt in _ranked(name, ((spelt, spelt) for spelt in by_name))
    ]


def _full_name(spelt: str, commands: Iterable[CommandHint]) -> str:
    low = spelt.lower()
    return next((one.name for one in commands if low in (one.name, *one.aliases)), low)


def search(prompts: Sequence[str]) -> list[Choice]:
    """Earlier prompts as choices."""
    return [Choice(safe_line(prompt, limit=200), "", prompt) for prompt in prompts]


def _ranked(typed: str, offers: Iterable[tuple[str, str]]) -> list[str]:
    """Offers that match: those that begin with what is typed first, then by likeness."""
    pairs = list(offers)
    if not typed:
        return [value for value, _ in pairs[:SHOWN]]
    low, matcher = typed.lower(), Matcher(typed)
    scored = [
        (not name.lower().startswith(low), -matcher.match(name), index, value)
        for index, (value, name) in enumerate(pairs)
    ]
    fitting = sorted(one for one in scored if not one[0] or one[1] < 0)
    return [value for *_, value in fitting[:SHOWN]]


class CompletionMenu(OptionList, can_focus=False):
    """The list above the composer. The composer keeps the focus and drives it.

    Args:
        take: called with a choice that is clicked.
    """

    BINDINGS: ClassVar[list[BindingType]] = []
    DEFAULT_CSS = """
    CompletionMenu {
        display: none;
        width: 1fr;
        height: auto;
        max-height: 10;
        border: round $border;
        border-title-color: $text;
        border-subtitle-color: $text-muted;
        background: transparent;
        padding: 0 1;
        text-wrap: nowrap;
        text-overflow: ellipsis;
        scrollbar-size-vertical: 1;
        &.-open { display: block; }
    }
    """

    def __init__(self, take: Callable[[Choice], None]):
        super().__init__(markup=False)
        self._take = take
        self._choices: list[Choice] = []

    @property
    def is_open(self) -> bool:
        """Whether there is something to choose from."""
        return bool(self._choices)

    @property
    def choice(self) -> Choice | None:
        """The highlighted choice."""
        index = self.highlighted
        return self._choices[index] if index is not None and self._choices else None

    def offer(self, choices: Sequence[Choice], title: str) -> None:
        """Show `choices`, the first highlighted; none closes the list."""
        if list(choices) == self._choices:
            return
        self._choices = list(choices)
        self.set_class(bool(choices), "-open")
        self.border_title = Content(title)
        self.border_subtitle = Content("Tab take · Esc close")
        self.clear_options()
        self.add_options(Option(row) for row in self._rows())
        self.highlighted = 0 if choices else None

    def close(self) -> None:
        """Hide the list."""
        self.offer((), "")

    def move(self, by: int) -> None:
        """Highlight the next (1) or previous (-1) choice, round the ends."""
        if self._choices:
            self.highlighted = ((self.highlighted or 0) + by) % len(self._choices)

    def watch_highlighted(self, highlighted: int | None) -> None:
        super().watch_highlighted(highlighted)
        self._spell()

    def on_resize(self) -> None:
        self._spell()

    def _spell(self) -> None:
        """Draw the rows for the width there is: only the highlighted one says all it has to."""
        if self.size.width and self.option_count == len(self._choices):
            for index, row in enumerate(self._rows()):
                if self.get_option_at_index(index).prompt != row:
                    self.replace_option_prompt_at_index(index, row)
            self.call_after_refresh(self.scroll_to_highlight)

    def _rows(self) -> list[Content]:
        width = self.scrollable_content_region.width - 2
        column = max((len(one.label) for one in self._choices if one.help), default=0)
        return [
            _row(one, min(30, column), width if index == self.highlighted else 0)
            for index, one in enumerate(self._choices)
        ]

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        if event.option_index < len(self._choices):
            self._take(self._choices[event.option_index])


def _row(choice: Choice, column: int, width: int = 0) -> Content:
    """A choice with its help beside it; in full below it where `width` (0: any) is too little."""
    if not choice.help:
        return Content(choice.label)
    words = Content.styled(safe_line(choice.help, limit=120), "$text 60%")
    row = Content(fit(choice.label, column)) + Content("  ") + words
    if row.cell_length <= width or width <= 4:
        return row
    lines = [Content("  ") + line for line in words.wrap(width - 2)]
    return Content("\n").join([Content(choice.label), *lines])
