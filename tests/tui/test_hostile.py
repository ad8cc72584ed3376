from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.clock import SystemClock
from engine.disk import Disk
from engine.sessions.store import Store
from tests.corpus import HOSTILE
from tests.pty import Terminal, let_through, run, strange_bytes, strings_sent

pytestmark = [pytest.mark.pty, pytest.mark.timeout(240)]

SMALL = {name: text for name, text in HOSTILE.items() if len(text) < 4000}
LARGE = {name: text for name, text in HOSTILE.items() if len(text) >= 4000}


def fill(store: Store, key: str, texts: list[str]) -> None:
    """A session whose people, names, replies, tools, labels and unknown entries are all hostile."""
    record = store.create(
        key, "main", origin={"channel": "telegram", "sender": {"id": texts[0], "name": texts[0]}}
    )
    transcript = store.writable(record)
    for text in texts:
        origin = {"channel": text[:50], "sender": {"id": text[:50], "name": text[:200]}}
        user = {"role": "user", "content": [{"type": "text", "text": text}], "timestamp": 0}
        transcript.append({"type": "message", "message": user, "origin": origin}, sync=False)
        reply = {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": text},
                {"type": "text", "text": text},
                {"type": "toolCall", "id": text[:20], "name": text[:80], "arguments": {"a": text}},
            ],
            "provider": text[:60],
            "model": text[:60],
            "stopReason": "error",
            "errorMessage": text,
            "timestamp": 0,
        }
        entry = transcript.append({"type": "message", "message": reply}, sync=False)
        result = {
            "role": "toolResult",
            "toolCallId": text[:20],
            "toolName": text[:80],
            "content": [{"type": "text", "text": text}],
        }
        transcript.append({"type": "message", "message": result}, sync=False)
        transcript.append({"type": text[:60] or "odd", "value": text}, sync=False)
        transcript.append(
            {
                "type": "compaction",
                "summary": text,
                "firstKeptEntryId": entry.id,
                "tokensBefore": 9,
            },
            sync=False,
        )
        transcript.set_label(entry.id, text[:300])
    transcript.set_name(texts[0][:300])
    transcript.close()
    store.note(key)


@pytest.fixture(scope="module")
def hostile_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    state = tmp_path_factory.mktemp("hostile") / "state"
    store = Store(Disk(), state, SystemClock())
    fill(store, "agent:main:main", list(SMALL.values()))
    fill(store, "agent:main:telegram:dm:\x1b]52;c;evil\x07\u202ebob", ["hi", *SMALL.values()][:8])
    fill(store, "agent:main:telegram:dm:[@click=app.quit]x[/]", ["[/red]", "[@click=app.bell]y[/]"])
    fill(store, "agent:main:chat:large", list(LARGE.values()))
    return state


def check(raw: str) -> None:
    for name, text in HOSTILE.items():
        assert not let_through(raw, text), name
    assert not strange_bytes(raw)
    assert "\u202e" not in raw
    assert "\u200b" not in raw


COMMANDS: list[tuple[str, ...]] = [
    ("sessions", "list"),
    ("sessions", "show", "agent:main:main"),
    ("sessions", "history", "agent:main:main"),
    ("sessions", "history", "agent:main:chat:large"),
    ("sessions", "tree", "agent:main:main"),
    ("sessions", "tree", "agent:main:chat:large"),
    ("sessions", "window", "agent:main:main"),
    ("sessions", "show", "\x1b]0;owned\x07\u202e"),
    ("send", HOSTILE["osc clipboard"] + HOSTILE["bidi override"]),
    ("send", "hi", "--session", "\x1b[2J\u202ex"),
    ("send", "hi", "--model", "\x1b]52;c;x\x07[/]"),
    ("send", "hi", "--channel", "tele\x1b[31mgram", "--peer", "dm:\u202e\x9bbob"),
    ("route", "--channel", "a\x1b[2Jb", "--peer", "group:\x9b31m", "--explain"),
    ("agents", "list", "--bindings"),
    ("models", "list"),
    ("doctor",),
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda one: " ".join(map(ascii, one))[:60])
def test_no_command_lets_anything_through(hostile_state: Path, command: tuple[str, ...]) -> None:
    code, raw = run(*command, state=hostile_state)
    check(raw)
    assert code in (0, 1, 2)
    assert "Traceback" not in raw
    assert raw.strip()


def test_a_hostile_config_is_reported_harmlessly(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    evil = {text[:80]: text[:200] for text in SMALL.values()}
    config = {"agents": {"list": [{"id": "\x1b[2J"}, evil]}, "bindings": [evil], **evil}
    (state / "branchline.json5").write_text(json.dumps(config))
    for command in (("config", "check"), ("send", "hi"), ("doctor",), ()):
        code, raw = run(*command, state=state)
        check(raw)
        assert code == 1
        assert "Traceback" not in raw


@pytest.mark.parametrize(("columns", "rows"), [(120, 40), (80, 24)])
def test_the_app_shows_it_all_and_lives(hostile_state: Path, columns: int, rows: int) -> None:
    with Terminal(state=hostile_state, columns=columns, rows=rows) as app:
        app.wait_for("Enter")
        app.press("\x1b", 0.6)
        for _ in range(4):  # every session in turn, read from its end upwards
            app.press("\x1b", 0.4)
            app.press("g", 0.5)
            app.press("G", 0.5)
            app.press("\t", 0.2)
            app.press("j", 0.2)
            app.press("\r", 1.0)
        app.press("\x10", 0.8)  # the palette, with hostile session names in it
        app.press("agent", 0.8)
        app.press("\x1b", 0.6)
        app.press("\x1b", 0.4)
        app.press("?", 0.6)
        assert app.alive, app.screen()
        app.press("\x11", 0.5)
        assert app.end() == 0
        raw = app.raw.decode("utf-8", "surrogateescape")
    assert "Traceback" not in raw
    assert not strings_sent(raw)
    check(raw)


def test_what_is_typed_and_pasted_is_shown_harmlessly_and_sent_as_it_is(tmp_path: Path) -> None:
    state = tmp_path / "state"
    evil = "pay\u202epal\u200b[@click=app.quit]x[/][/]"
    with Terminal(state=state) as app:
        app.wait_for("Enter sends")
        app.press(f"\x1b[200~{evil}\x1b[201~", 0.5)
        app.press("\r", 0.5)
        app.wait_for("<U+202E>pal")
        assert app.alive
        app.press("\x11", 0.5)
        assert app.end() == 0
        check(app.raw.decode("utf-8", "surrogateescape"))
    [path] = state.glob("agents/main/sessions/*.jsonl")
    first = next(
        json.loads(line) for line in path.read_text("utf-8").splitlines() if '"user"' in line
    )
    assert first["message"]["content"][0]["text"] == evil
