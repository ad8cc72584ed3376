from __future__ import annotations

import io
import json
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.clock import ManualClock
from engine.errors import StoreError
from engine.routing.keys import chat_type
from engine.sessions.interchange import sources
from engine.sessions.interchange.export import export_session
from engine.sessions.interchange.foreign import Conversation, Said, settle
from engine.sessions.interchange.importing import Imported, Report, import_path
from engine.sessions.store import Store
from engine.sessions.transcript import Transcript
from engine.sessions.tree import Tree
from tests.corpus import HOSTILE
from tests.engine.sessions.support import QuickDisk


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(QuickDisk(), tmp_path / "state", ManualClock())


def bring(store: Store, path: Path, **more: Any) -> Report:
    return import_path(store, path, "main", **more)


def only(report: Report) -> Imported:
    (one,) = report.sessions
    return one


def opened(store: Store, one: Imported) -> Transcript:
    return store.open(one.key)


def path_texts(tree: Tree) -> list[str]:
    return [tree.entry(node.id).text for node in tree.path(tree.leaf) if node.type == "message"]


def dump(path: Path, lines: list[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return path


def cc(kind: str, uuid: str, parent: str | None, content: Any, **more: Any) -> dict[str, Any]:
    message: dict[str, Any] = {"role": kind, "content": content}
    if kind == "assistant":
        used = {"input_tokens": 5, "output_tokens": 7}
        message |= {"id": more.pop("message", f"msg_{uuid}"), "model": "claude-x-1"}
        message |= {"stop_reason": "end_turn", "usage": used}
    return {
        "type": kind, "uuid": uuid, "parentUuid": parent, "sessionId": "sess-1", "cwd": "/work/api",
        "gitBranch": "main", "version": "2.0.0", "isSidechain": False, "userType": "external",
        "timestamp": "2026-05-01T10:00:00.000Z", "message": message, **more,
    }  # fmt: skip


def text(words: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": words}]


CLAUDE_CODE = [
    {"type": "summary", "summary": "Fix the login", "leafUuid": "a2"},
    {"type": "summary", "summary": "Quite another talk", "leafUuid": "elsewhere"},
    {"type": "file-history-snapshot", "messageId": "u1", "snapshot": {}},
    cc("user", "u1", None, "please fix the login"),
    cc("assistant", "a1", "u1", [
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "text", "text": "looking"},
        {"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {"file_path": "/x"}},
    ]),
    cc("user", "r1", "a1", [
        {"type": "tool_result", "tool_use_id": "toolu_1", "content": text("code")},
    ]),
    {"type": "progress", "uuid": "p1", "parentUuid": "r1", "timestamp": "2026-05-01T10:00:01Z"},
    cc("assistant", "a2", "p1", text("done")),
    cc("user", "s1", None, "sub task", isSidechain=True),
    cc("user", "u2", "a1", "no, stop"),
]  # fmt: skip


def test_claude_code_comes_as_a_tree_with_its_tools(store: Store, tmp_path: Path) -> None:
    source = dump(tmp_path / "p/sess-1.jsonl", CLAUDE_CODE)
    before = source.read_bytes()
    one = only(bring(store, source))
    assert (one.state, one.format, one.title) == ("new", "claude-code", "Fix the login")
    assert one.key == "agent:main:chat:import-claude-code-sess-1"
    assert chat_type(one.key) == "chat"
    assert (one.messages, one.roots) == (6, 2)
    transcript = opened(store, one)
    tree = transcript.tree
    assert path_texts(tree) == ["please fix the login", "looking", "no, stop"]
    done = next(name for name in tree.nodes if tree.entry(name).text == "done")
    call, result, reply = [tree.entry(node.id) for node in tree.path(done)][1:]
    assert call.message["content"][2] == {
        "type": "toolCall", "id": "toolu_1", "name": "Read", "arguments": {"file_path": "/x"},
    }  # fmt: skip
    assert call.message["usage"]["totalTokens"] == 12
    assert (result.role, result.message["toolCallId"], result.message["toolName"]) == (
        "toolResult", "toolu_1", "Read",
    )  # fmt: skip
    assert reply.data["imported"] == {
        "format": "claude-code", "id": "a2", "parentId": "p1",
        "fields": {"cwd": "/work/api", "gitBranch": "main", "version": "2.0.0",
                   "userType": "external"},
    }  # fmt: skip
    assert any("1 progress" in remark for remark in one.odd)
    assert any("sub-agents" in remark for remark in one.odd)
    assert transcript.header["cwd"] == "/work/api" and tree.problems == []
    assert source.read_bytes() == before


def test_importing_again_says_so_and_another_state_stands_beside(
    store: Store, tmp_path: Path
) -> None:
    source = dump(tmp_path / "sess-1.jsonl", CLAUDE_CODE)
    first = only(bring(store, source))
    held = store.open(first.key).path.read_bytes()
    assert only(bring(store, source)).state == "present"
    dump(source, [*CLAUDE_CODE, cc("user", "u3", "u2", "and more")])
    grown = only(bring(store, source))
    assert (grown.state, grown.key) == ("changed", f"{first.key}-{grown.key[-8:]}")
    assert only(bring(store, source)).state == "present"
    assert store.open(first.key).path.read_bytes() == held
    assert len(store.list()) == 2


def test_calls_made_at_once_are_not_parted_from_their_results(store: Store, tmp_path: Path) -> None:
    def use(number: int) -> list[dict[str, Any]]:
        return [{"type": "tool_use", "id": f"t{number}", "name": "Read", "input": {}}]

    def result(number: int) -> list[dict[str, Any]]:
        return [{"type": "tool_result", "tool_use_id": f"t{number}", "content": str(number)}]

    lines = [
        cc("user", "u", None, "go"),
        cc("assistant", "a1", "u", use(1), message="m"),
        cc("user", "r1", "a1", result(1)),
        cc("assistant", "a2", "a1", use(2), message="m"),
        cc("user", "r2", "a2", result(2)),
        cc("assistant", "b", "r1", text("both seen")),
    ]
    tree = opened(store, only(bring(store, dump(tmp_path / "x.jsonl", lines)))).tree
    roles = [node.role for node in tree.path(tree.leaf)]
    assert roles == ["user", "assistant", "toolResult", "assistant", "toolResult", "assistant"]


def test_a_compaction_of_claude_code_is_one_here(store: Store, tmp_path: Path) -> None:
    lines = [
        cc("user", "u", None, "long talk"),
        {"type": "system", "subtype": "compact_boundary", "uuid": "c", "parentUuid": None,
         "logicalParentUuid": "u", "compactMetadata": {"trigger": "auto", "preTokens": 155000}},
        cc("user", "s", "c", "Summary of it", isCompactSummary=True),
        cc("assistant", "a", "s", text("going on")),
    ]  # fmt: skip
    one = only(bring(store, dump(tmp_path / "x.jsonl", lines)))
    tree = opened(store, one).tree
    types = [node.type for node in tree.path(tree.leaf)]
    assert types == ["message", "compaction", "message"] and one.roots == 1
    compaction = tree.entry(tree.nearest(tree.leaf, "compaction") or "")
    assert (compaction.text, compaction.data["tokensBefore"]) == ("Summary of it", 155000)


def gpt(parent: str | None, role: str | None, *parts: Any, **more: Any) -> dict[str, Any]:
    message = None
    if role is not None:
        content = more.pop("content", {"content_type": "text", "parts": list(parts)})
        message = {"author": {"role": role, "name": more.pop("name", None), "metadata": {}},
                   "create_time": 1_700_000_000.5, "content": content, "recipient": "all",
                   "metadata": {"model_slug": "gpt-x"}, **more}  # fmt: skip
    return {"parent": parent, "children": [], "message": message}


CHATGPT = {
    "title": "Trip", "create_time": 1_700_000_000.0, "conversation_id": "c0ffee",
    "current_node": "q2",
    "mapping": {
        "root": gpt(None, None),
        "sys": gpt("root", "system", ""),
        "q1": gpt("sys", "user", "where to?"),
        "a1": gpt("q1", "assistant", "Rome"),
        "a1b": gpt("q1", "assistant", "Oslo"),
        "call": gpt("a1b", "assistant", recipient="python",
                    content={"content_type": "code", "text": "1+1", "language": "python"}),
        "out": gpt("call", "tool", name="python",
                   content={"content_type": "execution_output", "text": "2"}),
        "th": gpt("out", "assistant", content={
            "content_type": "thoughts", "thoughts": [{"summary": "S", "content": "C"}]}),
        "q2": gpt(
            "th", "user", {"content_type": "image_asset_pointer", "asset_pointer": "file-1"}, "go"
        ),
    },
}  # fmt: skip


def test_chatgpt_comes_with_its_branches_and_current_node(store: Store, tmp_path: Path) -> None:
    source = tmp_path / "conversations.json"
    source.write_text(json.dumps([CHATGPT, {"mapping": 3}, 7]), "utf-8")
    report = bring(store, source)
    assert [one.state for one in report.sessions] == ["new", "refused", "refused"]
    one = report.sessions[0]
    assert one.key == "agent:main:chat:import-chatgpt-c0ffee" and one.title == "Trip"
    tree = opened(store, one).tree
    roles = [node.role for node in tree.path(tree.anchor(tree.leaf))]
    assert roles == ["user", "assistant", "assistant", "toolResult", "assistant", "user"]
    assert path_texts(tree)[-1] == "[image_asset_pointer: file-1]\ngo"
    texts = {tree.entry(name).text for name in tree.nodes}
    assert {"Rome", "Oslo"} <= texts
    first = tree.entry(tree.children(None)[0])
    assert first.message["timestamp"] == 1_700_000_000_500
    assert tree.name == "Trip" and any("images" in remark for remark in one.odd)


def test_a_chatgpt_mapping_in_a_circle_or_with_holes_is_told(store: Store, tmp_path: Path) -> None:
    mapping = {
        "a": gpt("b", "user", "a"),
        "b": gpt("a", "assistant", "b"),
        "c": gpt("gone", "user", "c"),
    }
    source = tmp_path / "conversations.json"
    source.write_text(json.dumps([{**CHATGPT, "mapping": mapping, "current_node": "c"}]), "utf-8")
    one = only(bring(store, source))
    assert one.roots == 2 and one.messages == 3
    assert any("parent that is not there" in remark for remark in one.odd)
    assert any("own ancestors" in remark for remark in one.odd)
    assert path_texts(opened(store, one).tree) == ["c"]


def claude(uuid: str, parent: str | None, sender: str, words: str, **more: Any) -> dict[str, Any]:
    made = {"uuid": uuid, "sender": sender, "text": words, "created_at": "2026-02-01T00:00:00Z",
            "content": text(words), **more}  # fmt: skip
    return made if parent is None else {**made, "parent_message_uuid": parent}


def test_claude_export_comes_with_branches_files_and_tools(store: Store, tmp_path: Path) -> None:
    zero = "00000000-0000-4000-8000-000000000000"
    used = [
        {"type": "text", "text": "let me look"},
        {"type": "tool_use", "name": "web", "input": {"q": 1}},
        {"type": "tool_result", "name": "web", "content": text("found")},
        {"type": "text", "text": "here"},
    ]
    attached = [{"file_name": "a.txt", "extracted_content": "inside"}]
    messages = [
        claude("m1", zero, "human", "hi", attachments=attached, files=[{"file_name": "b.png"}]),
        claude("m2", "m1", "assistant", "", content=used),
        claude("m3", "m1", "assistant", "other try"),
        claude("m4", "m2", "human", "thanks"),
    ]
    source = tmp_path / "export.json"
    talk = {"uuid": "f00d", "name": "Tools", "created_at": "2026-02-01T00:00:00Z",
            "chat_messages": messages}  # fmt: skip
    source.write_text(json.dumps({"conversations": [talk]}), "utf-8")
    one = only(bring(store, source))
    tree = opened(store, one).tree
    path = tree.path(tree.anchor(tree.leaf))
    assert [node.role for node in path] == ["user", "assistant", "toolResult", "assistant", "user"]
    call = tree.entry(path[1].id).message["content"][1]
    assert tree.entry(path[2].id).message["toolCallId"] == call["id"]
    assert tree.entry(path[0].id).text == "hi\n\n[a.txt]\ninside\n\n[file: b.png]"
    assert len(tree.children(path[0].id)) == 2 and any("1 files" in text for text in one.odd)


def test_claude_export_without_parents_is_a_chain(store: Store, tmp_path: Path) -> None:
    messages = [claude("1", None, "human", "a"), claude("2", None, "assistant", "b")]
    source = tmp_path / "c.json"
    source.write_text(json.dumps({"uuid": "x", "name": "", "chat_messages": messages}), "utf-8")
    one = only(bring(store, source))
    assert path_texts(opened(store, one).tree) == ["a", "b"] and one.roots == 1


def test_a_real_state_dir_comes_whole(store: Store, sample_state: Path) -> None:
    before = {path: path.read_bytes() for path in sample_state.rglob("*") if path.is_file()}
    report = bring(store, sample_state)
    assert {one.state for one in report.sessions} <= {"new", "changed", "empty"}
    taken = [one for one in report.sessions if one.state in ("new", "changed")]
    names = [path.name for path in before if ".jsonl" in path.name]
    assert len(report.sessions) == sum(".checkpoint." not in name for name in names)
    assert any("checkpoints" in remark for remark in report.odd)
    for one in taken:
        tree = opened(store, one).tree
        original = next(path for path in before if path.name == one.source.rpartition("/")[2])
        theirs = Transcript.open(original).tree
        assert path_texts(tree) == path_texts(theirs)
        assert set(theirs.nodes) < set(tree.nodes)
    assert any(one.title.startswith("agent:") for one in taken)
    assert {one.state for one in bring(store, sample_state).sessions} <= {"present", "empty"}
    assert {p: p.read_bytes() for p in sample_state.rglob("*") if p.is_file()} == before


def test_older_and_flat_files_come_as_v3(store: Store, tmp_path: Path) -> None:
    dump(tmp_path / "in/flat.jsonl", [{"role": "user", "content": "hi", "timestamp": 1}])
    dump(tmp_path / "in/v1.jsonl", [
        {"type": "session", "id": "old", "timestamp": "2025-01-01T00:00:00.000Z", "cwd": "/w"},
        {"type": "message", "timestamp": "", "message": {"role": "user", "content": "from v1"}},
    ])  # fmt: skip
    found = {one.format: one for one in bring(store, tmp_path / "in").sessions}
    assert path_texts(opened(store, found["flat"]).tree) == ["hi"]
    assert path_texts(opened(store, found["pi"]).tree) == ["from v1"]
    assert opened(store, found["pi"]).header["version"] == 3


def test_broken_chains_and_lines_of_a_transcript_are_told(store: Store, tmp_path: Path) -> None:
    source = dump(tmp_path / "x.jsonl", [
        {"type": "session", "version": 3, "id": "x", "timestamp": "2026-01-01T00:00:00.000Z"},
        {"type": "message", "id": "b", "parentId": "gone", "timestamp": "",
         "message": {"role": "user", "content": "lost"}},
    ])  # fmt: skip
    source.write_bytes(source.read_bytes() + b"{broken\n")
    one = only(bring(store, source))
    assert one.state == "new" and one.roots == 1
    assert any("unreadable" in remark for remark in one.odd)
    assert any("not in the file" in remark for remark in one.odd)


def test_a_dry_run_writes_nothing(store: Store, sample_state: Path) -> None:
    report = bring(store, sample_state, dry_run=True)
    assert report.dry_run and report.count("new") > 5
    assert not store.state_dir.exists()
    wet = bring(store, sample_state)
    assert [one.key for one in wet.sessions] == [one.key for one in report.sessions]


def test_imported_sessions_are_listed_indexed_and_the_operators(
    store: Store, tmp_path: Path
) -> None:
    one = only(bring(store, dump(tmp_path / "sess-1.jsonl", CLAUDE_CODE)))
    (record,) = store.list()
    assert (record.key, record.index_key, record.label) == (one.key, one.key, "Fix the login")
    assert record.origin == {"channel": "terminal", "accountId": "default"}
    assert record.session_id == one.session_id and record.path.stat().st_mode & 0o777 == 0o600
    transcript = store.open(record)
    transcript.append({"type": "message", "message": {"role": "user", "content": "go on"}})
    assert path_texts(transcript.tree)[-1] == "go on"


@pytest.mark.parametrize("what", ["nothing", "directory", "link", "self"])
def test_what_cannot_be_imported_is_said(store: Store, tmp_path: Path, what: str) -> None:
    if what == "self":
        with pytest.raises(StoreError, match="state dir"):
            bring(store, store.state_dir / "agents")
    elif what == "nothing":
        with pytest.raises(StoreError):
            bring(store, tmp_path / "nowhere")
    elif what == "directory":
        (tmp_path / "empty").mkdir()
        assert bring(store, tmp_path / "empty").sessions == ()
    else:
        (tmp_path / "in").mkdir()
        dump(tmp_path / "secret.jsonl", CLAUDE_CODE)
        (tmp_path / "in/x.jsonl").symlink_to(tmp_path / "secret.jsonl")
        report = bring(store, tmp_path / "in")
        assert report.sessions == () and "links" in report.odd[0]


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.jsonl", b""), ("b.jsonl", b"\n\n"), ("c.jsonl", b"\xff\xfe\n"), ("d.json", b"{}"),
     ("e.json", b"[" * 100_000), ("f.json", b'[{"mapping": {}}]'), ("g.jsonl", b'{"a":1}\n'),
     ("h.json", b'{"chat_messages": [1, null]}')],
)  # fmt: skip
def test_files_that_hold_nothing_are_refused_by_name(
    store: Store, tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    assert {one.state for one in bring(store, tmp_path / name).sessions} <= {"refused", "empty"}
    assert bring(store, tmp_path / name).sessions


def archive(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in members.items():
            made.writestr(name, data)
    return path


def test_an_archive_is_read_without_being_unpacked(store: Store, tmp_path: Path) -> None:
    (tmp_path / "zip").mkdir()
    members = {
        "conversations.json": json.dumps([CHATGPT]).encode(),
        "chat.html": b"<p>",
        "user.json": b"{}",
    }
    source = archive(tmp_path / "zip/export.zip", members)
    one = only(bring(store, source))
    assert one.state == "new" and one.source == "export.zip/conversations.json"
    assert [path.name for path in (tmp_path / "zip").iterdir()] == ["export.zip"]


@pytest.mark.parametrize(
    "name",
    ["../conversations.json", "a/../../x.jsonl", "/etc/x.jsonl", "..\\x.jsonl", "C:\\x.jsonl"],
)
def test_archives_that_name_paths_outside_are_refused(
    store: Store, tmp_path: Path, name: str
) -> None:
    source = archive(tmp_path / "bad.zip", {name: b"{}", "conversations.json": b"[]"})
    with pytest.raises(StoreError, match="outside itself"):
        bring(store, source)
    assert not store.state_dir.exists()


def test_archives_that_grow_beyond_measure_are_refused(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bomb = archive(tmp_path / "bomb.zip", {"conversations.json": b"[" + b" " * 30_000_000 + b"]"})
    with pytest.raises(StoreError, match="200 times"):
        bring(store, bomb)
    monkeypatch.setattr(sources, "MAX_TOTAL", 1000)
    large = archive(
        tmp_path / "large.zip", {"conversations.json": b" " * 600, "b.jsonl": b" " * 600}
    )
    with pytest.raises(StoreError, match="1,000 bytes"):
        bring(store, large)
    monkeypatch.setattr(sources, "MAX_FILES", 1)
    with pytest.raises(StoreError, match="more than 1 files"):
        bring(store, large)
    monkeypatch.setattr(sources, "MAX_FILE", 100)
    with pytest.raises(StoreError, match="100 bytes"):
        bring(store, large)


def test_archives_with_links_or_damage_are_refused(store: Store, tmp_path: Path) -> None:
    link = zipfile.ZipInfo("x.jsonl")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "link.zip", "w") as made:
        made.writestr(link, "/etc/passwd")
    with pytest.raises(StoreError, match="link"):
        bring(store, tmp_path / "link.zip")
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as made:
        made.writestr("conversations.json", json.dumps([CHATGPT]))
    data = held.getvalue().replace(b"Rome", b"Bonn")
    (tmp_path / "damaged.zip").write_bytes(data)
    assert only(bring(store, tmp_path / "damaged.zip")).state == "refused"


def test_hostile_names_and_texts_are_taken_in_as_they_are(store: Store, tmp_path: Path) -> None:
    lines = [{"type": "summary", "summary": HOSTILE["osc title"], "leafUuid": "u0"}]
    parent = None
    for number, words in enumerate(HOSTILE.values()):
        lines.append(cc("user", f"u{number}", parent, words))
        parent = f"u{number}"
    one = only(bring(store, dump(tmp_path / "x.jsonl", lines)))
    kept = path_texts(opened(store, one).tree)
    plain = [words for words in HOSTILE.values() if words.isascii()]
    assert one.messages == len(HOSTILE) and set(plain) <= set(kept)


LINKS = st.lists(
    st.tuples(st.integers(0, 12), st.one_of(st.none(), st.integers(0, 14)), st.booleans()),
    max_size=20,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(LINKS)
def test_any_links_become_a_sound_tree_that_holds_every_message(links: Any) -> None:
    body = {"type": "message", "message": {"role": "user", "content": "x"}}
    said = [
        Said(str(name), None if parent is None else str(parent), (body,) * full, 1)
        for name, parent, full in links
    ]
    made = settle(Conversation("chatgpt", "c", said=said))
    names = {name for name, _, _ in links}
    full = {name: full for name, _, full in reversed(links)}
    assert made.messages == sum(full[name] for name in names)
    tree = Tree.from_entries(made.lines)
    assert tree.problems == [] and len(tree.nodes) == len(made.lines)
    seen: set[str | None] = {None}
    for line in made.lines:
        assert line["parentId"] in seen
        seen.add(line["id"])
    assert settle(Conversation("chatgpt", "c", said=said)) == made


@pytest.fixture(autouse=True)
def no_files_left_open(recwarn: pytest.WarningsRecorder) -> Iterator[None]:
    yield
    assert not [one for one in recwarn if issubclass(one.category, ResourceWarning)]


def test_what_was_exported_can_be_imported(store: Store, tmp_path: Path) -> None:
    first = only(bring(store, dump(tmp_path / "sess-1.jsonl", CLAUDE_CODE)))
    copy = tmp_path / "copy.jsonl"
    original = store.open(first.key)
    pieces = export_session(original, "jsonl", leaf=None, branches=True)
    copy.write_bytes(b"".join(pieces))
    second = only(bring(store, copy))
    assert (second.state, second.format, second.title) == ("new", "pi", "Fix the login")
    tree = opened(store, second).tree
    assert path_texts(tree) == path_texts(original.tree)
    assert set(original.tree.nodes) < set(tree.nodes) and tree.problems == []


def test_a_title_given_by_hand_comes_before_others(store: Store, tmp_path: Path) -> None:
    lines = [*CLAUDE_CODE, {"type": "ai-title", "aiTitle": "Guess", "sessionId": "sess-1"},
             {"type": "custom-title", "customTitle": "Mine", "sessionId": "sess-1"}]  # fmt: skip
    assert only(bring(store, dump(tmp_path / "x.jsonl", lines))).title == "Mine"
