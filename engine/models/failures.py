"""What went wrong, in one word and one sentence: a provider's error → ModelError.

Order matters. Texts of rate limits speak of tokens and sizes, too, so they are told apart from an
overflow first; a quota that is used up comes as 429 but does not clear. Providers ask to branch on
types and codes, not on wording, and that is done where there is a code; an overflow mostly has
none. Source of the texts: the wire notes of this project (WIRE §6), gathered from the servers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from msgspec import Struct

from engine.config.secrets import redact as hide_secrets
from engine.errors import ModelError, ModelErrorKind
from engine.models.endpoint import Endpoint
from engine.models.jsontext import loads
from engine.text import safe_line

__all__ = ["Report", "classify", "is_overflow", "kind_of", "redact", "remedy_for", "retry_after"]

MESSAGE_LIMIT = 300
SCAN_LIMIT = 8000
"""Characters of a message that are looked at: the rest is cut off anyway."""

_RATE = re.compile(r"rate.?limit|too many requests|(?:tokens|requests) per (?:min|day|sec)|throttl")
_BILLING = re.compile(
    r"insufficient_quota|exceeded your current quota|credit balance|billing_error|"
    r"enforced_spend_limit|insufficient (?:balance|credits|funds)|payment required"
)
_KEY = re.compile(r"api key not valid|invalid.{0,12}api.?key|incorrect api key|unauthenticated")
_OVERFLOW = re.compile(
    "|".join(
        (
            r"prompt is too long",
            r"exceeds? (?:the )?(?:available )?context (?:size|limit|window|length)",
            r"context_length_exceeded|exceed_context_size|contextwindowexceeded|request_too_large",
            r"model_context_window_exceeded",
            r"maximum context length|max_model_len",
            r"max_(?:completion_)?tokens\W.{0,40}is too large(?!.{0,80}completion tokens)",
            r"greater than the context length|exceeded (?:max )?context length",
            r"exceeds the maximum number of tokens",
            r"input is too long|input length .{0,40}exceeds|prompt too long",
            r"maximum prompt length",
            r"reduce the length of the messages",
            r"context window exceeds limit|exceeded model token limit",
            r"range of input length should be",
            r"exceeds the (?:model'?s )?context",
        )
    )
)
_OVERFLOW_STATUS = frozenset({None, 200, 400, 413, 422, 500})

_BY_TYPE: dict[str, ModelErrorKind] = {
    "authentication_error": "auth",
    "permission_error": "auth",
    "invalid_api_key": "auth",
    "permission_denied": "auth",
    "billing_error": "billing",
    "insufficient_quota": "billing",
    "rate_limit_error": "rate_limit",
    "rate_limit_exceeded": "rate_limit",
    "resource_exhausted": "rate_limit",
    "overloaded_error": "overloaded",
    "unavailable": "overloaded",
    "api_error": "server",
    "server_error": "server",
    "internal": "server",
    "timeout_error": "timeout",
    "deadline_exceeded": "timeout",
    "not_found_error": "invalid",
    "model_not_found": "invalid",
    "invalid_request_error": "invalid",
    "invalid_argument": "invalid",
}
_BY_STATUS: dict[int, ModelErrorKind] = {
    401: "auth",
    402: "billing",
    403: "auth",
    408: "timeout",
    409: "server",
    413: "overflow",
    429: "rate_limit",
    503: "overloaded",
    504: "timeout",
    524: "timeout",
    529: "overloaded",
}


class Report(Struct, frozen=True):
    """What an error body says: a sentence and, where given, the provider's words for its kind."""

    message: str
    codes: tuple[str, ...] = ()
    status: int | None = None
    delay: float | None = None


def classify(
    status: int | None,
    body: bytes | str | Mapping[str, Any],
    headers: Mapping[str, str],
    endpoint: Endpoint,
) -> ModelError:
    """A failed answer → a ModelError with its kind, a safe message and what to do.

    Args:
        status: HTTP status; None for an error event inside a stream that began well.
        body: the body as it came, or the parsed error event.
        headers: with lower-case names.
    """
    report = read_report(body)
    status = status if status not in {None, 200} else report.status
    kind = kind_of(status, report)
    said = redact(report.message, endpoint)
    number = f" {status}" if status else ""
    message = (
        f"{endpoint.provider} answered{number}: {said}"
        if said
        else (f"{endpoint.provider} answered{number} without a reason")
    )
    return ModelError(
        message,
        kind=kind,
        status=status,
        retry_after=retry_after(headers, report),
        retryable=_retryable(headers, kind),
        remedy=remedy_for(kind, endpoint, status),
    )


def kind_of(status: int | None, report: Report) -> ModelErrorKind:
    """The kind of a failure, from the surest sign to the weakest."""
    text = " ".join((report.message, *report.codes)).lower()
    if status == 402 or _BILLING.search(text):
        return "billing"
    if is_overflow(status, text):
        return "overflow"
    if _RATE.search(text) and status not in {401, 403}:
        return "rate_limit"
    for code in report.codes:
        kind = _BY_TYPE.get(code.lower())
        # `invalid_request_error` says less than its status: some send it with a 401 or a 429.
        if kind is not None and not (kind == "invalid" and status in _BY_STATUS):
            return "auth" if kind == "invalid" and _KEY.search(text) else kind
    if status is None:
        return "server"
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status >= 500:
        return "server"
    return "auth" if _KEY.search(text) else "invalid"


