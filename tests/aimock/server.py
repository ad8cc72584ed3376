"""aimock, a provider server that we did not write, for tests that need a real one.

It is installed by npm beside this file, once per clone, and started once per test process on a
free port. Where node or npm is missing the tests that need it are skipped, except in CI.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.request import Request, urlopen

import pytest

HERE = Path(__file__).parent
KEY = "test-key"
PROGRAM = HERE / "node_modules" / "@copilotkit" / "aimock" / "dist" / "cli.js"
MARK = HERE / "node_modules" / ".installed"


@dataclass(frozen=True)
class Aimock:
    """A running server; `url` has no path. Requests need KEY, as a Bearer or an x-api-key."""

    url: str

    def journal(self, test_id: str) -> list[dict[str, Any]]:
        """What the server was asked under an `X-Test-Id`, oldest first."""
        headers = {"Authorization": f"Bearer {KEY}"}
        request = Request(f"{self.url}/__aimock/journal?testId={test_id}", headers=headers)
        with urlopen(request, timeout=10) as answer:
            found = json.load(answer)
        assert isinstance(found, list)
        return found


@contextmanager
def running() -> Iterator[Aimock]:
    """Install the server if need be and run it for the length of the block."""
    reason = _missing()
    if reason:
        if os.environ.get("CI") == "true":
            pytest.fail(f"the provider server is needed in CI: {reason}")
        pytest.skip(reason)
    environ = {**os.environ, "AIMOCK_API_KEYS": KEY}
    command = ["node", str(PROGRAM), "-p", "0", "-f", str(HERE / "fixtures.json"), "--strict"]
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environ)
        try:
            yield Aimock(_address(process, log))
        finally:
            process.terminate()
            process.wait(10)


def _address(process: subprocess.Popen[bytes], log: IO[str]) -> str:
    said = ""
    while True:
        ended = process.poll() is not None
        log.seek(0)
        said = log.read()
        if found := re.search(r"listening on (http://\S+)", said):
            return found[1].rstrip("/")
        assert not ended, f"the provider server did not start: {said}"
        time.sleep(0.02)


def _missing() -> str | None:
    """Why there is no server to run, or None when it is installed."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    with (HERE / ".lock").open("w") as lock:  # several test processes, one install
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = (HERE / "package.json").read_text("utf-8")
        if MARK.exists() and MARK.read_text("utf-8") == wanted and PROGRAM.exists():
            return None
        problem = _install()
        if problem is None:
            MARK.write_text(wanted, "utf-8")
        return problem


def _install() -> str | None:
    command = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"]
    problem = None
    for _ in range(2):
        try:
            done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=140)
        except subprocess.TimeoutExpired:
            problem = "npm install took too long"
            continue
        if done.returncode == 0 and PROGRAM.exists():
            return None
        problem = f"npm install failed: {done.stdout[-500:]}{done.stderr[-500:]}"
    return problem


@pytest.fixture(scope="session")
def aimock() -> Iterator[Aimock]:
    with running() as server:
        yield server
