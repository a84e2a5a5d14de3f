"""A store in a SQLite file: what is in it survives the server."""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, Final, TypeVar

from ovms_core.plugin import APIError
from ovms_llm.responses.store import Record, ResponseStore, StoreError, item_of, packed, unpacked
from ovms_llm.settings import ResponsesSettings

T = TypeVar("T")

log = logging.getLogger("ovms.llm.responses")

_VERSION: Final = 1
_LOCK_PATIENCE: Final = 1.0
_SCHEMA: Final = """
CREATE TABLE responses (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, created REAL NOT NULL, unfinished INTEGER NOT NULL, data BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX responses_by_age ON responses (created);
CREATE TABLE items (
    id TEXT NOT NULL, response TEXT NOT NULL REFERENCES responses (id) ON DELETE CASCADE, PRIMARY KEY (id, response)
) WITHOUT ROWID;
CREATE INDEX items_by_response ON items (response);
PRAGMA user_version = 1;
"""


class SqliteStore(ResponseStore):
    """Keeps records in a file, which one server at a time may use. All work is done on one thread."""

    def __init__(self, file: _File, thread: ThreadPoolExecutor) -> None:
        self._file = file
        self._thread = thread

    @classmethod
    async def open(cls, path: str, options: ResponsesSettings) -> SqliteStore:
        """The store in the file at `path`, which is made if it is not there. Raises `StoreError`."""
        thread = ThreadPoolExecutor(1, "ovms-responses")
        try:
            return cls(await _on(thread, lambda: _opened(Path(path).expanduser(), options)), thread)
        except BaseException:
            thread.shutdown(wait=False)
            raise

    async def put(self, record: Record) -> None:
        try:
            await _on(self._thread, lambda: self._file.put(record))
        except sqlite3.Error as error:
            raise StoreError(f"{type(error).__name__}: {error}") from None

    async def get(self, owner: str, id: str) -> Record | None:
        return await self._asked(lambda: self._file.get(owner, id))

    async def delete(self, owner: str, id: str) -> bool:
        return await self._asked(lambda: self._file.delete(owner, id))

    async def item(self, owner: str, id: str) -> dict[str, Any] | None:
        return await self._asked(lambda: self._file.item(owner, id))

    async def _asked(self, work: Callable[[], T]) -> T:
        """What `work` finds in the file. Raises `APIError` 503 where the file cannot be read."""
        try:
            return await _on(self._thread, work)
        except sqlite3.Error as error:
            log.error("the stored responses cannot be read: %s: %s", type(error).__name__, error)
            message = "The stored responses cannot be read; the server's log says why."
            raise APIError(503, message, code="store_unavailable") from None

    async def close(self) -> None:
        await _on(self._thread, self._file.close)
        self._thread.shutdown(wait=False)


async def _on(thread: ThreadPoolExecutor, work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(thread, work)


def _opened(path: Path, options: ResponsesSettings) -> _File:
    try:
        return _File(path, options)
    except sqlite3.OperationalError as error:
        reason = "another server uses it" if "locked" in str(error) else str(error)
        raise StoreError(f"responses cannot be stored in {path}: {reason}. Set another responses.path.") from None
    except (sqlite3.DatabaseError, OSError) as error:
        advice = "Move it away, or set another responses.path"
        raise StoreError(f"responses cannot be stored in {path}: {error}. {advice}.") from None


class _File:
    """The file, on its thread."""

    def __init__(self, path: Path, options: ResponsesSettings) -> None:
        self._options = options
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # what people say is nobody else's business
        self._connection = sqlite3.connect(path, timeout=_LOCK_PATIENCE, isolation_level=None)
        try:
            self._prepare()
        except BaseException:
            self._connection.close()
            raise

    def _prepare(self) -> None:
        for pragma in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON"):
            self._connection.execute(f"PRAGMA {pragma}")
        (version,) = self._one("PRAGMA user_version") or (0,)
        if version == 0:
            self._connection.executescript(f"BEGIN; {_SCHEMA} COMMIT;")
        elif version != _VERSION:
            raise sqlite3.DatabaseError(f"it has layout {version}, and this server knows layout {_VERSION}")
        self._weigh()
        self._end_unfinished()

    def _weigh(self) -> None:
        self._bytes, self._count = self._one("SELECT total(length(data)), count(*) FROM responses")

    def _end_unfinished(self) -> None:
        """Nobody works any longer on what the last server left unfinished."""
        for (data,) in self._connection.execute("SELECT data FROM responses WHERE unfinished").fetchall():
            record = unpacked(data)
            message = "The server was restarted before the response was complete."
            record.response |= {"status": "failed", "error": {"code": "server_error", "message": message}}
            self.put(record)

    def _one(self, query: str, *values: object) -> Any:
        with closing(self._connection.execute(query, values)) as cursor:
            return cursor.fetchone()

    def put(self, record: Record) -> None:
        data = packed(record)
        try:
            with self._connection:
                self._connection.execute("BEGIN")
                self._forget(record.id)
                if len(data) <= self._options.max_bytes:
                    self._insert(record, data)
                    self._make_room()
        except sqlite3.Error:
            self._weigh()  # all is as it was, but for what was counted
            raise

    def _insert(self, record: Record, data: bytes) -> None:
        row = record.id, record.owner, record.created, record.unfinished, data
        self._connection.execute("INSERT INTO responses VALUES (?, ?, ?, ?, ?)", row)
        items = {(item["id"], record.id) for item in record.items()}
        self._connection.executemany("INSERT INTO items VALUES (?, ?)", items)
        self._bytes, self._count = self._bytes + len(data), self._count + 1

    def _make_room(self) -> None:
        options = self._options
        while oldest := self._one("SELECT id, created FROM responses ORDER BY created LIMIT 1"):
            in_time = oldest[1] >= time.time() - options.ttl
            if in_time and self._count <= options.max_responses and self._bytes <= options.max_bytes:
                return
            self._forget(oldest[0])

    def _forget(self, id: str) -> None:
        if (found := self._one("SELECT length(data) FROM responses WHERE id = ?", id)) is not None:
            self._connection.execute("DELETE FROM responses WHERE id = ?", (id,))
            self._bytes, self._count = self._bytes - found[0], self._count - 1

    def get(self, owner: str, id: str) -> Record | None:
        query = "SELECT data FROM responses WHERE id = ? AND owner = ? AND created >= ?"
        found = self._one(query, id, owner, time.time() - self._options.ttl)
        return unpacked(found[0]) if found else None

    def delete(self, owner: str, id: str) -> bool:
        if self.get(owner, id) is None:
            return False
        with self._connection:
            self._connection.execute("BEGIN")
            self._forget(id)
        return True

    def item(self, owner: str, id: str) -> dict[str, Any] | None:
        query = "SELECT response FROM items JOIN responses ON responses.id = response WHERE items.id = ? AND owner = ?"
        found = self._one(query, id, owner)
        record = self.get(owner, found[0]) if found else None
        return item_of(record, id) if record else None

    def close(self) -> None:
        self._connection.close()
