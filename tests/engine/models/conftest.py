from __future__ import annotations

from tests.aimock.server import aimock

__all__ = ["aimock"]
