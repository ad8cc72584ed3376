"""Streams as servers send them (WIRE §§1–3), each with what it must come to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from engine.models.protocol import Block, StopReason, Text, Thinking, ToolCall, Usage

ANTHROPIC, OPENAI, OLLAMA = "anthropic-messages", "openai-completions", "ollama"


@dataclass(frozen=True)
class Recorded:
    """A stream and its answer."""

    api: str
    data: bytes
    content: tuple[Block, ...]
    stop: StopReason
    usage: Usage | None


def sse(*chunks: Any, end: str = "\n", done: bool = True) -> bytes:
    """Data-only events, and [DONE] after them."""
    texts = [
        each if isinstance(each, str) else json.dumps(each, ensure_ascii=False) for each in chunks
    ]
    lines = [f"data: {text}{end}{end}" for text in texts]
    return "".join([*lines, f"data: [DONE]{end}{end}" if done else ""]).encode()


def named(*payloads: dict[str, Any], end: str = "\n") -> bytes:
    """Events that carry their type as their name."""
    return "".join(
        f"event: {each['type']}{end}data: {json.dumps(each, ensure_ascii=False)}{end}{end}"
        for each in payloads
    ).encode()


def lines(*objects: dict[str, Any], end: str = "\n") -> bytes:
    return "".join(json.dumps(each, ensure_ascii=False) + end for each in objects).encode()


def piece(delta: dict[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c1", "object": "chat.completion.chunk", "model": "m", "choices": [choice]} | more


def call(index: int | None = 0, **fields: Any) -> dict[str, Any]:
    """A piece with one tool call; `name` and `arguments` go where they belong."""
    function = {key: fields.pop(key) for key in ("name", "arguments") if key in fields}
    place = {} if index is None else {"index": index}
    return piece({"tool_calls": [place | fields | {"function": function}]})


COUNTS = {"prompt_tokens": 21, "completion_tokens": 9, "total_tokens": 30}
COUNTED = Usage(input=21, output=9)
BERLIN = ToolCall("call_1", "get_time", {"tz": "Europe/Berlin"})

START = {
    "type": "message_start",
    "message": {
        "id": "msg_1",
        "model": "claude",
        "role": "assistant",
        "content": [],
        "stop_reason": None,
        "usage": {
            "input_tokens": 12,
            "cache_creation_input_tokens": 3,
            "cache_read_input_tokens": 5,
            "output_tokens": 1,
        },
    },
}


def block(index: int, start: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_start", "index": index, "content_block": start},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def ending(reason: str, output: int = 42) -> list[dict[str, Any]]:
    return [
        {
            "type": "message_delta",
            "delta": {"stop_reason": reason, "stop_sequence": None},
            "usage": {"output_tokens": output},
        },
        {"type": "message_stop"},
    ]


CLAUDE_TOOLS = named(
    START,
    {"type": "ping"},
    *block(
        0,
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "thinking_delta", "thinking": "Which zone\u2028is it? "},
        {"type": "thinking_delta", "thinking": "Berlin."},
        {"type": "signature_delta", "signature": "EqQB+/=="},
        {"type": "signature_delta", "signature": "Zz=="},
    ),
    *block(1, {"type": "redacted_thinking", "data": "b3BhcXVl"}),
    *block(
        2,
        {"type": "text", "text": ""},
        {"type": "text_delta", "text": "Grüße 👋🏽 – "},
        {"type": "citations_delta", "citation": {}},
        {"type": "text_delta", "text": "ich schaue nach."},
    ),
    {"type": "some_new_event", "data": 1},
    *block(
        3,
        {"type": "tool_use", "id": "toolu_1", "name": "get_time", "input": {}},
        {"type": "input_json_delta", "partial_json": ""},
        {"type": "input_json_delta", "partial_json": '{"tz": "Eur'},
        {"type": "input_json_delta", "partial_json": 'ope/Berlin"}'},
    ),
    *block(4, {"type": "server_tool_use", "id": "s", "name": "web", "input": {}}),
    *block(5, {"type": "tool_use", "id": "toolu_2", "name": "list", "input": {}}),
    *ending("tool_use"),
)
CLAUDE_BLOCKS: tuple[Block, ...] = (
    Thinking("Which zone\u2028is it? Berlin.", "EqQB+/==Zz=="),
    Thinking("", "b3BhcXVl", redacted=True),
    Text("Grüße 👋🏽 – ich schaue nach."),
    ToolCall("toolu_1", "get_time", {"tz": "Europe/Berlin"}),
    ToolCall("toolu_2", "list", {}),
)
CLAUDE_USAGE = Usage(input=12, output=42, cache_read=5, cache_write=3)

RECORDED: dict[str, Recorded] = {
    "anthropic with everything": Recorded(
        ANTHROPIC, CLAUDE_TOOLS, CLAUDE_BLOCKS, "toolUse", CLAUDE_USAGE
    ),
    "anthropic with CRLF": Recorded(
        ANTHROPIC,
        CLAUDE_TOOLS.replace(b"\n", b"\r\n"),
        CLAUDE_BLOCKS,
        "toolUse",
        CLAUDE_USAGE,
    ),
    "openai as documented": Recorded(
        OPENAI,
        sse(
            piece({"role": "assistant", "content": ""}),
            piece({"content": "Grü\u2028ße "}),
            piece({"content": "👋🏽"}),
            call(0, id="call_1", type="function", name="get_time", arguments=""),
            call(0, arguments='{"tz": "Eur'),
            call(0, arguments='ope/Berlin"}'),
            call(1, id="call_2", type="function", name="list", arguments=""),
            piece({}, "tool_calls"),
            {
                "choices": [],
                "usage": COUNTS
                | {"prompt_tokens_details": {"cached_tokens": 5, "cache_write_tokens": 6}},
            },
        ),
        (Text("Grü\u2028ße 👋🏽"), BERLIN, ToolCall("call_2", "list", {})),
        "toolUse",
        Usage(input=10, output=9, cache_read=5, cache_write=6),
    ),
    "litellm: usage beside a choice": Recorded(
        OPENAI,
        sse(piece({"content": "Hi"}), piece({}, "stop"), piece({"content": None}, usage=COUNTS)),
        (Text("Hi"),),
        "stop",
        COUNTED,
    ),
    "transformers: usage on the last chunk, no DONE, no last newline": Recorded(
        OPENAI,
        sse(piece({"content": "Hi"}), piece({}, "stop", usage=COUNTS), done=False).rstrip(b"\n"),
        (Text("Hi"),),
        "stop",
        COUNTED,
    ),
    "llama-cpp-python: id and name on every piece": Recorded(
        OPENAI,
        sse(
            piece({"role": "assistant", "content": None, "tool_calls": None}),
            call(0, id="call_1", name="get_time", arguments=""),
            call(0, id="call_1", name="get_time", arguments='{"tz": "Europe'),
            call(0, id="call_1", name="get_time", arguments='/Berlin"}'),
            piece({}, "tool_calls"),
        ),
        (BERLIN,),
        "toolUse",
        None,
    ),
    "no index, no id, arguments as an object, finish says stop": Recorded(
        OPENAI,
        sse(
            call(None, name="get_time", arguments={"tz": "Europe/Berlin"}),
            call(None, name="list", arguments={}),
            piece({}, "stop"),
        ),
        (ToolCall("new0", "get_time", {"tz": "Europe/Berlin"}), ToolCall("new1", "list", {})),
        "toolUse",
        None,
    ),
    "gemini: parallel calls all numbered 0": Recorded(
        OPENAI,
        sse(
            call(0, id="a", name="get_time", arguments='{"tz":"x"}'),
            call(0, id="b", name="get_time", arguments='{"tz":"y"}'),
            piece({}, "stop"),
        ),
        (ToolCall("a", "get_time", {"tz": "x"}), ToolCall("b", "get_time", {"tz": "y"})),
        "toolUse",
        None,
    ),
    "reasoning_content": Recorded(
        OPENAI,
        sse(
            piece({"reasoning_content": "Two and "}),
            piece({"reasoning_content": "two."}),
            piece({"content": "Four."}, "stop"),
        ),
        (Thinking("Two and two."), Text("Four.")),
        "stop",
        None,
    ),
    "openrouter: comments, reasoning told twice": Recorded(
        OPENAI,
        b": OPENROUTER PROCESSING\n\n"
        + sse(
            piece({"reasoning": "Hm.", "reasoning_details": [{"text": "Hm."}]}),
            piece({"reasoning_details": [{"summary": "Yes."}]}),
            piece({"content": "Four."}, "stop"),
        ),
        (Thinking("Hm.Yes."), Text("Four.")),
        "stop",
        None,
    ),
    "inline reasoning in pieces": Recorded(
        OPENAI,
        sse(
            piece({"content": "\n<th"}),
            piece({"content": "ink>Two <b> and</t"}),
            piece({"content": "d> two.</thi"}),
            piece({"content": "nk>\n"}),
            piece({"content": "\nFour <think>s</think>."}, "stop"),
        ),
        (Thinking("Two <b> and</td> two."), Text("Four <think>s</think>.")),
        "stop",
        None,
    ),
    "characters cut into surrogate halves": Recorded(
        OPENAI,
        sse(
            r'{"choices":[{"index":0,"delta":{"content":"a\ud83d"}}]}',
            r'{"choices":[{"index":0,"delta":{"content":"\udc4bb"},"finish_reason":"stop"}]}',
        ),
        (Text("a👋b"),),
        "stop",
        None,
    ),
    "a whole document in one event": Recorded(
        OPENAI,
        sse(
            {
                "id": "x",
                "choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}],
                "usage": COUNTS,
            },
            done=False,
        ),
        (Text("Hi"),),
        "stop",
        COUNTED,
    ),
    "ollama with reasoning and tools": Recorded(
        OLLAMA,
        lines(
            {
                "model": "q",
                "message": {"role": "assistant", "content": "", "thinking": "Hm."},
                "done": False,
            },
            {"model": "q", "message": {"content": "Grü\u2028ße "}, "done": False},
            {"model": "q", "message": {"content": "👋🏽"}, "done": False},
            {
                "model": "q",
                "message": {
                    "content": "",
                    "tool_calls": [{"function": {"name": "get_time", "arguments": {"tz": "x"}}}],
                },
                "done": False,
            },
            {
                "model": "q",
                "message": {"content": ""},
                "done": True,
                "done_reason": "stop",
                "prompt_eval_count": 21,
                "eval_count": 9,
            },
        ),
        (Thinking("Hm."), Text("Grü\u2028ße 👋🏽"), ToolCall("new0", "get_time", {"tz": "x"})),
        "toolUse",
        COUNTED,
    ),
    "ollama with CRLF and no last line end": Recorded(
        OLLAMA,
        lines(
            {"message": {"content": "Hi"}, "done": False},
            {"message": {"content": ""}, "done": True, "done_reason": "length", "eval_count": 1},
            end="\r\n",
        ).rstrip(),
        (Text("Hi"),),
        "length",
        Usage(output=1),
    ),
}
