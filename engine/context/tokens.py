"""How many tokens a text or a message costs: one estimator everywhere (SPEC §7).

Guessed from the scripts of a text, without any tokenizer.
The goal is mildly over and never strongly under. Weights were set against the o200k figures of
the wire notes: English prose 4.7 characters a token, JSON 2.8, `ls -l` 2.4, base64 1.5, Arabic
3.2, Japanese 1.4, Chinese 1.2, emoji 0.7. A calibration learned from reported usage
takes out what is left.

The text is turned into one byte per character that names its class, and runs are counted with
`bytes.count`: about twenty nanoseconds a character, no Python loop over the text.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, ClassVar

from msgspec import Struct

from engine.models.protocol import Block, Image, ModelRequest, Text, Thinking, ToolCall

__all__ = [
    "IMAGE_TOKENS",
    "MESSAGE_OVERHEAD",
    "Calibration",
    "Estimator",
    "chars4_message",
    "chars4_text",
    "estimate_message",
    "estimate_request",
    "estimate_text",
    "usage_total",
]

Estimator = Callable[[Mapping[str, Any]], int]
"""Tokens of a message as transcripts write it (`role`, `content` and so on)."""

IMAGE_TOKENS = 1500
"""Tokens of a picture: what the larger providers charge for one of full size."""

MESSAGE_OVERHEAD = 4
"""Tokens around each message for its role and separators."""

_CHARS4_IMAGE = 4800

_CONTINUATION = bytes(range(0x80, 0xC0))

_SCRIPTS: tuple[tuple[int, int, str, float], ...] = (
    # first and last UTF-8 lead byte, class, tokens per character
    (0xC4, 0xCB, "x", 0.45),  # Latin with rarer marks, IPA
    (0xCC, 0xCF, "g", 0.5),  # combining marks, Greek
    (0xD0, 0xD3, "c", 0.3),  # Cyrillic
    (0xD4, 0xD7, "h", 0.55),  # Armenian, Hebrew
    (0xD8, 0xDB, "a", 0.37),  # Arabic
    (0xDC, 0xDF, "t", 0.8),  # Syriac, Thaana, N'Ko
    (0xE0, 0xE0, "i", 0.6),  # Indic scripts, Thai, Lao
    (0xE1, 0xE1, "v", 0.8),  # Georgian, Khmer, Vietnamese letters
    (0xE2, 0xE2, "y", 1.0),  # typographic signs, arrows, symbols
    (0xE3, 0xE3, "k", 0.8),  # kana and East Asian punctuation
    (0xE4, 0xE9, "z", 0.9),  # Han
    (0xEA, 0xED, "j", 0.8),  # Hangul and others
    (0xEE, 0xEF, "w", 1.0),  # private use, full width, selectors
    (0xF0, 0xFF, "e", 1.8),  # emoji, rare Han, everything beyond the first plane
)
_PUNCTUATION, _SPACE, _NEWLINE, _LOWER, _UPPER, _DIGIT, _CONTROL = b"PSNLUD!"


def _classes() -> bytes:
    table = bytearray([_CONTROL]) * 256
    table[0x21:0x7F] = bytes([_PUNCTUATION]) * 0x5E
    table[0x30:0x3A] = bytes([_DIGIT]) * 10
    table[0x41:0x5B] = bytes([_UPPER]) * 26
    table[0x61:0x7B] = bytes([_LOWER]) * 26
    table[0xC2:0xC4] = bytes([_LOWER]) * 2  # Western European letters belong to their words
    table[0x20], table[0x09], table[0x0A], table[0x0D] = _SPACE, _SPACE, _NEWLINE, _NEWLINE
    for first, last, name, _ in _SCRIPTS:
        table[first : last + 1] = name.encode() * (last + 1 - first)
    return bytes(table)


_CLASSES = _classes()
_WEIGHTS = tuple((name.encode(), weight) for _, _, name, weight in _SCRIPTS)


_WORDS = bytes.maketrans(b"SNPD!", b".....")
_NUMBERS = bytes.maketrans(b"SNPLU!", b"......")


def _ascii_tokens(classes: bytes) -> float:
    words = classes.translate(_WORDS)
    pieces = words.count(b".L") + words.count(b".U") + words.count(b"LU") + 1
    letters = 0.75 * pieces + 0.11 * classes.count(b"L") + 0.42 * classes.count(b"U")
    digits = classes.count(b"D")
    numbers = 0.42 * digits + 0.4 * classes.translate(_NUMBERS).count(b".D") if digits else 0.0
    punctuation = 0.75 * classes.count(b"P") - 0.5 * classes.count(b"PP")
    blanks = 0.28 * classes.count(b"SS") + 0.7 * classes.count(b"N")
    return letters + numbers + punctuation + blanks


def estimate_text(text: str) -> int:
    """Tokens of a text, mildly overestimated; 0 for an empty one.

    Short texts are remembered: a turn looks at the same hundred messages as the turn before.
    """
    return _remembered(text) if len(text) <= REMEMBERED else _estimate(text)


def _estimate(text: str) -> int:
    if not text:
        return 0
    data = text.encode("utf-8", "surrogatepass")
    classes = data.translate(_CLASSES, _CONTINUATION)
    tokens = _ascii_tokens(classes) + classes.count(b"!")
    if len(data) != len(text):
        tokens += sum(weight * classes.count(name) for name, weight in _WEIGHTS)
    return max(1, math.ceil(tokens))


REMEMBERED = 2000
"""Characters of the longest text whose estimate is remembered; 4,096 of them at most."""

_remembered = lru_cache(4096)(_estimate)


def _compact(value: object) -> str:
    """JSON as the reference writes it for counting: no blanks, no escapes beyond JSON's own."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        return str(value)


