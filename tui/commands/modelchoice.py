"""Choosing a model for a session."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from engine.errors import BranchlineError
from engine.text import safe_line
from tui.commands.offers import Offer, Offers
from tui.home import Home
from tui.look.cells import count

__all__ = ["model_offers", "model_refs", "pick_model"]


def model_offers(app: Home, key: str, prefix: str = "") -> Iterator[Offer]:
    """Every model that can be chosen for a session, and the config's own choice."""
    yield f"{prefix}default", "What the config says", partial(_override, app, key, None)
    for info in app.engine.setup.registry.list():
        ready = "" if info.ready else " · no key found"
        said = f"{count(info.context_window)} tokens{ready}"
        yield f"{prefix}{safe_line(info.ref)}", said, partial(_override, app, key, info.ref)


def model_refs(app: Home) -> tuple[str, ...]:
    """References of all models that can be chosen."""
    registry = app.engine.setup.registry
    return tuple(safe_line(info.ref) for info in registry.list())


def pick_model(app: Home, key: str) -> None:
    """Ask for the model of a session."""
    from tui.widgets.dialogs.dialog import Commands

    class Models(Offers):
        SHOWN = 1000

        def offers(self) -> Iterator[Offer]:
            yield from model_offers(app, key)

    app.push_screen(Commands(providers=[Models], placeholder="Model of this session…"))


def _override(app: Home, key: str, ref: str | None) -> None:
    app.run_worker(_set_model(app, key, ref), group="model", exclusive=True)


async def _set_model(app: Home, key: str, ref: str | None) -> None:
    try:
        model = await app.engine.set_override(key, ref)
    except BranchlineError as error:
        app.fail(error)
        return
    said = f"{safe_line(model.ref)} ({safe_line(model.source)})"
    app.notify(said, title="Model of this session", markup=False)
