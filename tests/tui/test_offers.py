from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st
from textual.content import Content

from engine.text import safe_line
from tui.commands.offers import literal


@given(st.text("[]/\\abz\"'=@$#.( …", max_size=20))
@example("[/… · as [/]")
@example("[@click=app.quit]x[/]")
@example("\\[")
def test_what_an_offer_says_is_shown_as_it_is(text: str) -> None:
    said = safe_line(text)
    assert Content.from_markup(literal(said)).plain == said
