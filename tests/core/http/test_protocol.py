"""What is not yet a request, or never becomes one, is bounded too."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import pytest
from tests.core.support import Client, chunked, connect, echo, post, raw, talking
from uvicorn.server import ServerState

from ovms_core.http import protocol
from ovms_core.http.protocol import MAX_AHEAD, MAX_HEADERS, MAX_PIPELINED, BoundedProtocol
from ovms_core.plugin import Call
from ovms_core.serve import configure
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


@pytest.mark.parametrize("offer", [(), ("connection: upgrade", "upgrade: h2c")])
@pytest.mark.parametrize("before", [b"", post("/v1/talk", b"y" * 1000)])
async def test_too_large_headers_are_refused_also_when_their_end_has_come(
    offer: tuple[str, ...], before: bytes
) -> None:
    async with serving(app_with(talking(echo))) as url:
        reader, writer = await connect(url)
        large = post("/v1/talk", b"{}", *offer, f"x: {'y' * 2 * MAX_HEADERS}")
        await cut(writer, before + large, len(before) + MAX_HEADERS - 500)
        async with asyncio.timeout(5):
            assert b"HTTP/1.1 431 " in await reader.read()
        writer.close()


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


def offering(body: bytes, *headers: str, name: str = "Upgrade") -> bytes:
    """A request that offers to go on in another protocol, as Java's HTTP client does with every request."""
    offer = ("Connection: Upgrade, HTTP2-Settings", f"{name}: h2c", "HTTP2-Settings: A", *headers)
    return post("/v1/talk", body, *offer)


async def cut(writer: asyncio.StreamWriter, data: bytes, *places: int) -> None:
    """Send `data` in packets that end at these places."""
    for start, end in pairwise((0, *places, len(data))):
        writer.write(data[start:end])
        await writer.drain()
        await asyncio.sleep(0)  # the server, in this event loop, reads each packet before the next is sent
        await asyncio.sleep(0)


