"""A form of a few fields, each with what is wrong in it right below, judged while it is typed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.events import DescendantFocus
from textual.widget import Widget
from textual.widgets import Input, Static

from engine.text import safe_line
from tui.later import later
from tui.look.glyphs import Glyphs
from tui.look.tones import MUTED
from tui.widgets.dial import Dial
from tui.widgets.dialogs.box import BOX, Choices, Option
from tui.widgets.dialogs.dialog import Dialog
from tui.widgets.linefield import LineField

__all__ = ["EntryForm", "FormField", "Judge", "Remark"]

LIMIT = 4000
"""Most characters of a field."""


@dataclass(frozen=True, slots=True)
class FormField:
    """One thing that is asked for.

    Attributes:
        name: of the answer.
        label: before the field.
        value: what stands there at first.
        says: what may be written, in the empty field.
        doc: what it means; shown while it has the focus.
        choices: the words it can be; empty: anything.
        private: whether what is typed is not shown.
    """

    name: str
    label: str
    value: str = ""
    says: str = ""
    doc: str = ""
    choices: tuple[str, ...] = ()
    private: bool = False


@dataclass(frozen=True, slots=True)
class Remark:
    """What is to be said of an answer: in which field ("" for none of them), and whether it keeps
    the form from being taken."""

    field: str
    text: str
    wrong: bool = True


Judge = Callable[[Mapping[str, str]], Awaitable[Sequence[Remark]]]


class EntryForm(Dialog[dict[str, str] | None]):
    """Asks for some values; ends with them by name, None when cancelled.

    Args:
        title: in the border.
        fields: what is asked for.
        judge: says what is wrong with the answers.
    """

    HELP = """\
    ## A value of the config

    **Tab** goes from field to field, **Space** or the arrows through words to choose from. What is
    wrong is said under the field at once, with what would do. **Enter** takes the values into the
    draft; nothing is in force before that is written or applied.
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel", id="dialog.cancel"),
        Binding("enter", "accept", "Take it", id="dialog.accept", show=True),
    ]
    DEFAULT_CSS = f"""
    EntryForm {{ align: center middle; }}
    EntryForm > VerticalScroll {{ {BOX} padding: 1 2 0 2; }}
    EntryForm.-h0 > VerticalScroll {{ padding: 0 1; }}
    EntryForm Horizontal {{ height: 1; }}
    EntryForm Horizontal > .label {{ width: 18; color: $foreground 60%; }}
    EntryForm Input {{ width: 1fr; height: 1; background: $panel; border: none; padding: 0 1; }}
    EntryForm Input:focus {{ background: $primary 25%; border: none; }}
    EntryForm Dial {{ margin-left: 1; }}
    EntryForm .fault {{ height: auto; display: none; }}
    EntryForm .fault.-said {{ display: block; }}
    EntryForm #told {{ height: auto; min-height: 1; margin-top: 1; color: $foreground 60%; }}
    EntryForm.-h0 #told {{ margin-top: 0; }}
    """

    def __init__(self, title: str, fields: Sequence[FormField], judge: Judge, glyphs: Glyphs):
        super().__init__()
        self._title = title
        self._fields = tuple(fields)
        self._judge = judge
        self._glyphs = glyphs
        self._alone = len(fields) == 1
        self._begun = False

    def compose(self) -> ComposeResult:
        with VerticalScroll(can_focus=False) as box:
            box.border_title = Content(safe_line(self._title, limit=200))
            keys = "Enter take it · Esc cancel"
            box.border_subtitle = Content(keys if self._alone else f"Tab next · {keys}")
            for at, field in enumerate(self._fields):
                if self._alone and field.choices:
                    yield Choices([Option(one, one, "") for one in field.choices], id="field-0")
                else:
                    with Horizontal():
                        if not self._alone:
                            yield Static(field.label, markup=False, classes="label")
                        yield self._widget(at, field)
                yield Static(id=f"fault-{at}", classes="fault", markup=False)
            yield Static(id="fault-all", classes="fault", markup=False)
            yield Static(id="told", markup=False)

    def _widget(self, at: int, field: FormField) -> Widget:
        name = f"field-{at}"
        if field.choices:
            return Dial(field.choices, id=name)
        kind = Input if field.private else LineField
        return kind(
            field.value,
            placeholder=safe_line(field.says, limit=100),
            password=field.private,
            max_length=LIMIT,
            id=name,
        )

    def on_mount(self) -> None:
        for at, field in enumerate(self._fields):
            widget = self.query_one(f"#field-{at}")
            if isinstance(widget, Dial):
                widget.choose(field.value)
            elif isinstance(widget, Choices) and field.value in field.choices:
                widget.chosen = field.choices.index(field.value)
        self.query_one("#field-0").focus()

    @property
    def answers(self) -> dict[str, str]:
        """What stands in the fields."""
        return {field.name: self._answer(at) for at, field in enumerate(self._fields)}

    def _answer(self, at: int) -> str:
        widget = self.query_one(f"#field-{at}")
        if isinstance(widget, Input):
            return widget.value
        if isinstance(widget, Dial):
            return widget.word
        assert isinstance(widget, Choices)
        return widget.option.key

    @on(DescendantFocus)
    def _tell_doc(self, event: DescendantFocus) -> None:
        place = (event.widget.id or "").removeprefix("field-")
        if place.isdecimal():
            doc = self._fields[int(place)].doc
            self.query_one("#told", Static).update(Content.styled(safe_line(doc, limit=600), MUTED))

    @on(Input.Changed)
    @on(Dial.Changed)
    @on(Choices.Changed)
    def _changed(self) -> None:
        later(self, self._look, group="judge")

    async def _look(self) -> None:
        """What is wrong is said while it is typed; that a field is empty only when it is sent."""
        answers = self.answers
        remarks = await self._judge(answers)
        if answers == self.answers:
            empty = {field.name for field in self._fields if not answers[field.name].strip()}
            self._say([one for one in remarks if self._begun or one.field not in empty])

    def _say(self, remarks: Sequence[Remark]) -> None:
        for name, place in (*((one.name, at) for at, one in enumerate(self._fields)), ("", "all")):
            told = [one for one in remarks if one.field == name]
            widget = self.query_one(f"#fault-{place}", Static)
            widget.set_class(bool(told), "-said")
            lines = [
                Content.styled(
                    f"{self._glyphs.warning} {safe_line(one.text, limit=400)}",
                    "$text-error" if one.wrong else "$text-warning",
                )
                for one in told
            ]
            widget.update(Content("\n").join(lines))

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self.action_accept()

    def action_accept(self) -> None:
        later(self, partial(self._accept, self.answers), group="taken", exclusive=False)

    async def _accept(self, answers: dict[str, str]) -> None:
        remarks = await self._judge(answers)
        wrong = [one for one in remarks if one.wrong]
        if not wrong:
            self.dismiss(answers)
            return
        self._begun = True
        self._say(remarks)
        at = next((at for at, one in enumerate(self._fields) if one.name == wrong[0].field), None)
        if at is not None:
            self.query_one(f"#field-{at}").focus()

    def action_cancel(self) -> None:
        self.dismiss(None)