def _blocks(content: object) -> list[Mapping[str, Any]]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    if not isinstance(content, list):
        return []
    return [block for block in content if isinstance(block, dict)]


def _words(message: Mapping[str, Any]) -> tuple[list[str], int]:
    """The texts of a message that cost tokens, and how many pictures it holds."""
    role = message.get("role")
    if role == "bashExecution":
        return [str(message.get("command") or ""), str(message.get("output") or "")], 0
    if role in ("compactionSummary", "branchSummary"):
        return [str(message.get("summary") or "")], 0
    texts: list[str] = []
    images = 0
    for block in _blocks(message.get("content")):
        kind = block.get("type")
        if kind == "toolCall":
            texts += [str(block.get("name") or ""), _compact(block.get("arguments"))]
        elif kind == "image":
            images += 1
        else:
            texts.append(str(block.get("thinking" if kind == "thinking" else "text") or ""))
    return texts, images


def estimate_message(message: Mapping[str, Any]) -> int:
    """Tokens of a message of a transcript (any role), mildly overestimated."""
    texts, images = _words(message)
    return MESSAGE_OVERHEAD + IMAGE_TOKENS * images + sum(estimate_text(text) for text in texts)


def estimate_request(request: ModelRequest) -> int:
    """Tokens of a whole request: system prompt, tools and messages, by the plain estimator.

    This is what a calibration is learned against and what the offline model reports.
    """
    total = estimate_text(request.system)
    for tool in request.tools:
        total += MESSAGE_OVERHEAD + estimate_text(tool.name + " " + tool.description)
        total += estimate_text(_compact(tool.parameters))
    for message in request.messages:
        total += MESSAGE_OVERHEAD + sum(_block_tokens(block) for block in message.content)
    return total


def _block_tokens(block: Block) -> int:
    match block:
        case Image():
            return IMAGE_TOKENS
        case ToolCall(name=name, arguments=arguments):
            return estimate_text(name) + estimate_text(_compact(arguments))
        case Text(text=text) | Thinking(text=text):
            return estimate_text(text)
    return estimate_text(block.text)


def chars4_text(text: str) -> int:
    """Characters / 4, rounded up, counted in UTF-16 units as the reference does."""
    return -(-_units(text) // 4)


def chars4_message(message: Mapping[str, Any]) -> int:
    """The reference's own count of a message, for its recorded cases (pi's estimateTokens):
    characters of everything that is sent / 4, a picture as 4,800 characters."""
    texts, images = _words(message)
    return -(-(sum(_units(text) for text in texts) + _CHARS4_IMAGE * images) // 4)


def _units(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def usage_total(usage: object) -> int:
    """The context size that a transcript's `usage` reports: `totalTokens`, else the sum of its
    parts (the reference's rule); 0 when it reports nothing."""
    if not isinstance(usage, Mapping):
        return 0
    total = _count(usage.get("totalTokens"))
    names = ("input", "output", "cacheRead", "cacheWrite")
    return total or sum(_count(usage.get(name)) for name in names)


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return 0
    return int(value) if math.isfinite(value) and value > 0 else 0


class Calibration(Struct, frozen=True):
    """What reported usage has taught about the estimator, for one session and model.

    Attributes:
        ratio: reported / estimated, what estimates are multiplied by; from 0.5 to 3.
        samples: how many reports it was learned from.
    """

    ratio: float = 1.0
    samples: int = 0

    LEAST: ClassVar[float] = 0.5
    MOST: ClassVar[float] = 3.0
    WEIGHT: ClassVar[float] = 0.3

    def learn(self, estimated: int, reported: int) -> Calibration:
        """A calibration that also knows this report (the newer weigh more).

        Args:
            estimated: tokens of the whole request by the plain estimator (ratio 1).
            reported: input tokens that the provider counted, cached ones included.
        """
        if estimated <= 0 or reported <= 0:
            return self
        seen = min(self.MOST, max(self.LEAST, reported / estimated))
        weight = max(self.WEIGHT, 1 / (self.samples + 1))
        return Calibration(self.ratio + weight * (seen - self.ratio), self.samples + 1)

    def apply(self, tokens: int) -> int:
        """An estimate, corrected; never 0 for something that costs anything."""
        return max(1, round(tokens * self.ratio)) if tokens > 0 else 0
