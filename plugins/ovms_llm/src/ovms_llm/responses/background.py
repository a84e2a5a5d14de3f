"""Responses that are made in the background: each is a task of its own, which its client may leave and come back to."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import aclosing, suppress
from typing import Any, Final

from ovms_core.plugin import APIError, Call
from ovms_llm.responses.composer import Composer
from ovms_llm.responses.stream_events import StreamEvent

log = logging.getLogger("ovms.llm.responses")

_KEPT: Final = 16
"""Streams of finished jobs that can still be read."""

Save = Callable[[], Awaitable[None]]
"""Stores a response as it is now."""


class Job:
    """One response in the making, and the frames of its stream if one was asked for."""

    def __init__(self, call: Call[Any], composer: Composer, save: Save) -> None:
        self.owner = call.user or ""
        self.composer = composer
        self.ended = False
        self.streams: bool = call.body.stream
        self._call = call
        self._save = save
        self._frames: list[bytes] = []
        self._grown = asyncio.Event()
        self._stopped: APIError | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def id(self) -> str:
        """The response's id."""
        return self.composer.response.id

    def start(self, events: AsyncIterator[Any], limit: float) -> asyncio.Task[None]:
        """Begin with the work, which takes `events` over and may last `limit` seconds."""
        self.tell(self.composer.queue())
        self._task = asyncio.create_task(self._run(events, limit))
        return self._task

    async def _run(self, events: AsyncIterator[Any], limit: float) -> None:
        model = self._call.require_model()
        model.hold()
        try:
            last = await self._outcome(events, limit)
            with suppress(asyncio.CancelledError):
                await self._save()  # before the last event tells that there is something to fetch
            self.tell(last)
        finally:
            model.release()
            self.ended = True
            self._grown.set()

    async def _outcome(self, events: AsyncIterator[Any], limit: float) -> Iterable[StreamEvent]:
        """Do the work; how it ended, as the last events of the stream."""
        composer = self.composer
        try:
            async with asyncio.timeout(limit):
                await self._work(events)
        except asyncio.CancelledError:
            if self._stopped is not None:
                return list(composer.fail(self._stopped))
            composer.cancel()
            return []
        except TimeoutError:
            message = f"The request took longer than {limit:g} s (request_timeout)."
            return list(composer.fail(APIError(504, message)))
        except APIError as error:
            return list(composer.fail(error))
        except Exception:
            log.exception("background response %s failed", self.id)
            return list(composer.fail(APIError(500, f"The server failed. Its log says more of {self._call.id}.")))
        return list(composer.finish())

    async def _work(self, events: AsyncIterator[Any]) -> None:
        async with aclosing(events) as all_events:  # type: ignore[type-var]
            begun = False
            async for event in all_events:
                if not begun:
                    begun = True
                    self.tell(self.composer.begin())
                self.tell(self.composer.add(event))

    def tell(self, events: Iterable[StreamEvent]) -> None:
        """Add to the stream."""
        for event in events:
            if self.streams:
                self._frames.append(event.frame())
        if self.streams:
            self._grown.set()
            self._grown = asyncio.Event()

    async def follow(self, after: int = -1) -> AsyncGenerator[bytes, None]:
        """The frames of the stream behind number `after`, as they come."""
        at = after + 1
        while True:
            grown = self._grown
            while at < len(self._frames):
                yield self._frames[at]
                at += 1
            if self.ended:
                return
            if grown is self._grown:
                await grown.wait()

    async def is_about_to_end(self) -> bool:
        """Whether the work is done; then it is also stored, after a moment."""
        if self._task is None or self.composer.response.status in ("queued", "in_progress"):
            return False
        await asyncio.wait([self._task])
        return True

    async def cancel(self, stopped: APIError | None = None) -> None:
        """End the work, because its client wants that, or because of what `stopped` it."""
        self._stopped = stopped
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])


class Jobs:
    """The background responses of a server."""

    def __init__(self, most: int, limit: float) -> None:
        self._most = most
        self._limit = limit
        self._running: dict[str, Job] = {}
        self._ended: OrderedDict[str, Job] = OrderedDict()

    def require_room(self) -> None:
        """Raise `APIError` 429 where there are too many already."""
        if len(self._running) >= self._most:
            message = f"{self._most} background responses are being made already. Try again later."
            raise APIError(429, message, code="too_many_background_responses", retry_after=5)

    async def start(self, job: Job, events: AsyncIterator[Any]) -> None:
        """Begin with a job."""
        self._running[job.id] = job
        job.start(events, self._limit).add_done_callback(lambda _: self._end(job))
        await asyncio.sleep(0)  # a task that is cancelled before its first step would not tidy up

    def _end(self, job: Job) -> None:
        self._running.pop(job.id, None)
        if job.streams:
            self._ended[job.id] = job
            while len(self._ended) > _KEPT:
                self._ended.popitem(last=False)

    def running(self, owner: str, id: str) -> Job | None:
        """The job that makes the owner's response."""
        job = self._running.get(id)
        return job if job is not None and job.owner == owner else None

    def with_stream(self, owner: str, id: str) -> Job | None:
        """The job whose stream can be read, also if it has ended."""
        job = self.running(owner, id) or self._ended.get(id)
        return job if job is not None and job.owner == owner and job.streams else None

    def forget(self, id: str) -> None:
        """Forget the stream of a response that was deleted."""
        self._ended.pop(id, None)

    async def close(self) -> None:
        """End all work."""
        stopped = APIError(503, "The server was shut down before the response was complete.")
        await asyncio.gather(*(job.cancel(stopped) for job in list(self._running.values())))
