"""The composer: where messages are written.

What is typed stays until the screen says it was taken (`accepted`), so nothing is lost when a
send is refused. What is sent is what was typed or pasted; only its drawing is made safe.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.reactive import var
from textual.timer import Timer
from textual.widgets import TextArea

from engine.text import MAX_MARKS, safe_text
from tui.widgets.chat.completion import Choice, CommandHint, CompletionMenu, complete, search
from tui.widgets.chat.prompt_history import PromptHistory
from tui.widgets.drawn import drawn
from tui.widgets.external import ExternalError, edit
from tui.widgets.field import Field

__all__ = ["MESSAGE_LIMIT", "Composer"]

MESSAGE_LIMIT = 1024 * 1024
"""Most bytes of a message (SPEC §15)."""

_KEYS = "Enter send · ^J newline · ^G editor"
_PLACEHOLDER = "Enter sends · ^J new line · / commands"
_FRAMES = "◐◓◑◒"


class Composer(Field):
    """A field of one to eight rows that sends on Enter.

    Args:
        history: earlier prompts, for the arrow keys and `^R`.
        commands: the slash commands to offer.
        arguments: gives command name → values of its first argument, when asked.
    """

    HELP: ClassVar[str] = """\
    ## Composer

    What you write stays until it is taken, and for each session until you come back to it.

    **↑ ↓** at the first and last line bring earlier prompts back. **/** offers commands, **^R**
    earlier prompts with the words you typed; **Tab** or **Enter** takes one, **Esc** closes the
    list. **Esc** again leaves the field: then single letters act, and **o** comes back.
    """

    BINDING_GROUP_TITLE = "Composer"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "send", "Send", id="composer.send"),
        Binding(
            "ctrl+j", "newline", "New line", id="composer.newline", key_display="^J", priority=True
        ),
        Binding(
            "shift+enter,alt+enter",
            "newline",
            "New line",
            id="composer.newline_too",
            priority=True,
            show=False,
        ),
        Binding("tab", "take", "Take", id="composer.take", show=False),
        Binding("escape", "close_menu", "Close", id="composer.close_menu", show=False),
        Binding("ctrl+r", "search", "Earlier prompts", id="composer.search", show=False),
        Binding("ctrl+g", "editor", "Editor", id="composer.editor", tooltip="$VISUAL or $EDITOR"),
    ]

    DEFAULT_CSS = """
    Composer {
        height: auto;
        min-height: 3;
        max-height: 10;
        border: round $border-blurred;
        border-title-color: $text;
        border-subtitle-color: $text-muted;
        padding: 0 1;
        background: transparent;
        scrollbar-size-vertical: 1;
        &:focus { border: round $border; }
    }
    """

    busy: var[bool] = var(False)
    """Whether a turn runs in the session shown; typing goes on meanwhile."""

    @dataclass
    class Submitted(Message):
        """Enter was pressed. Answer with `accepted()` or `refused()`."""

        text: str

    def __init__(
        self,
        history: PromptHistory | None = None,
        *,
        commands: Sequence[CommandHint] = (),
        arguments: Callable[[], Mapping[str, Sequence[str]]] = dict,
        id: str | None = None,  # noqa: A002 - Textual's name
    ):
        super().__init__(
            soft_wrap=True,
            show_line_numbers=False,
            highlight_cursor_line=False,
            placeholder=Content(_PLACEHOLDER),
            id=id,
        )
        self.commands = commands
        self.arguments = arguments
        self.menu = CompletionMenu(self._take)
        self._history = history or PromptHistory()
        self._sent: str | None = None
        self._recalled: str | None = None
        self._menu_for: Literal["", "command", "history"] = ""
        self._offered_for = ""
        self._throbber: Timer | None = None
        self._frame = 0

    async def on_mount(self) -> None:
        self._turn()
        if self.parent is not None:
            await self.screen.mount(self.menu, before=self)
        try:
            await self._history.load()
        except OSError as error:
            self._warn(f"Earlier prompts cannot be read: {error.strerror}")

    # --- what the screen calls -----------------------------------------------------------

    @property
    def draft(self) -> str:
        """What is typed and not sent."""
        return self.text

    def set_draft(self, text: str) -> None:
        """Replace what is typed, the cursor at its end."""
        self._history.reset()
        self._sent = None
        self._replace(text)

    async def accepted(self, text: str | None = None) -> None:
        """A message is taken: clear it, but keep what was typed since.

        Args:
            text: which; the one sent last by default. An earlier one leaves what is on its way
                since alone.
        """
        sent = self._sent if text is None else text
        if sent is not None:
            self.take_out(sent)
            await self.remember(sent)

    def take_out(self, sent: str) -> None:
        """As `accepted`, but it is not remembered."""
        if self._sent in (None, sent):
            self._sent = None
            if self.text.startswith(sent):
                self._replace(without(sent, self.text))

    async def remember(self, sent: str) -> None:
        """Keep a prompt for the history."""
        try:
            await self._history.add(sent)
        except OSError as error:
            self._warn(f"This prompt is not remembered: {error.strerror}")

    def refused(self, text: str | None = None) -> None:
        """A message (the one sent last by default) was not taken: it stays, or comes back above
        what was typed since, and Enter tries again."""
        if text is None or self._sent == text:
            self._sent = None
        if text is not None and not self.text.startswith(text):
            self._replace(f"{text}\n{self.text}" if self.text else text)

    # --- keys -----------------------------------------------------------------------------

    async def _on_key(self, event: events.Key) -> None:
        """Keys that the field would write are looked up here first, and not as priority bindings:
        those overtake the letters that came just before them in one burst, and send nothing."""
        bindings = self._bindings
        if self.app._keymap:  # as Textual looks keys up
            bindings = bindings.copy()
            bindings.apply_keymap(self.app._keymap)
        for binding in bindings.key_to_bindings.get(event.key, ()):
            if self.check_action(binding.action, ()):
                event.stop()
                event.prevent_default()
                await self.run_action(binding.action)
                return

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("take", "close_menu"):
            return self.menu.is_open
        return super().check_action(action, parameters)

    def action_send(self) -> None:
        """Enter: take the choice that the list offers, else send."""
        choice = self._choice()
        if choice is not None and choice.text.rstrip() != self.text.rstrip():
            self._take(choice)
            return
        self.menu.close()
        text = self.text
        if not text.strip() or text == self._sent:
            return
        if _size(text) > MESSAGE_LIMIT:
            self._warn("A message may hold 1 MiB. It stays here: shorten it, or send a file's path")
            return
        self._sent = text
        self.submit(text)

    def submit(self, text: str) -> None:
        """Tell that a text is to be sent."""
        self.post_message(self.Submitted(text))

    def action_newline(self) -> None:
        """A line break where the cursor is."""
        self._replace_via_keyboard("\n", *self.selection)

    def action_take(self) -> None:
        """Tab: take the highlighted choice."""
        choice = self._choice()
        if choice is not None:
            self._take(choice)

    def action_close_menu(self) -> None:
        """Esc: close the list; the text stays."""
        self._menu_for = ""
        self.menu.close()

    def action_search(self) -> None:
        """^R: offer earlier prompts that hold the words typed."""
        self._menu_for = "history"
        self._offer()
        if not self.menu.is_open:
            self.notify("No earlier prompt holds these words", markup=False, timeout=2)

    def action_cursor_up(self, select: bool = False) -> None:
        """Up: the list, the line above, or at the first row the prompt before."""
        if self.menu.is_open and not select:
            self.menu.move(-1)
        elif select or not self.navigator.is_first_wrapped_line(self.cursor_location):
            super().action_cursor_up(select)
        else:
            self._recall(self._history.older(self.text))

    def action_cursor_down(self, select: bool = False) -> None:
        """Down: the list, the line below, or at the last row the prompt after."""
        if self.menu.is_open and not select:
            self.menu.move(1)
        elif select or not self.navigator.is_last_wrapped_line(self.cursor_location):
            super().action_cursor_down(select)
        else:
            self._recall(self._history.newer())

    def action_editor(self) -> None:
        """^G: go on in the person's editor."""
        self.run_worker(self._edit(), group="editor", exclusive=True)

    async def _edit(self) -> None:
        try:
            text = await edit(self.app, self.text)
        except ExternalError as error:
            self._warn(str(error), error.title)
            return
        if text != self.text:
            self.set_draft(text)
        self.focus()

    async def _on_paste(self, event: events.Paste) -> None:
        if _size(event.text) + _size(self.text) > MESSAGE_LIMIT:
            event.stop()
            event.prevent_default()
            self._warn("What you pasted is over 1 MiB and was left out. Save it as a file instead")

    # --- text -----------------------------------------------------------------------------

    def _replace(self, text: str) -> None:
        self.menu.close()
        self._menu_for = ""
        self.load_text(text)
        self.move_cursor(self.document.end)

    def _recall(self, prompt: str | None) -> None:
        if prompt is not None:
            self._replace(prompt)
            self._recalled = self.text

    def _take(self, choice: Choice) -> None:
        command = self._menu_for == "command"
        self._replace(choice.text)
        if command:
            self._menu_for = "command"
            self._offer()

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        event.stop()
        if self._recalled is not None and self.text != self._recalled:
            self._recalled = None
            self._history.reset()
        if self.text.startswith("/") and self._menu_for != "history":
            self._menu_for = "command"
        if self._menu_for:
            self._offer()

    def _choice(self) -> Choice | None:
        """What the list offers for what is typed now. Letters that came in one burst with the key
        may not have reached the list yet, and it must not answer for another text."""
        if self.menu.is_open and self._offered_for != self.text:
            self._offer()
        return self.menu.choice

    def _offer(self) -> None:
        """Fill the list for what is typed now."""
        self._offered_for = self.text
        if self._menu_for == "history":
            found = [one for one in self._history.search(self.text) if one != self.text]
            self.menu.offer(search(found), "Earlier prompts")
            return
        row, column = self.cursor_location
        before = self.document.get_line(0)[:column] if row == 0 else ""
        choices = complete(before, self.commands, self.arguments())
        if [one.text.rstrip() for one in choices] == [self.text.rstrip()]:
            choices = []  # typed out: Enter sends
        self.menu.offer(choices, "Commands" if " " not in before else "Values")

    def get_line(self, line_index: int) -> Text:
        """The line as it is drawn: one visible sign for each character that is not one."""
        return Text(visible(self.document.get_line(line_index)), end="", no_wrap=True)

    # --- state ----------------------------------------------------------------------------

    def watch_busy(self, busy: bool) -> None:
        """A sign turns while a turn runs, unless animations are off."""
        if self._throbber is not None:
            self._throbber.stop()
            self._throbber = None
        if busy and self.app.animation_level != "none":
            self._throbber = self.set_interval(0.2, self._turn)
        self._frame = 0
        self._turn()

    def _turn(self) -> None:
        sign = _FRAMES[self._frame % len(_FRAMES)]
        self._frame += 1
        words = f"{sign} answering · ^C stop" if self.busy else _KEYS
        self.border_subtitle = drawn(self, Content(words))

    def _warn(self, words: str, title: str = "Composer") -> None:
        self.notify(safe_text(words), title=title, severity="warning", markup=False)


def without(sent: str, draft: str) -> str:
    """What was written after `sent`, which the draft begins with."""
    return draft[len(sent) :].lstrip("\n")


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def visible(line: str) -> str:
    """`line` with a visible sign in the place of each character that a terminal might act on or
    that would not be seen, so that columns stay what they are. Tabs stay.

    Joiners between characters beyond ASCII stay too: emoji and several scripts need them.
    """
    if line.isascii() and line.isprintable():
        return line
    signs: list[str] = []
    marks = 0
    for index, char in enumerate(line):
        category = unicodedata.category(char)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if char == "\t" or (char.isprintable() and marks <= MAX_MARKS):
            signs.append(char)
        elif ord(char) < 0x20:
            signs.append(chr(0x2400 + ord(char)))
        elif char in "\u200c\u200d" and not line[index - 1 : index + 2].isascii() and index:
            signs.append(char)
        else:
            signs.append(" " if category == "Zs" else "␡" if char == "\x7f" else "�")
    return "".join(signs)
