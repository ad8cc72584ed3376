"""The last step before the screen: signs in plain ASCII where the config asks for it."""

from __future__ import annotations

from rich.segment import Segment
from textual.color import Color
from textual.content import Content
from textual.filter import LineFilter
from textual.widget import Widget

__all__ = ["AsciiSigns", "drawn"]

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
