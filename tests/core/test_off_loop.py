"""Nothing that grows with a client's bytes holds the event loop."""

from __future__ import annotations

import asyncio
import json
import threading
import time
import timeit
from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
import pytest
from pydantic import Field
from pydantic_core import from_json
from tests.core.support import connect, echo, plugin, post, raising, talking, until

from ovms_core.plugin import Body, Call, Endpoint, Part, give_way, off_loop
from ovms_core.testing import app_with, connected, serving


class Turn(Part):
    role: str
    content: str | list[str] | None = None


class LongBody(Body):
    ids: list[Annotated[int, Field(ge=0)]] | list[list[int]] | list[str] | str | None = None
    turns: list[Turn] = Field(default_factory=list)


class Long(Endpoint[LongBody]):
    """``POST /long``: how much it was given."""

    path = "/long"
    body = LongBody

    async def execute(self, call: Call[LongBody]) -> AsyncIterator[int]:
        yield len(call.body.ids or call.body.turns)


async def asked(content: bytes) -> tuple[httpx.Response, list[float]]:
    """The answer, and how long the event loop paused between its turns until it was there."""
    pauses: list[float] = []

    async def watch() -> None:
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0.001)
            pauses.append(time.perf_counter() - last)
            last += pauses[-1]

    async with connected(app_with(plugin("long", ovms_register_endpoints=lambda: [Long()]))) as client:
        watching = asyncio.create_task(watch())
        answer = await client.post("/v1/long", content=content, headers={"content-type": "application/json"})
        await asyncio.sleep(0.002)  # the last pause counts, too
        watching.cancel()
        return answer, pauses


IDS = list(range(250_000))


@pytest.mark.parametrize(
    ("document", "given", "status"),
    [
        ({"ids": IDS}, 250_000, 200),
        ({"ids": [IDS[:500]] * 500}, 500, 200),
        ({"ids": ["some words"] * 150_000}, 150_000, 200),
        ({"ids": [*IDS, "x"]}, "ids[250000]", 400),
        ({"ids": [1, *["x"] * 250_000]}, "ids[1]", 400),
        ({"turns": [{"role": "user", "content": "Hello!"}] * 20_000}, 20_000, 200),
        ({"turns": [{"role": "user", "content": 1}] * 20_000}, "turns[0].content", 400),
        ({"turns": [[[[]]]] * 300_000}, None, 413),
        ({"ids": '"Zeile"\n' * 300_000}, 2_400_000, 200),
    ],
)
async def test_the_event_loop_goes_on_while_a_large_body_is_parsed(document: Any, given: Any, status: int) -> None:
    answer, pauses = await asked(json.dumps(document).encode())
    assert answer.status_code == status
    found = answer.json()["events"][0] if status == 200 else answer.json()["error"]["param"]
    assert found == given
    assert len(pauses) > 2


@pytest.mark.parametrize("ids", [list(range(1_500_000)), [IDS[:500]] * 4000], ids=["flat", "nested"])
async def test_a_large_body_pauses_the_event_loop_for_less_than_one_call_that_parses_it(ids: list[Any]) -> None:
    content = json.dumps({"ids": ids}).encode()
    at_once = min(timeit.repeat(lambda: from_json(content), number=1, repeat=2))
    for _ in range(5):  # on a busy machine a pause may be somebody else's work
        answer, pauses = await asked(content)
        assert answer.json()["events"] == [len(ids)]
        if max(pauses) < 0.8 * at_once:
            return
    pytest.fail(f"the longest pause was {max(pauses):.3f} s; parsing it at once takes {at_once:.3f} s")


async def test_garbage_at_the_end_of_a_large_body_is_a_400_and_holds_nobody() -> None:
    answer, pauses = await asked(b'{"ids": ' + json.dumps(IDS).encode() + b", }")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_json")
    assert len(pauses) > 2


async def test_work_in_a_thread_gives_way_to_the_event_loop() -> None:
    done = threading.Event()
    ends = time.perf_counter() + 0.3

    def work(until: float) -> str:
        while time.perf_counter() < until:
            sum(range(10_000))
            give_way()
        done.set()
        return threading.current_thread().name

    working = asyncio.create_task(off_loop(work, until=ends))
    turns = 0
    while not done.is_set():
        await asyncio.sleep(0)
        turns += 1
    assert turns > 50
    assert (await working).startswith("off-loop")


async def test_work_that_nobody_waits_for_any_more_is_ended_or_never_begins() -> None:
    begun, ended = threading.Event(), threading.Semaphore(0)
    ran: list[int] = []

    def work() -> None:
        begun.set()
        try:
            for _ in range(3000):
                time.sleep(0.001)
                give_way()
        except Exception:
            ended.release()
            raise

    working = [asyncio.create_task(off_loop(work)) for _ in range(2)]
    queued = asyncio.create_task(off_loop(ran.append, 1))
    await until(begun.is_set)
    queued.cancel()
    await asyncio.sleep(0)  # the queued one is cancelled before there is a thread for it
    for task in working:
        task.cancel()
    for _ in working:
        assert await asyncio.to_thread(ended.acquire, timeout=2)
    await off_loop(str)  # comes after what is queued
    assert ran == []


@pytest.mark.parametrize("leaves", [False, True])
async def test_a_large_body_waits_for_its_parser_no_longer_than_its_client_does(leaves: bool) -> None:
    release = threading.Event()
    busy = [asyncio.create_task(off_loop(release.wait, 5)) for _ in range(2)]
    app = app_with(talking(echo), request_timeout=60 if leaves else 0.1)
    async with serving(app) as url:
        reader, writer = await connect(url)
        writer.write(post("/v1/talk", json.dumps({"text": "x" * 100_000}).encode()))
        await until(lambda: app.server.admission.in_flight == 1)
        if leaves:
            writer.close()
        await until(lambda: app.server.admission.in_flight == 0, 3)
        if not leaves:
            assert (await reader.readline()).startswith(b"HTTP/1.1 504 ")
        release.set()
        await asyncio.gather(*busy)
        writer.close()


@pytest.mark.parametrize(("size", "thread"), [(100, "MainThread"), (100_000, "off-loop")])
async def test_only_the_work_of_a_large_call_goes_to_a_thread(size: int, thread: str) -> None:
    async def execute(call: Call[Any]) -> AsyncIterator[str]:
        yield (await call.off_loop(threading.current_thread)).name

    async with connected(app_with(talking(execute))) as client:
        answer = await client.post("/v1/talk", json={"text": "x" * size})
        assert answer.json()["text"].startswith(thread)


async def test_what_a_function_raises_off_the_loop_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        await off_loop(divmod, 1, 0)


@pytest.mark.parametrize("error", [SystemExit(3), StopIteration(), asyncio.CancelledError()])
async def test_work_that_tries_to_end_its_thread_fails_the_request_and_not_the_server(error: BaseException) -> None:
    async with asyncio.timeout(1):
        with pytest.raises(Exception, match=type(error).__name__):
            await off_loop(raising(error))
