"""One request's way: parse, wrap, execute, format."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from ovms_core.calls.endpoint import Call, Endpoint, Executor, Formatter, Interceptor, Parser
from ovms_core.calls.execution import Rounds, Stint, close, wrap
from ovms_core.calls.observe import Observers, Outcome
from ovms_core.diagnostics.attribution import Owned
from ovms_core.errors import APIError
from ovms_core.http.errors import cut_short, unexpected
from ovms_core.http.failures import log_failure
from ovms_core.http.long_requests import LongRequestTimer
from ovms_core.http.response_writer import ClientGoneError, ResponseWriter
from ovms_core.settings import Settings


class Pipeline:
    """The ASGI application of one endpoint.

    Guarantees: the first event is awaited before headers are sent, for a while; on disconnect, error
    or timeout the whole chain of iterators is closed; after headers, an error is one frame and then the
    end, or the connection breaks off where the formatter has no frame for it.
    """

    def __init__(
        self,
        endpoint: Owned[Endpoint[Any]],
        settings: Settings,
        *,
        parser: Owned[Parser] | None = None,
        executor: Owned[Executor] | None = None,
        formatter: Owned[Formatter] | None = None,
        interceptors: Sequence[Owned[Interceptor]] = (),
        observers: Observers | None = None,
    ) -> None:
        self._rounds = Rounds()
        self._parser = parser or Owned(endpoint.owner, endpoint.it.parse)
        self._execute = wrap(executor or Owned(endpoint.owner, endpoint.it.execute), interceptors, self._rounds)
        self._formatter = formatter.it if formatter else endpoint.it
        self._formatter_owner = formatter.owner if formatter else endpoint.owner
        self._observers = observers or Observers({})
        self._settings = settings
        self._long_requests = LongRequestTimer()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        _plugin_at_work = self._parser.owner
        call = await self._parser.it(Request(scope, receive))
        if (body := scope.get("ovms.body")) is not None:
            body.release()
        outcome = Outcome()
        self._observers.call_started(call)
        writer = ResponseWriter(
            scope,
            receive,
            send,
            self._settings,
            call=call,
            formatter=self._formatter,
            long_requests=self._long_requests,
        )
        if (model := call.model) is not None:
            model.hold()
        call.models.hold()
        try:
            async with writer:
                await self._answer(call, writer, outcome)
        except ClientGoneError:
            outcome.status = 499
        except APIError as error:
            outcome.status, outcome.error = error.status, error.code
            raise
        except asyncio.CancelledError:
            outcome.status, outcome.error = (503, "draining") if cut_short() else (500, "CancelledError")
            raise
        except BaseException as error:
            outcome.status, outcome.error = 500, type(error).__name__
            raise
        finally:
            if model is not None:
                model.release()
            call.models.release()
            outcome.first_byte = writer.started_at
            self._observers.call_ended(call, outcome)

    async def _answer(self, call: Call[Any], writer: ResponseWriter, outcome: Outcome) -> None:
        _plugin_at_work = self._formatter_owner
        events = self._execute(call)
        try:
            if call.stream:
                await self._stream(call, events, writer, outcome)
            else:
                await writer.send_response(await self._formatter.unary(call, events))
        finally:
            if not call.detached:
                await close(events)

    async def _stream(
        self, call: Call[Any], events: AsyncIterator[Any], writer: ResponseWriter, outcome: Outcome
    ) -> None:
        _plugin_at_work = self._formatter_owner
        try:
            frames = self._formatter.stream(call, events if call.detached else await Primed.of(events))
            stint = Stint(self._rounds)
            try:
                async for frame in frames:
                    await writer.send_frame(frame)
                    if stint.is_long():
                        await stint.give_way()
            finally:
                await close(frames)
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:
            told = writer.absorb(error) or (_as_api_error(error, call) if writer.started else None)
            if told is None:
                raise
            outcome.status, outcome.error = told.status, told.code
            if (last := self._formatter.error(call, told)) is not None:
                await writer.fail(last)
            return  # if without an end, the client does not take what it has for the whole
        await writer.end()


class Primed:
    """An iterator of which the first item has been awaited, so that an early error has been raised."""

    __slots__ = ("_first", "_rest")

    def __init__(self, first: list[Any], rest: AsyncIterator[Any]) -> None:
        self._first = first
        self._rest = rest

    @classmethod
    async def of(cls, events: AsyncIterator[Any]) -> Primed:
        """`events`, once its first item is here or it has ended."""
        async for event in events:
            return cls([event], events)
        return cls([], events)

    def __aiter__(self) -> Primed:
        return self

    def __anext__(self) -> Awaitable[Any]:
        return self._take_first() if self._first else self._rest.__anext__()

    async def _take_first(self) -> Any:
        return self._first.pop()


def _as_api_error(error: BaseException, call: Call[Any]) -> APIError | None:
    if isinstance(error, asyncio.CancelledError) and cut_short():
        return None
    log_failure(call.id, f"{call.endpoint.method} {call.endpoint.path}", error, in_stream=True)
    return unexpected(call.id)
