"""The form of a binding: what it asks for, and who answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Input, Static

from engine.text import safe_line
from tui.look.tones import MUTED
from tui.widgets.dial import Dial
from tui.widgets.dialogs.box import BOX
from tui.widgets.dialogs.dialog import Dialog

__all__ = ["BindingForm", "form_fields", "form_value"]

_KINDS = ("any", "dm", "group", "channel")
_FIELDS = ("agent", "channel", "account", "peer", "guild", "team", "roles", "comment")
_SAID = {
    "agent": "who answers",
    "channel": "telegram, discord, slack …",
    "account": "default; * for any",
    "peer": "an id; * for anybody of this kind",
    "guild": "a Discord server",
    "team": "a Slack workspace",
    "roles": "any of these is enough",
    "comment": "a note for people",
}
_IN_MATCH = {"channel": "channel", "account": "accountId", "guild": "guildId", "team": "teamId"}


def form_fields(value: Mapping[str, Any]) -> dict[str, str]:
    """What the form shows of a binding as the file has it; `kind` beside the fields."""
    match = _object(value.get("match"))
    peer = _object(match.get("peer"))
    roles = match.get("roles")
    shown = {name: _text(match.get(key)) for name, key in _IN_MATCH.items()}
    kind = _text(peer.get("kind"))
    return shown | {
        "agent": _text(value.get("agentId")),
        "comment": _text(value.get("comment")),
        "peer": _text(peer.get("id")),
        "kind": "dm" if kind == "direct" else kind if kind in _KINDS else "any",
        "roles": " ".join(map(str, roles)) if isinstance(roles, list) else "",
    }


def _object(value: object) -> dict[str, Any]:
    return dict(value) if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return str(value) if isinstance(value, str | int | float) else ""


def form_value(before: Mapping[str, Any], fields: Mapping[str, str]) -> dict[str, Any]:
    """The binding that a form describes. What the form does not show, and what was not changed
    in it, stays as the file has it; an empty field takes its key away."""
    shown = form_fields(before)
    fresh = {name: text.strip() for name, text in fields.items() if text != shown.get(name, "")}
    value = dict(before)
    match = _object(value.get("match"))
    for name, key in _IN_MATCH.items():
        _store(match, key, fresh.get(name))
    if "kind" in fresh or "peer" in fresh:
        _peer(match, fields.get("kind", "any"), fields.get("peer", "").strip())
    if "roles" in fresh:
        _store(match, "roles", fresh["roles"].replace(",", " ").split())
    _store(value, "agentId", fresh.get("agent"))
    value["match"] = match
    _store(value, "comment", fresh.get("comment"))
    return value


def _store(box: dict[str, Any], key: str, value: Any) -> None:
    """None changes nothing; nothing takes the key away."""
    if value:
        box[key] = value
    elif value is not None:
        box.pop(key, None)


def _peer(match: dict[str, Any], kind: str, peer_id: str) -> None:
    if kind == "any" or not peer_id:
        match.pop("peer", None)
        return
    before = _object(match.get("peer"))
    same = before.get("kind") == "direct" and kind == "dm"
    match["peer"] = {**before, "kind": "direct" if same else kind, "id": peer_id}


class BindingForm(Dialog[dict[str, Any] | None]):
    """Asks for a binding; ends with it as the file is to have it, None when cancelled.

    Args:
        value: the binding as the file has it, `{}` for a new one.
        title: in the border.
        agents: ids of the agents there are.
    """

    HELP = """\
    ## A binding

    All fields that are filled in must hold for a message. Its most specific field decides the
    tier: a peer, then a guild with roles, a guild, a team, an account, a channel. **Enter** takes
    it into the draft; nothing is in force before that is applied or written.
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel", id="dialog.cancel"),
        Binding("enter", "accept", "Take it", id="dialog.accept", show=True),
    ]
    DEFAULT_CSS = f"""
    BindingForm {{ align: center middle; }}
    BindingForm > VerticalScroll {{ {BOX} padding: 1 2 0 2; }}
    BindingForm.-h0 > VerticalScroll {{ padding: 0 1; }}
    BindingForm Horizontal {{ height: 1; }}
    BindingForm Horizontal > Static {{ width: 10; color: $foreground 60%; }}
    BindingForm Input {{ width: 1fr; height: 1; background: $panel; }}
    BindingForm Input:focus {{ background: $primary 25%; }}
    BindingForm #told {{ height: auto; min-height: 1; margin-top: 1; }}
    """

    def __init__(self, value: Mapping[str, Any], title: str, agents: Sequence[str]):
        super().__init__()
        self._value = value
        self._title = title
        self._agents = agents
        self._raw = form_fields(value)
        self._shown = {name: safe_line(text, limit=200) for name, text in self._raw.items()}

    def compose(self) -> ComposeResult:
        with VerticalScroll(can_focus=False) as box:
            box.border_title = Content(self._title)
            box.border_subtitle = Content("Tab next · Enter take it · Esc cancel")
            for name in _FIELDS:
                if name == "peer":
                    with Horizontal():
                        yield Static("kind", markup=False)
                        yield Dial(_KINDS, id="kind")
                with Horizontal():
                    yield Static(name, markup=False)
                    yield Input(
                        self._shown[name],
                        placeholder=_SAID[name],
                        compact=True,
                        max_length=200,
                        id=f"form-{name}",
                    )
            yield Static(id="told", markup=False)

    def on_mount(self) -> None:
        self.query_one(Dial).choose(self._shown["kind"])
        self.query_one("#form-agent", Input).focus()
        self._judge()

    def _fields(self) -> dict[str, str]:
        """The form, with what was not touched as it really is."""
        found = {name: self.query_one(f"#form-{name}", Input).value for name in _FIELDS}
        found["kind"] = self.query_one(Dial).word
        return {
            name: self._raw[name] if text == self._shown[name] else text
            for name, text in found.items()
        }

    def _wrong(self) -> str:
        """What keeps the form from being a binding; "" when nothing does."""
        fields = self._fields()
        if not fields["agent"].strip():
            return "who answers? " + ", ".join(safe_line(agent) for agent in self._agents[:8])
        if not fields["channel"].strip():
            return "on which channel?"
        if fields["kind"] != "any" and not fields["peer"].strip():
            return f"which {fields['kind']}? an id, or * for all of them"
        if fields["kind"] == "any" and fields["peer"].strip():
            return "choose the kind of peer: dm, group or channel"
        return ""

    @on(Input.Changed)
    @on(Dial.Changed)
    def _judge(self) -> None:
        told = self.query_one("#told", Static)
        wrong = self._wrong()
        agents = "agents: " + ", ".join(safe_line(agent, limit=40) for agent in self._agents[:8])
        told.update(Content.styled(wrong or agents, "$text-warning" if wrong else MUTED))

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self.action_accept()

    def action_accept(self) -> None:
        if not self._wrong():
            self.dismiss(form_value(self._value, self._fields()))

    def action_cancel(self) -> None:
        self.dismiss(None)
