"""Smaller messages, to and from an endpoint that knows nothing of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import httpx
import msgspec
import pytest

from ovms_compact import hooks
from ovms_compact.message_pack import MSGPACK
from ovms_core.plugin import Body, Call, Endpoint, hookimpl
from ovms_core.testing import EndpointContract, HookRecorder, app_with, connected


class CountBody(Body):
    text: str
    times: int = 1
    stream: bool = False


class Count(Endpoint[CountBody]):
    """Repeat a text, counting."""

    path = "/count"
    body = CountBody
    streams = True

    async def execute(self, call: Call[CountBody]) -> AsyncIterator[dict[str, Any]]:
        for number in range(call.body.times):
            yield {"number": number / 3, "text": call.body.text}

    def to_json(self, call: Call[CountBody], events: Sequence[dict[str, Any]]) -> object:
        return {"lines": events}


@hookimpl
def endpoints() -> Iterable[Endpoint[Any]]:
    return [Count()]


COUNT = SimpleNamespace(__name__="count", ovms_register_endpoints=endpoints)


class TestACompactEndpointKeepsAllPromises(EndpointContract):
    plugin = hooks
    needs = (COUNT,)
    valid_body = {"text": "one ", "times": 3}


class TestMessagePackKeepsThemToo(TestACompactEndpointKeepsAllPromises):
    """The same tests, with bodies in MessagePack."""

    def payload(self, body: dict[str, Any]) -> dict[str, Any]:
        return {"content": msgspec.msgpack.encode(body), "headers": {"content-type": MSGPACK}}


@asynccontextmanager
async def compact(*more: object) -> AsyncIterator[httpx.AsyncClient]:
    async with connected(app_with(COUNT, hooks, *more)) as client:
        yield client


async def send(client: httpx.AsyncClient, content: bytes, **headers: str) -> httpx.Response:
    return await client.post("/v1/count", content=content, headers={"content-type": MSGPACK, **headers})


async def test_message_pack_says_what_json_says() -> None:
    body = {"text": "wörd", "times": 2}
    async with compact() as client:
        json = await client.post("/v1/count", json=body)
        packed = await send(client, msgspec.msgpack.encode(body), accept=f"text/html, {MSGPACK}; q=0.9")
        unpacked = await send(client, msgspec.msgpack.encode(body))
    assert packed.headers["content-type"] == MSGPACK
    assert msgspec.msgpack.decode(packed.content) == json.json() == unpacked.json()
    assert len(packed.content) < len(json.content)
    assert packed.headers["vary"] == json.headers["vary"] == "accept"


async def test_a_stream_stays_a_stream_of_events() -> None:
    async with compact() as client:
        body = msgspec.msgpack.encode({"text": "one", "times": 2000, "stream": True})
        answer = await send(client, body, accept=MSGPACK)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert "content-encoding" not in answer.headers
    assert answer.text.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize(
    "content",
    [b"", b"\xc1", b"\x93\x01\x02\x03", b"\x81\x01\x02", b"\xa1\xff", b"\x91" * 100_000, b'{"text": "one"}'],
    ids=["empty", "unused byte", "list", "number as key", "no UTF-8", "deep", "JSON"],
)
async def test_what_is_no_map_in_message_pack_is_refused(content: bytes) -> None:
    async with compact() as client:
        answer = await send(client, content)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_msgpack")


async def test_a_field_is_checked_as_in_json() -> None:
    async with compact() as client:
        answer = await send(client, msgspec.msgpack.encode({"text": b"one"}))
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "text")


async def test_large_answers_are_compressed_for_those_who_can_read_them() -> None:
    async with compact() as client:
        large = await client.post("/v1/count", json={"text": "one", "times": 1000})
        small = await client.post("/v1/count", json={"text": "one"})
        plain = await client.post(
            "/v1/count", json={"text": "one", "times": 1000}, headers={"accept-encoding": "identity"}
        )
    assert large.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in small.headers
    assert "content-encoding" not in plain.headers
    assert large.json() == plain.json()
    assert int(large.headers["content-length"]) * 4 < int(plain.headers["content-length"])


async def test_guards_see_calls_that_came_as_message_pack() -> None:
    recorder = HookRecorder()
    async with compact(recorder) as client:
        await send(client, msgspec.msgpack.encode({"text": "one"}))
    (recorded,) = recorder.calls
    assert list(recorded.call.texts()) == ["one"]
