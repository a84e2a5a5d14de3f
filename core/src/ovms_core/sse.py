"""Server-sent events as bytes (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

from __future__ import annotations

from typing import Any, Final

import msgspec

DONE: Final = b"data: [DONE]\n\n"
PING: Final = b": ping\n\n"

_encode = msgspec.json.Encoder().encode


def data(document: Any) -> bytes:
    """One frame with `document` as JSON."""
    return b"data: %b\n\n" % _encode(document)


def event(name: str, document: Any) -> bytes:
    """One frame of the named type with `document` as JSON."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), _encode(document))


def comment(text: str) -> bytes:
    """A frame that clients skip; it keeps a connection alive. Line breaks become spaces."""
    return b": %b\n\n" % " ".join(text.splitlines()).encode()
