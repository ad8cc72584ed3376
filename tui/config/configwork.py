"""Changing the config from the app: planned, shown, then written or put in force, and undone.

Everything that changes the config goes through `offer`, so nothing is written that was not shown.
"""

from __future__ import annotations

from typing import Literal

from engine.config.edit import Edit
from engine.errors import BranchlineError
from tui.home import Home

__all__ = ["Outcome", "Where", "offer", "undo"]

Outcome = Literal["written", "applied"]
Where = Literal["choose", "write", "memory"]
"""Whether the person chooses between file and memory, or it is the one or the other."""


async def offer(
    app: Home, edit: Edit, title: str, *, where: Where = "choose", in_memory: str | None = None
) -> Outcome | None:
    """Show what an edit would do, then do with it what the person chooses.

    To be awaited in a worker. Errors are told; then, and when nothing is wanted, the end is None.

    Args:
        edit: made in the file's text.
        title: what is changed.
        where: whether it may be written, put in force without that, or either.
        in_memory: the config's text that is put in force then; by default the edited one.
    """
    from tui.widgets.dialogs.write import MEMORY, WriteDialog
    from tui.widgets.sessions.advice import short_path

    room, revision = app.engine.settings, app.engine.revision
    try:
        plan = await room.plan(edit)
        if not edit.changes and not plan.changes:
            app.say("The file says this already", title)
            return None
        place = short_path(app.engine.config_path)
        dialog = WriteDialog(plan, title, place, app.glyphs, where=where)
        chosen = await app.push_screen_wait(dialog)
        if chosen is None:
            return None
        if chosen == MEMORY:
            # Another revision that is in force by now would be taken back with it.
            await room.apply(in_memory or edit.text, only_at=revision)
            return "applied"
        await room.write(edit)
    except BranchlineError as error:
        app.fail(error)
        return None
    return "written"


async def undo(app: Home) -> None:
    """Take the last change of the config back; what would be written is shown first."""
    from tui.widgets.dialogs.write import WriteDialog
    from tui.widgets.sessions.advice import short_path

    room = app.engine.settings
    try:
        edit = await room.undo_edit()
        if edit is not None and edit.changes:
            plan = await room.plan(edit)
            place = short_path(app.engine.config_path)
            dialog = WriteDialog(plan, "Undo config change", place, app.glyphs, where="write")
            if await app.push_screen_wait(dialog) is None:
                return
        revision = await room.undo(edit)
    except BranchlineError as error:
        app.fail(error)
        return
    if revision is None:
        told = (
            "there is no earlier config to go back to; F5, then h lists what the file said before"
        )
        app.say(told, "Config", seconds=6)
