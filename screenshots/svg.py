"""What becomes of the SVG that Textual makes of a screen."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

__all__ = ["animated", "tidy"]

_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
_NAMES = re.compile(r"terminal-\d+")
_CLIPS = re.compile(r'\s*<clipPath id="[\w-]+-line-\d+">.*?</clipPath>', re.DOTALL)
_CLIPPED = re.compile(r' clip-path="url\(#[\w-]+-line-\d+\)"')
_BLANK = re.compile(r"<text [^>]*>(?:&#160;|\s)*</text>")
_BOX = re.compile(r'viewBox="0 0 ([\d.]+) ([\d.]+)"')


def tidy(svg: str, name: str = "terminal") -> str:
    """The same picture gets the same text (Textual numbers its classes by process), and no font is
    fetched from anywhere when somebody looks at it."""
    numbers = itertools.count(1)
    names: dict[str, str] = {}
    return _NAMES.sub(
        lambda match: names.setdefault(match.group(), f"{name}-{next(numbers)}"),
        _FONTS.sub("", svg),
    )


def _lean(svg: str, name: str) -> str:
    """A picture as one of many: without what only costs space."""
    for pattern in (_CLIPS, _CLIPPED, _BLANK):
        svg = pattern.sub("", svg)
    return re.sub(r"\n\s*", "\n", tidy(svg, name)).replace("\n\n", "\n")


def animated(frames: Sequence[tuple[str, float]]) -> str:
    """Pictures shown one after the other, for ever, each for so many seconds. Whoever asked their
    system for less motion sees the first one only."""
    whole = sum(seconds for _, seconds in frames)
    rules, pictures, start = [], [], 0.0
    for number, (svg, seconds) in enumerate(frames, 1):
        rules.append(_rule(number, start / whole, (start + seconds) / whole, whole))
        pictures.append(f'<g id="f{number}">\n{_lean(svg, f"f{number}t")}\n</g>')
        start += seconds
    style = "\n".join([*rules, _CALM])
    return f"""<svg viewBox="{_box(frames[0][0])}" xmlns="http://www.w3.org/2000/svg">
<style>
{style}
</style>
{chr(10).join(pictures)}
</svg>
"""


_CALM = """@media (prefers-reduced-motion: reduce) {
g { animation: none !important }
#f1 { visibility: visible !important }
}"""


def _rule(number: int, here: float, gone: float, seconds: float) -> str:
    """A picture that is seen from one part of the whole to another."""
    before = "" if number == 1 else "0% { visibility: hidden } "
    return (
        f"@keyframes k{number} {{ {before}{here:.2%} {{ visibility: visible }} "
        f"{gone:.2%}, 100% {{ visibility: hidden }} }}\n"
        f"#f{number} {{ visibility: hidden; animation: k{number} {seconds:g}s step-end infinite }}"
    )


def _box(svg: str) -> str:
    match = _BOX.search(svg)
    assert match is not None
    return f"0 0 {match.group(1)} {match.group(2)}"
