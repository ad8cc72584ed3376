"""What the command palette offers, on every screen: sessions, people, models, branches, labels,
settings, screens, what the pane in focus can do, slash commands, and what the app can do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any, ClassVar

from textual.binding import ActiveBinding, Binding
from textual.command import Hits, Provider
from textual.dom import DOMNode
from textual.screen import Screen

from engine.errors import BranchlineError
from engine.routing.identity import IdentityLinks
from engine.sessions.tree import Tree
from engine.text import safe_line
from engine.turns.commands import COMMANDS
from tui import modes
from tui.behind.configrows import trail
from tui.commands.finder import find_words
from tui.commands.keyhelp import deed
from tui.commands.landmarks import Landmark, landmarks
from tui.commands.modelchoice import choose_several, model_offers, undo_models
from tui.commands.offers import Offer, Offers
from tui.config import isolation
from tui.config.editor import AGENTS, open_editor
from tui.config.settings import Setting, change_setting, choose_theme, settings_of
from tui.home import Home
from tui.later import later
from tui.people.naming import agent_name, title_of
from tui.people.people import Person, people_of
from tui.screens.cockpit import CockpitScreen
from tui.widgets.dialogs.dialog import Commands

__all__ = ["Everything"]


def _soon(app: Home, work: Callable[[], Awaitable[None]]) -> None:
    later(app, work, group="go", exclusive=True)


class _Sessions(Offers):
    """Go to a session."""

    SHOWN = 5

    def offers(self) -> Iterator[Offer]:
        tracker = self.home.bridge.tracker
        infos = sorted(tracker.infos.values(), key=lambda info: -info.last_active)
        for info in infos:
            run = partial(_soon, self.home, partial(self.home.to_chat, info.ref))
            yield f"Open {title_of(info)}", safe_line(info.key), run


class _People(Offers):
    """Go to what was said with a person."""

    def offers(self) -> Iterator[Offer]:
        home = self.home
        links = IdentityLinks(home.engine.config.session.identity_links)
        for person in people_of(home.bridge.tracker.infos.values(), links):
            run = partial(_to_person, home, person)
            yield f"Person {person.name}", person.where, run
            simulate = partial(_soon, home, partial(home.simulate, person.envelope))
            yield (
                f"Simulate as {person.name}",
                "In the Simulator; who it is is shown first",
                simulate,
            )


def _to_person(app: Home, person: Person) -> None:
    """To their only conversation, or ask for one of them."""
    if len(person.infos) == 1:
        _soon(app, partial(app.to_chat, person.infos[0].ref))
        return

    class Conversations(Offers):
        SHOWN = 1000

        def offers(self) -> Iterator[Offer]:
            for info in person.infos:
                run = partial(_soon, app, partial(app.to_chat, info.ref))
                yield title_of(info), safe_line(info.key), run

    told = f"Conversations of {person.name}…"
    app.push_screen(Commands(providers=[Conversations], placeholder=told))


class _Models(Offers):
    """Answer the open session with another model."""

    def offers(self) -> Iterator[Offer]:
        ref = self.home.bridge.tracker.open_key
        if ref:
            yield from model_offers(self.home, ref, "Model ")


class _Branches(Offers):
    """Go to a branch, a label or a bookmark of the open session."""

    async def prepare(self) -> None:
        self._found: tuple[Landmark, ...] = ()
        home = self.home
        ref = home.bridge.tracker.open_key
        info = home.bridge.tracker.infos.get(ref or "")
        if ref is None or info is None:
            return
        agent = agent_name(home.engine.config, info.agent_id)
        try:
            tree: Tree = await home.engine.tree(ref)
            self._found = await asyncio.to_thread(landmarks, tree, agent)
        except BranchlineError:  # a session that cannot be read has no places; opening it tells why
            return

    def offers(self) -> Iterator[Offer]:
        for one in self._found:
            run = partial(_soon, self.home, partial(self.home.to_tree, one.entry_id))
            title = f"{one.sort.capitalize()} {one.name or one.words}"
            yield title, one.words if one.name else "Show it in the tree", run


class _Settings(Offers):
    """Change a value of the config; what it changes in the file is shown first."""

    async def prepare(self) -> None:
        snapshot = self.home.engine.setup.snapshot
        self._found: tuple[Setting, ...] = await asyncio.to_thread(settings_of, snapshot)

    def offers(self) -> Iterator[Offer]:
        for one in self._found:
            source = "config" if one.written else "default"
            title = f"Setting {one.path}: {one.shown}"
            yield title, f"{source} · {one.doc}", partial(change_setting, self.home, one)


class _Places(Offers):
    """Change a list, a map or a group of settings, or a value of an entry that has a name."""

    async def prepare(self) -> None:
        from tui.config.settingplaces import places_of

        snapshot = self.home.engine.setup.snapshot
        self._found = await asyncio.to_thread(places_of, snapshot)

    def offers(self) -> Iterator[Offer]:
        for one in self._found:
            path, at = (one.path, None) if one.holds else (one.path[:-1], one.path)
            title = f"Setting {trail(one.path)}: {one.shown or 'not set'}"
            doc = one.shape.doc if one.shape is not None else "No such key is known here"
            said = f"{'config' if one.written else 'default'} · {doc}"
            yield title, said, partial(open_editor, self.home, path, at)


class _Screens(Offers):
    """Go to a screen."""

    SHOWN = 10

    def offers(self) -> Iterator[Offer]:
        keys: dict[str, list[str]] = {}
        for active in self.screen.active_bindings.values():
            shown = self.app.get_key_display(active.binding)
            keys.setdefault(active.binding.action, []).append(shown)
        for mode in modes.MODES:
            if mode.name != self.app.current_mode:
                run = partial(self.app.switch_mode, mode.name)
                said = " · ".join([" ".join(keys.get(mode.action, ())), mode.says])
                yield f"Go to {mode.title}", said, run


class _Keys(Offers):
    """Whatever has a key on the screen in front, also what acts only while nobody writes."""

    SHOWN = 40

    def offers(self) -> Iterator[Offer]:
        screen = self.screen
        found: dict[tuple[str, object], list[ActiveBinding]] = {}
        for node, binding in _bindings_here(screen):
            acts = bool(self.app._check_action_state(binding.action, node))
            if acts or node is screen:  # what a field lacks just now, it will lack then
                active = ActiveBinding(node, binding, acts)
                found.setdefault((binding.description, deed(active)), []).append(active)
        for same in found.values():
            binding = same[0].binding
            keys = " ".join(dict.fromkeys(self.app.get_key_display(one.binding) for one in same))
            more = binding.tooltip or next((one.binding.tooltip for one in same), "")
            title = f"{binding.description}: {more}" if more else binding.description
            yield title, keys, partial(_carry_out, self.home, screen, same)


def _bindings_here(screen: Screen[Any]) -> Iterator[tuple[DOMNode, Binding]]:
    """Bindings of the pane in focus and of the screen, also letters that a field keeps to itself;
    those of every screen and of every list are left out."""
    start: DOMNode = screen.focused or screen
    for node in start.ancestors_with_self:
        if node is screen.app:
            return
        bindings = node._bindings.copy()
        bindings.apply_keymap(screen.app._keymap)
        for _, binding in bindings:
            if binding.id and not binding.id.startswith(("go.", "app.", "list.")):
                yield node, binding


async def _carry_out(app: Home, screen: Screen[Any], same: list[ActiveBinding]) -> None:
    """As if the key were pressed where it acts: what needs a free hand takes the field's focus."""
    for node, binding, *_ in same:
        if await app.run_action(binding.action, node):
            return
    if isinstance(screen, CockpitScreen) and screen.writing:
        screen.look_around()
        for node, binding, *_ in same:
            if await app.run_action(binding.action, node):
                return
    told = "there is nothing here that it could act on; F1 says what the keys here are for"
    app.say(told, same[0].binding.description, seconds=6)


