"""The last step before the screen: signs in plain ASCII where the config asks for it."""

from __future__ import annotations

from rich.segment import Segment
from textual.color import Color
from textual.content import Content
from textual.filter import LineFilter
from textual.widget import Widget
from textual.widgets import Static

__all__ = ["AsciiSigns", "drawn", "entitle", "put"]

_ASCII = str.maketrans(
    {
        **dict.fromkeys("┃│▎▏▕┊┆║", "|"),
        **dict.fromkeys("─━═▔▁–—┄┈╌", "-"),
        **dict.fromkeys("╭╮╰╯┌┐└┘├┤┬┴┼┏┓┗┛┣┫┳┻╋╔╗╚╝", "+"),
        **dict.fromkeys("▸▶▌›▐", ">"),
        **dict.fromkeys("◂◀◁‹", "<"),
        **dict.fromkeys("◐◓◑◒•●", "*"),
        **dict.fromkeys("◆■█▓▇▆◤◢", "#"),
        **dict.fromkeys("▅▄▃▂▒▀", "="),
        **dict.fromkeys("·░", "."),
        **dict.fromkeys("“”„", '"'),
        **dict.fromkeys("‘’‚", "'"),
        "▲": "!", "▼": "v", "▾": "v", "✘": "X", "✖": "X", "✔": "y", "…": "~", "⚑": "@",
        "○": "o", "▫": "-", "→": ">", "←": "<", "↑": "^", "↓": "v", "×": "x", "⏎": "<", "≤": "<",
    }
)  # fmt: skip
"""One sign for one: terminals that draw the signs badly also draw them badly in messages."""


class AsciiSigns(LineFilter):
    """Signs in ASCII, whatever draws them: frames, bars, also Textual's own."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [
            segment
            if segment.text.isascii()
            else Segment(segment.text.translate(_ASCII), segment.style, segment.control)
            for segment in segments
        ]


def drawn(widget: Widget, content: Content) -> Content:
    """`content`, its signs in ASCII while the screen has the class `-ascii`."""
    if content.plain.isascii() or not widget.screen.has_class("-ascii"):
        return content
    return Content(content.plain.translate(_ASCII), [*content.spans])


def put(static: Static, content: Content) -> None:
    """Show a text. It is painted only when it is another, and the screen is laid out anew only
    when it takes other room (Textual's own `update` does both each time)."""
    before = static.content
    if isinstance(before, Content) and _alike(before, content):
        return
    room = static.content_size
    stays = not static.styles.width or not static.styles.width.is_auto
    stays = stays and room.width > 0
    stays = stays and content.get_height(static.styles.get_rules(), room.width) == room.height
    static.update(content, layout=not stays)


def entitle(widget: Widget, title: Content | None = None, subtitle: Content | None = None) -> None:
    """Write into a widget's upper edge and its lower one; None leaves an edge as it is. The widget
    is painted only when it says something else (Textual paints all of it, and what is in it)."""
    if title is not None and widget.border_title != title.markup:
        widget.border_title = title
    if subtitle is not None and widget.border_subtitle != subtitle.markup:
        widget.border_subtitle = subtitle


def _alike(first: Content, second: Content) -> bool:
    return first.plain == second.plain and first.spans == second.spans
