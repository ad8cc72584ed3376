from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.app import App, ComposeResult
from textual.widgets import Static

from engine.config.schema import Agent, Agents, Binding, Config, Match, PeerMatch
from engine.context.window import Window
from engine.engine import Counts, ModelInForce, SessionView
from engine.errors import Problem
from engine.routing.envelope import Envelope, Peer
from engine.routing.router import Router
from engine.turns.choice import Layer, Layers
from engine.values import replace
from tests.tui.made import info
from tests.tui.shown import lines
from tui.look.cells import age, count, fit, longest_fitting, percent, spread, whole_parts
from tui.look.glyphs import ASCII, UNICODE
from tui.memory import AppMemory, load_memory, save_memory
from tui.widgets.gauge import Fill, gauge, level
from tui.widgets.lines import Banner, longest
from tui.widgets.routing.tracelines import route_rows
from tui.widgets.sessions.advice import broken_lines, connect_hint, short_path
from tui.widgets.sessions.inspector import InspectorState, sections
from tui.widgets.sessions.statusbar import BarState, bar_line

# cells


@given(st.text(max_size=40), st.integers(0, 40), st.booleans())
def test_fit_fills_exactly_the_cells_it_is_given(text: str, width: int, right: bool) -> None:
    clean = "".join(character for character in text if character.isprintable())
    assert cell_len(fit(clean, width, right=right)) == width


@given(
    st.text(alphabet="ab日", max_size=30), st.text(alphabet="ab", max_size=8), st.integers(1, 40)
)
def test_spread_fills_exactly_the_cells_it_is_given(left: str, right: str, width: int) -> None:
    assert cell_len(spread(left, right, width)) == width


@pytest.mark.parametrize(
    ("milliseconds", "shown"),
    [(0, "now"), (-5, "now"), (59_000, "59s"), (60_000, "1m"), (7_200_000, "2h"),
     (86_400_000 * 99, "99d"), (86_400_000 * 200, "6mo"), (86_400_000 * 800, "2y")],
)  # fmt: skip
def test_ages_are_short(milliseconds: int, shown: str) -> None:
    assert age(milliseconds) == shown


@pytest.mark.parametrize(
    ("number", "shown"),
    [(0, "0"), (999, "999"), (1000, "1k"), (19_600, "19.6k"), (200_000, "200k"), (999_600, "1M"),
     (1_500_000, "1.5M")],
)  # fmt: skip
def test_token_counts_are_short(number: int, shown: str) -> None:
    assert count(number) == shown


def test_something_is_never_shown_as_nothing() -> None:
    assert percent(0.001) == "<1%"
    assert percent(0.0) == "0%"


# gauge


@given(st.integers(0, 10**7), st.integers(0, 10**6), st.integers(5, 60), st.floats(0, 1.2))
def test_a_gauge_fills_its_cells_whatever_the_numbers(
    tokens: int, window: int, width: int, threshold: float
) -> None:
    drawn = gauge(Fill(tokens, window, threshold), width, UNICODE).plain
    assert cell_len(drawn) == width
    assert gauge(Fill(tokens, window, threshold), width, ASCII).plain.isascii()


def test_a_gauge_shows_use_threshold_and_reserve() -> None:
    assert gauge(Fill(8_000, 32_000, 0.75), 22, UNICODE).plain == "▕█████          ┊░░░░▏"
    assert gauge(Fill(1, 32_000, 0.75), 22, UNICODE).plain.count("█") == 1
    assert gauge(Fill(0, 32_000, 0.75), 22, UNICODE).plain.count("█") == 0


def test_the_tone_changes_before_the_threshold_and_at_it() -> None:
    tones = [Fill(tokens, 100, 0.85).tone for tokens in (10, 75, 85)]
    assert len(set(tones)) == 3


def test_levels_grow() -> None:
    drawn = [level(part / 10, UNICODE) for part in range(12)]
    assert drawn == sorted(drawn)
    assert (drawn[0], drawn[-1]) == ("▁", "█")


