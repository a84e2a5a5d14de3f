"""An application as an HTTP client sees it, with no socket between them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from ovms_core.app import Application


@asynccontextmanager
async def connected(app: Application, *, settled: bool = True, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Run `app` in this process; gives an `httpx.AsyncClient` that talks to it.

    With `settled`, waits until every model is ready or has failed. `settings` are those of the client
    (``headers``, for instance). Streams come as they are sent, and closing one is a client that leaves.

    Example::

        async with connected(app_with(hooks, models=[model])) as client:
            answer = await client.post("/v3/count", json={"texts": ["one two"]})
    """
    transport = InProcess(app)
    async with app.lifespan():
        if settled:
            await app.server.lifecycle.settled()
        settings = {"base_url": "http://test", "timeout": None, **settings}
        async with httpx.AsyncClient(transport=transport, **settings) as client:
            yield client
        await transport.finished()


class InProcess(httpx.AsyncBaseTransport):
    """Hands requests to an ASGI application, whose lifespan somebody else runs."""

    def __init__(self, app: Application) -> None:
        self._app = app
        self._running: set[asyncio.Task[None]] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        exchange = _Exchange(await request.aread())
        task = asyncio.create_task(exchange.run(self._app, _scope(request)))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        try:
            status, headers = await exchange.start()
        except asyncio.CancelledError:
            exchange.leave()
            raise
        return httpx.Response(status, headers=headers, stream=exchange)

    async def finished(self) -> None:
        """Wait until the application has done with every request."""
        await asyncio.gather(*self._running)


class _Exchange(httpx.AsyncByteStream):
    """One request and its response; closing the response before its end is a disconnect."""

    def __init__(self, body: bytes) -> None:
        self._body: bytes | None = body
        self._sent: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._left = asyncio.Event()
        self._over = asyncio.Event()
        self._ended = False
        self._error: BaseException | None = None

    async def run(self, app: Application, scope: dict[str, Any]) -> None:
        try:
            await app(scope, self._receive, self._send)
        except Exception as error:
            self._error = error
        finally:
            self._over.set()
            self._sent.put_nowait(None)

    def leave(self) -> None:
        self._left.set()

    async def start(self) -> tuple[int, list[tuple[bytes, bytes]]]:
        message = await self._next()
        return message["status"], message["headers"]

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while not self._ended:
            message = await self._next()
            self._ended = not message.get("more_body", False)
            yield message.get("body", b"")

    async def aclose(self) -> None:
        self.leave()
        await self._over.wait()

    async def _next(self) -> dict[str, Any]:
        message = await self._sent.get()
        if message is None:
            raise httpx.RemoteProtocolError(f"the answer broke off: {self._error!r}") from self._error
        return message

    async def _receive(self) -> dict[str, Any]:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if self._left.is_set() and not self._ended:
            raise OSError("the client has left")
        self._sent.put_nowait(message)


def _scope(request: httpx.Request) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": request.url.scheme,
        "path": request.url.path,
        "raw_path": request.url.raw_path.partition(b"?")[0],
        "root_path": "",
        "query_string": request.url.query,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "client": ("127.0.0.1", 1),
        "server": (request.url.host, request.url.port or 80),
    }
