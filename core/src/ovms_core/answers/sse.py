"""Writes server-sent events as bytes (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

from __future__ import annotations

from typing import Any, Final

from ovms_core.answers.json_answers import to_bytes

DONE: Final = b"data: [DONE]\n\n"
PING: Final = b": ping\n\n"


def data(document: Any) -> bytes:
    """One frame with `document` as JSON. Raises `TypeError`, with the path of what cannot be written."""
    return b"data: %b\n\n" % to_bytes(document)


def event(name: str, document: Any) -> bytes:
    """One frame of the named type with `document` as JSON."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), to_bytes(document))


def comment(text: str) -> bytes:
    """A frame that clients ignore, to keep a connection alive. Line breaks become spaces."""
    return b": %b\n\n" % " ".join(text.splitlines()).encode()
