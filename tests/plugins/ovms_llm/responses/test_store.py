"""The stores: what they keep, for whom, and how much; and what survives a restart."""

from __future__ import annotations

import sqlite3
import stat
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.plugins.ovms_llm.responses.conftest import served

from ovms_core.configuration import ConfigurationError
from ovms_core.plugin import APIError
from ovms_llm.responses.sqlite_store import SqliteStore
from ovms_llm.responses.store import MemoryStore, Record, ResponseStore, StoreError, packed
from ovms_llm.settings import ResponsesSettings

Open = Callable[..., Any]


@pytest.fixture(params=["memory", "sqlite"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Opens a store with the given options."""

    @asynccontextmanager
    async def open_store(**options: Any) -> AsyncIterator[ResponseStore]:
        chosen = ResponsesSettings(**options)
        in_memory = request.param == "memory"
        store = MemoryStore(chosen) if in_memory else await SqliteStore.open(str(tmp_path / "r.sqlite"), chosen)
        try:
            yield store
        finally:
            await store.close()

    return open_store


def record(id: str, owner: str = "ada", *, age: float = 0, text: str = "x", status: str = "completed") -> Record:
    """A response to one item, with one item."""
    response = {
        "id": id,
        "status": status,
        "previous_response_id": None,
        "output": [{"id": f"out_{id}", "text": text}],
    }
    return Record(id, owner, time.time() - age, [{"id": f"in_{id}"}], response)


async def test_a_record_and_its_items_are_there_for_their_owner_only(opened: Open) -> None:
    async with opened() as store:
        await store.put(record("a"))
        assert await store.get("ada", "a") is not None
        assert await store.item("ada", "in_a") == {"id": "in_a"}
        assert await store.item("ada", "out_a") == {"id": "out_a", "text": "x"}
        assert await store.get("bob", "a") is None
        assert await store.item("bob", "in_a") is None
        assert not await store.delete("bob", "a")
        assert await store.delete("ada", "a")
        assert not await store.delete("ada", "a")
        assert await store.item("ada", "in_a") is None


async def test_a_record_is_put_in_the_place_of_its_former_self(opened: Open) -> None:
    async with opened(max_responses=1) as store:
        await store.put(record("a", status="queued"))
        await store.put(record("a", text="y"))
        found = await store.get("ada", "a")
        assert found is not None
        assert found.response["output"][0]["text"] == "y"


async def test_the_oldest_makes_room(opened: Open) -> None:
    async with opened(max_responses=2) as store:
        for age, id in enumerate("cba"):
            await store.put(record(id, age=10 - age))
        assert [await store.get("ada", id) is not None for id in "abc"] == [True, True, False]
        assert await store.item("ada", "in_c") is None


async def test_bytes_are_bounded_and_what_is_too_large_pushes_nothing_out(opened: Open) -> None:
    size = len(packed(record("a", text="x" * 30_000)))
    async with opened(max_bytes=max(1 << 16, 2 * size)) as store:
        for age, id in enumerate("abc"):
            await store.put(record(id, age=10 - age, text="x" * 30_000))
        await store.put(record("d", text="x" * 100_000))
        assert [await store.get("ada", id) is not None for id in "abcd"] == [False, True, True, False]


async def test_a_record_is_gone_when_its_time_is_up(opened: Open) -> None:
    async with opened(ttl=60) as store:
        await store.put(record("a", age=61))
        await store.put(record("b", age=59))
        assert await store.get("ada", "a") is None
        assert await store.get("ada", "b") is not None


async def test_a_file_survives_the_server_and_ends_what_was_unfinished(tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite"
    store = await SqliteStore.open(str(path), ResponsesSettings())
    await store.put(record("a"))
    await store.put(record("b", status="in_progress"))
    await store.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = await SqliteStore.open(str(path), ResponsesSettings())
    whole, ended = await again.get("ada", "a"), await again.get("ada", "b")
    await again.close()
    assert whole is not None and ended is not None  # noqa: PT018
    assert (whole.response["status"], ended.response["status"]) == ("completed", "failed")
    assert "restarted" in ended.response["error"]["message"]


async def test_a_file_that_cannot_be_used_is_told_with_its_path(tmp_path: Path) -> None:
    no_database = tmp_path / "notes.txt"
    no_database.write_text("These are my notes. " * 200)
    newer = tmp_path / "newer.sqlite"
    with sqlite3.connect(newer) as connection:
        connection.execute("PRAGMA user_version = 7")
    for path in (no_database, newer, tmp_path / "no folder" / "r.sqlite"):
        with pytest.raises(StoreError, match=str(path)):
            await SqliteStore.open(str(path), ResponsesSettings())
    assert no_database.read_text().startswith("These are my notes.")


async def test_a_file_that_spoils_is_told_as_such(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "r.sqlite"
    store = await SqliteStore.open(str(path), ResponsesSettings())
    await store.put(record("resp_1"))
    await store.close()
    store = await SqliteStore.open(str(path), ResponsesSettings())
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))
    with pytest.raises(APIError, match="cannot be read") as caught:
        await store.item("ada", record("resp_1").input[0]["id"])
    await store.close()
    assert (caught.value.status, caught.value.code) == (503, "store_unavailable")
    assert "malformed" in caplog.text


async def test_two_servers_do_not_share_a_file(tmp_path: Path) -> None:
    path = str(tmp_path / "r.sqlite")
    store = await SqliteStore.open(path, ResponsesSettings())
    with pytest.raises(StoreError, match="another server uses it"):
        await SqliteStore.open(path, ResponsesSettings())
    await store.close()


async def test_responses_are_continued_after_a_restart(tmp_path: Path) -> None:
    options = {"path": str(tmp_path / "r.sqlite")}
    async with served(options) as api:
        first = await api.responses.create(input="Hi")
    async with served(options) as api:
        assert await api.responses.retrieve(first.id) == first
        await api.responses.create(input="Go on", previous_response_id=first.id)
        assert len(api.engine.requests[-1].prompt.messages) == 3


async def test_without_its_file_only_responses_are_down(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "r.sqlite").write_text("no database " * 100)
    async with served({"path": str(tmp_path / "r.sqlite")}) as api:
        assert "responses cannot be stored in" in caplog.text
        refused = await api.http.post("/responses", json={"input": "Hi"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "store_unavailable")
        chat = await api.http.post("/chat/completions", json={"messages": [{"role": "user", "content": "Hi"}]})
        assert chat.status_code == 200


async def test_a_wrong_setting_stops_the_start() -> None:
    with pytest.raises(ConfigurationError, match=r"'plugins.llm.responses.max_respones' is not a setting"):
        async with served({"max_respones": 5}):
            pass
