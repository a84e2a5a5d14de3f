"""Bodies are bounded in size, in time and in what they hold together."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.types import Message
from tests.core.support import Client, chunked, connect, echo, error_of, plugin, post, raw, talking, until

from ovms_core.errors import APIError
from ovms_core.http.limits import BodyBudget
from ovms_core.plugin import Body, Call, Endpoint
from ovms_core.settings import Settings
from ovms_core.testing import app_with, serving


def text(size: int) -> bytes:
    return json.dumps({"text": "x" * size}).encode()


def answered(response: bytes) -> tuple[int, dict[str, Any]]:
    head, _, body = response.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)["error"]


async def test_a_body_that_announces_too_much_is_a_413_before_it_is_sent() -> None:
    async with serving(app_with(talking(echo), max_body_size=1000)) as url:
        status, error = answered(await raw(url, post("/v1/talk", b"", "content-length: 1001")))
        assert (status, error["code"]) == (413, "body_too_large")
        assert "1000 bytes" in error["message"]


async def test_a_chunked_body_is_a_413_as_soon_as_it_is_too_large() -> None:
    async with serving(app_with(talking(echo), max_body_size=1000)) as url:
        endless = chunked([b"x" * 400] * 3)
        status, error = answered(await raw(url, post("/v1/talk", b"", "transfer-encoding: chunked"), endless))
        assert (status, error["code"]) == (413, "body_too_large")


async def test_a_body_of_just_the_limit_is_fine_whichever_way_it_comes() -> None:
    body = text(1000)
    async with serving(app_with(talking(echo), max_body_size=len(body))) as url, Client(url) as client:
        assert (await client.post("/v1/talk", content=body)).status_code == 200

        async def pieces() -> AsyncIterator[bytes]:
            yield body[:500]
            yield body[500:]

        assert (await client.post("/v1/talk", content=pieces())).status_code == 200
        assert (await client.post("/v1/talk", content=body + b" ")).status_code == 413


async def test_bodies_together_may_hold_no_more_than_max_body_memory() -> None:
    app = app_with(talking(echo), max_body_memory=1500)
    async with serving(app) as url, Client(url) as client:
        reader, writer = await connect(url)
        writer.write(post("/v1/talk", text(1000)[:-1], f"content-length: {len(text(1000))}"))
        await until(lambda: app.server.admission._budget._held > 1000)
        refused = await client.post("/v1/talk", content=text(1000))
        assert refused.status_code == 503
        assert error_of(refused)["code"] == "overloaded"
        assert "retry-after" in refused.headers
        writer.write(text(1000)[-1:])
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        await until(lambda: app.server.admission._budget._held == 0)
        assert (await client.post("/v1/talk", content=text(1000))).status_code == 200
        writer.close()


async def test_a_body_counts_only_until_it_has_been_parsed() -> None:
    started, go_on = asyncio.Event(), asyncio.Event()

    async def compute(call: Call[Any]) -> AsyncIterator[str]:
        if not started.is_set():
            started.set()
            await go_on.wait()
        yield call.body.text[:1]

    app = app_with(talking(compute), max_body_memory=1500)
    async with serving(app) as url, Client(url) as client:
        first = asyncio.create_task(client.post("/v1/talk", content=text(1000)))
        await started.wait()
        assert (await client.post("/v1/talk", content=text(1000))).json() == {"text": "x"}
        go_on.set()
        assert (await first).json() == {"text": "x"}
        assert app.server.admission._budget._held == 0


@pytest.mark.parametrize("reading", ["stream", "body", "form"])
async def test_a_body_counts_no_longer_however_a_parser_read_it(reading: str) -> None:
    class Reading(Endpoint[Any]):
        path = "/reading"
        body = Body

        async def parse(self, request: Any) -> Call[Any]:
            if reading == "stream":
                async for _ in request.stream():
                    pass
            else:
                await getattr(request, reading)()
            assert held() == len(content)
            return Call(self, Body(), None, id="reading")

        async def execute(self, call: Call[Any]) -> AsyncIterator[int]:
            yield held()

    def held() -> int:
        return app.server.admission._budget._held

    content = b"--b\r\ncontent-disposition: form-data; name=a\r\n\r\nb\r\n--b--\r\n"
    app = app_with(plugin("reading", ovms_register_endpoints=lambda: [Reading()]))
    async with serving(app) as url, Client(url) as client:
        answer = await client.post(
            "/v1/reading", content=content, headers={"content-type": "multipart/form-data; boundary=b"}
        )
        assert answer.json() == {"events": [0]}


async def test_a_body_that_trickles_in_is_a_408() -> None:
    async with serving(app_with(talking(echo), body_timeout=0.2)) as url:
        status, error = answered(await raw(url, post("/v1/talk", b'{"text"', "content-length: 50")))
        assert (status, error["code"]) == (408, "body_timeout")


async def test_a_client_that_leaves_in_mid_body_holds_nothing() -> None:
    app = app_with(talking(echo))
    async with serving(app) as url:
        _, writer = await connect(url)
        writer.write(post("/v1/talk", b"x" * 100, "content-length: 200"))
        await until(lambda: app.server.admission._budget._held == 100)
        writer.close()
        await until(lambda: app.server.admission.in_flight == 0)
        assert app.server.admission._budget._held == 0


async def test_a_body_that_the_endpoint_never_reads_is_bounded_as_well() -> None:
    class Deaf(Endpoint[Any]):
        path = "/deaf"
        body = Body

        async def parse(self, request: Any) -> Call[Any]:
            return Call(self, None, None, id="deaf")

        async def execute(self, call: Call[Any]) -> AsyncIterator[str]:
            await asyncio.sleep(60)
            yield ""

    app = app_with(plugin("deaf", ovms_register_endpoints=lambda: [Deaf()]), max_body_size=1000)
    async with serving(app) as url:
        request = post("/v1/deaf", b"", "transfer-encoding: chunked")
        status, error = answered(await raw(url, request, chunked([b"x" * 600] * 2)))
        assert (status, error["code"]) == (413, "body_too_large")


async def test_what_a_meter_counted_is_given_back_once() -> None:
    budget = BodyBudget(Settings(max_body_size=10, max_body_memory=10))
    messages: list[Message] = [
        {"type": "http.request", "body": b"12345", "more_body": True},
        {"type": "http.request", "body": b"678901", "more_body": True},
    ]

    async def receive() -> Message:
        return messages.pop(0)

    meter = budget.meter({"ovms.headers": {}}, receive)
    await meter()
    with pytest.raises(APIError, match="larger than 10 bytes"):
        await meter()
    meter.release()
    meter.release()
    assert budget._held == 0
