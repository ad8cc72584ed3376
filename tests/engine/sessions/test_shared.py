from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from engine.clock import ManualClock
from engine.sessions.transcript import Transcript
from engine.sessions.tree import Tree
from tests.engine.sessions.support import QuickDisk, new_transcript, reply, user

HANDLES = 3
WHO = st.integers(0, HANDLES - 1)


def shape(tree: Tree) -> dict[str, Any]:
    """All that a tree says, without asking how it came to know it."""
    return {
        "nodes": [(n.id, n.parent_id, n.type, n.role, n.offset, n.length) for n in nodes(tree)],
        "near": [(n.compaction, n.model, n.thinking) for n in nodes(tree)],
        "children": {name: tree.children(name) for name in [None, *tree.nodes]},
        "leaf": tree.leaf,
        "labels": dict(tree.labels),
        "name": tree.name,
        "ours": dict(tree.ours),
        "problems": [str(problem) for problem in tree.problems],
    }


def nodes(tree: Tree) -> list[Any]:
    return list(tree.nodes.values())


class Sharing(RuleBasedStateMachine):
    """Several programs on one file: whoever looks sees what a fresh reader sees."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "s.jsonl"
        new_transcript(self.path).close()
        self.handles = [self.fresh() for _ in range(HANDLES)]
        self.sent: list[str] = []
        self.told: list[list[str]] = [[] for _ in range(HANDLES)]
        self.torn = False

    def fresh(self) -> Transcript:
        return Transcript.open(self.path, disk=QuickDisk(), clock=ManualClock())

    def teardown(self) -> None:
        for handle in self.handles:
            handle.close()
        self.folder.cleanup()

    def note(self, who: int, *names: str) -> None:
        self.sent += names
        self.told[who] += names
        self.torn = False

    @rule(who=WHO, count=st.integers(1, 3), bot=st.booleans())
    def append(self, who: int, count: int, bot: bool) -> None:
        body = reply("x") if bot else user("x")
        before = self.path.read_bytes()
        entries = self.handles[who].append_all([body] * count)
        assert bot or entries[0].role == "user"
        if not self.torn:
            assert self.path.read_bytes().startswith(before)
        self.note(who, *(entry.id for entry in entries))

    @rule(who=WHO, data=st.data(), label=st.sampled_from(["", "a", "b"]))
    def label(self, who: int, data: st.DataObject, label: str) -> None:
        tree = self.handles[who].tree
        if tree.nodes:
            target = data.draw(st.sampled_from(sorted(tree.nodes)))
            self.note(who, self.handles[who].set_label(target, label).id)

    @rule(who=WHO, data=st.data())
    def move(self, who: int, data: st.DataObject) -> None:
        names = [None, *sorted(self.handles[who].tree.nodes)]
        target = data.draw(st.sampled_from(names))
        self.note(who, self.handles[who].move_leaf(target).id)
        assert self.handles[who].tree.leaf == target

    @rule(who=WHO)
    def look(self, who: int) -> None:
        self.told[who] += [entry.id for entry in self.handles[who].refresh()]
        assert sorted(self.told[who]) == sorted(self.sent)
        self.agree(who)

    @rule(who=WHO)
    def restart(self, who: int) -> None:
        self.handles[who].close()
        self.handles[who] = self.fresh()
        self.told[who] = list(self.sent)

    @rule(garbage=st.sampled_from([b"{", b'{"type":"message","id":"q"', b"\0\0\0", b'"']))
    @precondition(lambda self: not self.torn)
    def crash_while_writing(self, garbage: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(garbage)
        self.torn = True

    @rule(
        name=st.sampled_from(["r1", "r2", "r3"]),
        parent=st.sampled_from(["r1", "r2", "gone"]),
        end=st.sampled_from(["\n", ""]),
    )
    @precondition(lambda self: not self.torn)
    def foreign_append(self, name: str, parent: str, end: str) -> None:
        """Somebody else's program, with ids of its own and no care for links or newlines."""
        if name in self.sent:
            return
        self.torn = not end  # nothing but ours may come after it
        line = f'{{"type":"message","id":"{name}","parentId":"{parent}"}}{end}'
        with self.path.open("a") as file:
            file.write(line)
        self.sent.append(name)

    def agree(self, who: int) -> None:
        fresh = self.fresh()
        handle = self.handles[who]
        assert shape(handle.tree) == shape(fresh.tree)
        assert handle.unreadable == fresh.unreadable == ()
        for name in fresh.tree.nodes:
            assert handle.tree.entry(name) == fresh.tree.entry(name)
        fresh.close()

    @invariant()
    def nobody_loses_anything(self) -> None:
        fresh = self.fresh()
        assert list(fresh.tree.nodes) == self.sent
        fresh.close()


TestSharing = Sharing.TestCase
TestSharing.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