# row 0


def test_what_has_no_room_goes_as_a_whole() -> None:
    keys = ("J K move", "x remove", "/ filter", "Esc close")
    assert whole_parts(keys, 60) == "J K move · x remove · / filter · Esc close"
    assert whole_parts(keys, 35) == "J K move · x remove · Esc close"
    assert whole_parts(keys, 12) == "Esc close"
    assert whole_parts(keys, 5) == "Esc …"
    forms = ("Config r1  /a/long/path.json5", "Config r1  path.json5", "Config r1")
    assert [longest_fitting(forms, width) for width in (40, 25, 12)] == [*forms]
    assert longest_fitting(forms, 6) == "Confi…"


BAR = BarState(
    config="~/.branchline/branchline.json5", revision=14, scope="per-account-channel-peer",
    sessions=1234, busy=2, queued=1, problems=3, clock="16:04",
)  # fmt: skip


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 120, 160])
def test_row_0_fits_every_width_and_keeps_the_time(width: int) -> None:
    line = bar_line(BAR, width, UNICODE).plain
    assert cell_len(line) == width
    assert line.endswith("16:04 ")


def test_row_0_says_all_where_there_is_room() -> None:
    line = bar_line(BAR, 160, UNICODE).plain
    for said in ("Branchline", "branchline.json5", "● live r14", "dmScope per-account-channel-peer",
                 "1234 sessions", "2 busy", "1 queued", "3 problems"):  # fmt: skip
        assert said in line


def test_row_0_keeps_problems_before_comfort() -> None:
    line = bar_line(BAR, 80, UNICODE).plain
    assert "3 problems" in line
    assert "r14" in line


def test_row_0_leaves_no_dot_where_the_number_of_sessions_is_left_out() -> None:
    line = bar_line(replace(BAR, queued=0, problems=0, asking=1), 50, UNICODE).plain
    assert "sess" not in line and "  2 busy" in line and "· 2 busy" not in line
    line = bar_line(replace(BAR, asking=1), 50, UNICODE).plain
    assert line.startswith(" Branchline  ● live r14") and "▲ 3 " in line and "…" not in line


def test_row_0_tells_a_broken_config_in_words() -> None:
    assert "✖ broken r14" in bar_line(BarState(revision=14, broken=True), 80, UNICODE).plain


# advice


def test_the_hint_is_given_only_without_a_model_and_in_one_line() -> None:
    assert connect_hint("anthropic/claude", "c") == ()
    variants = connect_hint("offline/echo", "~/.branchline/branchline.json5")
    assert "ANTHROPIC_API_KEY" in longest(variants, 40)
    assert all(cell_len(longest(variants, width)) <= width for width in range(10, 200))
    assert [len(each) for each in variants] == sorted(
        (len(each) for each in variants), reverse=True
    )


def test_a_broken_config_is_told_with_its_line() -> None:
    problem = Problem("expected ','", line=88, path="session")
    assert broken_lines([problem, problem], 13, UNICODE)[0] == (
        "✖ config line 88: session: expected ',' (and 1 more); revision 13 stays in force"
    )
    assert broken_lines([], 13, UNICODE) == ()


def test_paths_under_home_are_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert short_path(Path("/home/me/x/y.json5")) == "~/x/y.json5"
    assert short_path(Path("/home/meat/y.json5")) == "/home/meat/y.json5"


class BannerApp(App[None]):
    def compose(self) -> ComposeResult:
        yield Banner()
        yield Static("below", id="below")


async def test_a_banner_takes_its_line_only_while_there_is_something_to_tell() -> None:
    app = BannerApp()
    async with app.run_test(size=(40, 4)) as pilot:
        assert lines(app)[0].startswith("below")
        app.query_one(Banner).variants = ("config line 3: [b]a comma is missing[/b] and so on",)
        await pilot.pause()
        assert lines(app)[0].startswith(" config line 3: [b]a comma is missing")
        assert lines(app)[1].startswith("below")
        app.query_one(Banner).variants = ()
        await pilot.pause()
        assert lines(app)[0].startswith("below")


