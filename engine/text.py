"""The safe-text door: the one place where untrusted text is made harmless for a terminal.

Chat text, names, titles, ids, provider errors and file contents may hold escape sequences,
bidi overrides, zero-width characters and lone surrogates. `safe_text` replaces each of them by
something visible that no terminal interprets, so that nothing hidden reaches a screen and a
person can still see that something was there.

What changes: C0 controls other than newline and tab, and DEL, become their Unicode control
pictures (ESC → ␛); C1 controls become `<9b>`; bidi controls, zero-width and other invisible
format characters become `<U+202E>`; lone surrogates become U+FFFD. Zero-width joiners and
variation selectors stay where they bind emoji or letters of scripts that need them, at most one
at a time. Runs of combining marks are cut at MAX_MARKS. Line and paragraph separators become
newlines.
"""

from __future__ import annotations

import re
import unicodedata

__all__ = ["MAX_MARKS", "safe_line", "safe_text", "shorten"]

MAX_MARKS = 8
"""Combining marks kept on one character; more (a "Zalgo" pile) draw over neighbouring rows."""

_SUSPECT = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 (not \t \n), DEL, C1
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"  # soft hyphen, fillers, ALM …
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f"  # zero width, separators, bidi
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb"  # fillers, selectors, BOM, annotations
    "\ud800-\udfff"  # lone surrogates
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff"  # musical controls, tags, more selectors
    "]"
)
_JOINERS = frozenset("\u200c\u200d")
_SELECTORS = frozenset(chr(code) for code in range(0xFE00, 0xFE10))
_MARKS = re.compile(
    r"[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
    rf"{{{MAX_MARKS + 1},}}"
)
_BREAKS = re.compile("\r\n|\r|\x85|\u2028|\u2029")
_SPACES = re.compile(r"\s+")


def _binds(text: str, index: int) -> bool:
    """Whether the joiner or selector at `index` has something to bind on its left (and right)."""
    if index == 0:
        return False
    before = text[index - 1]
    if before in _JOINERS or unicodedata.category(before)[0] in "CZ":
        return False
    if text[index] in _SELECTORS:
        return before not in _SELECTORS
    after = text[index + 1 : index + 2]
    if not after or unicodedata.category(after)[0] in "CZ":
        return False
    # A joiner between two plain Latin letters hides a word boundary and joins nothing.
    return not (before.isascii() and after.isascii())


def _picture(char: str) -> str:
    code = ord(char)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if code < 0xA0:
        return f"<{code:02x}>"
    if 0xD800 <= code <= 0xDFFF:
        return "\ufffd"
    return f"<U+{code:04X}>"


def _replace(match: re.Match[str]) -> str:
    char = match.group()
    if (char in _JOINERS or char in _SELECTORS) and _binds(match.string, match.start()):
        return char
    return _picture(char)


def safe_text(text: str, *, limit: int | None = None) -> str:
    """Make text safe to show on several lines.

    Args:
        text: anything, from anyone.
        limit: most characters to return; what is cut is counted at the end (`… 1,024 more`).

    Returns:
        Text without a character that a terminal acts on, other than newline and tab.
    """
    cut = 0
    if limit is not None and len(text) > limit:
        cut = len(text) - limit
        text = text[:limit]
    if not text.isascii() or not text.isprintable():
        text = _BREAKS.sub("\n", text)
        text = _SUSPECT.sub(_replace, text)
        text = _MARKS.sub(lambda match: match.group()[:MAX_MARKS], text)
    return f"{text} … {cut:,} more" if cut else text


def safe_line(text: str, *, limit: int | None = 500) -> str:
    """Make text safe to show on one line: as `safe_text`, with white space folded."""
    if limit is not None and len(text) > 4 * limit:
        text = text[: 4 * limit]
    line = _SPACES.sub(" ", safe_text(text)).strip()
    return shorten(line, limit) if limit is not None else line


def shorten(text: str, width: int) -> str:
    """`text` cut to `width` characters, the last an ellipsis when something was cut."""
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"
