"""Words that a person wrote for a session and that are neither on disk nor in a composer: on their
way, or in a dialog. Should the app end meanwhile, they are drafts at the next start."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

__all__ = ["Unsent", "above"]


def above(first: str, second: str) -> str:
    """Words over those that stand there already, if any do."""
    return f"{first}\n{second}" if second.strip() else first


class Unsent:
    """The words there are just now, in the order they were told of."""

    def __init__(self) -> None:
        self._words: dict[object, tuple[str, Callable[[], str]]] = {}

    @contextmanager
    def words(self, ref: str, written: Callable[[], str]) -> Iterator[None]:
        """Have words kept as long as this lasts.

        Args:
            ref: the session that they are for.
            written: what they are now; "" for nothing.
        """
        token = object()
        self._words[token] = ref, written
        try:
            yield
        finally:
            del self._words[token]

    def over(self, drafts: Mapping[str, str]) -> dict[str, str]:
        """Drafts by session, with these words above them."""
        found = dict(drafts)
        for ref, written in reversed(self._words.values()):
            if text := written():
                found[ref] = above(text, found.get(ref, ""))
        return found
