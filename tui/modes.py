"""The app's modes: a screen each, made when it is first seen, and the keys that lead there.

A screen joins by one line in MODES. Palette, keymap check and footer know it from there.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, cast

from textual.binding import Binding, BindingType
from textual.dom import DOMNode

if TYPE_CHECKING:
    from tui.screens.cockpit import CockpitScreen

__all__ = ["GO", "KEYS", "MODES", "Mode", "nodes"]


@dataclass(frozen=True, slots=True)
class Mode:
    """A screen of the app.

    Attributes:
        name: of the mode.
        title: as it is called on screen.
        says: what is done there, for the palette.
        key, digit: lead there from anywhere, and while nobody writes.
        place: module and class.
    """

    name: str
    title: str
    says: str
    key: str
    digit: str
    place: tuple[str, str]

    @property
    def action(self) -> str:
        return f"app.switch_mode('{self.name}')"

    def load(self) -> type[CockpitScreen]:
        """The screen's class. Imports it."""
        module, name = self.place
        return cast("type[CockpitScreen]", getattr(import_module(module), name))

    def __call__(self) -> CockpitScreen:
        return self.load()()


MODES: tuple[Mode, ...] = (
    Mode(
        "sessions",
        "Sessions",
        "All conversations, and one of them open",
        "f2",
        "1",
        ("tui.screens.sessions", "SessionsScreen"),
    ),
    Mode(
        "tree",
        "Tree",
        "The open session with all its branches",
        "f3",
        "2",
        ("tui.screens.tree", "TreeScreen"),
    ),
    Mode(
        "simulator",
        "Simulator",
        "Several people side by side, and who shares a memory",
        "f4",
        "3",
        ("tui.screens.simulator", "SimulatorScreen"),
    ),
    Mode(
        "routing",
        "Routing",
        "Which messages go where, tried before it is so; the config and its past",
        "f5",
        "4",
        ("tui.screens.routing", "RoutingScreen"),
    ),
)

KEYS: tuple[BindingType, ...] = tuple(
    Binding(mode.key, mode.action, mode.title, id=f"app.{mode.name}", show=False) for mode in MODES
)
"""From anywhere, also while writing."""

GO: tuple[BindingType, ...] = tuple(
    Binding(mode.digit, mode.action, mode.title, id=f"go.{mode.name}", show=False) for mode in MODES
)
"""While nobody writes."""


def nodes() -> list[type[DOMNode]]:
    """Whatever has keys on those screens. Imports them all."""
    screens = [mode.load() for mode in MODES]
    return [node for screen in screens for node in (screen, *screen.PANES)]
