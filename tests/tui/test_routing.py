from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from engine.engine import Engine
from engine.errors import StoreError
from engine.routing.envelope import Envelope, Peer, Sender
from tests.corpus import HOSTILE, raw_controls
from tests.engine.reload_support import overwrite, put
from tests.tui.driving import SMALL, TINY, WIDE, folded, running, until
from tests.tui.driving import shows as shows_panes
from tests.tui.shown import lines, text
from tui.app import BranchlineApp
from tui.screens.routing import RoutingScreen
from tui.widgets.dialogs.ask import Ask
from tui.widgets.dialogs.bindingform import BindingForm
from tui.widgets.dialogs.revisions import Revisions
from tui.widgets.dialogs.write import WriteDialog

CONFIG = """\
// our house
{
  agents: { list: [{ id: "main", default: true }, { id: "ops" }, { id: "mia" }] },
  session: {
    dmScope: "per-channel-peer", // apart
    identityLinks: { alice: ["telegram:alice", "whatsapp:555"] },
  },
  bindings: [
    // the chief
    { agentId: "ops", match: { channel: "telegram", peer: { kind: "dm", id: "vip" } } },
    { agentId: "mia", match: { channel: "telegram", peer: { kind: "dm", id: "alice" } } }, // she
    { agentId: "ops", match: { channel: "discord", guildId: 742, roles: ["staff"] } },
    { agentId: "mia", match: { channel: "telegram" } },
    { agentId: "mia", match: { channel: "telegram", accountId: "default" } },
  ],
}
"""
PEOPLE = (("telegram", "alice"), ("telegram", "alice"), ("whatsapp", "555"), ("telegram", "bob"))


def dm(channel: str, name: str, words: str = "hello") -> Envelope:
    return Envelope(channel, words, peer=Peer("dm", name), sender=Sender(name, name.title()))


async def fill(state: Path, config: str = CONFIG, people: Any = PEOPLE) -> None:
    (state / "branchline.json5").write_text(config)
    async with Engine.open(state, environ={}, paced=False) as engine:
        for channel, name in people:
            await (await engine.submit(dm(channel, name))).result()


@asynccontextmanager
async def routing(
    state: Path, size: tuple[int, int] = WIDE, config: str = CONFIG, people: Any = PEOPLE
) -> AsyncIterator[tuple[BranchlineApp, Pilot[None], RoutingScreen]]:
    """The routing screen, its hits counted."""
    await fill(state, config, people)
    async with running(state, size) as (app, pilot):
        await pilot.press("f5")
        await until(pilot, lambda: isinstance(app.screen, RoutingScreen), "the screen")
        screen = app.screen
        assert isinstance(screen, RoutingScreen)
        await until(pilot, lambda: app.engine.uses.ready and bool(screen.study.rows), "the rows")
        await settled(pilot, screen)
        app.clear_notifications()
        yield app, pilot, screen


async def settled(pilot: Pilot[None], screen: RoutingScreen) -> None:
    """Until all that was begun is done and drawn."""
    for _ in range(2):
        await pilot.pause()
        await until(pilot, lambda: screen.at_rest, "at rest")


def table(pilot: Pilot[None], screen: RoutingScreen) -> list[str]:
    """The rows of the bindings."""
    x, y, width, height = screen.table.content_region
    rows = [row[x : x + width] for row in lines(pilot.app)[y : y + height]]
    return [" ".join(row.split()) for row in rows if row.strip()]


async def shows(pilot: Pilot[None], *told: str) -> None:
    await until(pilot, lambda: all(each in flat(pilot) for each in told), f"showing {told}")


def flat(pilot: Pilot[None]) -> str:
    """The screen, then each pane of it, white space folded."""
    rows = lines(pilot.app)
    found = [" ".join(rows)]
    for pane in pilot.app.screen.query("TryPane, ScopePane, ConfigPane, #lint, Notices, Static"):
        x, y, width, height = pane.region
        found += [row[max(0, x) : x + width].strip("│┃▌ ") for row in rows[max(0, y) : y + height]]
    return " ".join(" ".join(found).split())


