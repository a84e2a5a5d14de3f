"""Compressed bodies: read as if they were not, and never more of them than may be."""

from __future__ import annotations

import asyncio
import gzip
import json
import sys
import time
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
import pytest_asyncio
from starlette.requests import Request
from starlette.types import Message
from tests.core.support import Client, chunked, connect, echo, error_of, plugin, post, raw, talking, until

from ovms_core.app import Application
from ovms_core.errors import APIError
from ovms_core.http.limits import BodyBudget
from ovms_core.plugin import Body, Call, Endpoint
from ovms_core.settings import Settings
from ovms_core.testing import app_with, serving

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LIMIT = 1 << 20
TEXT = json.dumps({"text": "a rose is a rose"}).encode()
ANSWER = {"text": "aroseisarose"}

Compress = Callable[[bytes], bytes]


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(data) + compressor.flush()


def members(compress: Compress) -> Compress:
    return lambda data: compress(data[:5]) + compress(b"") + compress(data[5:])


CODINGS: dict[str, tuple[str, Compress]] = {
    "gzip": ("gzip", gzip.compress),
    "its old name": ("X-Gzip", gzip.compress),
    "gzip in members": ("gzip", members(gzip.compress)),
    "deflate": ("deflate", zlib.compress),
    "deflate without a header": ("deflate", raw_deflate),
    "zstd": ("zstd", zstd.compress),
    "zstd in frames": ("zstd", members(zstd.compress)),
    "none": ("identity", bytes),
    "two, one after the other": ("deflate, gzip", lambda data: gzip.compress(zlib.compress(data))),
    "four of them": ("zstd,,GZIP ,identity, deflate, gzip", lambda data: gzip.compress(two(data))),
}


def two(data: bytes) -> bytes:
    return zlib.compress(gzip.compress(zstd.compress(data)))


pytestmark = pytest.mark.asyncio(loop_scope="module")


class Curious(Endpoint[Body]):
    """Says which headers it sees."""

    path = "/curious"
    body = Body

    async def parse(self, request: Request) -> Call[Body]:
        seen = sorted({*request.headers, *(name.decode() for name in request.scope["ovms.headers"])})
        return Call(self, Body(), None, context={"seen": seen})

    async def execute(self, call: Call[Body]) -> AsyncIterator[str]:
        for name in call.context["seen"]:
            yield name


class Forms(Endpoint[Body]):
    """Says what is in a form."""

    path = "/forms"
    body = Body

    async def parse(self, request: Request) -> Call[Body]:
        async with request.form() as form:
            return Call(self, Body(), None, context={"fields": [f"{name}={value}" for name, value in form.items()]})

    async def execute(self, call: Call[Body]) -> AsyncIterator[str]:
        for field in call.context["fields"]:
            yield field


@pytest.fixture(scope="module")
def app() -> Application:
    curious = plugin("curious", ovms_register_endpoints=lambda: [Curious(), Forms()])
    return app_with(talking(echo), curious, max_body_size=LIMIT)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def url(app: Application) -> AsyncIterator[str]:
    async with serving(app) as url:
        yield url


async def send(url: str, content: bytes, coding: str) -> httpx.Response:
    async with Client(url) as client:
        headers = {"content-type": "application/json", "content-encoding": coding}
        return await client.post("/v1/talk", content=content, headers=headers)


