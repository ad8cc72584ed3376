"""What the demo's state tells: its config, and who said and did what in the last three days.

Nothing here is a transcript. The engine plays it (tui.demo.make); replies, summaries, keys and
numbers are its own.
"""

from __future__ import annotations

from msgspec import Struct

from engine.routing.envelope import OPERATOR_CHANNEL, Envelope, Peer, Sender

__all__ = [
    "CONFIG",
    "LISBON",
    "MIGRATION",
    "PEOPLE",
    "SECRET",
    "STORY",
    "TAXES",
    "Archived",
    "Branch",
    "Configure",
    "Edited",
    "Fold",
    "Forked",
    "Label",
    "Left",
    "Model",
    "Move",
    "Regenerated",
    "Said",
    "Sorted",
    "Step",
]

LISBON = "agent:mia:chat:lisbon"
"""The operator's own chat with the forks and the compaction."""

SECRET = "4711"
"""What Alice tells her assistant, and nobody else."""

CONFIG = """\
// The config of Branchline's demo. Change it while the app runs: edits are live at once.
{
  agents: {
    list: [
      { id: "mia", name: "Mia", default: true },
      { id: "ops", name: "Ops" },
    ],
    // No key and no network: a small built-in model that quotes what it was told.
    defaults: { model: "offline/echo" },
  },

  // Which messages go to which agent. The most specific one wins, then the first in the list.
  bindings: [
    { agentId: "ops", match: { channel: "discord", guildId: "742" } },
    { agentId: "mia", match: { channel: "telegram", accountId: "*" } },
    { agentId: "mia", match: { channel: "whatsapp", accountId: "*" } },
    // Written in a hurry. The first binding takes all of it: this one can never win.
    { agentId: "mia", match: { channel: "discord", guildId: "742" } },
  ],

  session: {
    // Who shares a memory: main | per-peer | per-channel-peer | per-account-channel-peer
    dmScope: "per-channel-peer",
    // One person, known by several ids.
    identityLinks: { alice: ["telegram:alice", "whatsapp:+491555010"] },
  },

  channels: {
    // A channel that is named here is guarded: strangers get a code, you let them in (P).
    signal: { dmPolicy: "pairing" },
  },
}
"""

PEOPLE: dict[str, Envelope] = {
    "you": Envelope(OPERATOR_CHANNEL),
    "alice": Envelope("telegram", peer=Peer("dm", "alice"), sender=Sender("alice", "Alice")),
    "alice on whatsapp": Envelope(
        "whatsapp", peer=Peer("dm", "+491555010"), sender=Sender("+491555010", "Alice")
    ),
    "bob": Envelope("telegram", peer=Peer("dm", "bob"), sender=Sender("bob", "Bob")),
    "carol": Envelope(
        "discord", peer=Peer("channel", "support"), guild_id="742", sender=Sender("carol", "Carol")
    ),
    "bob on discord": Envelope(
        "discord", peer=Peer("channel", "support"), guild_id="742", sender=Sender("bob", "Bob")
    ),
    "dora": Envelope("signal", peer=Peer("dm", "+493055501"), sender=Sender("dora", "Dora")),
}
"""Envelopes without a text, by who speaks where."""


class Said(Struct, frozen=True):
    """Somebody says something, `ago` minutes before the app is opened. `name` is how later steps
    call the message; `session` where the operator's own words go."""

    ago: int
    who: str
    text: str
    name: str = ""
    session: str | None = None


class Edited(Struct, frozen=True):
    """A message is sent again with other words; the answer to it gets the `name` too."""

    ago: int
    of: str
    text: str
    name: str = ""


class Regenerated(Struct, frozen=True):
    """A message is answered once more."""

    ago: int
    of: str


class Move(Struct, frozen=True):
    """The conversation goes on after the answer to a message."""

    ago: int
    to: str


class Label(Struct, frozen=True):
    """A message gets a label."""

    ago: int
    of: str
    text: str


class Branch(Struct, frozen=True):
    """The branch that a message is on gets a name."""

    ago: int
    of: str
    name: str


class Forked(Struct, frozen=True):
    """The way to the answer to a message is copied into a session of its own."""

    ago: int
    of: str
    name: str


class Fold(Struct, frozen=True):
    """What came before is folded into a summary; everything from a message on stays."""

    ago: int
    keep_from: str


class Model(Struct, frozen=True):
    """A session gets a model of its own."""

    ago: int
    session: str
    model: str


class Sorted(Struct, frozen=True):
    """A session gets a label to be found by."""

    ago: int
    session: str
    label: str


class Archived(Struct, frozen=True):
    """A session is put away."""

    ago: int
    session: str
    reason: str


class Left(Struct, frozen=True):
    """The operator leaves the app; what comes after that is new to them."""

    ago: int


class Configure(Struct, frozen=True):
    """The operator changes one value of the config file."""

    ago: int
    path: tuple[str, ...]
    value: str
    reason: str


_Deed = Edited | Regenerated | Move | Label | Branch | Forked | Fold
Step = Said | _Deed | Model | Sorted | Archived | Left | Configure


MIGRATION = "agent:ops:chat:migration"
"""The operator's own chat with a message that its model has no room for."""

TAXES = "agent:mia:chat:taxes"
"""The operator's own chat that is done with."""


def _log() -> str:
    """A log of the migration, longer than a small window."""
    lines = (
        f"{14 + at // 60}:{at % 60:02d} step {1 + at // 60} table orders_{at:03d}: {at * 37} rows"
        for at in range(150)
    )
    return "\n".join(("What is wrong here?", *lines, "16:30 step 3 FAILED: lock wait timeout"))


