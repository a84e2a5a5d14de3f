"""In-flight work is bounded, and a server that drains takes on nothing new."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from tests.core.support import Client, echo, error_of, post, raw, talking, until

from ovms_core.plugin import Call
from ovms_core.testing import app_with, serving


async def test_over_max_requests_the_next_is_turned_away_at_once_and_the_admitted_finish() -> None:
    go = asyncio.Event()

    async def wait(call: Call[Any]) -> AsyncIterator[str]:
        await go.wait()
        yield "done"

    app = app_with(talking(wait), max_requests=2)
    async with serving(app) as url, Client(url) as client:
        admitted = [asyncio.create_task(client.say(stream=stream)) for stream in (True, False)]
        await until(lambda: app.server.admission.in_flight == 2)
        refused = await client.say()
        assert refused.status_code == 503
        assert error_of(refused)["code"] == "overloaded"
        assert refused.headers["retry-after"] == "1"
        assert (await client.get("/health")).status_code == 200
        assert (await client.get("/metrics")).status_code == 200
        go.set()
        assert [answer.status_code for answer in await asyncio.gather(*admitted)] == [200, 200]
        assert (await client.say()).status_code == 200
        assert app.server.admission.in_flight == 0


async def test_middleware_sees_the_path_of_the_route_however_many_slashes_a_client_sends() -> None:
    seen: list[str] = []

    def watching(app: Any) -> Any:
        async def watch(scope: Any, receive: Any, send: Any) -> None:
            seen.append(scope["path"])
            await app(scope, receive, send)

        return watch

    async with serving(app_with(talking(echo, ovms_wrap_app=lambda: watching))) as url:
        for path in ("/v1/talk", "//v1//talk/"):
            await raw(url, post(path, b"{}", "connection: close"))
        await raw(url, b"GET //v1/models//http://x//y HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
    assert seen == ["/v1/talk", "/v1/talk", "/v1/models/http://x//y"]


async def test_a_draining_server_refuses_new_work_and_says_so_in_readiness() -> None:
    async def hello(call: Call[Any]) -> AsyncIterator[str]:
        yield "hello"

    app = app_with(talking(hello))
    async with serving(app) as url, Client(url) as client:
        assert (await client.get("/v2/health/ready")).status_code == 200
        app.server.admission.draining = True
        refused, ready = await client.say(), await client.get("/v2/health/ready")
        for answer in (refused, ready):
            assert answer.status_code == 503
            assert error_of(answer)["code"] == "draining"
            assert "retry-after" in answer.headers
        assert (await client.get("/v2/health/live")).status_code == 200
