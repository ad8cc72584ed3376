"""The built-in offline model: no key, no network, no language model (SPEC §9).

It answers only from the messages of the request, so that what a session can see, and what leaks
into it, can be seen with it. `words` compares texts, `talk` reads the request, `answers` writes
replies, `summary` writes summaries, `provider` streams.
"""

from __future__ import annotations

from engine.models.offline.provider import OfflineProvider

__all__ = ["OfflineProvider"]
