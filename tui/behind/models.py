"""Models as a person chooses among them: what there is, what fits a filter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from textual.fuzzy import FuzzySearch

from engine.errors import ModelError
from engine.models.registry import ModelRegistry
from engine.text import safe_line
from engine.turns.choice import LayerName, Layers

__all__ = ["LAYER_NAMES", "Found", "ModelLine", "find_models", "model_lines", "wanting_words"]

LAYER_NAMES: dict[LayerName, str] = {
    "config": "config",
    "session": "session",
    "turn": "next message",
}
"""What the three layers are called on the screen."""


@dataclass(frozen=True, slots=True)
class ModelLine:
    """A model to choose. Texts are safe but for `ref`.

    Attributes:
        ref: `provider/model`, as it is stored.
        window: tokens it holds.
        wanting: what must be set before it can be asked; "" when it is ready.
        marks: the layers that name it.
        in_force: whether it answers now.
        listed: whether config or environment name it; else a person typed it.
    """

    ref: str
    aliases: tuple[str, ...] = ()
    window: int = 0
    wanting: str = ""
    marks: tuple[LayerName, ...] = ()
    in_force: bool = False
    listed: bool = True

    @property
    def name(self) -> str:
        return safe_line(self.ref, limit=120)


@dataclass(frozen=True, slots=True)
class Found:
    """A model that fits a filter, and which letters of its name do."""

    line: ModelLine
    letters: frozenset[int] = frozenset()


def wanting_words(registry: ModelRegistry, ref: str) -> str:
    """What a model lacks: `OPENAI_API_KEY is not set`; "" for nothing."""
    try:
        names = registry.wanting(ref)
    except ModelError as error:
        return safe_line(error.message, limit=120)
    told = " or ".join(names)
    return safe_line(told if not told or " " in names[0] else f"{told} is not set", limit=120)


def model_lines(registry: ModelRegistry, layers: Layers | None = None) -> tuple[ModelLine, ...]:
    """Every model: those in use first, then those that config and keys give, last those that only
    lack a key.

    Args:
        registry: the models of the config in force.
        layers: of the session that is asked for.
    """
    aliases = _aliases(registry)
    infos = (*registry.list(), *registry.unready())
    used = _used(layers)
    refs = dict.fromkeys([*used, *(info.ref for info in infos)])
    listed = {info.ref for info in infos}
    return tuple(
        _line(registry, ref, aliases, layers, listed=ref in listed or ref in used) for ref in refs
    )


def _used(layers: Layers | None) -> list[str]:
    if layers is None:
        return []
    found = (layers.turn, layers.session, layers.config)
    return [one.ref for one in found if one is not None and one.error is None]


def _aliases(registry: ModelRegistry) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in registry.aliases():
        try:
            found.setdefault(registry.resolve(name), []).append(safe_line(name, limit=40))
        except ModelError:
            continue  # it leads nowhere; lint tells of it
    return found


def _line(
    registry: ModelRegistry,
    ref: str,
    aliases: dict[str, list[str]],
    layers: Layers | None,
    *,
    listed: bool = True,
) -> ModelLine:
    marks: list[LayerName] = []
    if layers is not None:
        named = (layers.turn, layers.session, layers.config)
        marks = [one.name for one in named if one is not None and one.ref == ref]
    try:
        window = registry.info(ref).context_window
    except ModelError:
        window = 0
    return ModelLine(
        ref,
        tuple(aliases.get(ref, ())),
        window,
        wanting_words(registry, ref),
        tuple(marks),
        layers is not None and layers.in_force.ref == ref,
        listed,
    )


def find_models(
    lines: Iterable[ModelLine], query: str, registry: ModelRegistry
) -> tuple[Found, ...]:
    """Models whose name or alias holds each word of a filter, best first; with a name that is
    written out and not among them, that one, too."""
    lines = tuple(lines)
    words = query.split()
    if not words:
        return tuple(Found(line) for line in lines)
    search = FuzzySearch()
    scored = [(score, found) for line in lines for score, found in _matched(search, line, words)]
    scored.sort(key=lambda each: -each[0])
    hits = [found for _, found in scored]
    return (*hits, *_typed(lines, query.strip(), registry))


def _matched(
    search: FuzzySearch, line: ModelLine, words: list[str]
) -> Iterator[tuple[float, Found]]:
    text = " ".join((line.name, *line.aliases))
    matches = [search.match(word, text) for word in words]
    if all(score for score, _ in matches):
        letters = frozenset(at for _, offsets in matches for at in offsets)
        # What stands there as it was typed comes before what only has its letters.
        whole = sum(word.casefold() in text.casefold() for word in words)
        yield whole * 100 + sum(score for score, _ in matches), Found(line, letters)


def _typed(lines: tuple[ModelLine, ...], text: str, registry: ModelRegistry) -> Iterator[Found]:
    """Models of known providers need not be listed: ids are the provider's business."""
    if "/" not in text or text.endswith("/"):
        return
    try:
        ref = registry.resolve(text)
    except ModelError:
        return
    if all(line.ref != ref for line in lines):
        yield Found(_line(registry, ref, {}, None, listed=False))
