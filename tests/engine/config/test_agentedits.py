from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.config.agentedits import (
    add_agent,
    agent_entries,
    default_agent,
    make_default,
    naming,
    remove_agent,
    rename_agent,
)
from engine.config.document import read_document
from engine.config.load import load_text
from engine.errors import EditRefused
from engine.routing.router import Router
from tests.engine.config.test_edit import comments, loaded

CONFIG = """\
{
  agents: {
    list: [
      { id: "main" }, // first
      // for work
      { id: "Ops", name: "Operations" },
    ],
  },
  bindings: [
    { agentId: "ops", match: { channel: "slack" } }, // work
    { agentId: "main", match: { channel: "irc" } },
    { agentId: "ops", match: { channel: "teams" } },
  ],
  routing: { "slack:*": "ops" }, // patterns
}
"""
OPS = ("agents", "list", 1)


def default_in_force(text: str) -> str:
    return Router(load_text(text, {}).require()).agents.default


def test_the_agents_are_those_of_the_list_and_those_by_name() -> None:
    text = '{ agents: { sales: {channels: ["irc"]}, list: [{id: "b"}], defaults: {} } }'
    found = agent_entries(read_document(text).value)
    assert [(one.id, one.path) for one in found] == [
        ("b", ("agents", "list", 0)),
        ("sales", ("agents", "sales")),
    ]
    assert agent_entries({}) == () and default_agent({}) == "main"


def test_one_more_agent_leaves_the_default_as_it_is() -> None:
    edit = add_agent(CONFIG, {"id": "sales", "model": "a/b"})
    assert default_in_force(edit.text) == "main"
    added = '      { id: "sales", model: "a/b" },\n    ],'
    assert edit.text == CONFIG.replace("    ],\n  },\n  bind", f"{added}\n  }},\n  bind")


def test_the_first_agent_in_the_file_does_not_take_main_away() -> None:
    for text in ("{}", "{ agents: {} } // x", "{ agents: { list: [] } }"):
        edit = add_agent(text, {"id": "sales"})
        assert default_in_force(edit.text) == "main"
        config = load_text(edit.text, {}).require()
        assert [one.id for one in config.agents.list] == ["main", "sales"]
    alone = load_text(add_agent("{}", {"id": "main"}).text, {}).require()
    assert [one.id for one in alone.agents.list] == ["main"]


def test_an_agent_beside_those_by_name_comes_behind_them() -> None:
    text = '{ agents: { sales: { channels: ["irc"] } } }'
    edit = add_agent(text, {"id": "ops", "name": "Operations"})
    assert default_in_force(edit.text) == "sales"
    assert loaded(edit.text)["agents"]["ops"] == {"name": "Operations"}


def test_two_agents_of_one_id_are_refused() -> None:
    with pytest.raises(EditRefused, match="an agent ops already"):
        add_agent(CONFIG, {"id": "OPS"})
    with pytest.raises(EditRefused, match="an agent main already"):
        rename_agent(CONFIG, OPS, "main")


def test_there_is_one_default_agent() -> None:
    edit = make_default(CONFIG, OPS)
    assert default_in_force(edit.text) == "ops"
    back = make_default(edit.text, ("agents", "list", 0))
    assert default_in_force(back.text) == "main"
    said = [one.default for one in agent_entries(loaded(back.text))]
    assert said == [True, False] and "default: false" not in back.text
    assert comments(back.text) == comments(CONFIG)


def test_an_agent_goes_with_the_rules_that_name_it_or_without() -> None:
    value = read_document(CONFIG).value
    rules = (("bindings", 0), ("bindings", 2), ("routing", "slack:*"))
    assert naming(value, "ops") == rules
    alone = loaded(remove_agent(CONFIG, OPS, with_rules=False).text)
    assert len(alone["bindings"]) == 3 and len(alone["agents"]["list"]) == 1
    edit = remove_agent(CONFIG, OPS, with_rules=True)
    assert [one["agentId"] for one in loaded(edit.text)["bindings"]] == ["main"]
    assert loaded(edit.text)["routing"] == {}
    assert comments(edit.text) == comments(CONFIG)
    assert load_text(edit.text, {}).problems == ()
    with pytest.raises(EditRefused, match=r"agents.list\[7\]: there is no such agent in the file"):
        remove_agent(CONFIG, ("agents", "list", 7), with_rules=True)


def test_another_id_is_followed_by_what_names_it() -> None:
    edit = rename_agent(CONFIG, OPS, "work")
    wanted = CONFIG.replace('"ops"', '"work"').replace('"Ops"', '"work"')
    assert edit.text == wanted
    by_name = '{ agents: { sales: { channels: ["irc"] } }, routing: { "x": "sales" } }'
    edit = rename_agent(by_name, ("agents", "sales"), "shop")
    assert edit.text == by_name.replace("sales", "shop")


IDS = st.sampled_from(["main", "ops", "sales", "a-1", "Big"])


@settings(max_examples=100, deadline=None)
@given(st.lists(IDS, max_size=4, unique=True), st.lists(IDS, max_size=4), st.booleans(), st.data())
def test_agents_come_and_go_as_meant_whatever_the_file_has(
    listed: list[str], named: list[str], by_name: bool, data: st.DataObject
) -> None:
    entries = [f"'{one}': {{}}" if by_name else f"{{id: '{one}'}} /* {one} */" for one in listed]
    agents = ", ".join(entries) if by_name else f"list: [{', '.join(entries)}]"
    rules = ", ".join(f'{{agentId: "{one}", match: {{channel: "x"}}}} // r\n' for one in named)
    text = f"// top\n{{ agents: {{ {agents} }}, bindings: [{rules}] }}"
    config = load_text(text, {}).require()
    before: dict[str, Any] = {one.id.lower(): one for one in config.agents.list}
    if before and data.draw(st.booleans()):
        one = data.draw(st.sampled_from(agent_entries(read_document(text).value)))
        edit = remove_agent(text, one.path, with_rules=True)
        after = load_text(edit.text, {}).require()
        assert {each.id.lower() for each in after.agents.list} == before.keys() - {one.id}
        assert not any(each.agent_id.lower() == one.id for each in after.bindings)
        assert edit.text.startswith("// top")
    else:
        default = default_in_force(text)
        edit = add_agent(text, {"id": "fresh"})
        assert default_in_force(edit.text) == default
        assert comments(edit.text) == comments(text)
