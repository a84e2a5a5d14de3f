"""What is not yet a request, or never becomes one, is bounded too."""

from __future__ import annotations

import json

import pytest
from tests.core.support import Client, connect, echo, post, raw, talking

from ovms_core.http.protocol import MAX_HEADERS
from ovms_core.testing import app_with, serving


async def test_headers_without_an_end_are_refused() -> None:
    async with serving(app_with()) as url:
        for start in (b"GET /health HTTP/1.1\r\nx: ", b"GET /", b"GET /health HTTP/1.1\r\n" + b"a: b\r\n" * 100):
            answer = await raw(url, start, b"y" * (MAX_HEADERS + 1))
            assert answer.startswith(b"HTTP/1.1 431 ")
            assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "headers_too_large"


@pytest.mark.parametrize("start", [b"", b"GET /health HTTP/1.1\r\nhost:"])
async def test_a_connection_without_a_request_is_closed_after_a_while(start: bytes) -> None:
    async with serving(app_with(body_timeout=0.2)) as url:
        assert await raw(url, start) == b""


async def test_slow_headers_of_a_second_request_are_bounded_as_well() -> None:
    async with serving(app_with(talking(echo), body_timeout=0.3)) as url:
        answer = await raw(url, post("/v1/talk", b'{"text": "a"}'), b"POST /v1/talk HT")
        assert answer.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize(
    "garbage", [b"\x00\xff\x16\x03\x01" * 100, b"hello\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\r\n\r\n\r\n!"]
)
async def test_garbage_gets_the_one_error_shape_and_harms_nobody(garbage: bytes) -> None:
    async with serving(app_with()) as url, Client(url) as client:
        answer = await raw(url, garbage)
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "invalid_http"
        assert (await client.get("/health")).status_code == 200


async def test_large_but_fair_headers_and_large_bodies_in_one_packet_pass() -> None:
    async with serving(app_with(talking(echo))) as url, Client(url) as client:
        headers = {"x-trace": "y" * (MAX_HEADERS // 2)}
        answer = await client.post("/v1/talk", json={"text": "z" * (4 * MAX_HEADERS)}, headers=headers)
        assert answer.status_code == 200


async def test_pipelined_requests_are_answered_in_order() -> None:
    async with serving(app_with(talking(echo))) as url:
        reader, writer = await connect(url)
        writer.write(b"".join(post("/v1/talk", b'{"text": "%d"}' % index) for index in range(3)))
        answers = b""
        while answers.count(b'{"text":') < 3:
            answers += await reader.read(65536)
        assert [answers.index(b'{"text":"%d"}' % index) for index in range(3)] == sorted(
            answers.index(b'{"text":"%d"}' % index) for index in range(3)
        )
        writer.close()