def is_overflow(status: int | None, text: str) -> bool:
    """Whether an error says that the request does not fit the context window (WIRE §6)."""
    text = text.lower()
    if status == 429 or _RATE.search(text):
        return False
    return status == 413 or (status in _OVERFLOW_STATUS and _OVERFLOW.search(text) is not None)


def read_report(body: bytes | str | Mapping[str, Any]) -> Report:
    """The sentence and the codes of an error body in any of the shapes that servers use."""
    if isinstance(body, bytes):
        body = body.decode("utf-8", "replace")
    data: Any = body
    if isinstance(body, str):
        data = loads(body)
        if not isinstance(data, (Mapping, list)):
            return Report(_plain(body))
    if isinstance(data, list):  # Gemini wraps its error in a list
        data = data[0] if data and isinstance(data[0], Mapping) else {}
    error = data.get("error", data)
    if isinstance(error, Mapping):
        return _report(error, data)
    return Report(str(error)) if error else _report(data, data)


def _report(error: Mapping[str, Any], whole: Mapping[str, Any]) -> Report:
    details = error.get("details")
    inner = details if isinstance(details, Mapping) else {}
    named = (inner.get("error_code"), error.get("code"), error.get("type"), error.get("status"))
    status = error.get("code")
    usable = isinstance(status, int) and not isinstance(status, bool) and 400 <= status < 600
    return Report(
        message=_sentence(error, whole),
        codes=tuple(each for each in named if isinstance(each, str) and each != "error"),
        status=status if usable else None,
        delay=_gemini_delay(details),
    )


def _sentence(error: Mapping[str, Any], whole: Mapping[str, Any]) -> str:
    for source in (error.get("message"), error.get("detail"), whole.get("detail")):
        if isinstance(source, str) and source.strip():
            return source
        if isinstance(source, list) and source and isinstance(source[0], Mapping):
            return str(source[0].get("msg", ""))
    return ""


def _gemini_delay(details: Any) -> float | None:
    for each in details if isinstance(details, list) else ():
        delay = each.get("retryDelay") if isinstance(each, Mapping) else None
        if isinstance(delay, str) and delay.endswith("s"):
            return _seconds(delay[:-1])
    return None


def _plain(text: str) -> str:
    """A body that is no JSON, made short: of an HTML page its title, else its words."""
    if "<" in text[:500]:
        title = re.search(r"<title[^>]{0,200}>([^<]{1,300})", text[:20_000], re.IGNORECASE)
        if title:
            return f"a web page, “{title[1].strip()}”"
        text = re.sub(r"<[^<>]{0,2000}>", " ", text[:20_000])
    return text


def retry_after(headers: Mapping[str, str], report: Report | None = None) -> float | None:
    """Seconds the service asks to wait: `retry-after-ms`, then seconds, then a date.

    A date is measured against the answer's own `date`, so a wrong clock does no harm. Nothing,
    zero, negative or unreadable: None.
    """
    milliseconds = _seconds(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    text = headers.get("retry-after")
    seconds = _seconds(text)
    if seconds is None and text and headers.get("date"):
        try:
            until = parsedate_to_datetime(text) - parsedate_to_datetime(headers["date"])
        except (TypeError, ValueError):
            return None
        seconds = until.total_seconds() if until.total_seconds() > 0 else None
    return seconds if seconds is not None else (report.delay if report else None)


def _seconds(text: str | None) -> float | None:
    try:
        seconds = float(text or "")
    except ValueError:
        return None
    return seconds if 0 < seconds < 1e9 else None


def _retryable(headers: Mapping[str, str], kind: ModelErrorKind) -> bool | None:
    if kind == "billing":
        return False
    return {"true": True, "false": False}.get(headers.get("x-should-retry", "").lower())


def redact(text: str, endpoint: Endpoint | None = None) -> str:
    """One safe line without the key, or anything that looks like one."""
    known = [endpoint.key] if endpoint is not None and endpoint.key is not None else []
    return safe_line(hide_secrets(text[:SCAN_LIMIT], known), limit=MESSAGE_LIMIT)


def remedy_for(kind: ModelErrorKind, endpoint: Endpoint, status: int | None = None) -> str:
    """What the person can do."""
    if kind == "auth":
        return _key_remedy(endpoint)
    if kind == "invalid" and status == 404:
        return "Check the model's name and the provider's baseUrl; `models probe` shows both"
    if kind == "connection" and endpoint.local:
        return f"Is the server at {endpoint.host} running? Start it, or choose another with /model"
    return {
        "billing": "Top up the account, or choose another model with /model",
        "rate_limit": "Wait a moment and send again, or choose another model with /model",
        "overloaded": "Try again in a moment, or choose another model with /model",
        "server": "Try again in a moment, or choose another model with /model",
        "timeout": "Try again; models.providers.*.timeoutSeconds allows longer silences",
        "connection": "Check the network and the provider's baseUrl, then try again",
        "overflow": "Fold the conversation with /compact, or choose a model with a larger window",
    }.get(kind, "Check the request and the provider's settings")


def _key_remedy(endpoint: Endpoint) -> str:
    setting = f"models.providers.{endpoint.provider}.apiKey"
    if endpoint.key_problem is not None:
        return str(endpoint.key_problem)
    if endpoint.key is None:
        where = endpoint.key_names[0] if endpoint.key_names else setting
        return f"Set {where}, or choose another model with /model"
    if endpoint.key_source == "config":
        return f"Check {setting}"
    return f"Check the key in {endpoint.key_source}"
