from __future__ import annotations

from engine.engine import SessionInfo
from engine.routing.identity import IdentityLinks
from engine.sessions.tree import Tree
from tests.tui import trees
from tests.tui.made import info
from tui.commands.landmarks import MOST_TIPS, landmarks
from tui.people.people import people_of


def test_named_places_come_first_and_every_tip_is_there() -> None:
    marks = {"branches": {"weather": "w"}, "bookmarks": ["m3"], "hidden": {}}
    line = {"type": "custom", "id": "marks", "parentId": "y", "customType": "branchline.marks"}
    line["timestamp"] = "2026-01-31T10:00:00.000Z"
    tree = Tree.from_entries([*trees.orders(), {**line, "data": marks}])
    found = [(one.sort, one.entry_id, one.name) for one in landmarks(tree, "mia")]
    assert found[:3] == [("branch", "w2", "weather"), ("label", "q", "csv"), ("bookmark", "m3", "")]
    assert {("tip", "y", ""), ("tip", "w2", ""), ("compaction", "c1", "")} == set(found[3:])


def test_of_many_tips_the_newest_are_listed() -> None:
    root = trees.said("root", None, "user", "hello")
    forks = [trees.said(f"f{n}", "root", "assistant", f"answer {n}") for n in range(MOST_TIPS * 2)]
    found = landmarks(Tree.from_entries([root, *forks]), "mia")
    assert [one.entry_id for one in found] == [
        f"f{n}" for n in range(MOST_TIPS * 2 - 1, MOST_TIPS - 1, -1)
    ]


def of(key: str, channel: str, name: str, at: int) -> SessionInfo:
    return info(key, name, channel=channel, last_active=at)


def test_links_make_one_person_of_several_and_groups_are_nobody() -> None:
    infos = [
        of("agent:main:telegram:dm:1", "telegram", "Alice", 3),
        of("agent:main:discord:dm:2", "discord", "alice_", 5),
        of("agent:main:telegram:dm:9", "telegram", "Bob", 4),
        of("agent:main:telegram:group:7", "telegram", "Room", 9),
    ]
    links = IdentityLinks({"alice": ["telegram:1", "discord:2"]})
    people = people_of(infos, links)
    assert [(one.name, len(one.infos)) for one in people] == [("alice_", 2), ("Bob", 1)]
    assert [one.name for one in people_of(infos, IdentityLinks())] == ["alice_", "Bob", "Alice"]
    assert people[0].where == "Discord DM, Telegram DM"
