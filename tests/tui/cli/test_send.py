from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.tui.cli.conftest import ROOT, Run


class Slow(BaseHTTPRequestHandler):
    """Answers chat completions with a word every 50 ms, until the client goes away."""

    words = ("one ", "two\x1b[31m ", *(f"word{number} " for number in range(400)))
    status = 200

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.status != 200:
            body = json.dumps({"error": {"message": "bad key sk-secret\x1b[2J"}}).encode()
            self.send_response(self.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        try:
            for word in self.words:
                chunk = {"choices": [{"index": 0, "delta": {"content": word}}]}
                self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
                self.wfile.flush()
                time.sleep(0.05)
        except OSError:
            return

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[type[Slow]]:
    """A slow model server, and a config that uses it."""
    handler = type("Handler", (Slow,), {})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        configure(tmp_path, f"http://127.0.0.1:{http.server_port}/v1")
        yield handler
        http.shutdown()
        thread.join()


def configure(tmp_path: Path, url: str) -> None:
    state = tmp_path / "state"
    state.mkdir(exist_ok=True)
    (state / "branchline.json5").write_text(
        json.dumps(
            {
                "models": {
                    "providers": {
                        "slow": {
                            "api": "openai-completions",
                            "baseUrl": url,
                            "apiKey": "sk-secret",
                            "models": [{"id": "m", "contextWindow": 8000}],
                        }
                    }
                },
                "agents": {"defaults": {"model": "slow/m"}},
            }
        )
    )


def test_a_conversation_goes_on_from_call_to_call(branchline: Run) -> None:
    first = branchline("send", "remember the number 42")
    assert first.code == 0 and "remember the number 42" in first.out
    assert "first config" in first.err
    second = branchline("send", "what number?")
    assert "42" in second.out and second.err == ""
    assert second.out.endswith("\n")


def test_under_per_channel_peer_others_do_not_know_it_and_under_main_they_do(
    branchline: Run, tmp_path: Path
) -> None:
    bob = ("send", "--channel", "telegram", "--peer", "dm:bob", "what number?")
    branchline("send", "remember the number 42")
    assert "42" not in branchline(*bob).out
    config = tmp_path / "state" / "branchline.json5"
    text = config.read_text()
    assert '"per-channel-peer"' in text
    config.write_text(text.replace('"per-channel-peer"', '"main"', 1))
    assert "42" in branchline(*bob).out


def test_json_has_the_agreed_shape(branchline: Run) -> None:
    found = branchline("send", "--json", "--channel", "Slack", "--peer", "dm:U1", "hello").json
    assert set(found) == {
        "agentId", "sessionKey", "sessionId", "matchedBy", "entryId", "replyEntryId", "text",
        "model", "usage", "stopReason",
    }  # fmt: skip
    assert found["sessionKey"] == "agent:main:slack:dm:u1"
    assert (found["agentId"], found["matchedBy"], found["stopReason"]) == (
        "main",
        "default",
        "stop",
    )
    assert found["model"] == "offline/echo" and found["usage"]["output"] > 0
    history = branchline("sessions", "history", found["sessionKey"], "--json").json
    assert [row["id"] for row in history["entries"]] == [found["entryId"], found["replyEntryId"]]
    assert history["entries"][1]["text"] == found["text"]
    assert history["sessionId"] == found["sessionId"]


def test_text_comes_from_a_pipe(branchline: Run) -> None:
    for args in (["send"], ["send", "-"], ["send", "--no-stream", "-"]):
        ran = branchline(*args, stdin="from a pipe ✓\n")
        assert ran.code == 0 and "from a pipe ✓" in ran.out
    entries = branchline("sessions", "history", "agent:main:main", "--json").json["entries"]
    assert entries[0]["text"] == "from a pipe ✓"


def test_a_session_may_be_named(branchline: Run) -> None:
    made = branchline("send", "--session", "agent:main:chat:Plans", "--json", "hello").json
    assert (made["sessionKey"], made["matchedBy"]) == ("agent:main:chat:plans", None)
    again = branchline("send", "--session", made["sessionId"][:8], "--json", "more").json
    assert again["sessionId"] == made["sessionId"]


def test_commands_answer_at_once(branchline: Run) -> None:
    ran = branchline("send", "/help")
    assert ran.code == 0 and "/model" in ran.out


@pytest.mark.parametrize(
    ("args", "stdin", "code", "words"),
    [
        (("",), b"", 1, "empty"),
        ((), b"   \n", 1, "empty"),
        ((), b"\xff\xfe", 1, "UTF-8"),
        (("-",), b"x" * (1 << 20) + b"y", 1, "1,048,576"),
        (("--session", "nobody", "hi"), b"", 1, "sessions list"),
        (("--model", "nix", "hi"), b"", 1, "nix"),
        (("--channel", "x", "--peer", "bob", "hi"), b"", 1, "dm:ID"),
        (("--peer", "dm:bob", "hi"), b"", 2, "--channel"),
        (("--config", "/nowhere/c.json5", "hi"), b"", 1, "/nowhere"),
        (("--state-dir", "/dev/null/x", "hi"), b"", 1, "/dev/null"),
        (("/nonsense",), b"", 1, "/help"),
    ],
)
def test_what_cannot_be_sent_is_one_clear_message(
    branchline: Run, args: tuple[str, ...], stdin: bytes, code: int, words: str
) -> None:
    ran = branchline("send", *args, stdin=stdin)
    told = [line for line in ran.err.splitlines() if "first config" not in line]
    assert (ran.code, ran.out) == (code, "")
    assert len(told) == 1 and words in told[0]


def test_a_dead_server_is_told_and_the_message_is_kept(branchline: Run, tmp_path: Path) -> None:
    configure(tmp_path, "http://127.0.0.1:9/v1")
    ran = branchline("send", "are you there?")
    assert ran.code == 1 and "127.0.0.1" in ran.err and "Traceback" not in ran.err
    entries = branchline("sessions", "history", "agent:main:main", "--json").json["entries"]
    assert entries[0]["text"] == "are you there?"


def test_a_wrong_key_is_told_without_showing_it(branchline: Run, server: type[Slow]) -> None:
    server.status = 401
    ran = branchline("send", "hello")
    assert ran.code == 1 and ran.err
    assert "sk-secret" not in ran.err and "\x1b" not in ran.err


def test_ctrl_c_stops_the_reply_and_keeps_what_came(branchline: Run, server: type[Slow]) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "tui", "send", "go on"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
    ) as process:
        assert process.stdout and process.stderr
        seen = b""
        while b"word3" not in seen:
            more = os.read(process.stdout.fileno(), 1000)
            assert more, process.stderr.read()
            seen += more
        process.send_signal(signal.SIGINT)
        rest, err = process.communicate(timeout=90)
        assert process.returncode == 130
    shown = (seen + rest).decode()
    assert shown.endswith("\n") and "word399" not in shown
    assert "\x1b" not in shown and "Traceback" not in err.decode()
    reply = branchline("sessions", "history", "agent:main:main", "--json").json["entries"][-1]
    assert reply["role"] == "assistant" and reply["text"].startswith("one two\x1b[31m word0 ")
    window = branchline("sessions", "window", "agent:main:main", "--json").json
    assert window["messages"][-1]["entryId"] == reply["id"]


