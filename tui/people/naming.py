"""How sessions are called on screen: names, channel tags, agents. Everything comes out safe."""

from __future__ import annotations

from engine.config.schema import Config
from engine.engine import SessionInfo
from engine.routing.envelope import OPERATOR_CHANNEL
from engine.text import safe_line

__all__ = [
    "agent_name",
    "channel_short",
    "channel_tag",
    "channel_title",
    "chat_name",
    "is_stored",
    "model_name",
    "session_name",
    "title_of",
]

_TAGS = {
    "telegram": "tg",
    "whatsapp": "wa",
    "discord": "dc",
    "slack": "sl",
    "signal": "sg",
    "matrix": "mx",
    "webchat": "wc",
    "imessage": "im",
    "msteams": "ms",
}
_TYPES = {"dm": "DM", "direct": "DM", "group": "grp", "channel": "chn", "thread": "thr"}


def is_stored(info: SessionInfo) -> bool:
    """Whether this is no running session but something kept: archived, reset, a checkpoint …"""
    return info.kind != "session"


def session_name(info: SessionInfo) -> str:
    """What a person calls this session: its label, its peer, or the end of its key."""
    if info.chat_type in {"group", "channel"}:
        room = safe_line(info.label or "", limit=80) or chat_name(info.key)
        return room if room.startswith("#") else f"#{room}"
    own = info.channel in {"", OPERATOR_CHANNEL}
    name = safe_line(info.label or ("" if own else info.peer_name), limit=80)
    return name or chat_name(info.key)


def chat_name(key: str) -> str:
    """The telling end of a session key: `main`, `alice`, `plans`."""
    return safe_line(key.rsplit(":", 1)[-1] or key, limit=80)


def channel_tag(info: SessionInfo) -> str:
    """`tg DM`, `dc grp`; nothing for the operator's own chats."""
    if info.channel in {"", OPERATOR_CHANNEL}:
        return ""
    return f"{channel_short(info.channel)} {_TYPES.get(info.chat_type, '')}".strip()


def channel_short(channel: str) -> str:
    """A channel in two letters: `tg`."""
    return _TAGS.get(channel) or safe_line(channel, limit=20)[:2]


def channel_title(info: SessionInfo) -> str:
    """`Telegram DM`; `your chat` for the operator's own."""
    if info.channel in {"", OPERATOR_CHANNEL}:
        return "your chat"
    kind = {"dm": "DM", "direct": "DM"}.get(info.chat_type, safe_line(info.chat_type))
    return f"{safe_line(info.channel, limit=40).capitalize()} {kind}".strip()


def title_of(info: SessionInfo) -> str:
    """`Alice · Telegram DM`."""
    return f"{session_name(info)} · {channel_title(info)}"


def model_name(ref: str) -> str:
    """A model without its provider, for where there is little room: `claude-opus-5-5`."""
    return safe_line(ref.rsplit("/", 1)[-1] or ref, limit=60)


def agent_name(config: Config, agent_id: str) -> str:
    """The name of an agent as the config gives it, else its id."""
    for agent in config.agents.list:
        if agent.id == agent_id and agent.name:
            return safe_line(agent.name, limit=80)
    return safe_line(agent_id, limit=80)
