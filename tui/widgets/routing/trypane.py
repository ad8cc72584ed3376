"""The pane in which a message is tried: a form, and below it what would become of the message."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal, VerticalScroll
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.reactive import Reactive
from textual.widgets import Input, Static

from engine.routing.envelope import Envelope, PeerKind
from engine.text import safe_line
from tui.look.glyphs import Glyphs
from tui.look.tones import MUTED
from tui.widgets.dial import Dial
from tui.widgets.drawn import put
from tui.widgets.edged import EdgedVertical
from tui.widgets.routing.bindinglist import SCOPE_KEYS
from tui.widgets.routing.tryout import (
    FIELDS,
    KINDS,
    Outcome,
    envelope_from,
    fields_of,
    outcome_rows,
)

__all__ = ["Field", "TraceView", "TryPane"]

_PLACEHOLDERS = {"account": "default", "from": "the peer", "roles": "a b c"}


class Field(Input):
    """A field of the form. Enter goes on to the next one."""

    # As Textual has it, but a letter more lays nothing out anew: the field stays where it is.
    virtual_size = Reactive(Size(0, 0), layout=False)

    def __init__(self, name: str):
        super().__init__(
            placeholder=_PLACEHOLDERS.get(name, ""),
            compact=True,
            max_length=200,
            id=f"try-{name}",
            select_on_focus=False,
        )
        self.field = name


class TraceView(VerticalScroll, can_focus=True):
    """What would become of the message."""

    HELP = """\
    ## Try a message

    Nothing is sent. The trace is the engine's own answer: every tier, the binding that decides,
    what the others failed on, then the session, the limits, the model, and whether the sender may
    write. It follows the form as you type, and the draft, if there is one.

    **s** sends it for real, after asking for the words. **t** goes to the form.
    """
    BINDING_GROUP_TITLE = "Trace"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "screen.send", "Send…", id="routing.send", tooltip="For real; asks first"),
        Binding("j", "scroll_down", "Down", id="list.down", show=False),
        Binding("k", "scroll_up", "Up", id="list.up", show=False),
        *SCOPE_KEYS,
    ]


class TryPane(EdgedVertical):
    """Form and trace."""

    HELP = TraceView.HELP
    DEFAULT_CSS = """
    TryPane > Horizontal { height: 1; width: 1fr; }
    TryPane #form {
        layout: grid; grid-size: 6; grid-columns: 9 1fr; grid-rows: 1; height: auto; width: 1fr;
    }
    TryPane .name { width: 9; height: 1; padding: 0 0 0 1; color: $foreground 60%; }
    TryPane Field { width: 1fr; height: 1; background: $panel; }
    TryPane Field:focus { background: $primary 25%; }
    .-w0 TryPane #form { grid-size: 4; }
    TryPane TraceView { height: 1fr; margin-top: 1; scrollbar-size-vertical: 1; }
    TryPane TraceView > Static { height: auto; width: 1fr; padding: 0 1; }
    """

    class Changed(Message):
        """The form describes another message."""

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Static("kind", classes="name", markup=False)
            yield Dial(KINDS, id="try-kind")
        with Container(id="form"):
            for name in FIELDS:
                yield Static(name, classes="name", markup=False)
                yield Field(name)
        with TraceView():
            yield Static(markup=False)

    _given: Mapping[str, tuple[str, str]] = {}
    """Values that were filled in: as they are shown, and as they are."""

    # what is asked

    @property
    def kind(self) -> PeerKind:
        return KINDS[self.query_one(Dial).chosen]

    @property
    def envelope(self) -> Envelope | None:
        """The message that is tried."""
        fields = {}
        for field in self.query(Field):
            shown, given = self._given.get(field.field, ("", ""))
            fields[field.field] = given if field.value == shown else field.value
        return envelope_from(fields, self.kind)

    def fill(self, envelope: Envelope) -> None:
        """Put a message into the form; ids that cannot be shown as they are stay what they are."""
        fields, kind = fields_of(envelope)
        self._given = {name: (safe_line(text, limit=200), text) for name, text in fields.items()}
        with self.prevent(Input.Changed, Dial.Changed):
            for field in self.query(Field):
                field.value = self._given[field.field][0]
            self.query_one(Dial).choose(kind)
        self.post_message(self.Changed())

    @on(Input.Changed)
    @on(Dial.Changed)
    def _asked(self, event: Message) -> None:
        event.stop()
        self.post_message(self.Changed())

    @on(Input.Submitted)
    def _next(self, event: Input.Submitted) -> None:
        event.stop()
        names = [*FIELDS]
        field = event.input
        at = names.index(field.field) if isinstance(field, Field) else 0
        if at + 1 < len(names):
            self.query_one(f"#try-{names[at + 1]}", Field).focus()
        else:
            self.trace.focus()

    # what is answered

    @property
    def trace(self) -> TraceView:
        return self.query_one(TraceView)

    def show(self, outcome: Outcome | None, glyphs: Glyphs, *, session: str | None) -> None:
        """Show what would become of the message; None where none is described."""
        if outcome is None:
            told: Content = Content.styled("Name a channel: telegram, discord, slack …", MUTED)
        else:
            told = _content(outcome_rows(outcome, glyphs, session=session))
        put(self.trace.query_one(Static), told)

    def on_click(self, event: events.Click) -> None:
        if event.widget is self:
            self.query_one("#try-channel", Field).focus()


def _content(rows: Iterable[tuple[str, str, str]]) -> Content:
    return Content("\n").join(
        Content.styled(f"{sign or ' ':<2} {text}", style) for sign, text, style in rows
    )
