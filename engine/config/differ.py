"""Two texts compared line by line, as `diff -u` prints it."""

from __future__ import annotations

import difflib

__all__ = ["unified"]

CONTEXT = 3
"""Lines shown around a change."""


def _ends(old: list[str], new: list[str]) -> tuple[int, int]:
    """How many lines both have in common at the start and, of the rest, at the end."""
    short = min(len(old), len(new))
    head = next((at for at in range(short) if old[at] != new[at]), short)
    rest = short - head
    return head, next((at for at in range(rest) if old[~at] != new[~at]), rest)


def _lines(text: str, *, returns: str = "") -> list[str]:
    """The lines as a diff shows them; `returns` stands for carriage returns before a break."""
    found = ((line, line.rstrip("\r")) for line in text.split("\n"))
    lines = [bare + returns * (len(line) - len(bare)) + "\n" for line, bare in found]
    if lines[-1] == "\n":
        lines.pop()
    else:
        lines[-1] += "\\ No newline at end of file\n"
    return lines


def _range(start: int, size: int) -> str:
    """A hunk's lines: the first and how many; before the first when there are none."""
    return f"{start + 1 if size else start},{size}" if size != 1 else f"{start + 1}"


def unified(old: str, new: str) -> str:
    """The lines that differ with some around them; "" for equal texts.

    Only what lies between the common start and end is compared, so that a small change in a large
    text costs little.
    """
    if old == new:
        return ""
    before, after = _lines(old), _lines(new)
    if before == after:  # only the ends of lines differ
        before, after = _lines(old, returns="␍"), _lines(new, returns="␍")
    head, tail = _ends(before, after)
    skip = max(0, head - CONTEXT)
    keep = max(0, tail - CONTEXT)
    one, other = before[skip : len(before) - keep], after[skip : len(after) - keep]
    lines = []
    for group in difflib.SequenceMatcher(None, one, other).get_grouped_opcodes(CONTEXT):
        first, last = group[0], group[-1]
        spans = (
            _range(skip + first[1], last[2] - first[1]),
            _range(skip + first[3], last[4] - first[3]),
        )
        lines.append(f"@@ -{spans[0]} +{spans[1]} @@\n")
        for kind, *at in group:
            if kind == "equal":
                lines += [" " + line for line in one[at[0] : at[1]]]
            else:
                lines += ["-" + line for line in one[at[0] : at[1]]]
                lines += ["+" + line for line in other[at[2] : at[3]]]
    return "".join(lines)
