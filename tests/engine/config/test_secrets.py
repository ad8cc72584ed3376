from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.expand import expand, expand_all
from engine.config.load import load_text
from engine.config.providers import Provider
from engine.config.secrets import Secret, find_key, known_secrets, redact
from engine.disk import Disk

KEY = "sk-ant-api03-QwErTyUiOp-1234567890"


def test_a_secret_shows_only_its_end() -> None:
    secret = Secret(KEY)
    for text in (str(secret), repr(secret), f"{secret}", f"{secret:>20}", f"{[secret]}"):
        assert "***7890" in text
        assert KEY not in text and "QwEr" not in text
    assert str(Secret("short")) == "***"
    assert secret.reveal() == KEY


def test_a_secret_is_equal_by_content_and_cannot_be_written_out() -> None:
    assert Secret("a") == Secret("a") != Secret("b")
    assert len({Secret("a"), Secret("a")}) == 1
    assert not Secret("") and Secret("a")
    for write in (pickle.dumps, copy.deepcopy, json.dumps):
        with pytest.raises(TypeError):
            write(Secret("a"))  # type: ignore[operator]


@pytest.mark.parametrize(
    "text",
    [
        f"Incorrect API key provided: {KEY}.",
        f"Authorization: Bearer {KEY}",
        f'{{"x-api-key": "{KEY}"}}',
        f"x-goog-api-key={KEY}&a=1",
        f"https://example.org/v1?key={KEY}&alt=sse",
        f"https://example.org/v1?alt=sse&api_key={KEY}",
        f"apiKey: '{KEY}'",
        "Bearer " + "A" * 40,
        "authorization: Basic dXNlcjpwYXNzd29yZA==",
        "AIzaSyA-1234567890abcdefghijk",
        "gsk_1234567890abcdef",
        "you sent sk-ab***************wxyz",
    ],
)
def test_shapes_of_keys_are_hidden(text: str) -> None:
    hidden = redact(text)
    assert "***" in hidden
    for part in (KEY, "A" * 40, "dXNlcjpwYXNzd29yZA", "SyA-1234567890", "1234567890abc", "sk-ab"):
        assert part not in hidden


@pytest.mark.parametrize(
    "text",
    [
        "the task-list of 12 risk-takers",
        "the bearer of this letter",
        "press any key: x",
        "a token is about four characters",
        "desk-organizer and disk-usage",
        "",
    ],
)
def test_plain_words_stay(text: str) -> None:
    assert redact(text) == text


@given(st.text(min_size=6, max_size=30), st.text(max_size=20), st.text(max_size=20))
def test_a_known_secret_never_survives(secret: str, before: str, after: str) -> None:
    hidden = redact(before + secret + after, [Secret(secret)])
    assert secret not in hidden or secret in "***" + secret[-4:]


def test_of_two_known_secrets_the_longer_is_hidden_first() -> None:
    assert redact("abcdef-ghijkl-mnopqr", ["abcdef", "abcdef-ghijkl-mnopqr"]) == "***opqr"


def test_known_secrets_come_from_config_and_environment() -> None:
    config = load_text(
        '{env: {MY_TOKEN: "from-config-env"}, models: {providers: {'
        'a: {apiKey: "literal-key"}, b: {apiKey: "${WORD}", headers: {"X-A": "header-value"}}}}}',
        {"WORD": "from-variable"},
    ).require()
    found = {
        secret.reveal()
        for secret in known_secrets(
            config, {"WORD": "from-variable", "OPENAI_API_KEY": "key-in-env", "HOME": "/home/me"}
        )
    }
    assert found == {
        "from-config-env",
        "literal-key",
        "from-variable",
        "header-value",
        "key-in-env",
    }
    assert "from-config-env" not in repr(config) and "literal-key" not in repr(config)


def key(given_key: Any, environ: dict[str, str], *variables: str) -> Any:
    provider = Provider(api_key=given_key)
    return find_key("p", provider, environ, Disk(), variables=variables)


