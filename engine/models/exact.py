"""The exact bytes of a request, as the wire would carry them, without sending anything."""

from __future__ import annotations

from typing import Any

from msgspec import to_builtins

from engine.models.door import fit
from engine.models.jsontext import dumps
from engine.models.protocol import ModelRequest
from engine.models.registry import ModelRegistry

__all__ = ["exact_body"]


def exact_body(request: ModelRequest, ref: str, registry: ModelRegistry) -> bytes:
    """The body that a provider would be sent for a request.

    The offline model has no wire; for it, what it is given is written in the same way. Keys
    travel in headers and are never part of it.

    Raises:
        ModelError: the model cannot be used.
    """
    info = registry.info(ref)
    request = fit(request, info)
    endpoint = registry.endpoint(info.provider)
    body: dict[str, Any]
    match endpoint.api:
        case "anthropic-messages":
            from engine.models import anthropic

            body = anthropic.build_body(request, endpoint, info)
        case "openai-completions":
            from engine.models import openai

            body = openai.build_body(request, endpoint, info)
        case "ollama":
            from engine.models import ollama

            body = ollama.build_body(request, endpoint, info)
        case _:
            body = {name: value for name, value in to_builtins(request).items() if value}
    return dumps(body)
