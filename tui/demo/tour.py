"""The tour of the demo: what to try, in steps that tick themselves off when they are really done.

A step is data: what to do, in words with the keys, and what must have been seen to call it done.
Seen are the engine's events and what is on the screen; nothing is taken on trust, and steps may
be done in any order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from msgspec import Struct
from textual.screen import ModalScreen

from engine.events import (
    ConfigChanged,
    EntryAppended,
    Event,
    LeakFound,
    SessionChanged,
    TurnEnded,
)
from engine.routing.keys import agent_of
from engine.sessions.journal import STEP
from engine.values import replace

if TYPE_CHECKING:
    from tui.bridge import Batch
    from tui.home import Home

__all__ = ["CHAPTERS", "STEPS", "Sight", "Step", "Tour"]

LOOK = 0.25
"""Seconds between two looks at the screen; what an event tells is seen at once."""

SHARED = "main"
"""The dmScope with the leak."""

SCOPE = "session.dmScope"


class Sight(Struct, frozen=True):
    """What there is to see at a moment.

    Attributes:
        events: what the engine told since the last one.
        mode: the screen in front.
        dialog: the dialog over it, by the name of its class; "" for none.
        session: the session that is open.
        scope: the dmScope in force.
        facts: what the screen says can be seen on it (CockpitScreen.sights).
    """

    events: tuple[Event, ...] = ()
    mode: str = ""
    dialog: str = ""
    session: str = ""
    scope: str = ""
    facts: frozenset[str] = frozenset()


class Step(Struct, frozen=True):
    """One thing to try.

    Attributes:
        ask: what to do. Keys stand between backticks.
        told: what has just been seen, said when it is done.
        keys: ids of the bindings that `ask` names.
        done: whether a sight shows that it was done.
    """

    id: str
    chapter: str
    ask: str
    told: str
    done: Callable[[Sight], bool]
    keys: tuple[str, ...] = ()


# what is looked for


def _answered(sight: Sight) -> bool:
    return sight.mode == "sessions" and any(
        isinstance(event, TurnEnded)
        and event.session_key == sight.session
        and event.reply_entry_id is not None
        for event in sight.events
    )


def _operations(sight: Sight) -> list[str]:
    """What was done to trees: the steps that went into journals."""
    found = []
    for event in sight.events:
        if isinstance(event, EntryAppended) and event.entry.custom_type == STEP:
            body = event.entry.data.get("data")
            found.append(str(body.get("what")) if isinstance(body, Mapping) else "")
    return found


def _forked(sight: Sight) -> bool:
    """Gone on elsewhere: in the tree itself, or in a session made of it."""
    went = {"continue here", "edit", "regenerate", "move"} & set(_operations(sight))
    made = any(
        isinstance(event, SessionChanged) and ":fork:" in event.session_key
        for event in sight.events
    )
    return bool(went) or made


def _leaked(sight: Sight) -> bool:
    return any(isinstance(event, LeakFound) and not event.blocked for event in sight.events)


def _asked_again(sight: Sight) -> bool:
    """Somebody was answered on a channel, in a session that is nobody else's."""
    if sight.scope == SHARED or _leaked(sight):
        return False
    return any(
        isinstance(event, TurnEnded)
        and event.error is None
        and event.session_key.startswith(f"agent:{agent_of(event.session_key)}:telegram:")
        for event in sight.events
    )


def _edited(sight: Sight) -> bool:
    """Something of the config besides dmScope is another now."""
    return any(
        isinstance(event, ConfigChanged) and bool(set(event.changes) - {SCOPE})
        for event in sight.events
    )


