"""What the person decides on who shares what: dmScope, its undoing, who is let in."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from engine.errors import BranchlineError, EditRefused
from engine.text import safe_line
from tui.config.configwork import Outcome, offer, undo
from tui.home import Home
from tui.later import later

if TYPE_CHECKING:
    from engine.config.schema import DmScope

__all__ = ["change_scope", "set_scope", "show_pairings", "undo_config"]


def change_scope(app: Home) -> None:
    """Ask for another dmScope, with its effect shown first; then where it is to be changed."""
    later(app, partial(_ask_scope, app), group="dialog", exclusive=False)


async def _ask_scope(app: Home) -> None:
    from tui.behind.scopes import Trial
    from tui.widgets.dialogs.scope import ScopeDialog

    engine = app.engine
    now = engine.config.session.dm_scope
    chosen = await app.push_screen_wait(ScopeDialog(Trial(engine), now, app.glyphs))
    if chosen is not None:
        await set_scope(app, chosen)


async def set_scope(app: Home, scope: DmScope) -> bool:
    """Show what another dmScope changes in the file, then write it or put it in force; whether
    that was done. To be awaited in a worker.

    While the file cannot be edited, it can still be put in force in memory.
    """
    from engine.config.edit import set_value

    engine, title = app.engine, "Change dmScope"
    try:
        edit = set_value(await engine.settings.text(), _DM_SCOPE, scope)
        in_memory = set_value(engine.setup.snapshot.text, _DM_SCOPE, scope).text
    except EditRefused as error:
        done = await _in_memory_only(app, scope, error)
    except BranchlineError as error:
        app.fail(error)
        return False
    else:
        done = await offer(app, edit, title, in_memory=in_memory)
    return done is not None


_DM_SCOPE = ("session", "dmScope")


async def _in_memory_only(app: Home, scope: DmScope, error: EditRefused) -> Outcome | None:
    from tui.widgets.dialogs.box import Option, Pick

    does = f"the file cannot be edited now: {safe_line(error.message, limit=200)}"
    option = Option("memory", "in memory", does)
    if await app.push_screen_wait(Pick(f"dmScope {scope}", (option,))) is None:
        return None
    await app.engine.set_scope(scope)
    return "applied"


def undo_config(app: Home) -> None:
    """Take the last change of the config back, in the file too."""
    later(app, partial(undo, app), group="dialog", exclusive=False)


def show_pairings(app: Home) -> None:
    """List who asks to be let in."""
    from tui.widgets.dialogs.pairings import PairingRequests

    app.push_screen(PairingRequests(app.pairings, app.glyphs, app.fail, app.bridge.tell_again))
