from __future__ import annotations

import json
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from engine.errors import EntryNotFound
from engine.sessions.interchange.export import export_session
from engine.sessions.interchange.html import DEEPEST
from engine.sessions.interchange.markdown import _quote, _tame
from engine.sessions.transcript import Transcript
from engine.text import safe_text
from tests.corpus import HOSTILE, raw_controls
from tests.engine.sessions.support import new_transcript, reply, user

VOID = {"meta"}
ALLOWED = {
    "html", "head", "meta", "title", "style", "body", "h1", "dl", "dt", "dd", "main", "details",
    "summary", "article", "header", "b", "span", "time", "code", "pre", "p", "i", "a",
}  # fmt: skip


class Page(HTMLParser):
    """Reads a page strictly: every element is closed by its own end tag."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.texts: dict[str, str] = {}
        self.deepest = 0
        self.shown: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        for name, value in attrs:
            assert name in {
                "class", "id", "lang", "charset", "content", "name", "open", "href", "http-equiv",
            }  # fmt: skip
            if name == "href":
                self.links.append(value or "")
            if name == "id":
                self.ids.append(value or "")
        if tag not in VOID:
            self.open.append(tag)
        self.deepest = max(self.deepest, len(self.open))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "pre":
            self.shown.append(data)


def text_of(transcript: Transcript, how: Any, **more: Any) -> str:
    given_ = {"leaf": None, "branches": True, "key": "agent:main:main", **more}
    return b"".join(export_session(transcript, how, **given_)).decode()


@pytest.fixture
def talk(tmp_path: Path) -> Transcript:
    transcript = new_transcript(tmp_path / "talk.jsonl")
    first = transcript.append(user("first", timestamp=1))
    transcript.append(reply("left answer"), parent=first.id)
    transcript.append(user("left goes on"))
    transcript.append(reply("right answer"), parent=first.id)
    transcript.append(user("right goes on"))
    transcript.set_label(first.id, "the turn")
    return transcript


def test_html_shows_every_branch_once_and_opens_the_path(talk: Transcript) -> None:
    text = text_of(talk, "html")
    page = Page(text)
    assert sorted(page.shown) == sorted(
        ["first", "left answer", "left goes on", "right answer", "right goes on"]
    )
    assert set(page.tags) <= ALLOWED and page.tags["script"] == 0
    assert text.count('<details class="branch current" open>') == 1
    current = text.index("branch current")
    assert current < text.index("left answer</pre>") < text.index("right answer</pre>")
    assert '<span class="label">the turn</span>' in text


def test_html_of_a_path_leaves_the_rest_out(talk: Transcript) -> None:
    page = Page(text_of(talk, "html", branches=False))
    assert page.shown == ["first", "right answer", "right goes on"]


@pytest.mark.parametrize("how", ["md", "html"])
def test_hostile_text_does_no_harm(tmp_path: Path, how: Any) -> None:
    transcript = new_transcript(tmp_path / "bad.jsonl")
    for text in HOSTILE.values():
        entry = transcript.append(user(text, origin={"sender": {"name": text[:500]}}))
        transcript.append({**reply(text), "origin": {"sender": {"name": text}}})
        transcript.append({"type": "compaction", "summary": text, "tokensBefore": 1})
        transcript.append({"type": text[:200] or "x", "odd": text[:2000]})
        transcript.set_label(entry.id, text[:500])
    transcript.set_name(HOSTILE["osc title"])
    made = text_of(transcript, how)
    assert raw_controls(made) == set()
    if how == "html":
        page = Page(made)
        assert set(page.tags) <= ALLOWED and page.links == []
    else:
        check_markdown(made)


ATTACKS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</pre></article></details><h1>x</h1>",
    "]]><!-- <![CDATA[",
    "&lt;script&gt; &#106;avascript:",
    "</title><style>*{display:none}</style>",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_markup_in_any_place_is_text(tmp_path: Path, attack: str) -> None:
    transcript = new_transcript(tmp_path / "bad.jsonl")
    entry = transcript.append({**user(attack), "origin": {"sender": {"name": attack}}})
    content = [
        {"type": "thinking", "thinking": attack},
        {"type": "toolCall", "id": "c", "name": attack, "arguments": {attack: attack}},
        {"type": "image", "mimeType": attack, "data": ""},
    ]
    message = {"role": "assistant", "content": content, "model": attack, "stopReason": "error",
               "errorMessage": attack}  # fmt: skip
    transcript.append({"type": "message", "message": message})
    transcript.append({"type": "model_change", "provider": attack, "modelId": attack})
    transcript.set_label(entry.id, attack)
    transcript.set_name(attack)
    for key in (attack, "k"):
        page = Page(text_of(transcript, "html", key=key))
        assert set(page.tags) <= ALLOWED
        assert page.tags["h1"] == page.tags["style"] == 1 and page.tags["article"] == 3
        check_markdown(text_of(transcript, "md", key=key))


def tokens_of(text: str) -> list[Token]:
    found = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(text)
    return [*found, *(child for token in found for child in token.children or ())]


def check_markdown(text: str) -> list[Token]:
    tokens = tokens_of(text)
    kinds = {token.type for token in tokens}
    assert not kinds & {"html_block", "html_inline", "image"}
    for token in tokens:
        if token.type == "link_open":
            assert str(token.attrs["href"]).startswith(("https://", "http://"))
        if token.type == "heading_open" and token.level == 0:
            assert token.tag in ("h1", "h2", "h3")
    return tokens


PARTS = st.sampled_from(
    [
        "<script>x</script>", "<!--", "<a href='javascript:x'>", "<javascript:x>", "`", "``", "```",
        "~~~", "\n", "\n\n", " ", "    ", "\t", "- ", "1. ", "> ", "# h", "\\", "[x]", "(", ")",
        "](javascript:alert(1))", "![y](http://evil/p.png)", "[z]: javascript:x\n", "[x][z]", "]",
        "[ok](https://example.org/a)", "](", "&#60;", "&#106;", "*", "_", "|", "---\n", "===\n",
        "a", "[z\n]: data:x", "<div\n", "</", "\r", "\u2028",
    ]
)  # fmt: skip


@settings(deadline=None, max_examples=400)
@given(st.lists(PARTS, max_size=14).map("".join))
def test_no_text_is_active_in_markdown_or_ends_its_quotation(text: str) -> None:
    quoted = _quote("\n".join(_tame(safe_text(text))))
    tokens = check_markdown(f"### head\n\n{quoted}### after\n")
    outline = [token.type for token in tokens if token.level == 0 and token.type != "inline"]
    heading, quotation = ["heading_open", "heading_close"], ["blockquote_open", "blockquote_close"]
    assert [kind for kind in outline if kind in heading + quotation] == [
        *heading,
        *quotation,
        *heading,
    ]


def test_markdown_keeps_code_and_web_links(tmp_path: Path) -> None:
    text = "see [docs](https://example.org/x)\n```c\nif (a < b) #include <stdio.h>\n```\na < b"
    transcript = new_transcript(tmp_path / "a.jsonl", text)
    made = text_of(transcript, "md")
    for line in text.split("\n"):
        assert f"> {line}\n" in made


def test_markdown_has_the_path_first_and_the_branches_when_asked(talk: Transcript) -> None:
    path = text_of(talk, "md", branches=False)
    assert "left" not in path.replace("left out", "") and "1 more branch is" not in path[:50]
    assert "1 more branch is left out" in path
    everything = text_of(talk, "md")
    assert everything.index("right goes on") < everything.index("left answer")
    assert everything.count("left goes on") == 1


def test_jsonl_of_everything_is_the_file(talk: Transcript) -> None:
    assert text_of(talk, "jsonl").encode() == talk.path.read_bytes()


def test_jsonl_of_a_path_is_a_transcript_of_its_own(talk: Transcript, tmp_path: Path) -> None:
    left = next(
        node.id
        for node in talk.tree.nodes.values()
        if talk.tree.entry(node.id).text == "left goes on"
    )
    made = text_of(talk, "jsonl", leaf=left, branches=False)
    copy = tmp_path / "copy.jsonl"
    copy.write_text(made, "utf-8")
    tree = Transcript.open(copy).tree
    assert [tree.entry(node.id).text for node in tree.path(tree.anchor(tree.leaf))] == [
        "first", "left answer", "left goes on",
    ]  # fmt: skip
    assert "the turn" in tree.labels.values() and tree.problems == []
    original = talk.path.read_bytes().splitlines()
    lines = made.encode().splitlines()
    assert sum(line in original for line in lines) >= 4


def test_jsonl_with_another_leaf_goes_on_there(talk: Transcript, tmp_path: Path) -> None:
    target = talk.tree.children(None)[0]
    copy = tmp_path / "copy.jsonl"
    copy.write_text(text_of(talk, "jsonl", leaf=target), "utf-8")
    assert Transcript.open(copy).tree.leaf == target


def test_older_forms_are_exported_as_v3(tmp_path: Path) -> None:
    path = tmp_path / "flat.jsonl"
    path.write_text('{"role":"user","content":"hi","timestamp":1}\n{"role":"assistant",'
                    '"content":"there","timestamp":2}\n', "utf-8")  # fmt: skip
    lines = [json.loads(line) for line in text_of(Transcript.open(path), "jsonl").splitlines()]
    assert [line["type"] for line in lines] == ["session", "message", "message"]
    assert lines[0]["version"] == 3 and lines[2]["parentId"] == lines[1]["id"]


@pytest.mark.parametrize("size", [DEEPEST - 2, DEEPEST + 50, 1000])
def test_forks_within_forks_stay_drawable_and_complete(tmp_path: Path, size: int) -> None:
    transcript = new_transcript(tmp_path / "deep.jsonl")
    root = transcript.append(user("root")).id
    parent = root
    lines = []
    for depth in range(size):
        lines.append({**user(f"side {depth}"), "id": f"s{depth}", "parentId": parent})
        lines.append({**user(f"other {depth}"), "id": f"o{depth}", "parentId": parent})
        parent = f"s{depth}"
    with transcript.path.open("ab") as file:
        file.write(b"".join(json.dumps({**x, "timestamp": ""}).encode() + b"\n" for x in lines))
    transcript.refresh()
    transcript.append(user("end"), parent=root)
    page = Page(text_of(transcript, "html"))
    assert len(page.shown) == 2 * size + 2
    assert page.deepest < DEEPEST + 12
    assert {link[1:] for link in page.links} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))


@pytest.mark.parametrize("how", ["md", "html", "jsonl"])
def test_a_leaf_that_is_not_there_is_refused(talk: Transcript, how: Any) -> None:
    with pytest.raises(EntryNotFound):
        export_session(talk, how, leaf="nope", branches=True)


@pytest.mark.parametrize("how", ["md", "html", "jsonl"])
def test_every_file_of_a_real_state_dir_can_be_exported(sample_state: Path, how: Any) -> None:
    for path in (sample_state / "agents/main/sessions").iterdir():
        if ".jsonl" in path.name and not path.name.endswith(".lock"):
            made = text_of(Transcript.open(path), how)
            if how == "html":
                Page(made)
            elif how == "jsonl":
                assert made.encode() == path.read_bytes()
