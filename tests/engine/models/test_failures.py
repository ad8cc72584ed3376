from __future__ import annotations

import json
from typing import Any

import pytest

from engine.config.schema import Provider as ProviderConfig
from engine.models.endpoint import make_endpoint
from engine.models.failures import classify, redact, retry_after
from tests.engine.models.support import endpoint

OURS = endpoint()


def kind(status: int | None, body: Any, **headers: str) -> str:
    text = body if isinstance(body, str) else json.dumps(body)
    return classify(status, text, headers, OURS).kind


def anthropic(kind: str, message: str = "x", **details: str) -> dict[str, Any]:
    error = {"type": kind, "message": message} | ({"details": details} if details else {})
    return {"type": "error", "error": error}


def openai(message: str = "x", **fields: Any) -> dict[str, Any]:
    return {"error": {"message": message} | fields}


@pytest.mark.parametrize(
    ("status", "body", "wanted"),
    [
        (400, anthropic("invalid_request_error", "messages: field required"), "invalid"),
        (401, anthropic("authentication_error", "invalid x-api-key"), "auth"),
        (402, anthropic("billing_error"), "billing"),
        (403, anthropic("permission_error"), "auth"),
        (404, anthropic("not_found_error", "model: nope"), "invalid"),
        (409, anthropic("conflict_error"), "server"),
        (413, anthropic("request_too_large"), "overflow"),
        (429, anthropic("rate_limit_error", "too many input tokens per minute"), "rate_limit"),
        (500, anthropic("api_error", "Internal server error"), "server"),
        (504, anthropic("timeout_error"), "timeout"),
        (529, anthropic("overloaded_error", "Overloaded"), "overloaded"),
        (None, anthropic("overloaded_error", "Overloaded"), "overloaded"),
        (400, anthropic("invalid_request_error", "Your credit balance is too low"), "billing"),
        (429, anthropic("rate_limit_error", error_code="enforced_spend_limit_reached"), "billing"),
        (401, openai("Incorrect API key provided: sk-abc***xyz", code="invalid_api_key"), "auth"),
        (401, openai("bad key", type="invalid_request_error"), "auth"),
        (404, openai("no such model", code="model_not_found"), "invalid"),
        (429, openai("slow down", code="rate_limit_exceeded"), "rate_limit"),
        (429, openai("You exceeded your current quota", code="insufficient_quota"), "billing"),
        (500, openai("The server had an error", type="server_error"), "server"),
        (503, openai("Service Unavailable"), "overloaded"),
        (400, openai("bad tools", type="invalid_request_error", code=None), "invalid"),
        (200, openai("upstream", code=502), "server"),
        (
            400,
            openai("API key not valid.", code=400, status="INVALID_ARGUMENT"),
            "auth",
        ),
        (
            429,
            [openai(code=429, status="RESOURCE_EXHAUSTED")],
            "rate_limit",
        ),
        (503, {"error": {"code": 503, "message": "x", "status": "UNAVAILABLE"}}, "overloaded"),
        (422, {"detail": [{"loc": ["body"], "msg": "field required"}]}, "invalid"),
        (400, {"detail": "no"}, "invalid"),
        (404, {"error": "model 'x' not found, try pulling it first"}, "invalid"),
        (408, "", "timeout"),
        (502, "<html><head><title>502 Bad Gateway</title></head></html>", "server"),
        (529, "", "overloaded"),
        (418, "short and stout", "invalid"),
    ],
)
def test_kinds(status: int | None, body: Any, wanted: str) -> None:
    assert kind(status, body) == wanted


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (
            400,
            anthropic("invalid_request_error", "prompt is too long: 9 tokens > 8 maximum"),
        ),
        (
            400,
            anthropic(
                "invalid_request_error",
                "input length and `max_tokens` exceed context limit",
            ),
        ),
        (400, openai("x", code="context_length_exceeded")),
        (400, openai("This model's maximum context length is 128000 tokens. However")),
        (400, openai("Your input exceeds the context window of this model.")),
        (
            400,
            openai(
                "request (15 tokens) exceeds the available context size (10 tokens), try",
                type="exceed_context_size_error",
                code=400,
            ),
        ),
        (400, openai("litellm.ContextWindowExceededError: x")),
        (
            400,
            {
                "object": "error",
                "message": "This model's maximum context length is 10",
                "code": 400,
            },
        ),
        (400, openai("'max_tokens' or 'max_completion_tokens' is too large: 9")),
        (400, openai("tokens to keep is greater than the context length")),
        (400, {"error": "prompt too long; exceeded max context length by 3 tokens"}),
        (400, openai("The input token count (9) exceeds the maximum number of tokens allowed (8)")),
        (400, openai("Input is too long for requested model.")),
        (400, openai("This model's maximum prompt length is 131072")),
        (400, openai("Please reduce the length of the messages or completion.")),
        (400, openai("invalid params, context window exceeds limit")),
        (400, openai("Invalid request: Your request exceeded model token limit: 8192")),
        (400, openai("Range of input length should be [1, 30720]")),
        (500, openai("the request exceeds the available context size")),
        (None, openai("the request exceeds the available context size")),
        (413, ""),
    ],
)
def test_a_conversation_that_does_not_fit_is_told_apart(status: int | None, body: Any) -> None:
    error = classify(status, body if isinstance(body, str) else json.dumps(body), {}, OURS)
    assert error.kind == "overflow"
    assert "/compact" in str(error)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (429, "Request too large for model x on tokens per minute (TPM): Limit 6000"),
        (
            400,
            "ThrottlingException: Too many tokens; reduce the length of the messages",
        ),
        (400, "max_tokens is too large: 9. This model supports at most 4 completion tokens"),
        (413, "Request too large: rate limit reached, tokens per minute"),
    ],
)
def test_limits_of_speed_and_of_answers_are_no_overflow(status: int, message: str) -> None:
    assert kind(status, openai(message)) != "overflow"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "3"}, 3),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "0"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({}, None),
        (
            {
                "retry-after": "Fri, 20 Nov 2026 19:00:30 GMT",
                "date": "Fri, 20 Nov 2026 19:00:00 GMT",
            },
            30,
        ),
        (
            {
                "retry-after": "Fri, 20 Nov 2026 18:00:00 GMT",
                "date": "Fri, 20 Nov 2026 19:00:00 GMT",
            },
            None,
        ),
        ({"retry-after": "Fri, 20 Nov 2026 19:00:30 GMT", "date": "x"}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


def test_gemini_says_its_delay_in_the_body() -> None:
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "17s"}]
    error = {"error": {"code": 429, "message": "x", "details": details}}
    assert classify(429, json.dumps(error), {}, OURS).retry_after == 17