# inspector


def _person(name: str) -> Match:
    return Match(channel="telegram", peer=PeerMatch(kind="dm", id=name))


ROUTED = Config(
    agents=Agents(list=(Agent(id="main"), Agent(id="mia"), Agent(id="ops"))),
    bindings=(
        Binding(agent_id="ops", match=Match(channel="slack", account_id="*")),
        Binding(agent_id="ops", match=Match(channel="telegram", account_id="*")),
        Binding(agent_id="mia", match=_person("alice")),
        Binding(agent_id="ops", match=_person("bob")),
    ),
)


def view(peer: str = "alice", **changes: object) -> SessionView:
    route = Router(ROUTED).route(Envelope(channel="telegram", peer=Peer("dm", peer)))
    key = route.session_key
    model = ModelInForce("anthropic/claude-sonnet", "session", 32_000)
    return SessionView(
        info=info(key, peer, **changes),
        route=route,
        model=model,
        layers=Layers(
            Layer("config", "offline/echo", "agents.defaults.model"), Layer("session", model.ref)
        ),
        prompt_tokens=1_100,
        tokens=19_600,
        window=Window("m041", (), (), 18_500, None, "off"),
        leaf="m041",
        counts=Counts(41, 3, 1),
    )


def test_the_route_shows_who_won_and_why_the_others_did_not() -> None:
    rows = [(sign, text) for sign, text, _ in route_rows(view().route, UNICODE)]
    assert ("✔", "1 peer        bindings[2]") in rows
    assert ("·", "5 guild") in rows
    assert ("○", "8 channel     bindings[1] would, too") in rows
    assert rows[-1] == ("→", "agent mia")


def test_the_route_names_the_field_that_failed() -> None:
    rows = [text for _, text, _ in route_rows(view("carol").route, UNICODE)]
    at = rows.index("1 peer        bindings[2] +1")
    assert "carol" in rows[at + 1] and "alice" in rows[at + 1]


def state(**changes: object) -> InspectorState:
    made = view(**changes)
    return InspectorState(made, made.route, made.info.key, 14, fill=Fill(19_600, 32_000))


@pytest.mark.parametrize("width", [16, 28, 40])
def test_the_inspector_fits_its_width_and_shows_the_key_whole(width: int) -> None:
    parts = sections(state(), width, UNICODE)
    for part in parts:
        assert all(cell_len(line) <= width for line in part.plain.split("\n"))
    shown = "".join(line[8:].strip() for line in parts[1].plain.split("\n"))
    assert "agent:main:main" in shown or "agent:mia:main" in shown


def test_the_inspector_shows_model_source_context_and_tree() -> None:
    shown = "\n".join(part.plain for part in sections(state(), 34, UNICODE))
    for said in ("anthropic/claude-sonnet", "session", "19.6k of 32k", "61%", "at 85%", "m041",
                 "3 branches, 1 folded"):  # fmt: skip
        assert said in shown


def test_problems_stand_in_the_inspector_as_they_are() -> None:
    shown = sections(state(problems=(Problem("3 lines [b]unreadable[/b]"),)), 34, UNICODE)[4].plain
    assert "PROBLEMS" in shown
    assert "[b]unreadable[/b]" in " ".join(shown.split())


# memory


def test_memory_survives_a_restart_and_a_broken_file_is_no_memory(tmp_path: Path) -> None:
    memory = AppMemory("agent:main:main", True, "nord", {"agent:main:main": "half a thought"})
    save_memory(tmp_path, memory)
    assert load_memory(tmp_path) == memory
    for text in ("", "[1]", '{"last_session": 4, "theme": []}', "[" * 60_000):
        (tmp_path / "app.json").write_text(text)
        assert load_memory(tmp_path) == AppMemory()