def file_of(app: BranchlineApp) -> Path:
    assert app.engine.config_path is not None
    return app.engine.config_path


# bindings


async def test_bindings_stand_by_tier_with_hits_and_what_lint_says(tmp_path: Path) -> None:
    async with routing(tmp_path) as (app, pilot, screen):
        rows = table(pilot, screen)
        assert [" ".join(row.removeprefix("▌").split()[:4]) for row in rows] == [
            "[0] 1 peer telegram",
            "[1] 1 peer telegram",
            "[2] 4 gld+roles discord",
            "[3] 7 account telegram",
            "[4] 7 account telegram",
            "· 9 default all",
        ]
        hits = [0, 2, 0, 1, 0, 1]  # counted from what is recorded, when there is time for it
        await until(
            pilot, lambda: [row.use.messages for row in screen.study.rows] == hits, "the hits"
        )
        await settled(pilot, screen)
        rows = table(pilot, screen)
        assert "mia 2" in rows[1] and rows[1].split()[-1].endswith(("s", "now"))
        assert "mia 0 - ▲" in rows[4]
        await pilot.press("j", "j", "j", "j")
        await shows(pilot, "▲ never decides: bindings[3] asks for exactly the same")
        await (await app.engine.submit(dm("telegram", "alice"))).result()
        await until(pilot, lambda: "mia 3" in table(pilot, screen)[1], "one hit more")


async def test_a_binding_is_moved_as_a_draft_and_written_with_its_comments(
    tmp_path: Path,
) -> None:
    async with routing(tmp_path) as (app, pilot, screen):
        await pilot.press("j", "K")
        await until(pilot, lambda: "1 change not applied" in text(app), "a draft")
        assert screen.table.current == "bindings[0]"
        assert "alice" in table(pilot, screen)[0] and file_of(app).read_text() == CONFIG
        assert app.engine.config.bindings[0].agent_id == "ops"
        await shows(pilot, "WHAT w WOULD WRITE")
        await pilot.press("w")
        await until(pilot, lambda: isinstance(app.screen, WriteDialog), "the dialog")
        assert "(•) write" in flat(pilot) and "in memory" not in flat(pilot)
        assert file_of(app).read_text() == CONFIG
        await pilot.press("enter")
        await until(pilot, lambda: app.engine.revision == 2, "written")
        chief = CONFIG[CONFIG.index("    // the chief") : CONFIG.index('    { agentId: "mia"')]
        she = CONFIG[CONFIG.index('    { agentId: "mia"') : CONFIG.index("// she") + 7]
        wanted = CONFIG.replace(chief + she, she + chief)
        assert file_of(app).read_text() == wanted != CONFIG
        await settled(pilot, screen)
        assert screen.draft is not None and not screen.draft.changes
        await pilot.press("u")
        await until(pilot, lambda: isinstance(app.screen, WriteDialog), "the diff of undo")
        await pilot.press("enter")
        await until(pilot, lambda: app.engine.revision == 3, "undone")
        assert file_of(app).read_text() == CONFIG


async def test_between_tiers_nothing_is_moved_and_it_is_said_why(tmp_path: Path) -> None:
    async with routing(tmp_path) as (_, pilot, screen):
        await pilot.press("j", "J")
        await shows(pilot, "last of its tier (peer)")
        await pilot.press("end", "K")
        await shows(pilot, "this comes from agents")
        assert screen.draft is not None and not screen.draft.changes


async def test_keys_pressed_in_a_burst_are_carried_out_in_their_order(tmp_path: Path) -> None:
    async with routing(tmp_path) as (app, pilot, screen):
        await pilot.press("J", "K", "J", "n", "escape", "J")
        await settled(pilot, screen)
        assert screen.draft is not None and len(screen.draft.steps) == 1
        assert screen.table.current == "bindings[1]"
        assert "vip" in table(pilot, screen)[1]
        await pilot.press("x", "x", "u", "u", "u")
        await settled(pilot, screen)
        assert not screen.draft.changes and app.engine.revision == 1


