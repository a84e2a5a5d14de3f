"""JSON pointers (RFC 6901): where something stands in a schema."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, unquote

UNQUOTED = "/~!$&'()*+,;=:@?-._"


def join(pointer: str, *keys: str | int) -> str:
    """`pointer` and the steps below it."""
    return pointer + "".join("/" + str(key).replace("~", "~0").replace("/", "~1") for key in keys)


def steps(pointer: str) -> Iterator[str]:
    """The keys that `pointer` names, from the top."""
    return (key.replace("~1", "/").replace("~0", "~") for key in pointer.split("/")[1:])


def fragment(pointer: str) -> str:
    """`pointer` as the value of a ``$ref``."""
    return "#" + quote(pointer, safe=UNQUOTED)


def of_fragment(text: str) -> str:
    """The pointer that the fragment of a ``$ref`` holds."""
    return unquote(text)


def find(root: Any, pointer: str) -> Any:
    """What stands at `pointer` in `root`; raises `LookupError` where nothing does."""
    found = root
    for key in steps(pointer):
        found = found[_index(key)] if isinstance(found, list) else _member(found, key)
    return found


def _index(key: str) -> int:
    if not key.isdecimal():
        raise LookupError(key)
    return int(key)


def _member(found: Any, key: str) -> Any:
    if not isinstance(found, dict):
        raise LookupError(key)
    return found[key]
