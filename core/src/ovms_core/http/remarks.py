"""What a response says about its request in headers. The words may be a client's: they are escaped, cut and counted."""

from __future__ import annotations

import string
from collections.abc import Sequence
from itertools import islice
from typing import Final
from urllib.parse import quote

_MOST: Final = 32
_LONGEST: Final = 200
_ROOM: Final = 1024
"""Bytes that one header may have: proxies refuse answers whose headers are large."""

_IN_NAMES: Final = string.punctuation.replace("%", "").replace(",", "")
_IN_SENTENCES: Final = string.punctuation.replace("%", "").replace("|", "") + " "


def remarks(ignored: Sequence[str], warnings: Sequence[str]) -> dict[str, str]:
    """The headers that name the fields without effect and give the warnings; none where there is nothing to say."""
    headers = {}
    if ignored:
        headers["x-ignored-params"] = _listed(ignored, ", ", _IN_NAMES)
    if warnings:
        headers["x-warnings"] = _listed(warnings, " | ", _IN_SENTENCES)
    return headers


def _listed(texts: Sequence[str], between: str, safe: str) -> str:
    """As many of `texts` as there is room for, percent-encoded but for ASCII and `safe`; the others are counted."""
    shown: list[str] = []
    left = _ROOM
    for text in islice(texts, _MOST):
        escaped = quote(_cut(text), safe=safe)
        left -= len(escaped) + len(between)
        if left < 0:
            break
        shown.append(escaped)
    more = len(texts) - len(shown)
    return between.join([*shown, f"+{more} more"] if more else shown)


def _cut(text: str) -> str:
    # a lone surrogate cannot be encoded
    clean = text[:_LONGEST].encode("utf-8", "replace").decode()
    return clean if len(text) <= _LONGEST else clean + "..."