async def test_a_binding_is_edited_in_a_form_and_only_that_value_changes(tmp_path: Path) -> None:
    async with routing(tmp_path) as (app, pilot, screen):
        await pilot.press("j", "j", "enter")
        await until(pilot, lambda: isinstance(app.screen, BindingForm), "the form")
        assert app.screen.query_one("#form-guild", Input).value == "742"
        app.screen.query_one("#form-agent", Input).value = "mia"
        await pilot.press("enter")
        await until(pilot, lambda: not isinstance(app.screen, BindingForm), "closed")
        await settled(pilot, screen)
        await pilot.press("w")
        await until(pilot, lambda: isinstance(app.screen, WriteDialog), "the diff")
        await pilot.press("enter")
        await until(pilot, lambda: app.engine.revision == 2, "written")
        old = '{ agentId: "ops", match: { channel: "discord", guildId: 742'
        assert file_of(app).read_text() == CONFIG.replace(old, old.replace('"ops"', '"mia"'))


async def test_a_binding_is_added_and_one_taken_out(tmp_path: Path) -> None:
    async with routing(tmp_path) as (app, pilot, screen):
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, BindingForm), "the form")
        form = app.screen
        for name, value in (("agent", "ops"), ("channel", "irc"), ("peer", "#help")):
            form.query_one(f"#form-{name}", Input).value = value
        await pilot.press("enter")
        await shows(pilot, "choose the kind of peer")
        assert isinstance(app.screen, BindingForm)
        form.query_one("Dial").focus()
        await pilot.press("j", "j", "enter")
        await until(pilot, lambda: not isinstance(app.screen, BindingForm), "closed")
        await settled(pilot, screen)
        assert screen.table.current == "bindings[5]"
        assert "irc · group · #help" in table(pilot, screen)[2]
        route = screen.setup.router.route(Envelope("irc", peer=Peer("group", "#help")))
        assert route.agent_id == "ops"
        await pilot.press("home", "x")
        await settled(pilot, screen)
        assert "vip" not in " ".join(table(pilot, screen))
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, WriteDialog), "the dialog")
        assert "( ) write" not in flat(pilot) and "(•) in memory" in flat(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: app.engine.revision == 2, "in force")
        await settled(pilot, screen)
        assert app.engine.settings.unsaved and file_of(app).read_text() == CONFIG
        await shows(pilot, "in memory only", "2 changes not written")
        await pilot.press("u")
        await until(pilot, lambda: app.engine.revision == 3, "back in force")
        await settled(pilot, screen)
        assert len(app.engine.config.bindings) == 5 and not app.engine.settings.unsaved
        assert screen.draft is not None and screen.draft.changes


async def test_what_would_break_the_config_is_refused_and_the_draft_stays(tmp_path: Path) -> None:
    broken = CONFIG.replace('dmScope: "per-channel-peer"', 'dmScope: "${SCOPE}"')
    async with routing(tmp_path) as (app, pilot, screen):
        put(file_of(app), broken)
        await shows(pilot, "✖ config line 5")
        await pilot.press("J")
        await settled(pilot, screen)
        assert screen.draft is not None and not screen.draft.changes
        assert app.is_running and app.engine.revision == 1
        put(file_of(app), CONFIG)
        await until(pilot, lambda: "✖ config" not in text(app), "mended")


