"""A finding of lint before its place in the file is looked up."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from engine.config.scan import KeyPath
from engine.routing.envelope import Envelope

__all__ = ["Found", "LintCode"]

LintCode = Literal[
    "binding_duplicate",  # an earlier binding asks for exactly the same
    "binding_shadowed",  # every message it matches is claimed by others
    "binding_unreachable",  # no message matches it, or only ones of accounts that are not there
    "account_unknown",  # a binding names an account that its channel does not list
    "pattern_shadowed",  # an earlier entry of `routing` matches all that this one does
    "main_open",  # dmScope main, and anybody may write
    "dm_shared",  # direct messages of two people have met in one session
    "key_format_shares",  # conversations that should be apart have one key
    "key_format_collides",  # values that run into each other make one key of two
    "link_without_channel",  # an id that stands for a person on every channel
    "link_twice",  # a peer that is linked to two people
    "mention_pattern",  # cannot be used
    "file",  # seen in the file's text alone
]


class Found(Struct, frozen=True):
    """What is wrong at `path`, with messages that show it; see engine.routing.lint.Lint."""

    code: LintCode
    path: KeyPath
    message: str
    hint: str | None = None
    examples: tuple[Envelope, ...] = ()
    goes_to: str = ""