def test_a_reader_that_goes_away_stops_the_reply(branchline: Run, server: type[Slow]) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "tui", "send", "go on"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
    ) as process:
        assert process.stdout and process.stderr
        assert os.read(process.stdout.fileno(), 10)
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(30) == 141
    entries = branchline("sessions", "history", "agent:main:main", "--json").json["entries"]
    assert [row["role"] for row in entries] == ["user", "assistant"]
    assert "word399" not in entries[1]["text"]


def test_a_turn_can_be_added_to_a_session_of_the_reference(
    branchline: Run, sample_state: Path
) -> None:
    state = ("--state-dir", str(sample_state))
    before = branchline(*state, "sessions", "history", "agent:main:main", "--json").json
    sent = branchline(
        *state, "send", "--session", "agent:main:main", "--model", "offline/echo", "--json", "hi"
    ).json
    after = branchline(*state, "sessions", "history", "agent:main:main", "--json").json
    assert sent["sessionId"] == before["sessionId"]
    kept = [row["id"] for row in before["entries"] if row["type"] == "message"]
    assert [row["id"] for row in after["entries"] if row["type"] == "message"] == [
        *kept,
        sent["entryId"],
        sent["replyEntryId"],
    ]
    path = branchline(*state, "sessions", "show", "agent:main:main", "--json").json["path"]
    lines = [json.loads(line) for line in Path(path).read_text("utf-8").splitlines()]
    assert lines[0]["version"] == 3
    ids = {line["id"] for line in lines}
    assert all(line.get("parentId") is None or line["parentId"] in ids for line in lines[1:])