STEPS: tuple[Step, ...] = (
    Step(
        "talk",
        "Talk",
        "Your own chat: ask it something, say: who has the key? `Enter` sends.",
        "A built-in model answers: it quotes what it was told. No key, no network.",
        _answered,
        ("composer.send",),
    ),
    Step(
        "tree",
        "Branch",
        "A chat is a tree; nothing is ever overwritten. `F3` opens this one's.",
        "Each row is an entry, forks are indented; hollow: branches left behind.",
        lambda sight: sight.mode == "tree",
        ("app.tree",),
    ),
    Step(
        "xray",
        "Branch",
        "`x`: what the model would see from here, entry by entry, and why.",
        "In or out, with tokens and the reason; what is folded is out.",
        lambda sight: sight.dialog == "XrayDialog",
        ("tree.xray",),
    ),
    Step(
        "fork",
        "Branch",
        "`Esc`, then `G`: the last row, the other hotel. `f` and `Enter` go on from there.",
        "The chat goes on in the other branch; the one you left stays.",
        _forked,
        ("dialog.close", "list.last", "tree.fork", "dialog.accept"),
    ),
    Step(
        "undo",
        "Branch",
        "`F3` again: there, `u` takes the last step back.",
        "Undone. Even that only added to the file.",
        lambda sight: "undo" in _operations(sight),
        ("app.tree", "tree.undo"),
    ),
    Step(
        "fold",
        "Compaction",
        "`F2`, `Esc` to look around; `k` up to the ◆ row; `Enter` opens its summary.",
        "A long chat was folded: from here on the model sees this summary.",
        lambda sight: "fold open" in sight.facts,
        ("app.sessions", "sessions.leave", "conversation.previous", "conversation.open"),
    ),
    Step(
        "originals",
        "Compaction",
        "`k` goes on above it: what was folded is all still there, word for word.",
        "Nothing is lost by compaction, and the X-ray says what is folded.",
        lambda sight: "folded message" in sight.facts,
        ("conversation.previous",),
    ),
    Step(
        "leak",
        "Leak",
        "`F4`: people side by side. `Tab` to Bob; ask as him: what is the door code?",
        "Bob got Alice's words! Under dmScope “main” they share one memory.",
        _leaked,
        ("app.simulator", "go.next"),
    ),
    Step(
        "scope",
        "Leak",
        "`Esc`, `p`, arrow down to per-channel-peer: read; Enter twice writes it.",
        "Everybody has a memory of their own again; nothing said is lost.",
        lambda sight: sight.scope not in ("", SHARED),
        ("simulator.leave", "simulator.scope"),
    ),
    Step(
        "again",
        "Leak",
        "`o` goes back to writing. As Bob, ask for the door code once more.",
        "Bob learns nothing: that is a session of his own now.",
        _asked_again,
        ("simulator.write",),
    ),
    Step(
        "why",
        "Routing",
        "`F5`: the bindings. `j` to the ▲: it never wins. `t` tries a message for it.",
        "Each binding looked at, and the field that failed. Nothing was sent.",
        lambda sight: "message tried" in sight.facts,
        ("app.routing", "list.down", "routing.try"),
    ),
    Step(
        "edit",
        "Routing",
        "`Esc` twice goes back; `x` takes the ▲ out; `w`, then `Enter` writes it.",
        "Live at once, comments and layout kept. An editor (e) does it, too.",
        _edited,
        ("routing.back", "routing.remove", "routing.write", "dialog.accept"),
    ),
)

CHAPTERS: tuple[str, ...] = tuple(dict.fromkeys(step.chapter for step in STEPS))


class Tour:
    """How far a person has come. It lives as long as the app.

    Args:
        home: the app; its memory keeps what is done.
        steps: what there is to try.

    Attributes:
        last: the step done most recently, since the start.
    """

    def __init__(self, home: Home, steps: tuple[Step, ...] = STEPS):
        self.steps = steps
        self.last: Step | None = None
        self._home = home
        self._panels: list[Callable[[], None]] = []

    def start(self) -> None:
        """Look on from now on. The app must be running."""
        self._home.bridge.listen(self._hear)
        self._home.screen_change_signal.subscribe(self._home, lambda _: self.look())
        self._home.set_interval(LOOK, self.look)

    # how far it is

    @property
    def done(self) -> frozenset[str]:
        """Ids of the steps that were done."""
        return frozenset(one for one in self._home.memory.tour or () if not one.startswith("-"))

    @property
    def current(self) -> Step | None:
        """The step to try next: the first that was neither done nor passed over."""
        past = set(self._home.memory.tour or ())
        return next((step for step in self.steps if not {step.id, f"-{step.id}"} & past), None)

    @property
    def hidden(self) -> bool:
        return self._home.memory.tour_hidden

    # going on

    def _hear(self, batch: Batch) -> None:
        self.look(batch)

    def look(self, events: Iterable[Event] = ()) -> None:
        """Tick off what is done now."""
        if self.current is None or not self._home.is_running:
            return
        sight = self._sight(tuple(events))
        found = [step for step in self.steps if step.id not in self.done and step.done(sight)]
        if found:
            self.last = found[-1]
            self._keep(*(step.id for step in found))

    def _sight(self, events: tuple[Event, ...]) -> Sight:
        from tui.screens.cockpit import CockpitScreen

        home = self._home
        stack = home.screen_stack
        front, base = home.screen, stack[0] if stack else None
        facts: frozenset[str] = frozenset()
        if isinstance(base, CockpitScreen) and base.stands:
            facts = frozenset(base.sights())
        return Sight(
            events,
            mode=home.current_mode,
            dialog=type(front).__name__ if isinstance(front, ModalScreen) else "",
            session=home.bridge.tracker.open_key or "",
            scope=home.engine.config.session.dm_scope,
            facts=facts,
        )

    def skip(self) -> None:
        """Pass over the step that comes next."""
        step = self.current
        if step is not None:
            self.last = None
            self._keep(f"-{step.id}")

    def show(self, shown: bool) -> None:
        """Put the tour away, or bring it back."""
        self._home.memory = replace(self._home.memory, tour_hidden=not shown)
        self._tell()

    def restart(self) -> None:
        """From the first step again."""
        self._home.memory = replace(self._home.memory, tour=(), tour_hidden=False)
        self.last = None
        self._tell()

    def _keep(self, *names: str) -> None:
        memory = self._home.memory
        self._home.memory = replace(memory, tour=(*(memory.tour or ()), *names))
        self._tell()

    # panels

    def listen(self, draw: Callable[[], None]) -> Callable[[], None]:
        """Be told of every change; returns what ends it."""
        self._panels.append(draw)
        return lambda: self._panels.remove(draw)

    def _tell(self) -> None:
        for draw in tuple(self._panels):
            draw()
