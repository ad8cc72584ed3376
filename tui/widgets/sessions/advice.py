"""What the app says of the engine's state: row 0, the inspector, advice in one line."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from rich.cells import cell_len
from textual.content import Content

from engine.agents.leak import Sighting
from engine.engine import Engine, SessionInfo
from engine.errors import ModelError, Problem
from engine.events import LeakFound
from engine.lifecycle.expiry import Ending
from engine.routing.envelope import OPERATOR_CHANNEL, Envelope
from engine.routing.keys import agent_of
from engine.text import safe_line
from tui.look.glyphs import Glyphs
from tui.people.naming import model_name
from tui.tracker import Tracker
from tui.widgets.chat.chat import Chat
from tui.widgets.gauge import Fill, labelled
from tui.widgets.sessions.inspector import InspectorState
from tui.widgets.sessions.statusbar import BarState

__all__ = [
    "bar_state",
    "broken_lines",
    "chat_title",
    "config_errors",
    "connect_hint",
    "inspector_state",
    "isolation_problems",
    "leak_lines",
    "short_path",
]


def connect_hint(model: str, config: str) -> tuple[str, ...]:
    """How to connect a real model, in several lengths, longest first; () when one is connected."""
    if not model.startswith("offline/"):
        return ()
    return (
        f"Offline model, nothing is sent anywhere. To connect a real one set ANTHROPIC_API_KEY or "
        f"OPENAI_API_KEY and start again, or name it in {config}",
        "Offline model. To connect one: set ANTHROPIC_API_KEY or OPENAI_API_KEY, restart",
        "Offline. Set ANTHROPIC_API_KEY (or OPENAI_…), restart",
        "Offline: set ANTHROPIC_API_KEY, restart",
    )


def broken_lines(errors: Sequence[Problem], revision: int, glyphs: Glyphs) -> tuple[str, ...]:
    """What is wrong with the config on disk, in several lengths, longest first; () when nothing
    is. Where it is and what stays in force are in all of them."""
    if not errors:
        return ()
    first = errors[0]
    column = f", column {first.column}" if first.column else ""
    where = f"line {first.line}{column}: " if first.line else ""
    short = f"{first.line}:{first.column or 1}: " if first.line else ""
    path = f"{first.path}: " if first.path else ""
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    stays = f"{more}; revision {revision} stays in force"
    said = safe_line(f"{path}{first.message}", limit=300)
    return (
        f"{glyphs.broken} config {where}{said}{stays}",
        *(
            f"{glyphs.broken} config {where}{safe_line(said, limit=limit)}{stays}"
            for limit in (100, 70, 50)
        ),
        f"{glyphs.broken} config {short}{safe_line(said, limit=36)}; r{revision} stays",
        f"{glyphs.broken} config {short}{safe_line(said, limit=18)}; r{revision} stays",
    )


def leak_lines(leaks: Sequence[LeakFound], glyphs: Glyphs) -> tuple[str, ...]:
    """The leaks that were stopped, in one line of several lengths; () when there is none."""
    if not leaks:
        return ()
    last = leaks[-1]
    reader = safe_line(last.reader_name or last.reader or "somebody", limit=40)
    author = safe_line(last.author_name or last.author or "somebody", limit=40)
    more = f" (and {len(leaks) - 1} more)" if len(leaks) > 1 else ""
    head = f"{glyphs.broken} LEAK STOPPED"
    told = f"{head}: {reader} would have seen words of {author}"
    where = safe_line(last.session_key, limit=120)
    return (
        f"{told}, in {where}; the request was not sent{more}",
        f"{told}; the request was not sent{more}",
        f"{told}; not sent{more}",
        f"{head}: words of {author} for {reader}; not sent",
        f"{head}, not sent: {author} to {reader}",
    )


def isolation_problems(engine: Engine) -> list[Problem]:
    """Who would have seen, or by the operator's choice did see, whose words; and who met a full
    house."""
    found = [_told(seen) for seen in reversed(engine.leaks.sightings()) if seen.verdict in _GRAVE]
    found.sort(key=lambda problem: problem.severity)
    if engine.turned_away:
        noun = "message" if engine.turned_away == 1 else "messages"
        told = f"{engine.turned_away} {noun} of new senders turned away since the start"
        hint = f"{engine.config.session.max_concurrent} sessions at most"
        found.append(Problem(told, "warning", path="session.maxConcurrent", hint=hint))
    return found


_GRAVE = ("refused", "exposed")


def _told(seen: Sighting) -> Problem:
    reader, author = seen.reader_name or seen.reader, seen.author_name or seen.author
    times = f"{seen.requests} requests" if seen.requests > 1 else "1 request"
    if seen.verdict == "refused":
        told = f"a leak was stopped: {reader} would have seen words of {author or 'somebody'}"
        return Problem(f"{told}; {times} not sent", path=seen.session_key, hint=seen.rule)
    told = f"{reader} is answered with words of {author or 'somebody'} in sight ({times})"
    return Problem(told, "warning", path=seen.session_key, hint=seen.rule)


def config_errors(engine: Engine) -> list[Problem]:
    """What keeps the config on disk from being in force; problems of sessions are not among it."""
    own = {None, str(engine.config_path)}
    return [each for each in engine.problems if each.severity == "error" and each.file in own]


def bar_state(engine: Engine, tracker: Tracker, asking: int) -> BarState:
    """Row 0 of a screen. Its place is left empty: the only screen needs no name."""
    return BarState(
        config=short_path(engine.config_path),
        revision=engine.revision,
        broken=bool(config_errors(engine)),
        scope=engine.config.session.dm_scope,
        sessions=tracker.size,
        busy=tracker.busy,
        queued=len(tracker.queued),
        problems=len(engine.problems),
        asking=asking,
        turned_away=engine.turned_away,
    )


def short_path(path: Path | None) -> str:
    """A path as a person writes it: `~/.branchline/branchline.json5`."""
    if path is None:
        return "no config file"
    text = str(path)
    home = os.path.expanduser("~")
    return safe_line(f"~{text[len(home) :]}" if text.startswith(f"{home}{os.sep}") else text)


def chat_title(
    name: str, info: SessionInfo | None, fill: Fill | None, width: int, glyphs: Glyphs
) -> Content:
    """What stands over a conversation in `width` cells: its (safe) name, the mark of a model of its
    own in as many words as there is room for, and how full it is.

    Args:
        fill: None where that is not to be shown.
    """
    gauge = Content.assemble("  ", labelled(fill, 10, glyphs)) if fill is not None else Content("")
    if info is None or not info.override:
        return Content.assemble(name, gauge)
    sign, own = glyphs.override, model_name(info.override)
    room = width - cell_len(name) - gauge.cell_length
    forms = (f" · {sign} {own} override", f" {sign} {own}", f" {sign} own", f" {sign}")
    told = next((form for form in forms if cell_len(form) <= room), forms[-1])
    return Content.assemble(name, (told, "$text-primary"), gauge)


def inspector_state(engine: Engine, tracker: Tracker, chat: Chat) -> InspectorState:
    """All that the inspector shows of the open session."""
    view = chat.view
    home = engine.route(Envelope(channel=OPERATOR_CHANNEL))
    route = home if home.session_key == chat.ref else None
    return InspectorState(
        view=view,
        route=view.route if view is not None else route,
        key=view.info.key if view is not None else chat.ref,
        revision=engine.revision,
        status=tracker.status(chat.ref),
        queued=sum(1 for key in tracker.queued.values() if key == chat.key),
        company=chat.company,
        seen=tuple(_seen(engine, chat.ref)) if view is not None else (),
        fill=tracker.fills.get(chat.ref) if view is not None else None,
        model=view.model.ref if view is not None else _default_model(engine, chat.ref),
        next_model=chat.next_models.get(chat.ref, ""),
        earlier=tracker.earlier[view.info.key if view is not None else chat.ref],
        ends=_ends(view.ends) if view is not None and view.ends is not None else (),
    )


def _ends(ending: Ending) -> tuple[str, ...]:
    """`29 Nov 04:00`, then `daily at 04:00` and the place in the config; of a session that never
    ends one line."""
    rule = f" · {ending.rule}" if ending.rule else ""
    if ending.at is None:
        return (safe_line(f"{ending.told}{rule}", limit=100),)
    when = "with the next message"
    if ending.at >= time.time_ns() // 1_000_000:
        try:
            when = datetime.fromtimestamp(ending.at / 1000).strftime("%d %b %Y %H:%M")
        except (OverflowError, OSError, ValueError):
            when = "later than calendars go"
    return when, safe_line(ending.told), safe_line(ending.rule, limit=60)


def _seen(engine: Engine, key: str) -> Iterator[Sighting]:
    """What the leak monitor saw of a session since the start, of other people's words."""
    for seen in engine.leaks.sightings(session_key=key):
        if seen.verdict in _GRAVE:
            yield seen


def _default_model(engine: Engine, key: str) -> str:
    """The model that a chat without any message would be answered with; "" for none."""
    try:
        return engine.setup.registry.default_ref(agent_of(key))
    except ModelError:
        return ""
