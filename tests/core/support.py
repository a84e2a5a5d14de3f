"""What the core's own tests share: plugins made of functions, and what clients do."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from ovms_core.app import Application
from ovms_core.plugin import Body, Call, Endpoint, hookimpl
from ovms_core.testing import Probe, Probed
from ovms_core.workers.process import WorkerProcess
from ovms_core.workers.supervisor import Supervisor

Execute = Callable[[Call[Any]], AsyncIterator[Any]]


class TalkBody(Body):
    ignored = frozenset({"metadata"})

    text: str = ""
    stream: bool = False


class Talk(Endpoint[TalkBody]):
    """``POST /talk``: does what a test says; its events are strings."""

    path = "/talk"
    body = TalkBody
    streams = True

    def __init__(self, execute: Execute, path: str = "/talk") -> None:
        self._execute = execute
        self.path = path  # type: ignore[misc]

    def execute(self, call: Call[TalkBody]) -> AsyncIterator[str]:
        return self._execute(call)

    def to_json(self, call: Call[TalkBody], events: Sequence[str]) -> object:
        return {"text": "".join(events)}


def talking(execute: Execute, path: str = "/talk", **hooks: Callable[..., Any]) -> SimpleNamespace:
    """A plugin with an endpoint at `path` that runs `execute`, and further `hooks`. Its name is that of the path."""
    return plugin(path[1:], ovms_register_endpoints=lambda: [Talk(execute, path)], **hooks)


def plugin(name: str, **hooks: Callable[..., Any]) -> SimpleNamespace:
    """A plugin of these hooks."""
    return SimpleNamespace(__name__=name, **{hook: hookimpl(function) for hook, function in hooks.items()})


async def echo(call: Call[Any]) -> AsyncIterator[str]:
    """An executor: the request's text, word by word."""
    for word in call.body.text.split(" "):
        yield word


def refusing(error: Exception, after: float = 0) -> Execute:
    """An executor that raises `error` instead of its first event, after so many seconds."""

    async def execute(call: Call[Any]) -> AsyncIterator[str]:
        await asyncio.sleep(after)
        if error:
            raise error
        yield ""

    return execute


def raising(error: BaseException) -> Callable[..., Any]:
    """A function that raises `error` whatever it is called with."""

    def call(*arguments: object, **named: object) -> Any:
        raise error

    return call


class Client(httpx.AsyncClient):
    """An HTTP client of a server at `url`."""

    def __init__(self, url: str, **settings: Any) -> None:
        super().__init__(base_url=url, timeout=30, **settings)

    async def say(self, path: str = "/v1/talk", **body: Any) -> httpx.Response:
        return await self.post(path, json=body)


def frames(response: httpx.Response) -> list[Any]:
    """The documents in a complete SSE response; ``[DONE]`` and comments as text."""
    return [_document(block) for block in response.text.split("\n\n") if block]


def _document(block: str) -> Any:
    data = block.removeprefix("data: ")
    return data if block.startswith(":") or data == "[DONE]" else json.loads(data)


def words(response: httpx.Response) -> list[str]:
    """The words of a complete stream of the scripted endpoint, which must have ended well."""
    *events, done = frames(response)
    assert done == "[DONE]", response.text
    return [text.strip() for _, _, text in (event for event in events if isinstance(event, list))]


def counted(count: int) -> list[str]:
    """What the scripted engine says when all is well."""
    return [f"w{index}" for index in range(count)]


def error_of(response: httpx.Response) -> dict[str, Any]:
    """The error in a response, which must have the one shape."""
    document = response.json()
    assert response.headers["content-type"] == "application/json"
    assert list(document) == ["error"]
    assert sorted(document["error"]) == ["code", "message", "param", "type"]
    error: dict[str, Any] = document["error"]
    return error


def supervisor_of(app: Application, model: str = "scripted") -> Supervisor:
    """What runs the engine of a model."""
    runner = app.server.models.find(model).runner
    assert isinstance(runner, Supervisor)
    return runner


def worker_pid(app: Application, model: str = "scripted") -> int:
    """The process that the engine of a model is in."""
    worker = supervisor_of(app, model).connection
    assert isinstance(worker, WorkerProcess)
    return worker.pid


async def probe(app: Application, model: str = "scripted") -> Probed:
    """What the scripted engine holds now."""
    events = [event async for event in app.server.models.find(model).submit(Probe())]
    assert isinstance(events[0], Probed)
    return events[0]


@contextlib.contextmanager
def another_user() -> Iterator[None]:
    """Be a user without rights for a while: files of ours that not all may read are out of reach."""
    if os.geteuid() != 0:
        pytest.skip("only root can be somebody else")
    os.seteuid(12345)
    try:
        yield
    finally:
        os.seteuid(0)


async def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Wait until `condition` is true, for what has no event to wait for."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


async def raw(url: str, *chunks: bytes, end: bool = False) -> bytes:
    """Everything that the server answers to these bytes until it closes; with `end`, we close our side first."""
    reader, writer = await connect(url)
    try:
        for chunk in chunks:
            writer.write(chunk)
            await writer.drain()
        if end:
            writer.write_eof()
        return await reader.read()
    finally:
        writer.close()


async def connect(url: str, receive_buffer: int | None = None) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A bare connection. `receive_buffer` is about how many bytes the system keeps for a client that does not read."""
    parts = urlsplit(url)
    client = socket.socket()
    client.setblocking(False)
    if receive_buffer is not None:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    await asyncio.get_running_loop().sock_connect(client, (parts.hostname, parts.port))
    return await asyncio.open_connection(sock=client)


def post(path: str, body: bytes, *headers: str) -> bytes:
    """A request as bytes."""
    lines = [f"POST {path} HTTP/1.1", "host: test", "content-type: application/json", *headers]
    if not any(line.startswith(("content-length", "transfer-encoding")) for line in headers):
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def chunked(pieces: Iterable[bytes]) -> bytes:
    """`pieces` in the chunked transfer coding, without the end."""
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