def test_a_spent_quota_is_not_tried_again_even_if_the_server_says_so() -> None:
    body = json.dumps(openai(code="insufficient_quota"))
    assert classify(429, body, {"x-should-retry": "true"}, OURS).retryable is False


def test_the_servers_word_on_retries_is_kept() -> None:
    assert classify(500, "", {"x-should-retry": "false"}, OURS).retryable is False
    assert classify(500, "", {"x-should-retry": "true"}, OURS).retryable is True
    assert classify(500, "", {}, OURS).retryable is None


def test_keys_do_not_appear_in_messages() -> None:
    secret = "zz-very-secret-9876"
    ours = make_endpoint("anthropic", None, {"ANTHROPIC_API_KEY": secret})
    said = f"bad {secret}, or sk-ant-abc123456, or Bearer abcdef123456, or ?key=AIzaSyA1234567890"
    error = classify(401, json.dumps(openai(said)), {}, ours)
    assert secret not in str(error)
    assert "sk-ant" not in str(error)
    assert "abcdef123456" not in str(error)
    assert "AIza" not in str(error)
    assert "Check the key in ANTHROPIC_API_KEY" in str(error)
    assert secret not in repr(ours)
    assert secret not in repr(ours.key)


def test_messages_are_one_safe_line_of_bounded_length() -> None:
    body = json.dumps(openai("\x1b]52;c;aGk=\x07 line\nnext \u202e " + "x" * 5000))
    message = classify(500, body, {}, OURS).message
    assert message.isprintable()
    assert len(message) < 400


def test_a_web_page_is_shortened_to_its_title() -> None:
    page = "<!doctype html><html><head><title> 502 Bad Gateway </title></head>" + "<p>x" * 9999
    assert "502 Bad Gateway" in classify(502, page, {}, OURS).message
    assert "<" not in classify(502, "<html><b>Down</b> for repair</html>", {}, OURS).message


@pytest.mark.parametrize(
    "body", [b"\xff\xfe", b"null", b"[]", b"[1]", b'{"error": null}', b'{"error": 5}']
)
def test_any_body_can_be_read(body: bytes) -> None:
    assert classify(500, body, {}, OURS).kind == "server"


def test_a_key_that_the_config_promises_and_nobody_set_is_named() -> None:
    config = ProviderConfig(api_key="${TEAM_KEY}")
    ours = make_endpoint("openai", config, {"OPENAI_API_KEY": "k"})
    assert ours.key is None
    assert "TEAM_KEY is not set" in str(ours.key_problem)


def test_patterns_do_not_hang_on_long_bodies() -> None:
    assert kind(400, openai("input length " * 5000 + "max_tokens" * 5000)) == "invalid"
    assert redact("<" * 60_000) != ""
    assert kind(500, "<" * 60_000) == "server"
