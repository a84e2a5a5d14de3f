"""Remembers what took work, by content."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b
from threading import Lock
from typing import Any, Generic, TypeVar

from msgspec import Struct, structs

V = TypeVar("V")


class Recall(Generic[V]):
    """The values made last, up to about `capacity` bytes of what they were made of and of their JSON.

    Of one content, the order of an object's members counts: it is the order of properties in an answer.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._held = 0
        self._values: OrderedDict[bytes, tuple[V, int]] = OrderedDict()
        self._lock = Lock()

    def get(self, content: tuple[Any, ...], make: Callable[[], V]) -> V:
        """The value of `content`: `make` is called if it is not known, and may raise."""
        written = json.dumps(content, separators=(",", ":"), default=_plain).encode("utf-8", "surrogatepass")
        key = blake2b(written, digest_size=20).digest()
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key][0]
        value = make()
        self._keep(key, value, len(repr(value)))
        return value

    def _keep(self, key: bytes, value: V, bytes: int) -> None:
        with self._lock:
            if key in self._values or bytes > self._capacity:
                return
            self._values[key] = value, bytes
            self._held += bytes
            while self._held > self._capacity:
                self._held -= self._values.popitem(last=False)[1][1]


def _plain(value: Any) -> Any:
    if isinstance(value, Struct):
        return structs.asdict(value)
    raise TypeError(f"{type(value).__name__} has no JSON")
