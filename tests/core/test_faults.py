"""Crowds, clients that vanish, and workers that are killed: nothing is held, nobody else notices."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator

import httpx
import psutil
import pytest
from tests.core.support import (
    Client,
    chunked,
    connect,
    counted,
    error_of,
    frames,
    post,
    probe,
    raw,
    supervisor_of,
    until,
    words,
    worker_pid,
)

from ovms_core.app import Application
from ovms_core.testing import app_with, scripted_model, scripted_plugin, serving


@pytest.fixture
async def app() -> Application:
    return app_with(scripted_plugin, models=[scripted_model(), scripted_model("other")])


@pytest.fixture
async def url(app: Application) -> AsyncIterator[str]:
    async with serving(app) as url:
        yield url


async def test_kill_9_of_a_worker_under_32_streams_is_a_pause_and_nothing_else(app: Application, url: str) -> None:
    async with Client(url) as client:
        script = {"model": "scripted", "count": 40, "seconds": 0.005, "stream": True}
        streams = [asyncio.create_task(client.say("/v1/script", **script)) for _ in range(32)]
        others = asyncio.create_task(_others(client))
        await until(lambda: supervisor_of(app).load().in_flight == 32)
        dead = worker_pid(app)
        os.kill(dead, signal.SIGKILL)
        for stream in streams:
            assert words(await stream) == counted(40)
        assert await others == ["w0 w1 w2 "] * 50
        assert worker_pid(app) != dead
        assert supervisor_of(app, "other").load().restarts == 0


async def _others(client: Client) -> list[str]:
    return [(await client.say("/v1/script", model="other")).json()["text"] for _ in range(50)]


async def test_what_an_engine_raises_is_in_the_log_and_neither_in_answers_nor_in_frames(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with Client(url) as client:
        script = {"model": "scripted", "count": 9, "raise_at": 2}
        whole, stream = await client.say("/v1/script", **script), await client.say("/v1/script", stream=True, **script)
        shown = (await client.get("/v3/models")).text + (await client.get("/v2/health/ready")).text
    for answer, error in ((whole, error_of(whole)), (stream, frames(stream)[-1]["error"])):
        id = answer.headers["x-request-id"]
        told = f"The engine failed on this request; the server's log says why (request id {id})."
        assert (error["code"], error["message"]) == ("engine_failed", told)
        assert f"the engine failed on request {id}: the engine raised an exception: RuntimeError" in caplog.text
    assert "step raised" not in whole.text + stream.text + shown
    assert "step raised at word 2" in caplog.text


async def test_500_clients_that_start_a_stream_and_vanish_leave_nothing_behind(app: Application, url: str) -> None:
    async with Client(url) as client:
        await client.say("/v1/script", model="scripted", count=20, seconds=0.01, stream=True)
        process = psutil.Process()
        tasks, files = len(asyncio.all_tasks()), process.num_fds()
        request = post("/v1/script", b'{"model": "scripted", "count": 100000, "seconds": 0.001, "stream": true}')

        async def vanish(index: int) -> None:
            reader, writer = await connect(url)
            writer.write(request)
            if index % 2:
                await reader.readline()
            writer.transport.abort()

        runner = supervisor_of(app)
        for start in range(0, 500, 100):
            await asyncio.gather(*(vanish(start + index) for index in range(100)))
        async with asyncio.timeout(15):
            while app.server.admission.in_flight or runner.load().in_flight or runner.load().waiting:
                await asyncio.sleep(0.01)
        assert (await probe(app)).in_flight == 0
        await until(lambda: len(asyncio.all_tasks()) <= tasks)
        await until(lambda: process.num_fds() <= files + 3)
        assert words(await client.say("/v1/script", model="scripted", count=5, stream=True)) == counted(5)


async def test_ten_times_the_queue_at_once_is_429_at_once_and_the_admitted_finish() -> None:
    app = app_with(scripted_plugin, models=[scripted_model(max_queue=16, slots=4)])
    async with serving(app) as url, Client(url, limits=httpx.Limits(max_connections=None)) as client:
        memory = psutil.Process().memory_info().rss

        async def ask() -> tuple[int, float, str]:
            start = asyncio.get_running_loop().time()
            answer = await client.say("/v1/script", count=10, seconds=0.02, stream=True)
            if answer.status_code == 200:
                assert words(answer) == counted(10)
            else:
                assert error_of(answer)["code"] == "queue_full"
                assert int(answer.headers["retry-after"]) >= 1
            return answer.status_code, asyncio.get_running_loop().time() - start, answer.text

        answers = await asyncio.gather(*(ask() for _ in range(200)))
        statuses = [status for status, _, _ in answers]
        assert statuses.count(200) >= 20
        assert set(statuses) == {200, 429}
        assert psutil.Process().memory_info().rss - memory < 50 << 20
        assert (await client.say("/v1/script", count=1)).status_code == 200


async def test_half_open_and_garbage_connections_harm_nobody(app: Application, url: str) -> None:
    async with Client(url) as client:
        beginnings = (b"", b"POST /v1/script HT", b"\x16\x03\x01\x02", post("/v1/script", b"", "content-length: 9"))
        writers = [(await connect(url))[1] for _ in range(100)]
        for index, writer in enumerate(writers):
            writer.write(beginnings[index % 4])
        assert (await client.say("/v1/script", model="scripted", count=1)).status_code == 200
        for writer in writers:
            writer.close()
        await until(lambda: app.server.admission.in_flight == 0)


async def test_a_client_that_closes_its_side_after_asking_is_taken_as_gone(app: Application, url: str) -> None:
    with contextlib.suppress(ConnectionError):
        await raw(url, post("/v1/script", b'{"model": "scripted", "count": 100000, "seconds": 0.01}'), end=True)
    await until(lambda: app.server.admission.in_flight == 0)
    assert (await probe(app)).in_flight == 0


async def test_a_huge_chunked_body_is_refused_while_it_is_on_its_way_and_never_held() -> None:
    app = app_with(scripted_plugin, models=[scripted_model()], max_body_size=1 << 20)
    async with serving(app) as url:
        memory = psutil.Process().memory_info().rss
        reader, writer = await connect(url)
        writer.write(post("/v1/script", b"", "transfer-encoding: chunked"))
        with contextlib.suppress(ConnectionError):
            for _ in range(200):
                writer.write(chunked([b"x" * (1 << 20)]))
                await writer.drain()
        with contextlib.suppress(ConnectionError):
            assert (await reader.readline()).startswith(b"HTTP/1.1 413")
        writer.close()
        await until(lambda: app.server.admission.in_flight == 0)
        assert psutil.Process().memory_info().rss - memory < 50 << 20


async def test_a_slow_reader_holds_its_own_stream_and_no_other(app: Application, url: str) -> None:
    """The engine stops working for it, so the server holds little, and goes on once it reads."""
    runner = supervisor_of(app)
    memory = psutil.Process().memory_info().rss
    reader, writer = await connect(url, receive_buffer=64 << 10)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    script = b'{"model": "scripted", "count": 1000, "padding": 32768, "stream": true}'
    writer.write(post("/v1/script", script, "connection: close"))
    await until(lambda: runner.load().parked == 1)
    async with Client(url) as client:
        for _ in range(5):
            assert words(await client.say("/v1/script", model="scripted", count=20, stream=True)) == counted(20)
    assert (await probe(app)).in_flight == 0
    assert psutil.Process().memory_info().rss - memory < 32 << 20
    writer.transport.resume_reading()  # type: ignore[attr-defined]
    said = [line.partition(b",")[2].partition(b",")[0] async for line in reader if line.startswith(b'data: ["word"')]
    assert said == [b"%d" % number for number in range(1000)]
    writer.close()
