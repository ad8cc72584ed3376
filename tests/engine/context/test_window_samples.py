from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from engine.context.limits import Limits
from engine.context.shape import to_chat, window_json
from engine.context.window import WindowSettings, build_window
from engine.sessions.transcript import Transcript

SAMPLES = Path(__file__).parents[2] / "samples" / "openclaw-state" / "agents" / "main" / "sessions"
FILES = sorted(path for path in SAMPLES.iterdir() if path.name != "sessions.json")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
@pytest.mark.parametrize("limits", [Limits(), Limits(4, 400, 2)], ids=["free", "limited"])
def test_real_transcripts_give_a_window_and_a_request(
    path: Path, limits: Limits, tmp_path: Path
) -> None:
    copy = tmp_path / path.name
    shutil.copy(path, copy)
    transcript = Transcript.open(copy)
    tree = transcript.tree
    for leaf in tree.nodes:
        window = build_window(tree, leaf, WindowSettings(limits))
        shown = window_json(window)
        assert [one["entryId"] for one in shown["decisions"]] == [n.id for n in tree.path(leaf)]
        assert window.tokens == sum(m.tokens for m in window.messages) + window.overhead
        chat = to_chat(window)
        assert not chat or chat[0].role == "user"
        assert not window.messages or chat
    transcript.close()


def test_the_sample_has_compactions_and_tool_calls_to_look_at() -> None:
    text = "".join(path.read_text("utf-8") for path in FILES)
    assert '"type":"compaction"' in text
    assert '"toolCall"' in text
