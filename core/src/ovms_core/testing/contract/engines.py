"""What holds between an endpoint and its engine, a real worker process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

import httpx

from ovms_core.calls.endpoint import Call, Proceed
from ovms_core.client.frames import read_frames
from ovms_core.messages import Request
from ovms_core.runner import Runner, RunnerLoad
from ovms_core.testing.contract.execution import Held, reject
from ovms_core.testing.contract.subject import Contract, Subject, error_in, error_of

_CROWD = 8


class EngineTests(Contract):
    """Clients leave, crowds come, processes die: the engine serves on."""

    async def test_a_client_that_leaves_closes_its_request_to_the_engine(self, subject: Subject) -> None:
        for stream in (False, True) if subject.endpoint.streams else (False,):
            held = Held()
            with subject.engine_replaced(lambda runner, held=held: HeldRunner(runner, held)):  # type: ignore[misc]
                request = asyncio.create_task(self.ask(subject, stream=stream))
                await self.until_or_answered(held.entered, request)
                request.cancel()
                await asyncio.wait({request})
                await self.until(held.closed.is_set)

    async def test_an_execution_that_is_closed_has_closed_its_requests_to_the_engine(self, subject: Subject) -> None:
        """Python closes a generator that is just left only later: hence ``async with aclosing(model.submit(...))``."""
        open_requests: list[int] = []

        async def stop_at_first_event(call: Call[Any], proceed: Proceed) -> AsyncIterator[Any]:
            async with aclosing(proceed(call)) as events:
                first = await anext(events)
            open_requests.append(counted.open)
            for event in reject([first]):
                yield event

        with subject.engine_replaced(CountedRunner) as counted, subject.intercepted(stop_at_first_event):
            await self.ask(subject)
        assert open_requests == [0], "the engine still worked for a call that was closed"

    async def test_cancelled_requests_free_their_slots_and_harm_nobody(self, subject: Subject) -> None:
        with subject.frozen() as worker:
            crowd = [asyncio.create_task(self.ask(subject)) for _ in range(_CROWD)]
            await self.until(lambda: worker.in_flight > 0)
            for request in crowd:
                request.cancel()
            await asyncio.wait(crowd)
            await self.until(lambda: worker.in_flight == 0)
        answer = await self.ask(subject)
        assert answer.status_code == 200, answer.text
        assert worker.runner.load().restarts == 0, f"cancel() killed the engine: {worker.runner.problem}"

    async def test_a_full_queue_is_a_429_with_retry_after(self, subject: Subject) -> None:
        model = subject.require_engine()
        assert model.info is not None
        with subject.frozen():
            count = model.info.slots + model.settings.max_queue + 1
            crowd = {asyncio.create_task(self.ask(subject)) for _ in range(count)}
            refused, admitted = await asyncio.wait(crowd, timeout=self.patience, return_when=asyncio.FIRST_COMPLETED)
            assert refused, f"{count} requests, and none was turned away"
            for request in refused:
                answer = request.result()
                assert (answer.status_code, error_of(answer)["type"]) == (429, "rate_limit_error"), answer.text
                assert int(answer.headers["retry-after"]) >= 1
            first, *others = (request for request in crowd if request in admitted)
            for request in others:
                request.cancel()
        answer = await first
        assert answer.status_code == 200, f"what was admitted still finishes: {answer.text}"

    async def test_a_killed_engine_is_a_pause_or_a_clean_error(self, subject: Subject) -> None:
        subject.require_engine()
        expected = (await self.ask(subject)).json()
        kill = self._killed_in_mid_stream if subject.endpoint.streams else self._killed_at_once
        for answer in await kill(subject):
            self._check_survival(answer, expected)
        after = await self.ask(subject)
        assert after.status_code == 200, f"after its engine was killed, the endpoint answers {after.text}"

    async def _killed_at_once(self, subject: Subject) -> list[httpx.Response]:
        with subject.frozen() as worker:
            request = asyncio.create_task(self.ask(subject))
            await self.until(lambda: worker.in_flight > 0)
            worker.kill()
            return [await request]

    async def _killed_in_mid_stream(self, subject: Subject) -> list[httpx.Response]:
        """The answers to a whole and a streaming request whose engine is killed at the first event of the stream."""
        worker = subject.worker()
        alive = True

        async def kill_at_first_event(call: Call[Any], proceed: Proceed) -> AsyncIterator[Any]:
            nonlocal alive
            async with aclosing(proceed(call)) as events:
                async for event in events:
                    if alive and call.stream:
                        worker.kill()
                        alive = False
                    yield event

        with subject.intercepted(kill_at_first_event):
            return list(await asyncio.gather(self.ask(subject), self.ask(subject, stream=True)))

    def _check_survival(self, answer: httpx.Response, expected: Any) -> None:
        if answer.status_code != 200:
            assert answer.status_code in (500, 503), answer.text
            error_of(answer)
            return
        if not answer.headers["content-type"].startswith("text/event-stream"):
            survived = answer.json()
            assert self.said(survived) == self.said(expected)
            assert self.said(expected) or _lasting(survived) == _lasting(expected)
            return
        *frames, last = read_frames(answer.text)
        if self.ends_with in (last.data, last.event):
            shown = [frame.document() for frame in (*frames, last) if frame.data != self.ends_with]
            assert "".join(map(self.said, shown)) == self.said(expected)
        else:
            error_in(last.document())


def _lasting(document: Any) -> Any:
    """What is the same in every answer to a request."""
    if not isinstance(document, dict):
        return document
    return {name: value for name, value in document.items() if name not in ("id", "created")}


class CountedRunner:
    """A runner that counts its open requests."""

    def __init__(self, runner: Runner) -> None:
        self.info = runner.info
        self.ready = runner.ready
        self.failed = runner.failed
        self.problem = runner.problem
        self.open = 0
        self._runner = runner

    async def submit(self, request: Request) -> AsyncGenerator[Any, None]:
        self.open += 1
        try:
            async with aclosing(self._runner.submit(request)) as events:
                async for event in events:
                    yield event
        finally:
            self.open -= 1

    def load(self) -> RunnerLoad:
        return self._runner.load()

    async def settled(self) -> None:
        await self._runner.settled()

    async def stop(self) -> None:
        await self._runner.stop()


class HeldRunner(CountedRunner):
    """A runner that takes requests and never answers."""

    def __init__(self, runner: Runner, held: Held) -> None:
        super().__init__(runner)
        self._held = held

    async def submit(self, request: Request) -> AsyncGenerator[Any, None]:
        await self._held.hold()
        yield