@pytest.mark.parametrize("name", ["Upgrade", "upgrade", "UPGRADE"])
async def test_the_body_of_a_request_that_offers_another_protocol_is_read_wherever_it_is_cut(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    offer = offering(b'{"text": "a"}', name=name)
    begin, end = offer.index(name.encode()), offer.index(b"\r\n\r\n")
    async with serving(app_with(talking(echo))) as url:
        reader, writer = await connect(url)
        for place in (0, 1, *range(begin - 2, begin + 10), *range(end, end + 6), len(offer) - 1):
            await cut(writer, offer, place)
            assert b'{"text":"a"}' in await reader.readuntil(b"}"), f"cut at {place}"
        await cut(writer, offer, *range(len(offer)))
        assert b'{"text":"a"}' in await reader.readuntil(b"}"), "byte by byte"
        writer.close()
    assert caplog.text == ""


async def test_requests_that_offer_another_protocol_may_be_pipelined_and_chunked() -> None:
    async with serving(app_with(talking(echo))) as url:
        reader, writer = await connect(url)
        chunks = chunked([b'{"text": ', b'"1"}']) + b"0\r\n\r\n"
        several = offering(b'{"text": "0"}') + offering(b"", "transfer-encoding: chunked") + chunks
        several += post("/v1/talk", b'{"text": "2"}') + offering(b'{"text": "3"}')
        await cut(writer, several, several.rindex(b"Upgrade") + 2, len(several) - 2)
        for index in range(4):
            assert b'{"text":"%d"}' % index in await reader.readuntil(b"}")
        writer.close()


async def test_a_proxys_connect_is_refused_and_harms_nobody() -> None:
    async with serving(app_with()) as url, Client(url) as client:
        answer = await raw(url, b"CONNECT example.org:443 HTTP/1.1\r\nhost: example.org\r\n\r\n\x16\x03")
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert (await client.get("/health")).status_code == 200


async def test_trailers_without_an_end_are_refused() -> None:
    async with serving(app_with(talking(echo), body_timeout=5)) as url:
        reader, writer = await connect(url)
        writer.write(post("/v1/talk", b"", "transfer-encoding: chunked") + chunked([b'{"text": ', b'"a"}']) + b"0\r\n")
        await asyncio.sleep(0.1)  # the body is read, and what comes is not
        writer.write(b"a: b\r\n" * (MAX_HEADERS // 5))
        assert (await reader.readline()).startswith(b"HTTP/1.1 431 ")
        writer.close()


async def test_a_body_in_many_small_chunks_is_no_header() -> None:
    async with serving(app_with(talking(echo))) as url:
        reader, writer = await connect(url)
        writer.write(post("/v1/talk", b"", "transfer-encoding: chunked"))
        for piece in [b'{"text": "', *[b"y" * 30000] * 10, b'"}']:
            writer.write(chunked([piece]))
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
        writer.close()


async def test_garbage_after_a_request_does_not_get_into_its_answer() -> None:
    async def never_ending(call: Call[Any]) -> AsyncIterator[str]:
        yield "a"
        await asyncio.Event().wait()

    async with serving(app_with(talking(never_ending))) as url:
        reader, writer = await connect(url)
        writer.write(post("/v1/talk", b'{"stream": true}'))
        await reader.readuntil(b'data: "a"')
        writer.write(b"\x00\xff")
        assert b"HTTP/1.1" not in await reader.read()
        writer.close()


@pytest.mark.parametrize("start", [b"\x00", b"GET /health HTTP/1.1\r\nx-request-id: mine\r\na: b\r\n: c\r\n\r\n"])
async def test_what_is_refused_has_a_request_id_too(start: bytes) -> None:
    async with serving(app_with()) as url:
        head = (await raw(url, start)).partition(b"\r\n\r\n")[0]
        assert b"\r\nx-request-id: " in head
        assert (b"mine" in start) == (b"x-request-id: mine" in head)


@pytest.mark.parametrize("next_body", [b'{"text": "next"}', b'{"text": "%b"}' % (b"y" * 100_000)])
async def test_a_client_that_leaves_is_noticed_also_when_it_has_sent_its_next_request(next_body: bytes) -> None:
    started, closed = asyncio.Event(), asyncio.Event()

    async def never_ending(call: Call[Any]) -> AsyncIterator[str]:
        started.set()
        try:
            yield await asyncio.get_running_loop().create_future()
        finally:
            closed.set()

    async with serving(app_with(talking(never_ending))) as url:
        _, writer = await connect(url)
        writer.write(post("/v1/talk", b"{}") + post("/v1/talk", next_body))
        await started.wait()
        await asyncio.sleep(0.1)  # the next request has been read
        writer.close()
        await asyncio.wait_for(closed.wait(), 2)


@pytest.mark.parametrize(
    "flood", [post("/v1/talk", b"{}") * 150, post("/v1/talk", b"y" * MAX_AHEAD, "a: b") * 2, offering(b"{}") * 1500]
)
async def test_a_client_cannot_send_ahead_without_bounds(flood: bytes, caplog: pytest.LogCaptureFixture) -> None:
    closed = asyncio.Event()

    async def never_ending(call: Call[Any]) -> AsyncIterator[str]:
        try:
            yield await asyncio.get_running_loop().create_future()
        finally:
            closed.set()

    async with serving(app_with(talking(never_ending))) as url:
        with contextlib.suppress(ConnectionError):
            assert await raw(url, post("/v1/talk", b"{}"), flood) == b""
        await asyncio.wait_for(closed.wait(), 2)
    assert caplog.text == ""


@pytest.mark.parametrize(("patience", "header"), [(0.2, "a: b"), (60, "connection: close")])
async def test_a_connection_whose_client_reads_nothing_is_given_up(
    patience: float, header: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost, connection_lost = asyncio.Event(), BoundedProtocol.connection_lost

    def lose(self: BoundedProtocol, exc: Exception | None) -> None:
        connection_lost(self, exc)
        lost.set()

    async def long(call: Call[Any]) -> AsyncIterator[str]:
        yield "x" * (16 << 20)

    monkeypatch.setattr(protocol, "STALLED", 0.1)
    monkeypatch.setattr(BoundedProtocol, "connection_lost", lose)
    async with serving(app_with(talking(long), request_timeout=patience)) as url:
        _, writer = await connect(url, receive_buffer=4096)
        writer.write(post("/v1/talk", b"{}", header))
        await asyncio.wait_for(lost.wait(), 5)
        writer.close()


class Connection(asyncio.Transport):
    """One end of a connection, without a network."""

    closing = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def write(self, data: Any) -> None:
        pass

    def close(self) -> None:
        self.closing = True

    def is_closing(self) -> bool:
        return self.closing

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


async def test_requests_that_are_too_many_are_not_even_parsed() -> None:
    config = configure(app_with())
    config.load()
    server, connection = BoundedProtocol(config, ServerState(), {}, asyncio.get_running_loop()), Connection()
    server.connection_made(connection)
    server.data_received(b"GET / HTTP/1.1\r\n\r\n" * 10_000)
    assert len(server.pipeline) == MAX_PIPELINED
    assert connection.closing
    server.connection_lost(None)
