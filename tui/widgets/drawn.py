"""The last step before the screen: signs in plain ASCII where the config asks for it."""

from __future__ import annotations

from textual.content import Content
from textual.widget import Widget

__all__ = ["drawn"]

_ASCII = str.maketrans(
    {
        **dict.fromkeys("┃│▎▏▕┊", "|"),
        **dict.fromkeys("─━═", "-"),
        **dict.fromkeys("╭╮╰╯┌┐└┘├┤", "+"),
        **dict.fromkeys("▸▶▌", ">"),
        **dict.fromkeys("◂◀", "<"),
        **dict.fromkeys("◐◓◑◒•●", "*"),
        **dict.fromkeys("·", "-"),
        "◆": "#", "■": "#", "▲": "!", "▼": "v", "✘": "X", "✔": "y", "⑂": "Y", "…": "~",
        "○": "o", "→": ">", "←": "<",
    }
)  # fmt: skip
"""One sign for one: terminals that draw the signs badly also draw them badly in messages."""


def drawn(widget: Widget, content: Content) -> Content:
    """`content`, its signs in ASCII while the screen has the class `-ascii`."""
    if content.plain.isascii() or not widget.screen.has_class("-ascii"):
        return content
    return Content(content.plain.translate(_ASCII), [*content.spans])