def test_the_first_variable_that_is_set_gives_the_key() -> None:
    found = key(None, {"B": "two", "C": "three", "A": ""}, "A", "B", "C")
    assert (found.secret, found.source, found.problem) == (Secret("two"), "B", None)
    assert find_key("p", None, {}, Disk(), variables=("A",)).secret is None
    assert key(None, {}).problem is None


def test_null_sends_none_even_when_the_variable_is_set() -> None:
    found = key(False, {"A": "x"}, "A")
    assert (found.secret, found.problem) == (None, None)


@pytest.mark.parametrize("text", ["${MINE}", "$MINE"])
def test_a_variable_is_looked_up_when_the_key_is_needed(text: str) -> None:
    found = key(text, {"MINE": "value"}, "OTHER")
    assert (found.secret, found.source) == (Secret("value"), "MINE")
    missing = key(text, {"OTHER": "x"}, "OTHER")
    assert missing.secret is None
    assert missing.problem.message == "MINE is not set"
    assert missing.problem.path == "models.providers.p.apiKey"
    assert key({"source": "env", "id": "MINE"}, {"MINE": "v"}).secret == Secret("v")


def test_a_literal_key_is_taken_as_it_is() -> None:
    found = key("literal", {})
    assert (found.secret, found.source) == (Secret("literal"), "config")
    assert "literal" not in repr(found)


def test_a_key_file_must_be_private(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    file.chmod(0o600)
    found = key({"source": "file", "path": str(file)}, {})
    assert (found.secret, found.source) == (Secret(KEY), f"file {file}")
    for mode in (0o640, 0o604, 0o644, 0o660):
        file.chmod(mode)
        found = key({"source": "file", "path": str(file)}, {})
        assert found.secret is None
        assert "read by others" in found.problem.message
        assert found.problem.hint == f"chmod 600 {file}"


@pytest.mark.parametrize("content", [b"", b"\n", b"a\nb\n"])
def test_a_key_file_holds_one_key(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "key"
    file.write_bytes(content)
    file.chmod(0o600)
    found = key({"source": "file", "path": str(file)}, {})
    assert found.secret is None and "nothing else" in found.problem.message


def test_a_key_file_that_is_missing_a_link_or_a_folder_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("x")
    (tmp_path / "real").chmod(0o600)
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "dir").mkdir()
    for name in ("missing", "link", "dir"):
        found = key({"source": "file", "path": str(tmp_path / name)}, {})
        assert found.secret is None and found.problem is not None


@pytest.mark.parametrize(
    ("text", "result", "missing"),
    [
        ("${A}", "1", ()),
        ("x${A}y${B}z", "x1y2z", ()),
        ("${C}", "${C}", ("C",)),
        ("${EMPTY}", "${EMPTY}", ("EMPTY",)),
        ("${C:-d}", "d", ()),
        ("${C:-}", "", ()),
        ("${EMPTY:-d}", "d", ()),
        ("${A:-d}", "1", ()),
        ("$${A}", "${A}", ()),
        ("$$${A}", "$${A}", ()),
        ("${a}", "${a}", ()),
        ("$A", "$A", ()),
        ("${A", "${A", ()),
        ("${NEST}", "${A}", ()),
        ("${C:-${A}}", "${A}", ()),
        ("${1A}", "${1A}", ()),
    ],
)
def test_variables_in_text(text: str, result: str, missing: tuple[str, ...]) -> None:
    environ = {"A": "1", "B": "2", "EMPTY": "", "NEST": "${A}"}
    assert expand(text, environ) == (result, missing)


def test_expanding_leaves_its_input_alone_and_reads_any_depth() -> None:
    deep: Any = "${A}"
    for _ in range(20_000):
        deep = [deep]
    raw = {"x": ["${A}", {"y": "${B}"}], "deep": deep}
    made, missing = expand_all(raw, {"A": "1"})
    assert made["x"] == ["1", {"y": "${B}"}]
    assert missing == [(("x", 1, "y"), "B")]
    assert raw["x"] == ["${A}", {"y": "${B}"}]
