"""What a screen shows, as text: helpers of the tests in this folder."""

from __future__ import annotations

from typing import Any

from textual.app import App


def lines(app: App[Any]) -> list[str]:
    """The rows on the terminal, as the compositor paints them."""
    strips = app.screen._compositor.render_strips()
    return ["".join(segment.text for segment in strip) for strip in strips]


def text(app: App[Any]) -> str:
    return "\n".join(lines(app))