@pytest.mark.parametrize("name", CODINGS)
async def test_a_compressed_body_is_read_however_it_arrives(url: str, name: str) -> None:
    coding, compress = CODINGS[name]
    assert (await send(url, compress(TEXT), coding)).json() == ANSWER
    large = json.dumps({"text": "y" * (LIMIT // 2)}).encode()
    assert len((await send(url, compress(large), coding)).content) > LIMIT // 2
    request = post("/v1/talk", b"", "transfer-encoding: chunked", f"content-encoding: {coding}", "connection: close")
    single = chunked([b"%c" % byte for byte in compress(TEXT)]) + b"0\r\n\r\n"
    assert (await raw(url, request, single)).endswith(json.dumps(ANSWER, separators=(",", ":")).encode())


async def test_codings_in_several_headers_are_undone_from_the_last_to_the_first(url: str) -> None:
    request = post(
        "/v1/talk",
        gzip.compress(zlib.compress(TEXT)),
        "content-encoding: deflate",
        "content-encoding: gzip",
        "connection: close",
    )
    assert b"aroseisarose" in await raw(url, request)


async def test_who_reads_a_body_sees_no_trace_of_its_compression(url: str) -> None:
    async with Client(url) as client:
        answer = await client.post("/v1/curious", content=gzip.compress(TEXT), headers={"content-encoding": "gzip"})
        assert {"content-encoding", "content-length"}.isdisjoint(answer.json()["events"])
        assert "user-agent" in answer.json()["events"]


@pytest.mark.parametrize("name", ["gzip", "zstd"])
async def test_a_compressed_form_is_read_too(url: str, name: str) -> None:
    coding, compress = CODINGS[name]
    form = httpx.Request("POST", url, data={"prompt": "a rose"}, files={"x": ("", b"")})
    headers = {"content-type": form.headers["content-type"], "content-encoding": coding}
    async with Client(url) as client:
        answer = await client.post("/v1/forms", content=compress(form.read()), headers=headers)
    assert "prompt=a rose" in answer.json()["events"]


@pytest.mark.parametrize("coding", ["br", "gzip, br", "gzip, " * 5 + "gzip", "gzip," * 10_000])
async def test_a_coding_that_is_not_undone_is_a_415_that_names_those_that_are(url: str, coding: str) -> None:
    answer = await send(url, TEXT, coding)
    assert answer.status_code == 415
    assert answer.headers["accept-encoding"] == "gzip, deflate, zstd"
    assert "gzip, deflate or zstd" in error_of(answer)["message"]


@pytest.mark.parametrize("name", ["gzip", "deflate", "deflate without a header", "zstd", "two, one after the other"])
@pytest.mark.parametrize("damage", ["cut short", "never was", "followed by more", "empty inside"])
async def test_a_damaged_body_is_a_400_that_says_so(url: str, name: str, damage: str) -> None:
    coding, compress = CODINGS[name]
    body = {
        "cut short": compress(TEXT)[:-1],
        "never was": TEXT,
        "followed by more": compress(TEXT) + b"and more",
        "empty inside": compress(b""),
    }[damage]
    answer = await send(url, body, coding)
    assert answer.status_code == 400
    error = error_of(answer)
    if damage == "empty inside":
        assert error["code"] == "invalid_json"
    else:
        assert error["code"] == "invalid_encoding"
        assert f"not valid {coding.rpartition(' ')[2]}" in error["message"]


async def test_a_request_without_a_body_has_nothing_to_undo(url: str) -> None:
    async with Client(url) as client:
        assert (await client.get("/health", headers={"content-encoding": "br"})).status_code == 200
        empty = await client.post("/v1/talk", headers={"content-encoding": "gzip"})
        assert error_of(empty)["code"] == "invalid_json"


def spaces(compress: Compress, size: int) -> bytes:
    return compress(b'{"text": "a"' + b" " * size + b"}")


def nested(data: bytes) -> bytes:
    return gzip.compress(gzip.compress(data))


BOMBS = {
    "gzip": ("gzip", spaces(gzip.compress, 32 << 20)),
    "deflate": ("deflate", spaces(zlib.compress, 32 << 20)),
    "zstd": ("zstd", spaces(zstd.compress, 64 << 20)),
    "gzip in gzip": ("gzip, gzip", spaces(nested, 64 << 20)),
    "nothing, in many members": ("gzip", gzip.compress(b"") * 30_000),
    "nothing, in many frames": ("zstd", zstd.compress(b"") * 60_000),
    "nothing, in many members, compressed": ("gzip, zstd", zstd.compress(gzip.compress(b"") * 500_000)),
    "a name without an end": ("gzip, zstd", zstd.compress(b"\x1f\x8b\x08\x08\0\0\0\0\0\xff" + b"y" * (4 << 20))),
}


@pytest.mark.parametrize("name", BOMBS)
async def test_a_bomb_is_a_413_that_holds_little_memory_and_lets_others_have_their_turn(url: str, name: str) -> None:
    coding, bomb = BOMBS[name]
    gaps, went_off = [], asyncio.Event()

    async def watch() -> None:
        last = time.thread_time()  # of this thread alone, so that a busy machine makes no difference
        while not went_off.is_set():
            await asyncio.sleep(0)
            gaps.append(time.thread_time() - last)
            last = time.thread_time()

    watching = asyncio.create_task(watch())
    tracemalloc.start()
    try:
        answer = await send(url, bomb, coding)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        went_off.set()
        await watching
    assert answer.status_code == 413
    assert error_of(answer)["code"] == "body_too_large"
    assert peak < 8 * LIMIT
    assert max(gaps) < 0.3


async def test_the_limit_is_that_of_what_is_in_a_body_to_the_byte() -> None:
    body = json.dumps({"text": "y" * 10_000}).encode()
    async with serving(app_with(talking(echo), max_body_size=len(body))) as url:
        assert (await send(url, gzip.compress(body), "gzip")).status_code == 200
        assert (await send(url, gzip.compress(body + b" "), "gzip")).status_code == 413


async def test_what_is_in_all_bodies_together_is_bounded_and_given_back() -> None:
    budget = BodyBudget(Settings(max_body_size=LIMIT, max_body_memory=LIMIT))
    scope = {"headers": [(b"content-encoding", b"gzip"), (b"transfer-encoding", b"chunked")]}
    body = gzip.compress(bytes(LIMIT - 1000))

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def read() -> int:
        meter = budget.meter({**scope, "ovms.headers": dict(scope["headers"])}, receive)
        size, more = 0, True
        try:
            while more:
                message = await meter()
                size, more = size + len(message["body"]), message["more_body"]
            await asyncio.sleep(0.01)
        finally:
            meter.release()
        return size

    read_whole, refused = await asyncio.gather(read(), read(), return_exceptions=True)
    assert read_whole == LIMIT - 1000 or isinstance(read_whole, APIError)
    assert isinstance(refused, APIError)
    assert refused.status == 503
    assert budget._held == 0


async def test_a_thousand_compressed_bodies_at_once_are_all_answered(url: str) -> None:
    async def ten(first: int) -> bytes:
        bodies = [gzip.compress(b'{"text": "w%d"}' % (first + index)) for index in range(10)]
        requests = [post("/v1/talk", body, "content-encoding: gzip") for body in bodies]
        requests[-1] = post("/v1/talk", bodies[-1], "content-encoding: gzip", "connection: close")
        return await raw(url, *requests)

    answers = await asyncio.gather(*(ten(10 * index) for index in range(100)))
    for first, answer in enumerate(answers):
        assert [b'{"text":"w%d"}' % (10 * first + index) in answer for index in range(10)] == [True] * 10


async def test_a_client_that_leaves_in_the_middle_of_a_compressed_body_holds_nothing(
    app: Application, url: str
) -> None:
    body = gzip.compress(json.dumps({"text": "y" * 500_000}).encode(), compresslevel=0)
    _, writer = await connect(url)
    writer.write(post("/v1/talk", body[:-10], f"content-length: {len(body)}", "content-encoding: gzip"))
    await until(lambda: app.server.admission._budget._held > 400_000)
    writer.close()
    await until(lambda: app.server.admission.in_flight == 0)
    assert app.server.admission._budget._held == 0
