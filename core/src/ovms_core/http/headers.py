"""Response headers, made of any text: it neither splits the response nor fails it (RFC 9110, section 5.5)."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import quote_from_bytes

from ovms_core.answers.header_texts import require_text

log = logging.getLogger("ovms.http")

_PRINTABLE: Final = "".join(map(chr, range(0x20, 0x7F))) + "\t"
_NOT_IN_NAMES: Final = re.compile(rb"[^!#$%&'*+.^_`|~0-9A-Za-z-]")
_NOT_IN_VALUES: Final = re.compile(rb"[\0-\x08\n-\x1f\x7f]")
_OWN: Final = frozenset(
    b"connection content-encoding content-length content-type date keep-alive server trailer transfer-encoding "
    b"upgrade x-ignored-params x-request-id x-warnings".split()
)
"""What the server says of each response by itself, and what HTTP needs to find its end."""
_is_spoilt = _NOT_IN_VALUES.search


def header_text(text: str) -> str:
    """`text` as the value of a response header: what is not printable ASCII is percent-encoded, as UTF-8.

    `APIError.headers` and `Formatter.stream_headers` need no such care. A Starlette `Response` refuses what is not
    Latin-1 when it is made.

    Example::

        Response(picture, headers={"x-title": header_text(title)})
    """
    return text if text.isascii() and text.isprintable() else quote_from_bytes(_utf8(text), _PRINTABLE)


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "replace")  # a lone surrogate cannot be encoded


def raw_headers(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """`headers` for an ASGI message."""
    return [(_utf8(name).lower(), header_text(value).encode()) for name, value in headers.items()]


def with_headers(headers: Iterable[tuple[bytes, bytes]], further: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """`headers`, and those of `further` that are not among them and not the server's own."""
    kept = list(headers)
    taken = {name.lower() for name, _ in kept} | _OWN
    for each in further.items():
        require_text(*each)
    for name, value in raw_headers(further):
        if name in taken:
            _warn_of(name)
        else:
            kept.append((name, value))
    return kept


@lru_cache(maxsize=64)
def _warn_of(name: bytes) -> None:
    """Once for each name: who sets it does so at every call."""
    log.warning("the header '%s' in call.headers is left out: the server or the response sets it itself", name.decode())


def sendable(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """`headers`, with what may not be in names or values percent-encoded: whoever wrote them."""
    checked = list(headers)
    for index, (name, value) in enumerate(checked):
        if _is_spoilt(value) or not _is_name(name):
            checked[index] = _NOT_IN_NAMES.sub(_escaped, name), _NOT_IN_VALUES.sub(_escaped, value)
    return checked


@lru_cache(maxsize=256)
def _is_name(name: bytes) -> bool:
    return not _NOT_IN_NAMES.search(name)


def _escaped(found: re.Match[bytes]) -> bytes:
    return b"%%%02X" % found[0][0]
