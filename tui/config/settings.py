"""Settings as the palette offers them: each plain value of the config, where it comes from, and
how it is changed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from engine.errors import BranchlineError
from engine.text import safe_line
from tui.home import Home
from tui.later import later

if TYPE_CHECKING:
    from engine.config.edit import Edit
    from engine.config.load import Snapshot

__all__ = ["Setting", "change_setting", "choose_theme", "read_value", "settings_of"]

_PER_AGENT = "agents.defaults."
"""Where there may be the same settings again, for agents alone; shown once they are written."""

MODELS = ("agents.defaults.model", "compaction.model")
"""Settings that are a model."""

_KINDS = {"text", "number", "whole number", "true or false", "text or object"}


@dataclass(frozen=True, slots=True)
class Setting:
    """One plain value.

    Attributes:
        path: dotted.
        kind: `text`, `number`, `whole number`, `true or false`, or its values with ` | ` between.
        value: in force; None for none.
        written: whether the config file says so; else it is the default.
        doc: what it means.
    """

    path: str
    kind: str
    value: object
    written: bool
    doc: str

    @property
    def steps(self) -> tuple[str | int, ...]:
        return tuple(self.path.split("."))

    @property
    def choices(self) -> tuple[str, ...]:
        """The values it can have, when they are few."""
        if self.kind == "true or false":
            return "true", "false"
        return tuple(self.kind.split(" | ")) if " | " in self.kind else ()

    @property
    def shown(self) -> str:
        """The value as a person writes it, safe."""
        return safe_line(_written(self.value), limit=40)


def _written(value: object) -> str:
    if value is None:
        return "not set"
    return str(value).lower() if isinstance(value, bool) else str(value)


def settings_of(snapshot: Snapshot) -> tuple[Setting, ...]:
    """Every plain value of the config; lists and maps are left to the editor. For a thread."""
    from engine.config.document import read_document
    from engine.config.keypath import MISSING, value_at
    from engine.config.reference import describe, value_in_force

    document = read_document(snapshot.text).value
    found = []
    for row in describe():
        named = "*" in row.path or "[" in row.path
        if named or not (row.type in _KINDS or " | " in row.type):
            continue
        steps = tuple(row.path.split("."))
        value = value_in_force(snapshot.config, steps)
        if isinstance(value, (dict, list)) or (value is ... and row.path.startswith(_PER_AGENT)):
            continue
        written = value_at(document, steps) is not MISSING
        kind = "text" if row.type == "text or object" else row.type
        found.append(Setting(row.path, kind, None if value is ... else value, written, row.doc))
    return tuple(found)


def read_value(setting: Setting, text: str) -> object:
    """What a person wrote, as the config holds it.

    Raises:
        ValueError: it is no such value; the message says what would be.
    """
    if setting.kind == "true or false":
        return text == "true"
    for kind, read, told in (
        ("whole number", int, "a whole number"),
        ("number", float, "a number"),
    ):
        if setting.kind == kind:
            try:
                return read(text)
            except ValueError:
                raise ValueError(f"write {told}") from None
    return text


def choose_theme(app: Home) -> None:
    """Try themes on and keep one; where the config names another, it is asked to follow."""
    later(app, partial(_choose_theme, app), group="dialog", exclusive=False)


async def _choose_theme(app: Home) -> None:
    from tui.config.configwork import offer
    from tui.widgets.dialogs.themes import ThemePicker

    now = app.engine.config.ui.theme
    chosen = await app.push_screen_wait(ThemePicker(app.theme))
    if chosen is None or now in (None, chosen):
        return
    try:
        setting = Setting("ui.theme", "text", now, True, "")
        edit = _edit(await app.engine.settings.text(), setting, chosen)
    except BranchlineError as error:
        app.fail(error)
        return
    await offer(app, edit, "Theme")


def change_setting(app: Home, setting: Setting) -> None:
    """Ask for another value; then show what it changes in the file, and write it."""
    if setting.path == "session.dmScope":
        from tui.config.isolation import change_scope

        change_scope(app)
    else:
        later(app, partial(_change, app, setting), group="dialog", exclusive=False)


async def _change(app: Home, setting: Setting) -> None:
    from tui.config.configwork import offer

    text = await _ask(app, setting)
    if text is None or (text == setting.shown and setting.written):
        return
    try:
        edit = _edit(await app.engine.settings.text(), setting, text)
    except BranchlineError as error:
        app.fail(error)
        return
    await offer(app, edit, setting.path)


async def _ask(app: Home, setting: Setting) -> str | None:
    from tui.widgets.dialogs.ask import Ask
    from tui.widgets.dialogs.box import Option, Pick

    source = "from the config" if setting.written else "the default"
    if setting.path == "ui.theme":
        from tui.widgets.dialogs.themes import ThemePicker

        return await app.push_screen_wait(ThemePicker(app.theme))
    if setting.path in MODELS:
        return await _ask_model(app, setting)
    if setting.choices:
        now = setting.shown
        told = {now: f"in force, {source}"}
        options = [Option(one, one, told.get(one, "")) for one in setting.choices]
        return await app.push_screen_wait(
            Pick(setting.path, options, chosen=now, about=setting.doc)
        )
    hint = f"{setting.doc} Empty: the default."
    value = "" if setting.value is None else _written(setting.value)
    return await app.push_screen_wait(
        Ask(setting.path, hint=hint, check=partial(_fault, setting), value=value)
    )


async def _ask_model(app: Home, setting: Setting) -> str | None:
    """By the same list as everywhere; "" for the default."""
    from tui.widgets.dialogs.models import ModelPicker

    picker = ModelPicker(
        setting.path,
        app.engine.setup.registry,
        app.glyphs,
        ways=("file", "config"),
        verb="write to config",
        back="the default",
    )
    picked = await app.push_screen_wait(picker)
    return None if picked is None else picked.ref or ""


def _fault(setting: Setting, text: str) -> str | None:
    if not text:
        return None
    try:
        read_value(setting, text)
    except ValueError as error:
        return str(error)
    return None


def _edit(source: str, setting: Setting, text: str) -> Edit:
    """Raises: BranchlineError: the file cannot be changed so."""
    from engine.config.edit import remove_value, replace_text, set_value

    if not text:
        return (
            remove_value(source, setting.steps) if setting.written else replace_text(source, source)
        )
    return set_value(source, setting.steps, read_value(setting, text))
