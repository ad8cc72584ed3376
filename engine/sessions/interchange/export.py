"""Sessions as files that others read: the facade of the formats.

Markdown and HTML are for people: nothing in them comes from the transcript unescaped, and HTML
stands alone. JSONL is a v3 transcript, its lines byte for byte those of the original.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from engine.sessions.interchange.html import html_lines
from engine.sessions.interchange.jsonl import jsonl_lines
from engine.sessions.interchange.markdown import markdown_lines

if TYPE_CHECKING:
    from engine.sessions.transcript import Transcript

__all__ = ["FORMATS", "Format", "export_session"]

Format = Literal["md", "html", "jsonl"]
FORMATS: tuple[Format, ...] = ("md", "html", "jsonl")


def export_session(
    transcript: Transcript, how: Format, *, leaf: str | None, branches: bool, key: str = ""
) -> Iterator[bytes]:
    """A session in another form, in pieces that are to be written one after the other.

    Args:
        transcript: open; read while the pieces are taken.
        how: the form.
        leaf: the end of the path that is exported, or shown as the current one.
        branches: whether everything beside that path comes along.
        key: the session's key, for the heading.

    Raises:
        EntryNotFound: there is no such entry.
        StoreError: the file cannot be read.
    """
    if leaf is not None:
        transcript.tree.node(leaf)
    if how == "jsonl":
        return jsonl_lines(transcript, leaf, branches=branches)
    make = html_lines if how == "html" else markdown_lines
    return (text.encode() for text in make(transcript, leaf, branches=branches, key=key))
