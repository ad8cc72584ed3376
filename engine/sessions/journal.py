"""Plans: what an operation on a tree appends, where it leaves the leaf, and how to undo it.

Every operation is a pure plan on a frozen tree, then one append. Its last entry is a step of the
journal, `branchline.step`, which keeps what the operation changed as it was before. The steps
form a chain through the file, so that undoing needs no memory of its own and survives a restart.

A plan that leaves the leaf anywhere but on its own last message ends with a `branchline.leaf`
under the target (and the step under that), so that a reader who knows only v3, whose leaf is the
last line, lands on the same branch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import EllipsisType
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec import field as msgfield

from engine.clock import parse_iso
from engine.errors import SessionError
from engine.sessions.entries import LEAF, Entry
from engine.sessions.tree import Tree
from engine.values import replace

if TYPE_CHECKING:
    from engine.sessions.transcript import Transcript

__all__ = [
    "MARKS",
    "STEP",
    "Before",
    "Draft",
    "Marks",
    "NothingToUndo",
    "Plan",
    "Undoing",
    "apply",
    "finish",
    "last_step",
    "marks_of",
    "undo",
    "undoing",
]

STEP = "branchline.step"
"""custom entry: an operation that can be undone, `data {what, previous, before}`, or an undoing,
`data {what: "undo", undone, head}`."""

MARKS = "branchline.marks"
"""custom entry: all marks of the session as they are from now on, `data {branches, bookmarks,
hidden}`."""

NewId = Callable[[], str]


class NothingToUndo(SessionError):
    title = "Nothing to undo"


class Marks(Struct, frozen=True):
    """What a person has set beside the entries; what is hidden is only left out of lists.

    Attributes:
        branches: name → an entry of the branch; its tip is the newest below it.
        bookmarks: entry ids.
        hidden: the top of each hidden subtree → `hide` or `archive`.
    """

    branches: Mapping[str, str] = msgfield(default_factory=dict)
    bookmarks: tuple[str, ...] = ()
    hidden: Mapping[str, str] = msgfield(default_factory=dict)

    def body(self) -> dict[str, Any]:
        return {
            "branches": dict(self.branches),
            "bookmarks": list(self.bookmarks),
            "hidden": dict(self.hidden),
        }


class Before(Struct, frozen=True):
    """What an operation changed, as it was. `...`: it changed nothing of this sort."""

    leaf: str | EllipsisType | None = ...
    labels: Mapping[str, str | None] = msgfield(default_factory=dict)
    marks: Marks | None = None

    def body(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if not isinstance(self.leaf, EllipsisType):
            found["leaf"] = self.leaf
        if self.labels:
            found["labels"] = dict(self.labels)
        if self.marks is not None:
            found["marks"] = self.marks.body()
        return found


class Plan(Struct, frozen=True):
    """What is to be appended in one write.

    Attributes:
        what: the operation, in a word or two, for the journal and for people.
        lines: whole entries but for their time, ids and parents set.
        leaf: where the conversation goes on.
        editor: text that goes back to the composer; None for none.
        names: ids given to copies or fresh entries, by what they were made from.
    """

    what: str
    lines: tuple[Mapping[str, Any], ...] = ()
    leaf: str | None = None
    editor: str | None = None
    names: Mapping[str, str] = msgfield(default_factory=dict)

    @property
    def empty(self) -> bool:
        return not self.lines


class Undoing(Struct, frozen=True):
    """What undoing would take back.

    Attributes:
        step: the entry of the journal.
        what: the operation, as in Plan.
        when: ms since 1970; 0 where the step does not say.
        leaves: messages said since then that the conversation would not go on from any more; they
            stay in the tree, on a branch of their own.
        later: how many of them people said, but for the one that an edit itself sent.
    """

    step: str
    what: str
    when: int
    leaves: int
    later: int


class Draft:
    """A plan in the making: lines with fresh ids, under given parents."""

    def __init__(self, tree: Tree, new_id: NewId):
        self.tree = tree
        self.lines: list[Mapping[str, Any]] = []
        self._new_id = new_id
        self._taken: set[str] = set()

    def add(self, parent: str | None, fields: Mapping[str, Any]) -> str:
        """A further line; returns its id."""
        while (name := self._new_id()) in self.tree.nodes or name in self._taken:
            pass
        self._taken.add(name)
        self.lines.append({**fields, "id": name, "parentId": parent})
        return name

    def note(self, parent: str | None, custom_type: str, body: Mapping[str, Any]) -> str:
        """A `custom` entry of ours."""
        return self.add(parent, {"type": "custom", "customType": custom_type, "data": dict(body)})


def finish(
    draft: Draft,
    what: str,
    before: Before,
    *,
    leaf: str | None,
    moved: bool,
    step: Mapping[str, Any] | None = None,
    editor: str | None = None,
) -> Plan:
    """End a plan: the leaf where it belongs, then the step of the journal.

    Args:
        leaf: where the conversation goes on.
        moved: whether a leaf entry is needed to get there.
        step: the step's data, when it is no ordinary one.
    """
    under = draft.note(leaf, LEAF, {"targetId": leaf}) if moved else leaf
    head = last_step(draft.tree)
    body = step or {"what": what, "previous": head, "before": before.body()}
    draft.note(under, STEP, body)
    return Plan(what, tuple(draft.lines), leaf, editor)


def marks_of(tree: Tree) -> Marks:
    """The marks in force."""
    entry_id = tree.ours.get(MARKS)
    return _read_marks(tree.entry(entry_id).data.get("data")) if entry_id is not None else Marks()


def _read_marks(body: object) -> Marks:
    if not isinstance(body, dict):
        return Marks()
    bookmarks = body.get("bookmarks")
    listed = bookmarks if isinstance(bookmarks, list) else []
    return Marks(
        _texts(body.get("branches")),
        tuple(name for name in listed if isinstance(name, str)),
        _texts(body.get("hidden")),
    )


def _texts(value: object) -> dict[str, str]:
    pairs = value.items() if isinstance(value, dict) else ()
    return {name: text for name, text in pairs if isinstance(text, str)}


def last_step(tree: Tree) -> str | None:
    """The newest step that is not undone."""
    entry_id = tree.ours.get(STEP)
    if entry_id is None:
        return None
    body = _body(tree, entry_id)
    if "head" not in body:
        return entry_id
    head = body["head"]
    return head if isinstance(head, str) and head in tree.nodes else None


def _body(tree: Tree, entry_id: str) -> Mapping[str, Any]:
    found = tree.entry(entry_id).data.get("data")
    return found if isinstance(found, dict) else {}


def _head(tree: Tree) -> str:
    head = last_step(tree)
    if head is None:
        raise NothingToUndo(
            "nothing was changed in this tree that is not undone yet",
            remedy="What was said is never undone: go back to it in the tree (Enter)",
        )
    return head


def _leaf_before(tree: Tree, before: Mapping[str, Any]) -> str | None:
    leaf = before.get("leaf", tree.leaf)
    return leaf if isinstance(leaf, str) and leaf in tree.nodes else None


def undoing(tree: Tree) -> Undoing:
    """What `undo` would take back now.

    Raises:
        NothingToUndo: no step is left.
    """
    head = _head(tree)
    body, since = _body(tree, head), tree.node(head).offset
    before = body.get("before")
    kept = {
        node.id for node in tree.up(_leaf_before(tree, before if isinstance(before, dict) else {}))
    }
    left = [
        node
        for node in tree.up(tree.leaf)
        if node.id not in kept and node.type == "message" and node.offset > since
    ]
    what = str(body.get("what") or "step")
    said = sum(node.role == "user" for node in left)
    when = parse_iso(tree.entry(head).timestamp) or 0
    return Undoing(head, what, when, len(left), max(0, said - (what == "edit")))


def undo(tree: Tree, new_id: NewId, *, step: str | None = None) -> Plan:
    """Put back what the newest step that is not undone had changed; may be repeated.

    Entries stay in the file: what was copied or written becomes a branch that is not gone on.

    Args:
        step: the step that is meant; None for whichever is the newest.

    Raises:
        NothingToUndo: no step is left, or another one is the newest by now.
    """
    head = _head(tree)
    if step not in (None, head):
        raise NothingToUndo("something else was changed meanwhile", remedy="Look at it, then undo")
    body = _body(tree, head)
    before = body.get("before")
    before = before if isinstance(before, dict) else {}
    draft = Draft(tree, new_id)
    leaf = _leaf_before(tree, before)
    for target, label in dict(before.get("labels") or {}).items():
        draft.add(leaf, {"type": "label", "targetId": target, "label": label})
    if "marks" in before:
        draft.note(leaf, MARKS, _read_marks(before["marks"]).body())
    what = str(body.get("what") or "step")
    done = {"what": "undo", "undone": head, "head": body.get("previous")}
    moved = leaf != tree.leaf or bool(before.get("labels"))
    plan = finish(draft, what, Before(), leaf=leaf, moved=moved, step=done)
    return replace(plan, what=f"undo {what}")


def apply(transcript: Transcript, make: Callable[[Tree], Plan]) -> tuple[Plan, list[Entry]]:
    """Make a plan of the tree as it is when nobody else can write, and write it, whole or not at
    all.

    Raises:
        SessionBusy, SessionReadOnly, StoreError: as Transcript.append.
        BranchlineError: what `make` raises; nothing was written.
    """
    plans: list[Plan] = []

    def lines(tree: Tree) -> Sequence[Mapping[str, Any]]:
        plans.append(make(tree))
        return plans[0].lines

    entries = transcript.append_all(lines)
    return plans[0], entries
