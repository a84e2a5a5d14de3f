"""Where responses are kept: the contract of a store, and the one that keeps them in memory."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import OrderedDict
from typing import Any, Final, NamedTuple

import msgspec

from ovms_core.plugin import off_loop
from ovms_llm.settings import ResponsesSettings


class StoreError(Exception):
    """The store cannot be opened. The message says which, why, and what to do."""


class Record(msgspec.Struct):
    """A response as it is stored: the items of its request, and the answer. `owner` alone may see it.

    `size` is what it takes, in bytes, once it has been read from a store.
    """

    id: str
    owner: str
    created: float
    input: list[dict[str, Any]]
    response: dict[str, Any]
    size: int = 0

    @property
    def previous(self) -> str | None:
        """The response that this one continues."""
        previous: str | None = self.response["previous_response_id"]
        return previous

    @property
    def unfinished(self) -> bool:
        """Whether a background task still works on it."""
        return self.response["status"] in ("queued", "in_progress")

    def items(self) -> list[dict[str, Any]]:
        """What the response adds to its conversation."""
        return [*self.input, *self.response["output"]]


_LARGE: Final = 64 << 10
_MANY: Final = 100

_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Record)


def packed(record: Record) -> bytes:
    """`record` as bytes."""
    return _encoder.encode(record)


def unpacked(data: bytes) -> Record:
    """The record that `data` holds."""
    record = _decoder.decode(data)
    record.size = len(data)
    return record


class ResponseStore(ABC):
    """Keeps records within bounds: the oldest make room, and none outlives its time. One too large is not kept."""

    @abstractmethod
    async def put(self, record: Record) -> None:
        """Keep `record`, in the place of one with its id."""

    @abstractmethod
    async def get(self, owner: str, id: str) -> Record | None:
        """The record, if there is one and it is the owner's."""

    @abstractmethod
    async def delete(self, owner: str, id: str) -> bool:
        """Forget the record, if there is one and it is the owner's; whether there was."""

    @abstractmethod
    async def item(self, owner: str, id: str) -> dict[str, Any] | None:
        """One of the items in the owner's records."""

    @abstractmethod
    async def close(self) -> None:
        """End."""


def item_of(record: Record, id: str) -> dict[str, Any] | None:
    """The item of `record` with that id."""
    return next((item for item in record.items() if item["id"] == id), None)


class _Kept(NamedTuple):
    created: float
    owner: str
    data: bytes
    items: tuple[str, ...]


class MemoryStore(ResponseStore):
    """Keeps records until the server ends."""

    def __init__(self, options: ResponsesSettings) -> None:
        self._options = options
        self._records: OrderedDict[str, _Kept] = OrderedDict()
        self._holders: dict[tuple[str, str], str] = {}
        self._bytes = 0

    async def put(self, record: Record) -> None:
        data = await off_loop(packed, record) if len(record.input) > _MANY else packed(record)
        self._forget(record.id)
        if len(data) > self._options.max_bytes:
            return
        kept = _Kept(record.created, record.owner, data, tuple(item["id"] for item in record.items()))
        self._records[record.id] = kept
        self._bytes += len(data)
        self._holders.update(((kept.owner, item), record.id) for item in kept.items)
        self._make_room()

    def _make_room(self) -> None:
        options, oldest_allowed = self._options, time.time() - self._options.ttl
        while len(self._records) > options.max_responses or self._bytes > options.max_bytes:
            self._forget(next(iter(self._records)))
        while self._records and next(iter(self._records.values())).created < oldest_allowed:
            self._forget(next(iter(self._records)))

    def _forget(self, id: str) -> None:
        if (found := self._records.pop(id, None)) is None:
            return
        self._bytes -= len(found.data)
        for item in found.items:
            if self._holders.get((found.owner, item)) == id:
                del self._holders[found.owner, item]

    async def get(self, owner: str, id: str) -> Record | None:
        self._make_room()
        found = self._records.get(id)
        if found is None or found.owner != owner:
            return None
        return await off_loop(unpacked, found.data) if len(found.data) > _LARGE else unpacked(found.data)

    async def delete(self, owner: str, id: str) -> bool:
        there = await self.get(owner, id) is not None
        if there:
            self._forget(id)
        return there

    async def item(self, owner: str, id: str) -> dict[str, Any] | None:
        record = await self.get(owner, self._holders.get((owner, id), ""))
        return item_of(record, id) if record else None

    async def close(self) -> None:
        return None
