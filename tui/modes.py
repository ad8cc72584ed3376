"""The app's modes: its screens besides the first one, made when they are first seen, their keys."""

from __future__ import annotations

from textual.binding import Binding, BindingType
from textual.dom import DOMNode
from textual.screen import Screen

__all__ = ["KEYS", "nodes", "tree_screen"]

KEYS: tuple[BindingType, ...] = (
    Binding("f2", "app.switch_mode('sessions')", "Sessions", id="app.sessions", show=False),
    Binding("f3", "app.switch_mode('tree')", "Tree", id="app.tree", show=False),
)


def tree_screen() -> Screen[None]:
    """The tree of the session that is open."""
    from tui.screens.tree import TreeScreen

    return TreeScreen()


def nodes() -> tuple[type[DOMNode], ...]:
    """Whatever has keys on those screens."""
    from tui.screens.tree import TreeScreen

    return (TreeScreen, *TreeScreen.PANES)
