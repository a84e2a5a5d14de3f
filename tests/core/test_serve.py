"""A server as a process: signals, draining, and what is left behind."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
from tests.core.support import Client, counted, post, raw, until, words

from ovms_core.app import Application
from ovms_core.configuration import ConfigurationError
from ovms_core.serve import DrainingServer, _tell, configure, listen
from ovms_core.testing import app_with


class ServerProcess:
    """A server that runs in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.url = ""
        self.workers: list[int] = []
        self.rest = ""

    async def settle(self) -> None:
        self.url = (await self.line()).removeprefix("listening ")
        self.workers = json.loads((await self.line()).removeprefix("settled "))

    async def line(self) -> str:
        assert self.process.stdout is not None
        return (await self.process.stdout.readline()).decode().strip()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def ended(self, seconds: float = 10) -> tuple[int, str]:
        """Its exit status, and what it wrote to standard error."""
        stdout, stderr = await asyncio.wait_for(self.process.communicate(), seconds)
        self.rest = stdout.decode()
        assert self.process.returncode is not None
        return self.process.returncode, stderr.decode()

    async def workers_gone(self) -> None:
        await until(lambda: not any(map(alive, self.workers)))


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@asynccontextmanager
async def server(*, settle: bool = True, files: int = 1024, **settings: Any) -> AsyncIterator[ServerProcess]:
    process = await asyncio.create_subprocess_exec(
        *("sh", "-c", f'ulimit -Sn {files} && exec "$@"', "sh"),
        sys.executable,
        "-m",
        "tests.core.serve_scripted",
        json.dumps(settings),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    running = ServerProcess(process)
    try:
        if settle:
            await running.settle()
        yield running
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def begin(client: httpx.AsyncClient, **script: Any) -> tuple[httpx.Response, AsyncIterator[str]]:
    """A stream of which the first word has come."""
    request = client.build_request("POST", "/v1/script", json={"stream": True, **script})
    answer = await client.send(request, stream=True)
    lines = answer.aiter_lines()
    assert await anext(lines) == 'data: ["word",0,"w0 "]'
    return answer, lines


async def served(url: str) -> bool:
    """Whether a new client is still served."""
    async with Client(url) as client:
        try:
            return (await client.say("/v1/script", count=1)).status_code == 200
        except httpx.TransportError:
            return False


async def test_sigterm_lets_streams_finish_refuses_new_requests_and_ends_with_0() -> None:
    async with server() as running, Client(running.url) as client:
        _, lines = await begin(client, count=60, seconds=0.01)
        running.signal(signal.SIGTERM)
        async with asyncio.timeout(5):
            while await served(running.url):
                pass
        rest = [line async for line in lines if line]
        assert len(rest) == 60
        assert rest[-1] == "data: [DONE]"
        status, log = await running.ended()
        assert status == 0
        assert "Traceback" not in log
        await running.workers_gone()


async def test_a_request_on_a_kept_connection_is_refused_with_503_while_draining() -> None:
    async with server() as running:
        two = post("/v1/script", b'{"count": 40, "seconds": 0.01}') + post("/v1/script", b'{"count": 1}')
        answering = asyncio.create_task(raw(running.url, two))
        await asyncio.sleep(0.2)
        running.signal(signal.SIGTERM)
        answer = await answering
        assert answer.startswith(b"HTTP/1.1 200")
        assert b"w39" in answer
        assert answer.count(b"HTTP/1.1 200") == 1


async def test_a_second_signal_ends_at_once() -> None:
    async with server(drain_timeout=60) as running, Client(running.url) as client:
        _, lines = await begin(client, count=10_000, seconds=0.01)
        running.signal(signal.SIGTERM)
        for _ in range(50):
            await anext(lines)
        running.signal(signal.SIGTERM)
        status, log = await running.ended(seconds=3)
        assert status == 0
        assert "Traceback" not in log
        await running.workers_gone()


async def test_a_second_signal_does_not_wait_for_a_long_step() -> None:
    async with server(drain_timeout=60) as running, Client(running.url) as client:
        hanging = asyncio.create_task(client.say("/v1/script", hang_at=0))
        await asyncio.sleep(0.3)
        running.signal(signal.SIGTERM)
        await asyncio.sleep(0.3)
        running.signal(signal.SIGTERM)
        await running.ended(seconds=3)
        await running.workers_gone()
        assert (await hanging).json()["error"]["code"] == "draining"


async def test_a_plugin_that_never_closes_cannot_keep_the_server_after_a_second_signal() -> None:
    async with server(never_closing=True) as running:
        running.signal(signal.SIGTERM)
        await asyncio.sleep(0.5)
        running.signal(signal.SIGTERM)
        status, log = await running.ended(seconds=6)
        assert status == 1
        assert "something keeps the server from stopping" in log
        await running.workers_gone()


@pytest.mark.parametrize("signals", [1, 2])
async def test_a_plugin_that_blocks_the_event_loop_for_good_cannot_keep_the_server_and_is_named(signals: int) -> None:
    settings = {"drain_timeout": 0.5, "patience": 1} if signals == 1 else {"drain_timeout": 600}
    async with server(blocking=True, **settings) as running, Client(running.url) as client:
        blocked = asyncio.create_task(client.say("/v1/block"))
        await stopped_answering(running.url)
        for _ in range(signals):
            running.signal(signal.SIGTERM)
            await asyncio.sleep(0.2)
        status, log = await running.ended(seconds=8)
        assert status == 1
        assert "something keeps the server from stopping (plugin 'block', POST /block at " in log
        assert "in blocking)" in log
        await running.workers_gone()
        with pytest.raises(httpx.TransportError):
            await blocked


async def stopped_answering(url: str) -> None:
    async with httpx.AsyncClient(base_url=url, timeout=0.3) as other:
        with contextlib.suppress(httpx.TimeoutException):
            while True:
                await other.get("/health")


async def test_a_required_plugin_that_does_not_start_ends_the_server_with_its_reason_and_its_authors_line() -> None:
    async with server(settle=False, not_starting=True, plugins={"required": ["broken"]}) as running:
        status, log = await running.ended()
        assert status == 3
        assert "Plugin 'broken' is required" in log
        assert "The disk is full." in log
        assert log.count("Traceback") == 1
        assert "ovms_core/app.py" not in log


async def test_what_does_not_finish_in_the_drain_timeout_is_told_so() -> None:
    async with server(drain_timeout=1) as running, Client(running.url) as client:
        unary = asyncio.create_task(client.say("/v1/script", count=10_000, seconds=0.01))
        await asyncio.sleep(0.3)
        running.signal(signal.SIGTERM)
        answer = await unary
        assert answer.status_code == 503
        assert answer.json()["error"]["code"] == "draining"
        status, log = await running.ended()
        assert status == 0
        assert "Traceback" not in log


async def test_a_stream_that_does_not_finish_in_the_drain_timeout_ends_with_an_error_frame() -> None:
    async with server(drain_timeout=1) as running, Client(running.url) as client:
        _, lines = await begin(client, count=10_000, seconds=0.01)
        running.signal(signal.SIGTERM)
        *_, last = [line async for line in lines if line]
        assert json.loads(last.removeprefix("data: "))["error"]["code"] == "draining"
        status, log = await running.ended()
        assert status == 0
        assert "Traceback" not in log


@pytest.mark.parametrize("signals", [1, 2])
async def test_a_client_that_does_not_read_cannot_keep_the_server_from_ending(signals: int) -> None:
    async with server(drain_timeout=1 if signals == 1 else 60, small_buffers=True) as running:
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", urlsplit(running.url).port))
            client.sendall(post("/v1/script", b'{"count": 10000000, "stream": true}'))
            await asyncio.sleep(0.5)  # what the kernel holds for us is full then
            for _ in range(signals):
                running.signal(signal.SIGTERM)
                await asyncio.sleep(0.2)
            status, _ = await running.ended(seconds=5)
        assert status == 0
        await running.workers_gone()


async def test_ctrl_c_is_clean() -> None:
    async with server() as running:
        running.signal(signal.SIGINT)
        status, log = await running.ended()
        assert status == 0
        assert "Traceback" not in log
        assert "never retrieved" not in log
        await running.workers_gone()


async def test_ctrl_c_while_a_model_loads_is_clean_and_quick() -> None:
    async with server(settle=False, models=[{"load_seconds": 60}]) as running:
        await running.line()
        children = psutil.Process(running.process.pid).children
        await until(lambda: bool(children()))
        worker = children()[0].pid
        running.signal(signal.SIGINT)
        status, log = await running.ended(seconds=3)
        assert status == 0
        assert "Traceback" not in log
        assert running.rest == ""  # nothing is settled
        assert not alive(worker)


async def test_no_worker_outlives_a_server_that_is_killed() -> None:
    async with server(models=[{"name": "a"}, {"name": "b"}]) as running, Client(running.url) as client:
        hanging = asyncio.create_task(client.say("/v1/script", model="a", hang_at=0))
        await asyncio.sleep(0.2)
        assert all(map(alive, running.workers))
        running.signal(signal.SIGKILL)
        await running.workers_gone()
        with pytest.raises(httpx.TransportError):
            await hanging


async def test_the_loop_of_production_serves_and_survives_a_killed_worker() -> None:
    async with server() as running, Client(running.url) as client:
        streams = [asyncio.create_task(client.say("/v1/script", count=60, seconds=0.01, stream=True)) for _ in range(8)]
        await asyncio.sleep(0.3)
        psutil.Process(running.workers[0]).kill()
        for stream in streams:
            assert words(await stream) == counted(60)


async def test_more_clients_than_the_usual_limit_of_open_files_are_served() -> None:
    async with server(files=64, models=[{"max_queue": 200}]) as running:
        request = post("/v1/script", b'{"count": 1}', "connection: close")
        answers = await asyncio.gather(*(raw(running.url, request) for _ in range(100)))
        assert {answer[:12] for answer in answers} == {b"HTTP/1.1 200"}


async def test_a_report_that_nobody_reads_does_not_end_the_server(caplog: pytest.LogCaptureFixture) -> None:
    """As in ``ovms serve | head -1``."""

    class Unread:
        def listening(self, url: str, app: Application) -> None:
            raise SystemExit(1)

        progress = settled = listening

    app = app_with()
    running = DrainingServer(configure(app), app)
    running.started = True
    await asyncio.create_task(_tell(running, "", app, Unread()))  # type: ignore[arg-type]
    assert "the report of the start cannot be written" in caplog.text


def test_idle_connections_stay_open_for_longer_than_clients_and_proxies_use_them() -> None:
    """Else a client sends its next request just when the server closes, and the request is lost."""
    assert configure(app_with()).timeout_keep_alive > 90


def test_an_address_that_is_taken_is_an_error_that_says_what_to_do() -> None:
    with (
        listen("127.0.0.1", 0) as taken,
        pytest.raises(ConfigurationError, match="Choose another with --host and --port"),
    ):
        listen("127.0.0.1", taken.getsockname()[1])
