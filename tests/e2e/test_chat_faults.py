"""What happens to chats on the real engine when things go wrong."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
import time
from pathlib import Path
from types import SimpleNamespace

import httpx
import psutil
import pytest
from openai import APIStatusError, AsyncOpenAI, OpenAI
from tests.e2e.grammar_engine import MARK
from tests.e2e.server import Server, started

from ovms_core.plugin import hookimpl
from ovms_core.settings import ModelSettings
from ovms_core.testing import app_with, serving
from ovms_llm import hooks
from ovms_llm.task import TASK

pytestmark = pytest.mark.real

_STREAMS = 32


def _client(server: Server) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0, timeout=300)


async def _story(client: AsyncOpenAI, number: int, tokens: int, begun: asyncio.Event | None = None) -> str:
    stream = await client.chat.completions.create(
        model="smollm2",
        messages=[{"role": "user", "content": f"Tell me story number {number} about the sea."}],
        temperature=0,
        max_tokens=tokens,
        stream=True,
        extra_body={"ignore_eos": True},
    )
    text, finish = "", None
    async for chunk in stream:
        text += chunk.choices[0].delta.content or ""
        finish = chunk.choices[0].finish_reason or finish
        if begun is not None and len(text) > 40:
            begun.set()
    assert finish == "length"
    return text


def _worker_of(server: Server, model: str) -> int:
    """The worker with the most threads busy is not told apart; models load in order, so workers start in order."""
    order = {"smollm2": 0, "other": 1}[model]
    pids = sorted(server.worker_pids(), key=lambda pid: psutil.Process(pid).create_time())
    return pids[order]


async def test_kill_9_of_the_worker_under_32_streams_changes_no_text(chat_server: Server) -> None:
    tokens = 40
    async with _client(chat_server) as client:
        undisturbed = await asyncio.gather(*(_story(client, number, tokens) for number in range(_STREAMS)))
        victim = _worker_of(chat_server, "smollm2")
        others = [pid for pid in chat_server.worker_pids() if pid != victim]
        begun = [asyncio.Event() for _ in range(_STREAMS)]
        streams = [asyncio.create_task(_story(client, n, tokens, begun[n])) for n in range(_STREAMS)]
        neighbour = asyncio.create_task(_other_model(client))
        await begun[0].wait()
        os.kill(victim, signal.SIGKILL)
        disturbed = await asyncio.gather(*streams)
        assert await neighbour
    assert disturbed == undisturbed
    assert chat_server.process.poll() is None
    assert victim not in chat_server.worker_pids()
    assert set(others) <= set(chat_server.worker_pids())


async def _other_model(client: AsyncOpenAI) -> bool:
    answer = await client.chat.completions.create(
        model="other", messages=[{"role": "user", "content": "Hello"}], max_tokens=24, temperature=0
    )
    return bool(answer.choices[0].message.content)


async def test_500_clients_that_vanish_hold_nothing(chat_server: Server) -> None:
    process = psutil.Process(chat_server.pid)
    async with _client(chat_server) as client:
        await _story(client, 0, 8)
        before_fds = process.num_fds()
        before = await _seconds(client)
    address = chat_server.url.removeprefix("http://").split(":")
    await asyncio.gather(*(_vanish(address[0], int(address[1]), number) for number in range(500)))
    await _until_idle(chat_server)
    async with _client(chat_server) as client:
        after = await _seconds(client)
    assert process.num_fds() <= before_fds + 4
    assert after < before * 5 + 1.0


async def _seconds(client: AsyncOpenAI) -> float:
    start = time.perf_counter()
    await _story(client, 1, 16)
    return time.perf_counter() - start


async def _vanish(host: str, port: int, number: int) -> None:
    """Start a stream and be gone after its first bytes, or when turned away."""
    reader, writer = await asyncio.open_connection(host, port)
    body = (
        b'{"model":"smollm2","stream":true,"max_tokens":400,"ignore_eos":true,'
        b'"messages":[{"role":"user","content":"Story %d"}]}' % number
    )
    head = (
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    )
    writer.write(head % len(body) + body)
    if number % 2:
        await asyncio.wait_for(reader.read(1), 60)
    writer.transport.abort()


async def _until_idle(server: Server) -> None:
    """Wait until the metrics say that nothing is in flight or waits, and the KV cache holds nothing for anybody."""
    async with httpx.AsyncClient(base_url=server.url) as client:
        for _ in range(600):
            text = (await client.get("/metrics")).text
            lines = [line for line in text.splitlines() if line.startswith(("ovms_model_in_flight", "ovms_model_wait"))]
            if lines and all(line.endswith(" 0.0") for line in lines):
                return
            await asyncio.sleep(0.1)
    raise AssertionError("requests of vanished clients are still held")


async def test_ten_times_more_requests_than_the_queue_holds(smollm2_path: Path, tmp_path: Path) -> None:
    model = {
        "name": "smollm2",
        "source": str(smollm2_path),
        "device": "CPU",
        "max_queue": 8,
        "options": {"cache_size": 0.25, "max_num_seqs": 4},
    }
    with started(tmp_path, [model]) as server:
        async with _client(server) as client:
            await _story(client, 0, 8)
            rss = psutil.Process(server.pid).memory_info().rss
            outcomes = await asyncio.gather(*(_outcome(client, number) for number in range(200)))
            grown = psutil.Process(server.pid).memory_info().rss - rss
    assert set(outcomes) == {200, 429}
    assert 12 <= outcomes.count(200) <= 40
    assert grown < 64 << 20


async def _outcome(client: AsyncOpenAI, number: int) -> int:
    try:
        await _story(client, number, 8)
    except APIStatusError as error:
        promised = int(error.response.headers.get("retry-after", 0))
        return error.status_code if promised else 0
    return 200


async def test_a_grammar_that_does_not_compile_harms_only_its_own_request(smollm2_path: Path) -> None:
    task = dataclasses.replace(TASK, engine="tests.e2e.grammar_engine:GrammarEngine")
    plugin = SimpleNamespace(
        __name__="grammar",
        ovms_register_tasks=hookimpl(lambda: [task]),
        ovms_register_endpoints=hooks.ovms_register_endpoints,
    )
    model = ModelSettings(
        name="smollm2", source=str(smollm2_path), task=task.name, device="CPU", options={"cache_size": 0.25}
    )
    app = app_with(plugin, models=[model])
    async with serving(app) as url, AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
        good = [asyncio.create_task(_story(client, number, 24)) for number in range(8)]
        with pytest.raises(APIStatusError) as raised:
            await client.chat.completions.create(
                model="smollm2", messages=[{"role": "user", "content": MARK}], max_tokens=8
            )
        texts = await asyncio.gather(*good)
    assert all(texts)
    assert raised.value.status_code == 500
    assert "The engine failed on this request; the server's log says why (request id " in raised.value.message


def test_sigterm_lets_a_stream_finish_and_exits_0(smollm2_path: Path, tmp_path: Path) -> None:
    model = {"name": "smollm2", "source": str(smollm2_path), "device": "CPU", "options": {"cache_size": 0.25}}
    with started(tmp_path, [model]) as server, OpenAI(base_url=f"{server.url}/v1", api_key="none") as client:
        stream = client.completions.create(
            model="smollm2", prompt="The sea", max_tokens=64, stream=True, extra_body={"ignore_eos": True}
        )
        first = next(iter(stream))
        workers = server.worker_pids()
        server.process.send_signal(signal.SIGTERM)
        rest = list(stream)
        assert rest[-1].choices[0].finish_reason == "length"
        assert first.id == rest[-1].id
        assert server.process.wait(timeout=60) == 0
    assert not any(psutil.pid_exists(pid) for pid in workers)
