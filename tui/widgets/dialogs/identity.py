"""Who somebody is: the facts of their messages, and where these lead while they are typed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Input, Label, Static

from engine.errors import EnvelopeError
from engine.routing.envelope import Envelope
from engine.routing.ids import chat_kind
from engine.routing.read import read_envelope
from engine.scenario.cast import slug
from tui.widgets.dialogs.box import BOX
from tui.widgets.dialogs.dialog import Dialog
from tui.widgets.linefield import LineField

__all__ = ["FIELDS", "IdentityDialog", "facts_of_form", "form_of"]

FIELDS: tuple[tuple[str, str, str], ...] = (
    ("name", "Name", "as the agent sees it"),
    ("channel", "Channel", "telegram, slack, … any word"),
    ("account", "Account", "default"),
    ("kind", "Kind", "dm, group or channel"),
    ("peer", "Peer", "id of the person, group or channel; in a dm the name will do"),
    ("sender", "Sender id", "who writes; in a dm the peer"),
    ("thread", "Thread", "thread or topic id"),
    ("parent", "Parent", "of a thread with an id of its own: channel:ID"),
    ("guild", "Guild", "server id (Discord)"),
    ("team", "Team", "workspace id (Slack)"),
    ("roles", "Roles", "role ids, with commas"),
    ("tenant", "Tenant", "for keyFormat"),
)
"""Name, label and what is said in an empty field."""

Told = Callable[[Envelope], Content]


def facts_of_form(form: dict[str, str]) -> dict[str, Any]:
    """The facts of an envelope as they were typed; empty fields say nothing."""
    said = {name: value.strip() for name, value in form.items()}
    kind = said["kind"] or "dm"
    peer = _peer(said, kind)
    facts: dict[str, Any] = {
        "channel": said["channel"],
        "accountId": said["account"] or None,
        "threadId": said["thread"] or None,
        "parentPeer": said["parent"] or None,
        "guildId": said["guild"] or None,
        "teamId": said["team"] or None,
        "tenantId": said["tenant"] or None,
        "memberRoleIds": [one.strip() for one in said["roles"].split(",") if one.strip()],
    }
    facts["peer"] = {"kind": kind, "id": peer}
    sender = said["sender"] or (peer if chat_kind(kind) == "dm" else said["name"])
    if sender:
        facts["sender"] = {"id": sender, "name": said["name"]}
    return {name: value for name, value in facts.items() if value is not None}


def _peer(said: dict[str, str], kind: str) -> str:
    """The peer's id; a direct message of somebody with a name needs none."""
    direct = chat_kind(kind) == "dm"
    return said["peer"] or (slug(said["name"]) if direct and said["name"] else "")


def form_of(envelope: Envelope) -> dict[str, str]:
    """What stands in the fields for an envelope."""
    peer, parent, sender = envelope.peer, envelope.parent_peer, envelope.sender
    own = sender is not None and (peer is None or peer.kind != "dm" or sender.id != peer.id)
    return {
        "name": sender.name if sender is not None else "",
        "channel": envelope.channel,
        "account": envelope.account_id if envelope.account_id != "default" else "",
        "kind": peer.kind if peer is not None else "",
        "peer": peer.id if peer is not None else "",
        "sender": sender.id if sender is not None and own else "",
        "thread": envelope.thread_id or "",
        "parent": f"{parent.kind}:{parent.id}" if parent is not None else "",
        "guild": envelope.guild_id or "",
        "team": envelope.team_id or "",
        "roles": ", ".join(envelope.member_role_ids),
        "tenant": envelope.tenant_id or "",
    }


def wrong_with(form: dict[str, str]) -> str:
    """What is missing or cannot be; "" when the form will do."""
    said = {name: value.strip() for name, value in form.items()}
    if not said["channel"]:
        return "Channel: where do they write?"
    if said["kind"] and chat_kind(said["kind"]) is None:
        return "Kind: dm, group or channel"
    kind = said["kind"] or "dm"
    if not _peer(said, kind):
        return "Peer: who or where is it?" if said["name"] else "Name: who is it?"
    if chat_kind(kind) != "dm" and not (said["sender"] or said["name"]):
        return "Name or sender id: who writes in the group?"
    try:
        read_envelope(facts_of_form(form))
    except EnvelopeError as error:
        return str(error)
    return ""


class IdentityDialog(Dialog[Envelope | None]):
    """Asks who somebody is; ends with the facts, or None when cancelled.

    Args:
        title: in the border.
        envelope: what stands in the fields at first.
        told: what is said of a message with these facts: route, access, session.
    """

    HELP = """\
    ## Identity

    The facts that a channel hands over with each message of this person. Below stands, while you
    type, where such a message goes and why. **Tab** goes on, **Enter** takes it, **Esc** cancels.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel", id="dialog.cancel"),
        Binding("enter", "accept", "Take", id="dialog.accept", show=False),
        Binding("down", "app.focus_next", "Next field", id="dialog.next", show=False),
        Binding("up", "app.focus_previous", "Field before", id="dialog.previous", show=False),
    ]

    DEFAULT_CSS = f"""
    IdentityDialog {{ align: center middle; }}
    IdentityDialog > Vertical {{ {BOX} padding: 0 2; }}
    IdentityDialog VerticalScroll {{ height: auto; max-height: 12; scrollbar-size-vertical: 1; }}
    IdentityDialog Horizontal {{ height: 1; width: 1fr; }}
    IdentityDialog Label {{ width: 11; color: $foreground 60%; }}
    IdentityDialog Input {{ width: 1fr; }}
    IdentityDialog Input:focus {{ background: $primary 25%; }}
    IdentityDialog Static.told {{ height: auto; min-height: 4; width: 1fr; margin-top: 1; }}
    IdentityDialog.-h0 Static.told {{ margin-top: 0; }}
    """

    def __init__(self, title: str, envelope: Envelope, told: Told):
        super().__init__()
        self._title = title
        self._form = form_of(envelope)
        self._told = told

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = Content(self._title)
            box.border_subtitle = Content("Tab next · Enter take · Esc cancel")
            with VerticalScroll(can_focus=False):
                yield from self._fields()
            yield Static(classes="told", markup=False)

    def _fields(self) -> Iterator[Horizontal]:
        for name, label, hint in FIELDS:
            field = LineField(self._form[name], placeholder=hint, compact=True, id=f"field-{name}")
            yield Horizontal(Label(Content(label)), field)

    def on_mount(self) -> None:
        self.query_one("#field-name", Input).focus()
        self._judge()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._judge()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_accept()

    def form(self) -> dict[str, str]:
        """What stands in the fields now."""
        return {name: self.query_one(f"#field-{name}", Input).value for name, _, _ in FIELDS}

    def _judge(self) -> str:
        form = self.form()
        wrong = wrong_with(form)
        told = self.query_one(".told", Static)
        if wrong:
            told.update(Content.styled(wrong, "$text-warning"))
        else:
            told.update(self._told(read_envelope(facts_of_form(form))))
        return wrong

    def action_accept(self) -> None:
        if not self._judge():
            self.dismiss(read_envelope(facts_of_form(self.form())))

    def action_cancel(self) -> None:
        self.dismiss(None)
