"""What the person decides on who shares what: dmScope, its undoing, who is let in."""

from __future__ import annotations

from engine.errors import BranchlineError
from tui.home import Home

__all__ = ["change_scope", "show_pairings", "undo_config"]


def change_scope(app: Home) -> None:
    """Ask for another dmScope, with its effect shown first, and put it in force."""

    async def ask() -> None:
        from tui.scopes import Trial
        from tui.widgets.dialogs.scope import ScopeDialog

        engine = app.engine
        now = engine.config.session.dm_scope
        chosen = await app.push_screen_wait(ScopeDialog(Trial(engine), now, app.glyphs))
        if chosen is None:
            return
        try:
            await engine.set_scope(chosen)
        except BranchlineError as error:
            app.fail(error)
            return
        said = f"{now} {app.glyphs.arrow} {chosen}. ^P, then Undo config change, takes it back"
        app.notify(said, title="dmScope", markup=False, timeout=10)

    app.run_worker(ask(), group="dialog")


def undo_config(app: Home) -> None:
    """Go back to the config that was in force before."""

    async def undo() -> None:
        try:
            revision = await app.engine.undo_config()
        except BranchlineError as error:
            app.fail(error)
            return
        if revision is None:
            app.notify("There is no earlier config to go back to", title="Config", markup=False)

    app.run_worker(undo(), group="config")


def show_pairings(app: Home) -> None:
    """List who asks to be let in."""
    from tui.widgets.dialogs.pairings import PairingRequests

    app.push_screen(PairingRequests(app.pairings, app.glyphs, app.fail, app.bridge.tell_again))