def _lisbon(*said: tuple[int, str, str]) -> tuple[Said, ...]:
    return tuple(Said(ago, "you", text, name, LISBON) for ago, name, text in said)


_HOURS, _DAYS = 60, 24 * 60

STORY: tuple[Step, ...] = (
    # three days ago: everybody has a conversation of their own
    Said(3 * _DAYS, "alice", "Hi, Alice here. Order 1042 has arrived, order 1057 is still open."),
    Said(3 * _DAYS - 4, "alice", "Please have 1057 delivered to the office, Harbour Street 12."),
    Said(3 * _DAYS - 6, "alice", "Which of my orders is still open?"),
    Said(3 * _DAYS - 90, "bob", "Bob here. Invoice 2041 over 310 euros is not paid yet."),
    Said(3 * _DAYS - 93, "bob", "Which invoice is not paid?"),
    *_lisbon(
        (2 * _DAYS + 300, "dates", "Plan Lisbon with me: Thursday 14 May to Sunday 17 May."),
        (2 * _DAYS + 298, "budget", "I can spend 900 euros on it, no more."),
        (2 * _DAYS + 295, "flight", "The flight is TP 571, it leaves Frankfurt at 06:25."),
        (2 * _DAYS + 294, "when", "When does the flight leave?"),
        (2 * _DAYS + 280, "hotel", "The hotel: Casa do Bairro, 118 euros a night, with breakfast."),
        (2 * _DAYS + 279, "cost", "What does a night in the hotel cost?"),
    ),
    Regenerated(2 * _DAYS + 277, "cost"),
    Edited(
        2 * _DAYS + 270,
        "hotel",
        "The hotel: Palácio Alfama, 164 euros a night, with a terrace.",
        "palace",
    ),
    Said(2 * _DAYS + 269, "you", "Is a night in the palace too much?", "within", LISBON),
    Branch(2 * _DAYS + 268, "within", "palace"),
    Forked(2 * _DAYS + 267, "flight", "Lisbon in autumn"),
    Move(2 * _DAYS + 266, "cost"),
    Label(2 * _DAYS + 265, "hotel", "booked"),
    Branch(2 * _DAYS + 265, "cost", "casa"),
    # Bob begins anew; what he said before is kept under his session
    Said(2 * _DAYS + 120, "bob", "/new"),
    Said(2 * _DAYS + 119, "bob", "Bob again: invoice 2041 is paid now, thank you."),
    # the day before yesterday: a room with several people, an agent of its own
    Said(2 * _DAYS, "carol", "The deploy on Friday failed at step 3, the database migration."),
    Said(2 * _DAYS - 3, "bob on discord", "Which step failed on Friday?"),
    Said(2 * _DAYS - 9, "carol", "Ticket 88 is for it; Dana looks at the migration on Monday."),
    Said(2 * _DAYS - 40, "alice on whatsapp", "Alice again, from my other phone: call me after 6."),
    *_lisbon(
        (_DAYS + 400, "tram", "On Friday: tram 28 up to Graça before nine, then it gets full."),
        (_DAYS + 398, "belem", "Friday afternoon: Belém, the tower closes at 17:30, 8 euros."),
        (_DAYS + 396, "table", "A table for two at Taberna da Rua, Friday 20:30, booking 7731."),
        (_DAYS + 395, "which", "Which booking is the table?"),
        (_DAYS + 391, "sintra", "Saturday: Sintra by train from Rossio at 08:41, 4.60 euros."),
        (_DAYS + 390, "pena", "Tickets for the Pena palace are 14 euros, entry at 10:30."),
        (_DAYS + 388, "who", "Who feeds the cat from Thursday to Sunday? Still open."),
        (_DAYS + 385, "fado", "Saturday evening: fado at Mesa de Frades, no booking needed."),
        (_DAYS + 384, "sunday", "Sunday: the market at Campo de Ourique, back with TP 578, 18:05."),
        (_DAYS + 383, "back", "When does the flight back leave?"),
    ),
    Model(_DAYS + 381, LISBON, "offline/echo-2k"),  # a small window, which fills soon
    Fold(_DAYS + 380, "sunday"),
    *_lisbon(
        (_DAYS + 300, "cat", "Carol feeds the cat; she has the key."),
        (_DAYS + 299, "recall", "Which booking was the table?"),
    ),
    Said(20 * _HOURS, "carol", "Dana says the migration runs through now. Ticket 88 is closed."),
    Sorted(20 * _HOURS, "agent:ops:discord:channel:support", "escalated"),
    # the operator tidies up; a log is too long for the small model that was chosen here
    Said(19 * _HOURS, "you", "The tax return for last year: 412 euros come back.", "", TAXES),
    Sorted(19 * _HOURS - 2, TAXES, "done"),
    Archived(19 * _HOURS - 3, TAXES, "done for this year"),
    Said(18 * _HOURS, "you", "I look into the migration that failed on Friday.", "", MIGRATION),
    Model(18 * _HOURS - 1, MIGRATION, "offline/echo-2k"),
    Said(18 * _HOURS - 2, "you", _log(), "", MIGRATION),
    Said(15 * _HOURS, "bob", "Is anything of mine still open?"),
    # last night somebody found it handy to have everybody in one place; from then on what Alice
    # says lies where Bob's words would land, too
    Configure(14 * _HOURS, ("session", "dmScope"), "main", "everybody in one place, that is handy"),
    Left(13 * _HOURS),
    Said(
        12 * _HOURS,
        "alice",
        f"The courier needs the door code: it is {SECRET}. Please tell nobody else.",
    ),
    Said(12, "dora", "Hello, this is Dora. May I write to you here?"),
)
