"""Choosing models: for one session or its next message, for several at once, in the config."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from engine.agents.models import ManyChanged, Outlook
from engine.errors import BranchlineError
from engine.routing.keys import agent_of
from engine.text import safe_line
from engine.turns.choice import Layers
from tui.behind.models import model_lines
from tui.commands.offers import Offer
from tui.home import Home
from tui.later import later
from tui.look.cells import count
from tui.people.naming import agent_name, chat_name, is_stored, title_of

__all__ = [
    "ask_model",
    "choose_model",
    "choose_several",
    "model_offers",
    "model_refs",
    "undo_models",
]

UNDO = "^P, then Undo model change"


def model_offers(app: Home, key: str, prefix: str = "") -> Iterator[Offer]:
    """Every model that can be chosen for a session, and the config's own choice."""
    yield f"{prefix}default", "What the config says", partial(_soon, app, key, None)
    for line in model_lines(app.engine.setup.registry):
        told = [f"{count(line.window)} tokens" if line.window else "", *line.aliases, line.wanting]
        said = " · ".join(part for part in told if part)
        yield f"{prefix}{line.name}", said, partial(_soon, app, key, line.ref)


def _soon(app: Home, key: str, ref: str | None) -> None:
    later(app, partial(_set, app, (key,), ref), group="model", exclusive=False)


def model_refs(app: Home) -> tuple[str, ...]:
    """What `/model` takes: aliases and references."""
    registry = app.engine.setup.registry
    names = [*registry.aliases(), *(info.ref for info in registry.list())]
    return tuple(dict.fromkeys(safe_line(name) for name in names))


def choose_model(app: Home, *refs: str) -> None:
    """Ask for the model of a session; of several, with a preview of what it would do to each.

    Args:
        refs: sessions, by key; what is put away takes no messages and is left out.
    """
    later(app, partial(_choose, app, refs), group="dialog", exclusive=False)


async def _choose(app: Home, refs: Sequence[str]) -> None:
    infos = app.bridge.tracker.infos
    live = [ref for ref in dict.fromkeys(refs) if ref not in infos or not is_stored(infos[ref])]
    if not live:
        told = "a stored session is kept as it was and takes no messages; f forks it"
        app.say(told, "Model", seconds=6)
    elif len(live) == 1:
        await _for_one(app, live[0])
    else:
        await _for_many(app, live)


def _name(app: Home, ref: str) -> str:
    info = app.bridge.tracker.infos.get(ref)
    return title_of(info) if info is not None else chat_name(ref)


async def _for_one(app: Home, ref: str) -> None:
    from tui.widgets.dialogs.models import ModelPicker

    layers = await _layers(app, ref)
    if layers is None:
        return
    registry = app.engine.setup.registry
    title = f"Model of {_name(app, ref)}"
    picked = await app.push_screen_wait(ModelPicker(title, registry, app.glyphs, layers))
    if picked is None:
        return
    if picked.way == "turn":
        app.next_models[ref] = picked.ref or ""
        app.say(f"{picked.ref} answers the next message only", "Model")
    elif picked.way == "file":
        from tui.config.modelsetting import write_model

        await write_model(app, agent_of(ref) or "main", picked.ref or "")
    else:
        if picked.way == "config":
            app.next_models.pop(ref, None)
        await _set(app, (ref,), picked.ref)
    app.bridge.tell_again()


async def _layers(app: Home, ref: str) -> Layers | None:
    """What says which model answers in a session; None (told) where it cannot be read."""
    try:
        return await app.engine.models.layers(ref, app.next_models.get(ref))
    except BranchlineError as error:
        app.fail(error)
        return None


async def ask_model(app: Home, ref: str, title: str, verb: str) -> str | None:
    """Ask for a model for one answer in a session. To be awaited in a worker.

    Args:
        verb: what Enter does with it.
    """
    from tui.widgets.dialogs.models import ModelPicker

    registry = app.engine.setup.registry
    picker = ModelPicker(
        title, registry, app.glyphs, await _layers(app, ref), ways=("turn",), verb=verb
    )
    picked = await app.push_screen_wait(picker)
    return picked.ref if picked is not None else None


# several sessions


