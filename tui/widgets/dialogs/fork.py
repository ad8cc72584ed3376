"""The fork dialog: go on from an entry here, send it again with other words, or elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static, TextArea

from engine.branching.fork import ForkPreview
from engine.text import safe_line, safe_text
from tui.look.cells import count
from tui.look.tones import MUTED
from tui.widgets.dialogs.box import BOX, Choices, Option, Tick
from tui.widgets.dialogs.dialog import Dialog
from tui.widgets.field import Field
from tui.widgets.linefield import LineField

__all__ = ["ForkAbout", "ForkChoice", "ForkDialog"]


@dataclass(frozen=True, slots=True)
class ForkAbout:
    """What a fork is from.

    Attributes:
        node_id: the entry, untrusted.
        text: the words of a person's message; None for anything else.
        reply: whether it is a reply, which can be had again.
        key: the key that a new session would have, up to its number.
        preview: what a new session would begin with; None when it cannot be told (`problem`).
        room: tokens that the model can hold.
    """

    node_id: str
    text: str | None
    reply: bool
    key: str
    preview: ForkPreview | None
    room: int
    problem: str = ""


@dataclass(frozen=True, slots=True)
class ForkChoice:
    """What the person wants: `continue`, `edit`, `regenerate`, that by a `model` chosen then, or
    `session`."""

    kind: str
    label: str
    text: str
    summarize: bool


class Words(Field):
    """The words of a message: Enter is done with them, ^J begins a new line."""

    class Done(Message):
        """Enter was pressed."""

    async def _on_key(self, event: events.Key) -> None:
        """Looked at here and not as bindings of the dialog: those would overtake letters that
        came just before them in one burst."""
        if event.key in ("enter", "ctrl+j", "shift+enter", "alt+enter"):
            event.stop()
            event.prevent_default()
            if event.key == "enter":
                self.post_message(self.Done())
            else:
                self.insert("\n")


class ForkDialog(Dialog[ForkChoice | None]):
    """Asks how to go on from an entry; ends with the choice, None when cancelled.

    Args:
        about: what the fork is from.
        kind: the option to begin with.
    """

    HELP = """\
    ## Fork

    **continue here** moves the leaf; with the summary ticked, what is left behind is summed up
    for the model. **edit + resend** puts a new message beside the old one; **regenerate** asks
    for another reply, **other model** for one by a model that you choose. **new session** copies
    the way to this entry into a session of its own.

    Arrows choose, **Tab** goes through the fields, **Enter** does it, **^J** begins a new line.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel", id="dialog.cancel"),
        Binding("enter", "accept", "Do it", id="dialog.accept"),
    ]

    DEFAULT_CSS = f"""
    ForkDialog {{ align: center middle; }}
    ForkDialog > VerticalScroll {{ {BOX} }}
    ForkDialog .field {{ height: 1; color: $foreground 60%; margin-top: 1; }}
    ForkDialog .told {{ height: auto; margin-top: 1; color: $foreground 60%; }}
    ForkDialog Input, ForkDialog Input:focus {{
        border: none; height: 1; padding: 0 1; background: $panel;
    }}
    ForkDialog TextArea, ForkDialog TextArea:focus {{
        border: none; height: auto; min-height: 1; max-height: 8; padding: 0 1;
        background: $panel;
    }}
    ForkDialog Tick {{ margin-top: 1; }}
    ForkDialog .-off {{ display: none; }}
    """

    def __init__(self, about: ForkAbout, kind: str = "continue"):
        super().__init__()
        self.about = about
        self._kind = kind

    def _options(self) -> list[Option]:
        options = [Option("continue", "continue here", "moves the leaf")]
        if self.about.text is not None:
            options.append(Option("edit", "edit + resend", "a new message beside this one"))
        if self.about.reply:
            options.append(Option("regenerate", "regenerate", "a new reply beside this one"))
            options.append(Option("model", "other model…", "a new reply by a model you choose"))
        return [*options, Option("session", "new session", "copy the way here, own key")]

    def compose(self) -> ComposeResult:
        with VerticalScroll(can_focus=False) as box:
            box.border_title = Content(f"Fork from {safe_line(self.about.node_id, limit=40)}")
            box.border_subtitle = Content("Tab field · Enter do it · Esc cancel")
            yield Choices(self._options(), id="kind")
            yield Static(Content(""), classes="told", id="told", markup=False)
            yield Static(
                Content("text   ^J new line"), classes="field", id="text-name", markup=False
            )
            yield Words(self.about.text or "", soft_wrap=True, show_line_numbers=False, id="text")
            yield Static(Content("label"), classes="field", id="label-name", markup=False)
            yield LineField(max_length=80, compact=True, id="label")
            yield Tick("leave a summary of the branch that is left   Space", id="summary")

    def on_mount(self) -> None:
        choices = self.query_one(Choices)
        kinds = [option.key for option in choices.options]
        if self._kind in kinds:
            choices.chosen = kinds.index(self._kind)
        choices.focus()
        self._fit(choices.option.key)
        if self._kind == "edit" and "edit" in kinds:
            area = self.query_one(TextArea)
            area.focus()
            area.move_cursor(area.document.end)

    @on(Choices.Changed)
    def _changed(self, event: Choices.Changed) -> None:
        self._fit(event.option.key)

    def _fit(self, kind: str) -> None:
        """Only the fields that the choice needs."""
        for name in ("#text", "#text-name"):
            self.query_one(name).set_class(kind != "edit", "-off")
        self.query_one("#summary").set_class(kind != "continue", "-off")
        self.query_one("#told", Static).update(self._told(kind))

    def _told(self, kind: str) -> Content:
        about = self.about
        if kind == "session":
            return self._new_session()
        told = {
            "continue": "The conversation goes on after this entry; the other branch stays.",
            "edit": "Sent as by the one who said it first. The leaf moves when it is sent.",
            "regenerate": "The same question is answered once more; the first reply stays.",
            "model": "As regenerate, by a model for this answer only; the session keeps its own.",
        }[kind]
        if kind == "continue" and about.text is not None:
            told = "The leaf moves before this message; its words go to the composer."
        return Content.styled(told, MUTED)

    def _new_session(self) -> Content:
        about, preview = self.about, self.about.preview
        rows = [Content.assemble(("key     ", MUTED), safe_line(about.key, limit=200))]
        if preview is None:
            rows.append(Content.styled(safe_text(about.problem, limit=400), "$text-warning"))
            return Content("\n").join(rows)
        room = f" of {count(about.room)}" if about.room else ""
        seen = len(preview.window.messages)
        rows.append(Content.assemble(("copies  ", MUTED), f"{preview.entries:,} entries"))
        noun = "message" if seen == 1 else "messages"
        window = f"{seen:,} {noun} · {count(preview.tokens)}{room} tokens"
        rows.append(Content.assemble(("window  ", MUTED), window))
        if preview.leaf is not None and preview.leaf != about.node_id:
            told = f"ends at {safe_line(preview.leaf, limit=40)}: a tool call keeps its result"
            rows.append(Content.styled(told, MUTED))
        return Content("\n").join(rows)

    @on(Words.Done)
    @on(Input.Submitted)
    def _done(self, event: Words.Done | Input.Submitted) -> None:
        event.stop()
        self.action_accept()

    @property
    def rewritten(self) -> str:
        """The message in other words, as far as they are written; "" while none are."""
        if not self.is_mounted or self.query_one(Choices).option.key != "edit":
            return ""
        text = self.query_one(TextArea).text
        return text if text != self.about.text else ""

    def action_accept(self) -> None:
        kind = self.query_one(Choices).option.key
        text = self.query_one(TextArea).text
        if kind == "edit" and not text.strip():
            self.query_one(TextArea).focus()
            return
        label = self.query_one("#label", Input).value.strip()
        summarize = kind == "continue" and self.query_one(Tick).value
        self.dismiss(ForkChoice(kind, label, text, summarize))

    def action_cancel(self) -> None:
        self.dismiss(None)
