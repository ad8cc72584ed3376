"""Panes of a screen: which stand beside the chat, which slide over it, and one alone."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.widget import Widget

from tui.screens.cockpit import CockpitScreen

if TYPE_CHECKING:
    from tui.commands.jump import Hidden

__all__ = ["PaneScreen"]


class PaneScreen(CockpitScreen):
    """A screen with a chat between two panes. All looks are in the style sheet; this only sets
    classes: `-no-<pane>` hides a pane that stands beside the chat, `-drawer-<pane>` slides it
    over the chat where it is narrow, `-zoom-<pane>` shows one alone."""

    BESIDE: ClassVar[dict[str, frozenset[str]]] = {
        "inspector": frozenset({"-w100", "-w140"}),
        "sidebar": frozenset({"-w80", "-w100", "-w140"}),
    }
    """Width classes in which a pane stands beside the chat."""

    NAMES: ClassVar[dict[str, str]] = {"inspector": "Inspector", "sidebar": "Sessions"}
    """What those panes are called."""

    ZOOMS: ClassVar[tuple[str, ...]] = ("list", "chat", "inspector")

    def pane_target(self, pane: str) -> Widget:
        """The widget of a pane that takes the focus."""
        raise NotImplementedError

    def zoom_name(self) -> str:
        """Which of ZOOMS the focus is in."""
        raise NotImplementedError

    def pane_fits(self, pane: str) -> bool:
        """Whether the pane stands beside the chat at this width."""
        return bool(self.BESIDE[pane] & self.classes)

    def pane_shown(self, pane: str) -> bool:
        """Whether the pane is to be seen."""
        if self.pane_fits(pane):
            return not self.has_class(f"-no-{pane}")
        return self.has_class(f"-drawer-{pane}")

    def toggle_pane(self, pane: str) -> None:
        """Show or hide a pane. A drawer takes the focus, and another drawer closes."""
        self.unzoom()
        if self.pane_fits(pane):
            self.toggle_class(f"-no-{pane}")
            return
        opening = not self.has_class(f"-drawer-{pane}")
        self.close_drawers()
        if opening:
            self.add_class(f"-drawer-{pane}")
            self.call_after_refresh(self.pane_target(pane).focus)

    def hidden_panes(self) -> list[Hidden]:
        hidden = [pane for pane in self.BESIDE if not self.pane_target(pane).region.area]
        return [(self.NAMES[pane], partial(self.open_pane, pane)) for pane in hidden]

    def open_pane(self, pane: str) -> None:
        """Show a pane wherever there is room for it, and go there."""
        self.unzoom()
        if not self.pane_shown(pane):
            self.toggle_pane(pane)
        self.call_after_refresh(self.pane_target(pane).focus)

    def close_drawers(self) -> bool:
        """Whether there was one to close."""
        names = [f"-drawer-{pane}" for pane in self.BESIDE if self.has_class(f"-drawer-{pane}")]
        self.remove_class(*names)
        return bool(names)

    def unzoom(self) -> bool:
        """Whether a pane had been alone."""
        names = [f"-zoom-{name}" for name in self.ZOOMS if self.has_class(f"-zoom-{name}")]
        self.remove_class(*names)
        return bool(names)

    def action_zoom(self) -> None:
        """The pane in focus alone, or all again."""
        if not self.unzoom():
            self.close_drawers()
            self.add_class(f"-zoom-{self.zoom_name()}")

    def action_pane(self, pane: str) -> None:
        self.toggle_pane(pane)

    def on_resize(self) -> None:
        """A drawer that has room beside the chat again is no drawer."""
        for pane in self.BESIDE:
            if self.pane_fits(pane):
                self.remove_class(f"-drawer-{pane}")
