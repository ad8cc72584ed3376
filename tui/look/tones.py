"""Styles for Content. `$text-muted` is an automatic colour, which Content does not resolve."""

from __future__ import annotations

__all__ = ["MUTED", "MUTED_BOLD"]

MUTED = "$foreground 60%"
MUTED_BOLD = "$foreground 60% bold"
