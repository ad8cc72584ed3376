from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tui.launch import FRAMES

HERE = Path(__file__).parent

os.environ.setdefault("TEXTUAL_FPS", str(FRAMES))  # before Textual is imported, as at a start

settings.register_profile(
    "branchline", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("branchline")


def pytest_xdist_auto_num_workers() -> int:
    """Two for each core: whoever drives a screen or another process waits half of the time."""
    return 2 * (os.cpu_count() or 1)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No key, proxy or state dir of the person who runs the tests leaks into them."""
    for name in list(os.environ):
        if name.endswith(("_API_KEY", "_AUTH_TOKEN", "_BASE_URL", "_PROXY", "_proxy")) or (
            name.startswith(("BRANCHLINE_", "OPENCLAW_", "OLLAMA_"))
        ):
            monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BRANCHLINE_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("TEXTUAL_ANIMATIONS", "none")


@pytest.fixture(scope="session")
def cases() -> Callable[[str], list[dict[str, Any]]]:
    return load_cases


def load_cases(name: str) -> list[dict[str, Any]]:
    found = json.loads((HERE / "cases" / f"{name}.json").read_text("utf-8"))
    assert isinstance(found, list)
    return found


@pytest.fixture
def sample_state(tmp_path: Path) -> Path:
    """A copy of a real state dir of the reference, free to be changed."""
    import shutil

    target = tmp_path / "openclaw-state"
    shutil.copytree(HERE / "samples" / "openclaw-state", target)
    return target
