"""Clients of HTTP/1.0 know no chunks, and keep a connection only if they ask for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from tests.core.support import connect, echo, post, raw, talking, until

from ovms_core.app import Application
from ovms_core.plugin import Call
from ovms_core.testing import app_with, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

left = asyncio.Event()


async def endless(call: Call[Any]) -> AsyncIterator[str]:
    left.clear()
    try:
        while True:
            yield "word"
            await asyncio.sleep(0.001)
    finally:
        left.set()


@pytest.fixture(scope="module")
def app() -> Application:
    return app_with(talking(echo), talking(endless, "/endless"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def url(app: Application) -> AsyncIterator[str]:
    async with serving(app) as url:
        yield url


def old(request: bytes) -> bytes:
    return request.replace(b"HTTP/1.1\r\n", b"HTTP/1.0\r\n", 1)


def parts(answer: bytes) -> tuple[list[bytes], bytes]:
    """The lines of the head, and the body."""
    head, _, body = answer.partition(b"\r\n\r\n")
    return head.lower().split(b"\r\n"), body


@pytest.mark.parametrize("headers", [(), ("connection: keep-alive",)])
async def test_a_stream_is_not_chunked_and_ends_with_the_connection(url: str, headers: tuple[str, ...]) -> None:
    head, body = parts(await raw(url, old(post("/v1/talk", b'{"text": "a b", "stream": true}', *headers))))
    assert b"connection: close" in head
    assert not any(line.startswith((b"transfer-encoding", b"content-length")) for line in head)
    assert body == b'data: "a"\n\ndata: "b"\n\ndata: [DONE]\n\n'


async def test_a_whole_answer_has_its_length_and_the_connection_is_closed(url: str) -> None:
    head, body = parts(await raw(url, old(post("/v1/talk", b'{"text": "a"}'))))
    assert b"connection: close" in head
    assert b"content-length: %d" % len(body) in head
    assert body == b'{"text":"a"}'


async def test_a_client_that_asks_for_it_keeps_its_connection(url: str) -> None:
    request = old(post("/v1/talk", b'{"text": "a"}', "Connection: x, Keep-Alive"))
    refused = old(post("/v1/talk", b"no JSON", "connection: keep-alive"))
    head = old(b"HEAD /health HTTP/1.1\r\nconnection: keep-alive\r\n\r\n")
    last = old(post("/v1/talk", b'{"text": "b"}'))
    answers = await raw(url, request, refused, head, last)
    assert answers.count(b"HTTP/1.1 ") == 4
    assert answers.count(b"connection: keep-alive") == 3
    assert answers.endswith(b'{"text":"b"}')


async def test_a_client_of_1_0_is_not_told_to_continue(url: str) -> None:
    request = old(post("/v1/talk", b'{"text": "a"}', "expect: 100-continue"))
    assert (await raw(url, request)).startswith(b"HTTP/1.1 200 ")


async def test_a_client_of_1_0_that_leaves_in_mid_stream_is_noticed(app: Application, url: str) -> None:
    reader, writer = await connect(url)
    writer.write(old(post("/v1/endless", b'{"stream": true}')))
    await reader.readuntil(b"data:")
    writer.close()
    await asyncio.wait_for(left.wait(), 2)
    await until(lambda: app.server.admission.in_flight == 0)


async def test_a_client_of_1_1_still_gets_chunks_and_keeps_its_connection(url: str) -> None:
    stream = post("/v1/talk", b'{"text": "a", "stream": true}')
    answers = await raw(url, stream + post("/v1/talk", b'{"text": "b"}', "connection: close"))
    assert b"transfer-encoding: chunked" in answers
    assert answers.endswith(b'{"text":"b"}')
