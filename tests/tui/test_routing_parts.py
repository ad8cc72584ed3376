"""What the routing screen is made of, without a screen."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from engine.config.edit import move_item, remove_value, set_value
from engine.config.load import load_text
from engine.config.revisions import Revision
from engine.config.schema import Match, PeerMatch
from engine.engine import Engine
from engine.errors import EditRefused, Problem
from engine.routing.bindings import TIERS
from engine.routing.envelope import Envelope, Peer, Sender
from engine.routing.usage import Tally
from tests.tui.made import NOW
from tui.behind.bindingrows import example_of, match_words, study
from tui.config.draft import Draft
from tui.look.glyphs import ASCII, UNICODE
from tui.widgets.dialogs.bindingform import form_fields, form_value
from tui.widgets.difflines import diff_content
from tui.widgets.external import _at_line
from tui.widgets.routing.bindinglist import BindingLines, head_line, tier_words
from tui.widgets.routing.configpane import ConfigState, config_content, reading_words
from tui.widgets.routing.tryout import envelope_from, fields_of, outcome_rows, try_out
from tui.widgets.rows import RowView

TEXT = """\
{
  session: { dmScope: "main" }, // shared
  bindings: [
    { agentId: "a", match: { channel: "x" } }, // first
    { agentId: "b", match: { channel: "y" } }, // second
    { agentId: "c", match: { channel: "z" } }, // third
  ],
}
"""
FIRST_DOWN = partial(move_item, path=("bindings",), source=0, target=1)
LAST_OUT = partial(remove_value, path=("bindings", 2))


def agents(text: str) -> list[str]:
    config = load_text(text, {}).config
    assert config is not None
    return [binding.agent_id for binding in config.bindings]


# drafts


def test_a_draft_grows_step_by_step_and_goes_back_the_same_way() -> None:
    draft = Draft.of(TEXT)
    assert not draft.changes and draft.edit().diff == ""
    one = draft.with_step(FIRST_DOWN)
    two = one.with_step(LAST_OUT).with_scope("per-peer")
    assert agents(two.text) == ["b", "a"] and '"per-peer" }, // shared' in two.text
    assert two.edit().reason == (
        "move bindings[0] to [1], remove bindings[2], set session.dmScope to per-peer"
    )
    back = two.without_last()
    assert back.scope is None and agents(back.text) == ["b", "a"]
    assert back.without_last() == one and one.without_last() == draft
    assert draft.without_last() == draft


def test_a_draft_is_made_again_in_another_text_as_far_as_that_can_be() -> None:
    draft = Draft.of(TEXT).with_step(LAST_OUT).with_step(FIRST_DOWN).with_scope("per-peer")
    other = "// new\n" + TEXT
    moved, lost = draft.on(other)
    assert lost == 0 and moved.text.startswith("// new\n") and agents(moved.text) == ["b", "a"]
    short = '{ bindings: [{ agentId: "a", match: { channel: "x" } }] }\n'
    kept, lost = draft.on(short)
    assert lost == 2 and kept.steps == () and "per-peer" in kept.text
    assert draft.on(TEXT) == (draft, 0)
    assert draft.on("{ broken")[1] == 3
    with pytest.raises(EditRefused):
        Draft.of(short).with_step(LAST_OUT)


# rows


def test_what_a_binding_asks_for_is_said_in_words() -> None:
    assert match_words(Match(channel="telegram")) == "telegram"
    peer = PeerMatch(kind="direct", id="*")
    assert match_words(Match(channel="t", account_id="*", peer=peer)) == (
        "t · any account · dm · anybody"
    )
    match = Match(channel="d", account_id="work", guild_id=742, roles=("a", "b"))
    assert match_words(match) == "d · account work · guild 742 · roles a | b"
    telegram = Match(channel="telegram", peer=PeerMatch(kind="dm", id="111"))
    assert match_words(telegram, "Anna") == "telegram · dm · Anna (111)"
    assert match_words(telegram, "\x1b[1m") == "telegram · dm · ␛[1m (111)"
    assert match_words(Match(channel="", team_id="\x1b[1m")) == "no channel · team ␛[1m"
    example = example_of(match)
    assert (example.account_id, example.guild_id, example.member_role_ids) == (
        "work",
        "742",
        ("a",),
    )


@pytest.fixture
async def engine(tmp_path: Path) -> Any:
    (tmp_path / "branchline.json5").write_text(
        """{
        agents: { list: [{ id: "main" }, { id: "ops" }], "tg": { channels: ["telegram"] } },
        bindings: [
          { agentId: "ops", match: { channel: "irc" } },
          { agentId: "ghost", match: { channel: "irc", peer: { kind: "dm", id: "a" } } },
          { agentId: "ops", match: { channel: "irc" } },
        ],
        routing: { "slack:T1*:*": "ops" },
        session: { dmScope: "main" },
        channels: { telegram: { dmPolicy: "pairing" } },
        }"""
    )
    async with Engine.open(tmp_path, environ={}) as engine:
        yield engine


async def test_rules_stand_by_tier_and_what_is_amiss_stands_with_its_rule(engine: Engine) -> None:
    tally = Tally()
    for when, name in enumerate("aab", 1):
        tally.add(Envelope("irc", peer=Peer("dm", name), sender=Sender(name)), NOW - when * 1000)
    found = study(engine.setup, tally.seen())
    assert [(row.key, row.index, row.place, row.use.messages) for row in found.rows] == [
        ("bindings[1]", 1, "bindings[1]", 2),
        ("bindings[0]", 0, "bindings[0]", 1),
        ("bindings[2]", 2, "bindings[2]", 0),
        ("bindings[3]", None, "agents.tg", 0),
        ('routing["slack:T1*:*"]', None, 'routing["slack:T1*:*"]', 0),
        ("default", None, "agents", 0),
    ]
    ghost = found.rows[0]
    assert ghost.agent == "ghost → main" and 'no agent "ghost"' in ghost.problems[0].message
    twin = found.rows[2]
    assert "asks for exactly the same" in twin.problems[0].message
    assert engine.route(twin.example).rule == "bindings[0]"
    rows = BindingLines(found.rows, RowView(), now=NOW, counted=True, glyphs=UNICODE)
    drawn = ["".join(text for text, _ in rows.lines(at, 80)[0]) for at in range(len(rows))]
    assert all(cell_len(line) == 80 for line in drawn)
    assert drawn[0].split() == [
        "[1]", "1", "peer", "irc", "·", "dm", "·", "a", "ghost", "→", "main", "2", "1s", "▲",
    ]  # fmt: skip
    assert (
        len(BindingLines(found.rows, RowView(query="ghost"), now=0, counted=True, glyphs=ASCII))
        == 1
    )


@given(st.integers(12, 200))
def test_rows_and_their_head_have_the_width_that_they_are_given(width: int) -> None:
    assert cell_len(head_line(width).rstrip()) <= max(width, 40)
    assert [tier_words(tier)[0] for tier in TIERS] == [*"123456789"]


# a message tried


@given(
    st.builds(
        Envelope,
        channel=st.sampled_from(["tg", "irc"]),
        account_id=st.sampled_from(["default", "work"]),
        peer=st.builds(Peer, st.sampled_from(["dm", "group", "channel"]), st.sampled_from("abc")),
        thread_id=st.sampled_from([None, "7"]),
        guild_id=st.sampled_from([None, "g"]),
        team_id=st.sampled_from([None, "t"]),
        member_role_ids=st.sampled_from([(), ("x",), ("x", "y")]),
        sender=st.builds(Sender, st.sampled_from("abc")),
    )
)
def test_a_form_that_is_filled_with_a_message_describes_it(envelope: Envelope) -> None:
    fields, kind = fields_of(envelope)
    assert envelope_from(fields, kind) == envelope


async def test_what_would_become_of_a_message_is_told_whole(engine: Engine) -> None:
    envelope = envelope_from({"channel": "telegram", "peer": "bob"}, "dm")
    assert envelope is not None and envelope_from({"channel": " "}, "dm") is None
    outcome = try_out(engine.setup, envelope)
    assert outcome.route == engine.route(envelope)
    told = "\n".join(text for _, text, _ in outcome_rows(outcome, UNICODE, session=None))
    assert "agent    tg" in told and "agent:tg:main  (would be made)" in told
    assert "is asked to pair first" in told and "channels.telegram.dmPolicy" in told
    assert "model    offline/echo  (offline)" in told
    told = "\n".join(text for _, text, _ in outcome_rows(outcome, ASCII, session="a/b"))
    assert "(exists)" in told and "this session used a/b" in told


# forms


def test_a_form_changes_what_was_touched_and_keeps_the_rest() -> None:
    value = {
        "agentId": "a",
        "type": "route",
        "match": {
            "channel": "d",
            "guildId": 742,
            "peer": {"kind": "direct", "id": 7, "x": 1},
            "roles": ["r", 5],
            "odd": True,
        },
    }
    fields = form_fields(value)
    assert form_value(value, fields) == value
    assert form_value(value, fields | {"agent": "b"}) == value | {"agentId": "b"}
    match = form_value(value, fields | {"guild": "", "peer": "8", "roles": "r, s"})["match"]
    assert match == {
        "channel": "d",
        "peer": {"kind": "direct", "id": "8", "x": 1},
        "roles": ["r", "s"],
        "odd": True,
    }
    bare = form_value(value, fields | {"kind": "any", "roles": ""})["match"]
    assert "peer" not in bare and "roles" not in bare
    fresh = form_value({}, {"agent": "a", "channel": "x", "kind": "group", "peer": "g"})
    assert fresh == {
        "agentId": "a",
        "match": {"channel": "x", "peer": {"kind": "group", "id": "g"}},
    }
    assert form_fields({"match": "no object", "agentId": []})["channel"] == ""


# words


def test_the_config_pane_says_how_the_file_stands_to_what_is_in_force() -> None:
    def told(**state: Any) -> str:
        return config_content(ConfigState(revision=3, **state), UNICODE).plain

    assert "● live r3   watching" in told(watching=True) and "nothing to write" in told()
    assert "▲ in memory only r3" in told(unsaved=True)
    problem = Problem("odd \x1b[1m", line=4, column=2)
    assert "✖ file broken, in force r3" in told(broken=(problem,))
    assert "line 4, column 2: odd ␛[1m" in told(broken=(problem,))
    kept = [Revision(n, 0, f"reason {n}", "p", f"text {n}") for n in range(9, 0, -1)]
    listed = told(kept=kept, text="text 8")
    assert "●    8" in listed and "and 3 more" in listed and "reason 3" not in listed
    assert reading_words(None) == "no edit from elsewhere yet"


def test_a_diff_is_drawn_line_by_line_and_harmlessly() -> None:
    assert diff_content("").plain == "nothing changes"
    drawn = diff_content("@@ -1 +1 @@\n-a\x1b[2J\n+" + "b" * 900 + "\n", most=3).plain.split("\n")
    assert drawn[1] == "-a␛[2J" and len(drawn[2]) == 400
    assert diff_content("+a\n+b\n+c\n", most=1).plain == "+a\n… 2 more lines"


def test_editors_are_told_the_line_in_their_own_way() -> None:
    path = Path("/x/c.json5")
    assert _at_line("/usr/bin/nvim", path, 7) == ["+7", "/x/c.json5"]
    assert _at_line("hx", path, 7) == ["/x/c.json5:7"]
    assert _at_line("code", path, 7) == ["--goto", "/x/c.json5:7"]
    assert _at_line("ed", path, 7) == ["/x/c.json5"]


def test_a_set_value_changes_that_value_alone() -> None:
    edit = set_value(TEXT, ("session", "dmScope"), "per-peer")
    assert edit.text == TEXT.replace('"main"', '"per-peer"')
