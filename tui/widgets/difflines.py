"""A text diff for reading: what goes and what comes, by sign and colour."""

from __future__ import annotations

from textual.content import Content

from engine.text import safe_text
from tui.look.tones import MUTED

__all__ = ["diff_content"]

MOST_LINES = 400
MOST_WIDTH = 400
_STYLES = {"+": "$text-success", "-": "$text-error", "@": MUTED}


def diff_content(diff: str, *, most: int = MOST_LINES) -> Content:
    """A `diff -u` in rows; made safe, cut at the end of the longest lines and after `most`."""
    lines = diff.splitlines() if diff else []
    if not lines:
        return Content.styled("nothing changes", MUTED)
    rows = [_row(line) for line in lines[:most]]
    if len(lines) > most:
        rows.append(Content.styled(f"… {len(lines) - most:,} more lines", MUTED))
    return Content("\n").join(rows)


def _row(line: str) -> Content:
    told = safe_text(line[:MOST_WIDTH]).replace("\n", " ").expandtabs(4)
    return Content.styled(told, _STYLES.get(line[:1], ""))