async def test_the_draft_follows_an_edit_of_the_file_by_hand(tmp_path: Path) -> None:
    async with routing(tmp_path) as (app, pilot, screen):
        await pilot.press("J")
        await settled(pilot, screen)
        put(file_of(app), CONFIG.replace("// our house", "// our new house"))
        await until(pilot, lambda: bool(screen.draft and "new house" in screen.draft.base), "seen")
        assert screen.draft is not None and screen.draft.changes
        assert "new house" in screen.draft.text
        put(file_of(app), "{ what")
        await until(pilot, lambda: "✖ config" in text(app), "broken")
        await settled(pilot, screen)
        assert screen.draft.changes and "vip" in table(pilot, screen)[1]
        put(file_of(app), CONFIG)
        await until(pilot, lambda: "✖ config" not in text(app), "mended")
        await settled(pilot, screen)
        assert screen.draft.changes and "new house" not in screen.draft.text
        short = CONFIG[: CONFIG.index("  bindings")] + "}\n"
        overwrite(file_of(app), short)
        await shows(pilot, "could not be made in the file as it is now")
        assert not screen.draft.changes


async def test_the_filter_shows_what_fits_and_esc_shows_all(tmp_path: Path) -> None:
    async with routing(tmp_path) as (_, pilot, screen):
        await pilot.press("slash")
        await pilot.pause()
        await pilot.press(*"disc")
        await until(pilot, lambda: len(table(pilot, screen)) == 1, "one row")
        await pilot.press("enter")
        assert screen.focused is screen.table
        await pilot.press("escape")
        await until(pilot, lambda: len(table(pilot, screen)) == 6, "all rows")


# a message


async def test_a_message_is_tried_with_its_whole_trace_and_nothing_is_sent(tmp_path: Path) -> None:
    async with routing(tmp_path) as (app, pilot, screen):
        before = {info.key: info.messages for info in await app.engine.sessions()}
        await pilot.press("j", "t")
        await shows(
            pilot, "→ agent mia", "session agent:mia:telegram:dm:alice (exists)",
            "✔ 1 peer bindings[1]", "history 100 messages / 32k tokens",
        )  # fmt: skip
        assert isinstance(screen.focused, Input) and screen.focused.value == "telegram"
        screen.form.query_one("#try-peer", Input).focus()
        await pilot.press("end", "2")
        await shows(pilot, "session agent:mia:telegram:dm:alice2 (would be made)")
        await shows(pilot, "✘ 1 peer bindings[0] +1", "peer.id alice2, not vip")
        assert "ms, nothing was sent" in str(screen.form.trace.query_one("Static").render())
        after = {info.key: info.messages for info in await app.engine.sessions()}
        assert before == after


async def test_the_trace_follows_the_draft(tmp_path: Path) -> None:
    async with routing(tmp_path) as (_, pilot, screen):
        await pilot.press("j", "t", "escape")
        await shows(pilot, "session agent:mia:telegram:dm:alice (exists)")
        assert screen.focused is screen.form.trace
        await pilot.press("left")
        await shows(pilot, "session agent:mia:dm:alice (would be made)")


async def test_a_tried_message_is_sent_for_real_after_a_question(tmp_path: Path) -> None:
    async with routing(tmp_path) as (app, pilot, _):
        await pilot.press("j", "t", "escape", "s")
        await until(pilot, lambda: isinstance(app.screen, Ask), "the question")
        await shows(pilot, "alice says this on telegram, and mia answers")
        await pilot.press(*"hi", "enter")
        await shows(pilot, "to agent:mia:telegram:dm:alice")
        key = "agent:mia:telegram:dm:alice"
        page = await app.engine.history(key)
        assert any(entry.text == "hi" for entry in page.entries)


async def test_a_message_that_was_refused_is_asked_for_again_with_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with routing(tmp_path) as (app, pilot, _):
        refused = StoreError("the disk is full")

        async def refuse(*_: object) -> None:
            raise refused

        await pilot.press("j", "t", "escape", "s")
        await until(pilot, lambda: isinstance(app.screen, Ask), "the question")
        first = app.screen
        with monkeypatch.context() as full:
            full.setattr(app.engine, "submit", refuse)
            await pilot.press(*"hi", "enter")
            await until(
                pilot, lambda: isinstance(app.screen, Ask) and app.screen is not first, "again"
            )
        await shows(pilot, "the disk is full")
        await pilot.press("enter")
        await shows(pilot, "to agent:mia:telegram:dm:alice")
        page = await app.engine.history("agent:mia:telegram:dm:alice")
        assert any(entry.text == "hi" for entry in page.entries)


