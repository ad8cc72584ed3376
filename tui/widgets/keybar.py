"""The key bar: the last row, with the keys that act just now. One widget, whatever it shows."""

from __future__ import annotations

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.reactive import reactive
from textual.screen import Screen
from textual.widget import Widget

from tui.look.tones import MUTED

__all__ = ["Key", "KeyBar", "fitting"]

Key = tuple[str, str, str]
"""Key as shown, what it does, key as pressed."""

_WAY = "app.switch_mode("
_ALWAYS = ("ctrl+p", "^P", "commands")


def fitting(keys: tuple[Key, ...], last: Key, width: int) -> tuple[list[Key], int]:
    """As many of `keys` as fit before `last`, which stands at the right, and the gap between."""
    room = width - _width(last) - 1
    shown: list[Key] = []
    for key in keys:
        if room < _width(key):
            break
        shown.append(key)
        room -= _width(key)
    return shown, max(0, room)


def _width(key: Key) -> int:
    return cell_len(key[0]) + cell_len(key[1]) + 3


class KeyBar(Widget):
    """Keys of the focused pane and the screen, in the order of their bindings; then, where all of
    them have room, the keys of the other screens."""

    ALLOW_SELECT = False

    DEFAULT_CSS = """
    KeyBar { dock: bottom; height: 1; background: $panel; color: $foreground; }
    """

    keys: reactive[tuple[Key, ...]] = reactive(())
    ways: reactive[tuple[Key, ...]] = reactive(())
    """To the other screens."""

    def __init__(self) -> None:
        super().__init__()
        self._places: list[tuple[int, str]] = []

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._updated)
        self._updated(self.screen)

    def _updated(self, screen: Screen[object]) -> None:
        if screen is self.screen and self.is_attached:
            found: dict[str, Key] = {}
            ways: dict[str, Key] = {}
            for key, (_, binding, enabled, _) in screen.active_bindings.items():
                shown = (self.app.get_key_display(binding), binding.description, key)
                if binding.show and enabled and binding.description:
                    found.setdefault(binding.action, shown)
                elif binding.action.startswith(_WAY) and _WAY + self._mode() != binding.action:
                    ways[binding.action] = shown  # the F-keys, which come last: they act anywhere
            self.keys, self.ways = tuple(found.values()), tuple(ways.values())

    def _mode(self) -> str:
        return f"'{self.app.current_mode}')"

    def render(self) -> Content:
        last = (_ALWAYS[1], _ALWAYS[2], _ALWAYS[0])
        shown, gap = fitting(self.keys, last, self.size.width)
        room = sum(map(_width, self.ways))
        ways = self.ways if 0 < room <= gap and len(shown) == len(self.keys) else ()
        gap -= room if ways else 0
        self._places = []
        parts: list[tuple[str, str]] = []
        x = 0
        for place, key in enumerate([*shown, *ways, last]):
            if place == len(shown):
                parts.append((" " * gap, ""))
                x += gap
            self._places.append((x, key[2]))
            parts += [(f" {key[0]}", "$primary bold"), (f" {key[1]} ", MUTED)]
            x += _width(key)
        return Content.assemble(*parts)

    def on_click(self, event: events.Click) -> None:
        event.stop()
        for start, key in reversed(self._places):
            if event.x >= start:
                self.app.simulate_key(key)
                return
