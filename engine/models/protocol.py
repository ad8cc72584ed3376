"""The types between the engine and a model: one request shape, one stream of events.

Adapters (anthropic, openai, ollama, offline) turn a ModelRequest into their wire form and the
answer into events. They never see a session, a config or a disk.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Literal, Protocol

from msgspec import Struct
from msgspec import field as msgfield

__all__ = [
    "UNPARSED",
    "Block",
    "ChatMessage",
    "Done",
    "Image",
    "ModelInfo",
    "ModelRequest",
    "Provider",
    "Purpose",
    "Retrying",
    "StopReason",
    "StreamEvent",
    "Switched",
    "Text",
    "TextDelta",
    "Thinking",
    "ThinkingDelta",
    "ToolCall",
    "ToolCallDelta",
    "ToolResult",
    "ToolSpec",
    "Usage",
]

Purpose = Literal["reply", "summary", "flush", "probe", "subagent"]
UNPARSED = "_unparsed"
"""The one argument of a tool call whose arguments were not a JSON object: their raw text."""

StopReason = Literal["stop", "length", "toolUse", "refusal", "error", "aborted"]
"""As transcripts write it. `error`: the stream broke, partial text kept; `aborted`: cancelled."""


class Text(Struct, frozen=True):
    text: str


class Image(Struct, frozen=True):
    """Base64 `data` of a picture with its MIME type."""

    data: str
    mime_type: str


class Thinking(Struct, frozen=True):
    """Reasoning text; `signature` goes back byte for byte to the provider that gave it."""

    text: str
    signature: str = ""
    redacted: bool = False


class ToolCall(Struct, frozen=True):
    id: str
    name: str
    arguments: Mapping[str, Any]


class ToolResult(Struct, frozen=True):
    call_id: str
    name: str
    text: str
    is_error: bool = False


Block = Text | Image | Thinking | ToolCall | ToolResult


class ChatMessage(Struct, frozen=True):
    """One message of a request.

    Attributes:
        role: who speaks to the model; tool results come as `user` with ToolResult blocks.
        name: the person who wrote a user message, "" when unknown.
        entry_ids: transcript entries whose words this message carries (the leak check reads it).
    """

    role: Literal["user", "assistant"]
    content: tuple[Block, ...]
    name: str = ""
    entry_ids: tuple[str, ...] = ()


class ToolSpec(Struct, frozen=True):
    name: str
    description: str
    parameters: Mapping[str, Any]


class ModelRequest(Struct, frozen=True):
    """Everything a model call needs.

    Attributes:
        model: the provider's own model id (without the provider's name before the slash).
        max_tokens: most tokens to write; None lets the adapter choose.
        context_window: tokens the model can hold, for servers that must be told (Ollama).
        session_key: for provider caching and the recorder; never sent as words.
        principal: whom the answer is for, for the leak check.
    """

    model: str
    messages: tuple[ChatMessage, ...]
    system: str = ""
    tools: tuple[ToolSpec, ...] = ()
    max_tokens: int | None = None
    context_window: int | None = None
    thinking: str = "off"
    purpose: Purpose = "reply"
    session_key: str = ""
    principal: str = ""
    extra: Mapping[str, Any] = msgfield(default_factory=dict)


class Usage(Struct, frozen=True):
    """Tokens as the provider counts them. `input` excludes what the cache served."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0

    @property
    def total(self) -> int:
        return self.input + self.output + self.cache_read + self.cache_write


class TextDelta(Struct, frozen=True):
    text: str


class ThinkingDelta(Struct, frozen=True):
    text: str


class ToolCallDelta(Struct, frozen=True):
    """A tool call grows: `name` and `id` once, `arguments` is a piece of JSON text."""

    index: int
    id: str
    name: str
    arguments: str


class Retrying(Struct, frozen=True):
    """Nothing has been shown yet and the call is tried again in `seconds`."""

    reason: str
    seconds: float
    attempt: int


class Switched(Struct, frozen=True):
    """`from_ref` could not answer (`reason`); what follows comes from `to_ref`.

    Only ever told before anything was shown, and never for a model the person chose.
    """

    from_ref: str
    to_ref: str
    reason: str


class Done(Struct, frozen=True):
    """The last event: the whole answer in order, why it ended, and what it cost."""

    content: tuple[Block, ...]
    stop_reason: StopReason
    usage: Usage | None
    response_id: str = ""
    model: str = ""


StreamEvent = TextDelta | ThinkingDelta | ToolCallDelta | Retrying | Switched | Done


class ModelInfo(Struct, frozen=True):
    """What is known of a model before it is asked.

    Attributes:
        ref: `provider/model`.
        model: the provider's own id (what follows the first slash).
        context_window: tokens the model can hold; a default where neither config nor server says.
        max_tokens: most tokens it may write in one answer.
        key_source: name of the variable, `config` or `file …` that holds the key; never the key.
            None: no key is set.
        needs_key: whether calls without a key are refused before they are sent.
        local: whether it runs on this machine (longer silences are normal).
        reasoning: whether it takes a thinking level.
    """

    ref: str
    provider: str
    model: str
    api: str
    context_window: int
    max_tokens: int
    key_source: str | None = None
    needs_key: bool = False
    input: tuple[str, ...] = ("text",)
    tools: bool = True
    reasoning: bool = False
    local: bool = False
    name: str = ""

    @property
    def ready(self) -> bool:
        """Whether a call can be tried: a key is there, or none is needed."""
        return not self.needs_key or self.key_source is not None


class Provider(Protocol):
    """One way to reach models. `stream` yields deltas and ends with exactly one Done.

    Raises (from the iterator):
        ModelError: classified; `partial` holds the text that had arrived.
    Closing the iterator (or cancelling its task) closes the connection at once.
    """

    def stream(self, request: ModelRequest) -> AsyncIterator[StreamEvent]: ...