def choose_several(app: Home) -> None:
    """Ask of which sessions, then for their model."""
    later(app, partial(_several, app), group="dialog", exclusive=False)


async def _several(app: Home) -> None:
    from tui.widgets.dialogs.box import Option, Pick

    infos = [info for info in app.bridge.tracker.infos.values() if not is_stored(info)]
    sets: dict[str, list[str]] = {f"agent {info.agent_id}": [] for info in infos}
    sets |= {"own": [], "all": []}
    for info in infos:
        sets[f"agent {info.agent_id}"].append(info.ref)
        sets["all"].append(info.ref)
        if info.override:
            sets["own"].append(info.ref)
    names = {"own": "With a model of their own", "all": "All"}
    options = [
        Option(
            key,
            names.get(key) or f"Of {agent_name(app.engine.config, key.removeprefix('agent '))}",
            "1 session" if len(refs) == 1 else f"{len(refs):,} sessions",
        )
        for key, refs in sets.items()
        if refs
    ]
    if not options:
        app.say("there is no session yet whose model could be chosen; n begins one", "Model")
        return
    about = "Of which sessions? What the model would do to each of them is shown first."
    chosen = await app.push_screen_wait(Pick("Model of several sessions", options, about=about))
    if chosen is not None:
        await _choose(app, sets[chosen])


async def _for_many(app: Home, refs: Sequence[str]) -> None:
    from tui.widgets.dialogs.models import ModelPicker
    from tui.widgets.dialogs.modelswitch import ModelSwitch

    title, glyphs = f"Model of {len(refs):,} sessions", app.glyphs
    registry = app.engine.setup.registry
    picked = await app.push_screen_wait(
        ModelPicker(title, registry, glyphs, ways=("session", "config"), verb="preview")
    )
    if picked is None:
        return
    named = [(ref, _name(app, ref)) for ref in refs]

    async def look(ref: str) -> Outlook:
        return await app.engine.models.outlook(ref, picked.ref)

    keys = await app.push_screen_wait(ModelSwitch(named, picked.ref, look, glyphs))
    if keys:
        await _set(app, keys, picked.ref)


# changing, and taking it back


async def _set(app: Home, refs: Sequence[str], model: str | None) -> None:
    busy = sum(ref in app.bridge.tracker.live for ref in refs)
    if busy:
        noun = "It is being answered and changes" if len(refs) == 1 else f"{busy} change"
        app.say(f"{noun} when the answer has ended", "Model")
    try:
        done = await app.engine.models.choose_for(refs, model)
    except BranchlineError as error:
        app.fail(error)
        return
    for _, failure in done.failures[:3]:
        app.fail(failure)
    if done.made:
        app.model_change = done
        app.say(f"{_told(app, done, model)} · {UNDO}", "Model", seconds=6)
    elif not done.failures:
        app.say(
            f"{model or 'what the config says'} answers there already; nothing changed", "Model"
        )
    app.bridge.tell_again()


def _told(app: Home, done: ManyChanged, model: str | None) -> str:
    target = model or "what the config says"
    if len(done.changes) + len(done.failures) > 1:
        return f"{len(done.made):,} sessions {app.glyphs.arrow} {target}"
    return f"{_name(app, done.made[0].session_key)} {app.glyphs.arrow} {target}"


def undo_models(app: Home) -> None:
    """Take the last change of models back, of all its sessions at once."""
    later(app, partial(_undo, app), group="model", exclusive=False)


async def _undo(app: Home) -> None:
    change, app.model_change = app.model_change, None
    if change is None:
        app.say("no model was changed since the app was started; nothing to take back", "Model")
        return
    done = await app.engine.models.undo(change)
    for _, failure in done.failures[:3]:
        app.fail(failure)
    left = {key for key, _ in done.failures}
    if left and app.model_change is None:  # to be tried again, unless another change came
        kept = tuple(one for one in change.changes if one.session_key in left)
        app.model_change = ManyChanged(kept)
    since = sum(not one.done for one in done.changes)
    told = f"{_sessions(len(done.made))} as before"
    told += f"; {_sessions(since)} got another model since and keep it" if since else ""
    app.say(told, "Model", seconds=6)


def _sessions(number: int) -> str:
    return "1 session" if number == 1 else f"{number:,} sessions"