# dmScope


async def test_people_stand_with_their_names_in_bindings_and_previews(tmp_path: Path) -> None:
    async with routing(tmp_path, people=()) as (app, pilot, _):
        for peer, name in (("vip", "Anna"), ("4711", "Boris")):
            envelope = Envelope("telegram", "hi", peer=Peer("dm", peer), sender=Sender(peer, name))
            await (await app.engine.submit(envelope)).result()
        await shows(pilot, "telegram · dm · Anna (")
        await pilot.press("left", "left")
        await shows(pilot, "from Boris · agent:mia:telegram:dm:4711", "to Boris · 1 message")


@pytest.mark.parametrize("size", [WIDE, SMALL, TINY])
async def test_a_scope_is_tried_then_written_then_undone(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    async with routing(tmp_path, size) as (app, pilot, screen):
        await pilot.press("left")
        await settled(pilot, screen)
        assert screen.setup.config.session.dm_scope == "per-peer"
        assert app.engine.config.session.dm_scope == "per-channel-peer"
        await pilot.press("left")
        await settled(pilot, screen)
        assert screen.setup.config.session.dm_scope == "main"
        await shows(pilot, "WORDS BECOME VISIBLE")
        await pilot.press("w")
        await until(pilot, lambda: isinstance(app.screen, WriteDialog), "the diff")
        assert file_of(app).read_text() == CONFIG
        await pilot.press("enter")
        await until(pilot, lambda: app.engine.revision == 2, "written")
        wanted = CONFIG.replace('dmScope: "per-channel-peer"', 'dmScope: "main"')
        assert file_of(app).read_text() == wanted
        await settled(pilot, screen)
        await pilot.press("u")
        await until(pilot, lambda: isinstance(app.screen, WriteDialog), "the diff of undo")
        await pilot.press("enter")
        await until(pilot, lambda: app.engine.revision == 3, "undone")
        assert file_of(app).read_text() == CONFIG


async def test_all_scopes_show_their_sessions_and_links_are_shown(tmp_path: Path) -> None:
    async with routing(tmp_path) as (app, pilot, screen):
        await shows(pilot, "IDENTITY LINKS", "alice = telegram:alice, whatsapp:555")
        await until(pilot, lambda: bool(screen._sessions), "counted")
        assert screen._sessions == {
            "main": 2,
            "per-peer": 3,
            "per-channel-peer": 3,
            "per-account-channel-peer": 3,
        }
        await pilot.press("right")
        await shows(pilot, "─ → per-account-channel-peer ─", "GOES ON ELSEWHERE 3")
        await pilot.press("escape")
        await settled(pilot, screen)
        assert screen.draft is not None and not screen.draft.changes
        assert app.engine.revision == 1


# the file


async def test_a_rollback_is_looked_at_then_written(tmp_path: Path) -> None:
    async with routing(tmp_path) as (app, pilot, screen):
        changed = CONFIG.replace("per-channel-peer", "per-peer")
        put(file_of(app), changed)
        await until(pilot, lambda: app.engine.revision == 2, "live")
        await settled(pilot, screen)
        await shows(pilot, "edited by hand", "as found in the file")
        await pilot.press("h")
        await until(pilot, lambda: isinstance(app.screen, Revisions), "the list")
        await shows(pilot, "this is what the file says now")
        await pilot.press("j")
        await shows(pilot, '+ dmScope: "per-channel-peer", // apart')
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, WriteDialog), "the diff")
        await pilot.press("enter")
        await until(pilot, lambda: app.engine.revision == 3, "back")
        assert file_of(app).read_text() == CONFIG