class _Slash(Offers):
    """Slash commands, from the same registry as the parser."""

    def offers(self) -> Iterator[Offer]:
        for command in COMMANDS:
            text = f"/{command.name} " if command.args else f"/{command.name}"
            run = partial(self.home.run_slash, text, complete=bool(command.args))
            yield command.usage, command.help, partial(_soon, self.home, run)


def confirm_clock(app: Home) -> None:
    """Believe a clock that jumped: what is over by it ends (SPEC §11)."""

    async def confirm() -> None:
        await app.engine.keeping.rules.confirm_clock()
        told = "it is believed: what is over by the clock ends from now on"
        app.say(told, "Clock", seconds=6)

    later(app, confirm, group="keeping", exclusive=False)


async def to_demo(app: Home) -> None:
    """Leave, and open the demo (tui.launch)."""
    app.wants_demo = True
    await app.run_action("app.quit")


def copy_place(app: Home, place: str) -> None:
    """For another terminal: `branchline --state-dir PLACE …` works on the same sessions."""
    app.copy_to_clipboard(place)
    app.say(place, "Path copied")


class _App(Offers):
    """What the app itself can do."""

    SHOWN = 25

    def offers(self) -> Iterator[Offer]:
        app = self.home
        yield "Theme", "Try colours on and keep some", partial(choose_theme, app)
        told = "In all sessions, on every branch: ^F"
        yield "Find what was once said", told, partial(find_words, app)
        yield "Help", "Keys and help for the pane in focus", app.action_help
        yield "How Branchline works", "In a minute", app.show_how
        yield "Problems", "What is wrong with config and sessions", app.show_problems
        yield "Notices", "What was told since the start", app.show_notices
        if app.engine.keeping.rules.problems:
            told = "It jumped; sessions that are over by it may end"
            yield "The clock is right", told, partial(confirm_clock, app)
        yield (
            "Change dmScope…",
            "Who shares a session; its effect is shown first",
            partial(isolation.change_scope, app),
        )
        yield (
            "Change settings…",
            "All of the config, level by level; lists and maps too",
            partial(open_editor, app),
        )
        yield (
            "Agents…",
            "Add, change or remove one, or make it the default",
            partial(open_editor, app, AGENTS),
        )
        yield (
            "Undo config change",
            "Back to the config in force before",
            partial(isolation.undo_config, app),
        )
        yield (
            "Model of several sessions…",
            "Of an agent, or of all; what it does to each is shown first",
            partial(choose_several, app),
        )
        if app.model_change is not None:
            told = "Sessions answer with the model that they had before"
            yield "Undo model change", told, partial(undo_models, app)
        yield "Pairing requests", "Let strangers in, or not", partial(isolation.show_pairings, app)
        if app.bridge.tracker.leaks:
            yield "Put the leak warning away", "It stays among the problems", app.hush_leaks
        if app.tour is not None:
            yield "Show the tour", "What to try next", partial(app.tour.show, True)
            yield "Begin the tour again", "From its first step", app.tour.restart
        else:
            told = "Leaves for a sample state with a five-minute tour"
            yield "Look around in the demo", told, partial(to_demo, app)
        if not app.memory.hint_dismissed:
            yield "Put the advice on models away", "For good", app.hush_advice
        place = str(app.engine.state_dir)
        yield "Copy the path of the state directory", place, partial(copy_place, app, place)
        yield "Screenshot", "Save the screen as SVG", app.deliver_screenshot
        yield "Quit", "Leave Branchline", app.action_quit


class Everything(Provider):
    """All of it, in one order. What takes time to be read never holds up the rest."""

    PARTS: ClassVar[tuple[type[Offers], ...]] = (
        *(_Sessions, _Screens, _App, _Keys, _People, _Models, _Slash),
        *(_Settings, _Places, _Branches),
    )

    async def startup(self) -> None:
        parts = [part(self.screen, self.match_style) for part in self.PARTS]
        self._parts = [(part, asyncio.create_task(part.prepare())) for part in parts]

    async def shutdown(self) -> None:
        for _, ready in self._parts:
            ready.cancel()
        await asyncio.gather(*(ready for _, ready in self._parts), return_exceptions=True)

    async def discover(self) -> Hits:
        for part, ready in self._parts:
            if part.SHOWN:
                await ready
                async for hit in part.discover():
                    yield hit

    async def search(self, query: str) -> Hits:
        for part, ready in self._parts:
            await ready
            async for hit in part.search(query):
                yield hit
