from __future__ import annotations

from pathlib import Path

import pytest

from engine.config.schema import Provider as ProviderConfig
from engine.errors import ModelError
from engine.models.endpoint import base_url, is_loopback, make_endpoint, parse_ollama_host


@pytest.mark.parametrize(
    ("api", "text", "url"),
    [
        ("anthropic-messages", "https://api.anthropic.com", "https://api.anthropic.com"),
        ("anthropic-messages", "https://api.anthropic.com/v1/", "https://api.anthropic.com"),
        ("anthropic-messages", "https://proxy/anthropic/v1", "https://proxy/anthropic"),
        ("openai-completions", "https://api.openai.com/v1/", "https://api.openai.com/v1"),
        ("openai-completions", "http://127.0.0.1:8080", "http://127.0.0.1:8080/v1"),
        ("openai-completions", "http://0.0.0.0:8080/v1", "http://127.0.0.1:8080/v1"),
        ("openai-completions", "https://h/api/v3", "https://h/api/v3"),
        ("ollama", "http://127.0.0.1:11434/v1", "http://127.0.0.1:11434"),
        ("ollama", "http://127.0.0.1:11434/api/", "http://127.0.0.1:11434"),
        ("ollama", "gpu-box", "http://gpu-box:11434"),
    ],
)
def test_base_urls_are_tidied(api: str, text: str, url: str) -> None:
    assert base_url(api, text) == url


@pytest.mark.parametrize(
    "text", ["ftp://x", "not a url", "http://", "http://h:port", "http://[::1"]
)
@pytest.mark.parametrize("api", ["anthropic-messages", "openai-completions"])
def test_what_is_no_address_is_refused(api: str, text: str) -> None:
    with pytest.raises(ModelError, match="not an http"):
        base_url(api, text)


def test_a_login_in_an_address_is_not_repeated() -> None:
    with pytest.raises(ModelError) as caught:
        base_url("openai-completions", "ftp://me:secret@host/v1")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("", "http://127.0.0.1:11434"),
        ("gpu", "http://gpu:11434"),
        ("gpu:8080", "http://gpu:8080"),
        (":8080", "http://127.0.0.1:8080"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:1", "http://127.0.0.1:1"),
        ("http://gpu", "http://gpu"),
        ("https://ollama.com", "https://ollama.com"),
        ("https://h:9/base/", "https://h:9/base"),
        ("[::1]:5", "http://[::1]:5"),
    ],
)
def test_every_form_of_ollama_host(text: str, url: str) -> None:
    assert parse_ollama_host(text) == url


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("localhost", True),
        ("api.localhost", True),
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("127.evil.example", False),
        ("localhost.evil.example", False),
        ("10.0.0.1", False),
        ("", False),
    ],
)
def test_which_hosts_are_this_machine(host: str, here: bool) -> None:
    assert is_loopback(host) is here


def test_presets_take_their_address_from_the_environment() -> None:
    environ = {"OPENAI_BASE_URL": "https://proxy.example/v1", "OLLAMA_HOST": "gpu"}
    assert make_endpoint("openai", None, environ).url == "https://proxy.example/v1"
    assert make_endpoint("ollama", None, environ).url == "http://gpu:11434"
    config = ProviderConfig(base_url="https://mine.example/v1")
    assert make_endpoint("openai", config, environ).url == "https://mine.example/v1"


def test_variables_in_the_config_are_filled_in() -> None:
    config = ProviderConfig(
        base_url="${HOST:-http://127.0.0.1:5}/v1", headers={"X-Team": "${TEAM}"}, api_key="${K}"
    )
    made = make_endpoint("local", config, {"TEAM": "blue", "K": "key-value-1"})
    assert made.url == "http://127.0.0.1:5/v1"
    assert made.headers == {"X-Team": "blue"}
    assert made.key is not None
    assert made.key.reveal() == "key-value-1"
    assert made.key_source == "K"
    with pytest.raises(ModelError, match="TEAM is not set"):
        make_endpoint("local", config, {})


def test_a_key_file_is_read_if_nobody_else_can(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("from-a-file\n")
    config = ProviderConfig(api_key={"source": "file", "path": str(file)})
    file.chmod(0o644)
    open_to_all = make_endpoint("openai", config, {})
    assert open_to_all.key is None
    assert "can be read by others" in str(open_to_all.key_problem)
    file.chmod(0o600)
    made = make_endpoint("openai", config, {})
    assert made.key is not None
    assert made.key.reveal() == "from-a-file"


def test_null_sends_no_key_although_one_is_set() -> None:
    made = make_endpoint("openai", ProviderConfig(api_key=False), {"OPENAI_API_KEY": "k"})
    assert made.key is None
    assert not made.needs_key


def test_silence_is_allowed_longer_on_this_machine() -> None:
    assert make_endpoint("openai", None, {}).idle == 120
    assert make_endpoint("ollama", None, {}).idle == 300
    assert make_endpoint("ollama", ProviderConfig(timeout_seconds=7), {}).idle == 7


def test_secrets_are_not_in_the_repr() -> None:
    config = ProviderConfig(api_key="sk-secret-1", headers={"Authorization": "hidden-2"})
    text = repr(make_endpoint("openai", config, {}))
    assert "sk-secret" not in text
    assert "hidden-2" not in text