@pytest.mark.parametrize("save", [put, overwrite])
async def test_an_edit_by_hand_is_on_the_screen_with_the_time_it_took(
    tmp_path: Path, save: Any
) -> None:
    async with routing(tmp_path) as (app, pilot, _):
        await shows(pilot, "● live r1", "watching", "no edit from elsewhere yet")
        save(file_of(app), CONFIG.replace("per-channel-peer", "per-peer"))
        await shows(pilot, "● live r2", "ok in", "Revision 2 is in force: dmScope")
        save(file_of(app), "{ bindings: [,, }")
        await shows(pilot, "✖ file broken, in force r2", "line 1, column 14:", "broken in")


async def test_the_whole_diff_opens_and_with_nothing_to_write_that_is_said(
    tmp_path: Path,
) -> None:
    async with routing(tmp_path) as (app, pilot, screen):
        for key in ("w", "a", "d"):
            await pilot.press(key)
            await settled(pilot, screen)
        await shows_panes(pilot, "nothing is changed here")
        await pilot.press("left")
        await settled(pilot, screen)
        await pilot.press("d")
        await shows(pilot, "What w would write", '- dmScope: "per-channel-peer", // apart')
        await pilot.press("escape")
        assert app.screen is screen


# everywhere


async def test_tab_goes_round_the_panes_also_where_only_one_is_shown(tmp_path: Path) -> None:
    async with routing(tmp_path, SMALL) as (_, pilot, screen):
        seen = []
        for _ in range(4):
            await pilot.press("tab")
            await until(pilot, lambda: screen.focused is not None, "focus")
            await pilot.pause()
            seen.append(screen.shown)
            assert screen.focused is not None and screen.focused.region.area
        assert seen == ["try", "scope", "config", "bindings"]
        await pilot.click("#tabs", offset=(20, 0))
        await until(pilot, lambda: screen.shown == "try", "the pane")


async def test_z_shows_one_pane_alone_and_all_again(tmp_path: Path) -> None:
    async with routing(tmp_path) as (_, pilot, screen):
        await pilot.press("c", "z")
        await until(pilot, lambda: screen.config_pane.region.width > 100, "one pane")
        assert not screen.table.region.area
        await pilot.press("z")
        await until(pilot, lambda: screen.table.region.area > 0, "all of them")
        assert screen.scopes.region.area


@pytest.mark.parametrize("size", [WIDE, SMALL, TINY])
async def test_hostile_ids_are_shown_harmlessly_and_tried_as_they_are(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    nasty = [one for one in HOSTILE.values() if 0 < len(one) < 400 and one.isprintable() is False]
    nasty = [one for one in nasty if not any("\ud800" <= char <= "\udfff" for char in one)]
    rules: list[dict[str, Any]] = [
        {"agentId": "main", "match": {"channel": one[:40], "peer": {"kind": "dm", "id": one}}}
        for one in nasty
    ]
    rules.append({"agentId": "[@click=app.quit]x[/]", "match": {"channel": "[b]tg[/b]"}})
    links = {one: [f"telegram:{one}"] for one in nasty[:5]}
    config = json.dumps({"bindings": rules, "session": {"identityLinks": links}})
    async with routing(tmp_path, size, config, ()) as (app, pilot, screen):
        assert len(screen.study.rows) == len(rules) + 1
        for _ in range(len(rules) // 6):
            await pilot.press("pagedown")
            assert not raw_controls(text(app))
        await pilot.press("home", "t")
        await pilot.pause()
        envelope = screen.form.envelope
        assert envelope is not None and envelope.peer is not None
        assert screen.setup.router.route(envelope).rule == screen.study.rows[0].key
        for key in ("escape", "right", "tab", "tab", "tab"):
            await pilot.press(key)
            assert not raw_controls(text(app))
        assert "\x1b" not in folded(pilot)
