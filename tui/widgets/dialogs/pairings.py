"""Who asks to be let in: approve or reject, one by one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from engine.errors import BranchlineError
from engine.routing.pairing import Approval, Request
from engine.text import safe_line
from tui.later import later
from tui.look.cells import age
from tui.look.glyphs import Glyphs
from tui.look.tones import MUTED
from tui.people.pairing import PairingDesk, now_ms
from tui.widgets.dialogs.box import BOX
from tui.widgets.dialogs.dialog import Dialog

__all__ = ["PairingRequests"]


class PairingRequests(Dialog[None]):
    """Lists who waits; every decision counts at once.

    Args:
        desk: reads and changes the pairings.
        fail: tells the person of an error.
        changed: called after each decision.
    """

    HELP = """\
    ## Pairing requests

    People whom the agent does not know yet, with the code each of them was told. **a** lets the
    one under the cursor in, at once and for good; **r** drops the request, and they may ask
    again. A code holds for one hour.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "decide('approve')", "Approve", id="pairing.approve"),
        Binding("r", "decide('reject')", "Reject", id="pairing.reject"),
        Binding("j", "step(1)", "Down", id="list.down", show=False),
        Binding("k", "step(-1)", "Up", id="list.up", show=False),
        Binding("escape,q", "close", "Close", id="dialog.close"),
    ]

    DEFAULT_CSS = f"""
    PairingRequests {{ align: center middle; }}
    PairingRequests > Vertical {{ {BOX} }}
    PairingRequests OptionList {{
        height: auto; max-height: 20; border: none; background: $surface; padding: 0;
    }}
    PairingRequests OptionList:focus {{ border: none; }}
    PairingRequests OptionList:focus > .option-list--option-highlighted {{
        background: $panel; color: $foreground; text-style: none;
    }}
    PairingRequests Static {{ height: auto; color: $foreground 60%; }}
    """

    def __init__(
        self,
        desk: PairingDesk,
        glyphs: Glyphs,
        fail: Callable[[BranchlineError], None],
        changed: Callable[[], None],
    ):
        super().__init__()
        self._desk = desk
        self._glyphs = glyphs
        self._fail = fail
        self._changed = changed

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_subtitle = Content("a approve · r reject · Esc close")
            yield OptionList(markup=False)
            yield Static(markup=False)

    def on_mount(self) -> None:
        self.query_one(OptionList).focus()
        self._list()
        self._look()
        self.set_interval(10, self._look)

    def _look(self) -> None:
        later(self, self._look_again, group="look")

    async def _look_again(self) -> None:
        if await self._desk.look():
            self._changed()
        self._list()

    def _list(self, *, decided: bool = False) -> None:
        """Show who waits. The cursor stays on whom it is on, and goes on to the next one after a
        decision; where somebody else dealt with them it is on nobody, so that a key on its way
        decides nothing about another."""
        options, waiting = self.query_one(OptionList), self._desk.waiting
        at, first = options.highlighted, not options.option_count
        here = options.get_option_at_index(at).id if at is not None else None
        codes = [one.code for one in waiting]
        options.clear_options()
        now = now_ms()
        options.add_options([Option(self._row(one, now), id=one.code) for one in waiting])
        if here in codes:
            options.highlighted = codes.index(here)
        elif waiting and (decided or first):
            options.highlighted = min(at or 0, len(waiting) - 1)
        else:
            options.highlighted = None
        options.display = bool(waiting)
        told = self._desk.problem or ("" if waiting else "Nobody waits to be let in.")
        self.query_one(Static).update(Content(safe_line(told, limit=400)))
        self.query_one(Vertical).border_title = Content(f"Pairing requests {len(waiting)}")

    def _row(self, one: Request, now: int) -> Content:
        name = safe_line(one.name or one.sender_id, limit=60)
        where = safe_line(one.channel, limit=30)
        account = "" if one.account_id == "default" else f" {safe_line(one.account_id, limit=30)}"
        dot = self._glyphs.dot
        asked = (
            f"  id {safe_line(one.sender_id, limit=60)} {dot} asked {age(now - one.created)} ago"
        )
        return Content.assemble(
            (f"{self._glyphs.needs} ", "$text-warning"), (name, "bold"), f"  {where}{account}\n",
            (asked, MUTED), (f" {dot} code ", MUTED), one.code,
        )  # fmt: skip

    def action_step(self, by: int) -> None:
        options = self.query_one(OptionList)
        options.action_cursor_down() if by > 0 else options.action_cursor_up()

    def action_decide(self, what: str) -> None:
        options = self.query_one(OptionList)
        if options.highlighted is not None:
            code = options.get_option_at_index(options.highlighted).id or ""
            later(self, partial(self._decide, what, code), group="decide", exclusive=False)

    async def _decide(self, what: str, code: str) -> None:
        ask = cast(
            "Callable[[str], Awaitable[Approval | Request | None]]",
            self._desk.approve if what == "approve" else self._desk.reject,
        )
        try:
            done = await ask(code)
        except BranchlineError as error:
            self._fail(error)
            return
        self._changed()
        self._list(decided=True)
        if done is None:
            said = "the code ran out, or somebody else was quicker"
        else:
            name = safe_line(done.name or done.sender_id, limit=60)
            where = safe_line(done.channel, limit=30)
            let_in = f"{name} may write on {where} now"
            said = let_in if what == "approve" else f"the request of {name} is dropped"
        self.notify(said, title="Pairing", markup=False)

    def action_close(self) -> None:
        self.dismiss(None)
