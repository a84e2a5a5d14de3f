"""What an endpoint may say of its requests and answers, beyond JSON."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import httpx
import pytest
from tests.core.support import echo, plugin, talking

from ovms_core.errors import APIError
from ovms_core.plugin import Body, Call, Endpoint, Executor
from ovms_core.testing import app_with, connected


class SoundBody(Body):
    count: int = 2
    stream: bool = False


class Sound(Endpoint[SoundBody]):
    """A sound."""

    path = "/sound"
    body = SoundBody
    streams = True
    stream_media_type = "audio/wav"

    async def execute(self, call: Call[SoundBody]) -> AsyncIterator[bytes]:
        for number in range(call.body.count):
            yield b"\x00%d" % number
        if call.body.count == 3:
            raise APIError(503, "The engine is gone.", code="gone")


async def test_an_endpoint_streams_bytes_of_another_type() -> None:
    app = app_with(plugin("sound", ovms_register_endpoints=lambda: [Sound()]))
    async with connected(app) as client:
        answer = await client.post("/v1/sound", json={"stream": True})
        described = (await client.get("/openapi.json")).json()["paths"]["/sound"]["post"]["responses"]["200"]
    assert (answer.headers["content-type"], answer.content) == ("audio/wav", b"\x000\x001")
    assert "audio/wav" in described["content"]


async def test_no_ping_and_no_error_frame_spoils_such_bytes() -> None:
    assert Sound.keep_alive is None
    app = app_with(plugin("sound", ovms_register_endpoints=lambda: [Sound()]))
    async with connected(app) as client:
        with pytest.raises(httpx.RemoteProtocolError, match="broke off"):
            await client.post("/v1/sound", json={"stream": True, "count": 3})


class Search(Endpoint[SoundBody]):
    """Its fields are in the query, since it is asked for with GET."""

    path = "/search"
    method = "GET"
    body = SoundBody

    async def execute(self, call: Call[SoundBody]) -> AsyncIterator[int]:
        yield call.body.count


async def test_an_endpoint_for_get_reads_its_fields_from_the_query() -> None:
    app = app_with(plugin("search", ovms_register_endpoints=lambda: [Search()]))
    async with connected(app) as client:
        assert (await client.get("/v1/search?count=5")).json() == {"events": [5]}
        wrong = (await client.get("/v1/search?count=many")).json()["error"]
        operation = (await client.get("/openapi.json")).json()["paths"]["/search"]["get"]
    assert wrong["param"] == "count"
    assert "count" in {each["name"] for each in operation["parameters"] if each["in"] == "query"}
    assert "requestBody" not in operation


def test_who_says_what_it_accepts_keeps_that() -> None:
    class Odd(Search):
        method = "DELETE"
        accepts = ("application/json", "text/plain")

    assert (Search.accepts, Odd.accepts, Sound.accepts) == (
        (),
        ("application/json", "text/plain"),
        ("application/json",),
    )


async def marked(call: Call[Any], proceed: Executor) -> AsyncIterator[Any]:
    call.headers |= {"x-cache": "miss\r\nx-evil: 1", "X-Größe": "ü", "content-type": "x/y", "X-Request-Id": "mine"}
    async with aclosing(proceed(call)) as events:  # type: ignore[type-var]
        async for event in events:
            yield event


@pytest.mark.parametrize("stream", [False, True])
async def test_an_interceptor_sets_response_headers_in_both_modes(
    stream: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "ovms.http")
    app = app_with(talking(echo), plugin("marking", ovms_wrap_execution=lambda: marked))
    async with connected(app) as client:
        answer = await client.post("/v1/talk", json={"text": "a", "stream": stream}, headers={"x-request-id": "theirs"})
    headers = answer.headers
    assert headers["x-cache"] == "miss%0D%0Ax-evil: 1"
    assert "x-evil" not in headers
    assert headers.get_list("x-request-id") == ["theirs"]
    assert headers.get_list("content-type") == ["text/event-stream; charset=utf-8" if stream else "application/json"]
