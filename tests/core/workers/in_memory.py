"""A worker with no process around it: an engine that a test steps, in the same event loop as its supervisor."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from importlib import import_module
from typing import Any

import msgspec

from ovms_core.engine import Done, Engine, ModelSpec, RequestError
from ovms_core.task import Task
from ovms_core.workers.connection import Connect
from ovms_core.workers.wire import Cancel, Failure, Loaded, Step, Submit


class InMemoryWorker:
    """A `Connection` to an engine of this process, which steps whenever the event loop gets to it."""

    last_words = ""
    place: str | None = None

    def __init__(self, engine: Engine, on_message: Callable[[Any], None]) -> None:
        self.engine = engine
        self.exited: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.cancelled: list[int] = []
        self._on_message = on_message
        self._in_flight: set[int] = set()
        self._stepping: asyncio.Handle | None = None

    def send(self, message: Any) -> None:
        if self.exited.done():
            return
        match message:
            case Submit():
                self.engine.add(message.id, message.request)
                self._in_flight.add(message.id)
            case Cancel():
                self.cancelled.append(message.id)
                self._in_flight.discard(message.id)
                self.engine.cancel(message.id)
        self._step_soon()

    async def show_stacks(self) -> None:
        """There are none but the test's own."""

    def kill(self) -> None:
        if not self.exited.done():
            self.exited.set_result("killed")

    async def stop(self, grace: float) -> None:
        self.kill()

    def mute(self) -> None:
        """Say nothing any more, not even that the engine has loaded."""
        self._on_message = lambda message: None

    def hear(self, message: Any) -> None:
        """Say something to the supervisor."""
        if not self.exited.done():
            self._on_message(message)

    def _step_soon(self) -> None:
        if self._stepping is None and self._in_flight:
            self._stepping = asyncio.get_running_loop().call_soon(self._step)

    def _step(self) -> None:
        self._stepping = None
        step: Step[Any] = Step([], [], [])
        for id, gain in self.engine.step() if self._in_flight else ():
            if isinstance(gain, Done | RequestError):
                self._in_flight.discard(id)
            if isinstance(gain, Done):
                step.done.append(id)
            elif isinstance(gain, RequestError):
                step.failed.append((id, Failure(gain.status, gain.message, gain.param, gain.code)))
            else:
                step.gained.append((id, gain))
        step.size = len(msgspec.msgpack.encode(step))
        self.hear(step)
        self._step_soon()


def connecting() -> Connect:
    """Starts workers in memory."""

    async def connect(
        task: Task, model: ModelSpec, log: logging.Logger, on_message: Callable[[Any], None]
    ) -> InMemoryWorker:
        module, _, name = task.engine.partition(":")
        engine: Engine = getattr(import_module(module), name)(model)
        worker = InMemoryWorker(engine, on_message)
        asyncio.get_running_loop().call_soon(worker.hear, Loaded(engine.info()))
        return worker

    return connect
