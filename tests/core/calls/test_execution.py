"""What never awaits cannot hold the event loop, and what waits for real is not slowed down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from tests.core.support import Client, Execute, Talk, TalkBody, error_of, plugin, talking

from ovms_core.app import Application
from ovms_core.calls.endpoint import Executor
from ovms_core.calls.execution import Rounds, Stint
from ovms_core.plugin import Call
from ovms_core.testing import app_with, serving


class Spinning:
    """An executor that gives events for ever and never awaits; `closed` when it has ended."""

    def __init__(self) -> None:
        self.began, self.closed = asyncio.Event(), asyncio.Event()

    async def __call__(self, call: Call[Any]) -> AsyncIterator[str]:
        self.began.set()
        try:
            while True:
                yield "word"
        finally:
            self.closed.set()


async def dropping(call: Call[Any], proceed: Executor) -> AsyncIterator[Any]:
    async for event in proceed(call):
        if event is None:
            yield event


async def repeating(call: Call[Any], proceed: Executor) -> AsyncIterator[Any]:
    async for event in proceed(call):
        while True:
            yield event


class Swallowing(Talk):
    """Its stream says nothing of its events."""

    async def stream(self, call: Call[TalkBody], events: AsyncIterator[str]) -> AsyncIterator[bytes]:
        async for event in events:
            if not event:
                yield b""


class Chattering(Talk):
    """Its stream says more than its events."""

    async def stream(self, call: Call[TalkBody], events: AsyncIterator[str]) -> AsyncIterator[bytes]:
        async for event in events:
            while True:
                yield event.encode()


def with_formatter(kind: type[Talk]) -> Callable[..., Application]:
    return lambda execute, **settings: app_with(
        plugin("talk", ovms_register_endpoints=lambda: [kind(execute)]), **settings
    )


def intercepted(interceptor: Any) -> Callable[..., Application]:
    return lambda execute, **settings: app_with(talking(execute, ovms_wrap_execution=lambda: interceptor), **settings)


def plain(execute: Execute, **settings: Any) -> Application:
    return app_with(talking(execute), **settings)


@pytest.mark.parametrize(
    ("app_of", "stream"),
    [
        pytest.param(plain, False, id="unary"),
        pytest.param(plain, True, id="streaming"),
        pytest.param(intercepted(dropping), False, id="all-dropped"),
        pytest.param(intercepted(dropping), True, id="all-dropped-streaming"),
        pytest.param(intercepted(repeating), False, id="interceptor"),
        pytest.param(with_formatter(Swallowing), True, id="formatter-says-nothing"),
        pytest.param(with_formatter(Chattering), True, id="formatter-says-more"),
    ],
)
async def test_others_are_served_while_something_never_awaits_and_its_client_can_leave(
    app_of: Callable[..., Application], stream: bool
) -> None:
    spinning = Spinning()
    async with serving(app_of(spinning)) as url, Client(url) as client, Client(url) as other:
        asking = asyncio.create_task(client.say(stream=stream))
        await spinning.began.wait()
        assert (await other.get("/health")).status_code == 200
        asking.cancel()
        async with asyncio.timeout(20):
            await spinning.closed.wait()


async def test_request_timeout_ends_what_never_awaits() -> None:
    app = app_with(talking(Spinning()), request_timeout=0.2)
    async with serving(app) as url, Client(url) as client:
        answer = await client.say()
        assert (answer.status_code, error_of(answer)["code"]) == (504, "request_timeout")
        streamed = await read(client)
        assert '"code":"request_timeout"' in streamed[-300:]


async def read(client: httpx.AsyncClient) -> str:
    return (await client.post("/v1/talk", json={"stream": True})).text


async def test_events_that_are_ready_make_a_stint_long_until_it_gave_way() -> None:
    stint = Stint(Rounds())
    while not stint.is_long():
        pass
    turn = asyncio.Event()
    asyncio.get_running_loop().call_soon(turn.set)
    await stint.give_way()
    assert turn.is_set()
    assert not stint.is_long()


async def test_events_that_are_awaited_for_real_never_make_a_stint_long() -> None:
    stint = Stint(Rounds())
    for _ in range(5):
        assert not stint.is_long()
        await asyncio.sleep(0.006)


async def test_however_many_calls_there_are_a_round_is_counted_once() -> None:
    rounds = Rounds()
    for _ in range(100):
        Stint(rounds).is_long()
    await asyncio.sleep(0)
    assert rounds.count == 1
