"""Keeps one model's engine alive, and its requests with it."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import AsyncGenerator, Callable
from typing import Any

from ovms_core.errors import APIError
from ovms_core.messages import EngineInfo, ModelSpec, Request
from ovms_core.redaction import without_paths
from ovms_core.runner import RunnerLoad
from ovms_core.task import Task
from ovms_core.workers.breaker import Breaker
from ovms_core.workers.connection import Connect, Connection
from ovms_core.workers.pending import PendingRequest
from ovms_core.workers.queue import Queue
from ovms_core.workers.wire import Cancel, Crashed, Failure, Loaded, LoadFailed, Step, Submit

_STOP_GRACE = 5.0
_LOAD_ATTEMPTS = 3


class LoadFailedError(Exception):
    """The engine said that its model cannot be loaded, or took too long."""


class Supervisor:
    """Runs a model's engine in a worker, replaces it when it dies or hangs, and resumes its requests.

    `connect` starts a worker, wherever that is; `connection` is the one there is now.
    `on_change` is called whenever `ready`, `failed`, `info` or `problem` changed.
    """

    def __init__(
        self,
        task: Task,
        model: ModelSpec,
        connect: Connect,
        *,
        max_queue: int,
        load_timeout: float,
        step_timeout: float,
        breaker: Breaker | None = None,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self.task = task
        self.model = model
        self.info: EngineInfo | None = None
        self.ready = False
        self.failed = False
        self.problem: str | None = None
        self.restarts = 0
        self.queue = Queue(max_queue)
        self.connection: Connection | None = None
        self._connect = connect
        self._load_timeout = load_timeout
        self._step_timeout = step_timeout
        self._breaker = breaker or Breaker()
        self._on_change = on_change
        self._log = logging.getLogger(f"ovms.model.{model.name}")
        self._ids = itertools.count(1)
        self._loaded: asyncio.Future[EngineInfo | LoadFailedError] | None = None
        self._crash: str | None = None
        self._raised = False
        self._heard_at = 0.0
        self._task: asyncio.Task[None] | None = None
        self._settled = asyncio.Event()

    # -- for endpoints

    async def submit(self, request: Request) -> AsyncGenerator[Any, None]:
        """The request's events, as the engine gives them. Closing the generator cancels the request.

        Raises `APIError` 429 when the queue is full, 503 when no engine is to be had, and the
        request's own error.
        """
        pending = self._admit(request)
        try:
            while events := await pending.take():
                for event in events:
                    yield event
        finally:
            self._drop(pending)

    def load(self) -> RunnerLoad:
        """How busy the engine is, and how often it was replaced."""
        return RunnerLoad(len(self.queue.waiting), len(self.queue.in_flight), self.restarts)

    def _admit(self, request: Request) -> PendingRequest:
        if self._task is None or self._task.done():
            raise self._unavailable()
        if not self.ready and self._breaker.open_for:
            raise self._unavailable()
        if self.queue.full:
            message = f"Model '{self.model.name}' is busy: {len(self.queue.waiting)} requests are waiting already."
            raise APIError(429, message, code="queue_full", retry_after=self.queue.retry_after)
        pending = PendingRequest(next(self._ids), request)
        self.queue.waiting.append(pending)
        self._pump()
        return pending

    def _unavailable(self) -> APIError:
        reason = without_paths(self.problem or "its engine is not running")
        message = f"Model '{self.model.name}' is unavailable: {reason}"
        return APIError(503, message, code="model_unavailable", retry_after=self._breaker.open_for or 5)

    def _drop(self, pending: PendingRequest) -> None:
        if self.queue.drop(pending) and self.connection is not None:
            self.connection.send(Cancel(pending.id))
        self._pump()

    def _pump(self) -> None:
        """Send the engine whatever may go to it now."""
        if not self.ready or self.connection is None:
            return
        if not self.queue.in_flight:
            self._heard_at = time.monotonic()
        while (pending := self.queue.take_next()) is not None:
            self._dispatch(self.connection, pending)

    def _dispatch(self, worker: Connection, pending: PendingRequest) -> None:
        try:
            worker.send(Submit(pending.id, pending.request))
        except (TypeError, ValueError, OverflowError) as error:
            self.queue.end(pending.id)
            message = f"The request holds a value that cannot be sent to the engine: {error}"
            pending.finish(APIError(400, message, code="invalid_value"))

    # -- life

    def start(self) -> None:
        """Start the engine, and keep it running until `stop`."""
        self._task = asyncio.create_task(self._live(), name=f"supervisor:{self.model.name}")

    async def settled(self) -> None:
        """Wait until the engine is ready for the first time, or has failed to load."""
        await self._settled.wait()

    async def stop(self) -> None:
        """End the worker; requests that are left fail with 503."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        self.problem = self.problem or "it was unloaded"
        self._fail_all(self._unavailable())

    async def _live(self) -> None:
        try:
            while True:
                await self._try_to_live_once()
                delay = self._breaker.record_death()
                self.failed = self._breaker.open_for > 0
                if self.failed:
                    self._fail_all(self._unavailable())
                self._on_change()
                await asyncio.sleep(delay)
                self.restarts += 1
        except LoadFailedError as error:
            self._log.error("failed to load: %s", error)
            self._give_up(str(error))
        except Exception as error:
            self._log.exception("its supervisor failed")
            self._give_up(f"{type(error).__name__}: {error}")
        finally:
            self.ready = False
            self._settled.set()
            self._on_change()

    def _give_up(self, problem: str) -> None:
        self.failed = True
        self.problem = problem
        self._fail_all(self._unavailable())

    async def _try_to_live_once(self) -> None:
        """A life that cannot begin is fatal the first time: what has been up before comes up again."""
        try:
            await self._live_once()
        except OSError as error:
            self._note_failed_start(f"its worker cannot be started ({error.strerror or error})")
        except LoadFailedError as error:
            if self.info is None:
                raise
            self._note_failed_start(f"it cannot be loaded again: {error}")

    def _note_failed_start(self, problem: str) -> None:
        """Raises `LoadFailedError` when the engine was never up and has been tried often enough."""
        self.problem = problem
        self._log.warning("%s", problem)
        if self.info is None and self._breaker.deaths >= _LOAD_ATTEMPTS - 1:
            raise LoadFailedError(f"{problem}, {_LOAD_ATTEMPTS} times")

    async def _live_once(self) -> None:
        """One life of the engine, from its start to its death."""
        self._crash, self._raised = None, False
        self._loaded = asyncio.get_running_loop().create_future()
        worker = await self._connect(self.task, self.model, self._log, self._hear)
        self.connection = worker
        watchdog: asyncio.Task[None] | None = None
        try:
            if await self._load(worker):
                watchdog = asyncio.create_task(self._watch(worker))
                self._bury(await asyncio.shield(worker.exited))
        finally:
            self.ready = False
            self.connection = None
            if watchdog is not None:
                watchdog.cancel()
            await worker.stop(_STOP_GRACE if watchdog is not None else 0.0)  # loading has nothing to lose

    async def _load(self, worker: Connection) -> bool:
        """Wait for the model to load; false when the process died on the way and may be tried again."""
        assert self._loaded is not None
        either: set[asyncio.Future[Any]] = {self._loaded, worker.exited}
        await asyncio.wait(either, timeout=self._load_timeout, return_when=asyncio.FIRST_COMPLETED)
        if self._loaded.done():
            return self._take_loaded(self._loaded.result())
        if not worker.exited.done():
            worker.kill()
            raise LoadFailedError(f"loading took longer than {self._load_timeout:g} s: raise load_timeout.")
        self._log.warning("%s", worker.last_words)
        self._note_failed_start(f"the engine died while loading ({self._crash or worker.exited.result()})")
        return False

    def _take_loaded(self, info: EngineInfo | LoadFailedError) -> bool:
        if isinstance(info, LoadFailedError):
            raise info
        self.info = info
        self.queue.slots = info.slots
        self.ready = True
        self.failed = False
        self.problem = None
        for warning in info.warnings:
            self._log.warning("%s", warning)
        self._settled.set()
        self._on_change()
        self._pump()
        return True

    async def _watch(self, worker: Connection) -> None:
        """Kill the engine when it has work and gives no sign of life for `step_timeout` seconds."""
        while True:
            await asyncio.sleep(min(1.0, self._step_timeout / 4))
            if self.queue.in_flight and time.monotonic() - self._heard_at > self._step_timeout:
                self._crash = f"a step took longer than {self._step_timeout:g} s"
                worker.kill()

    def _bury(self, reason: str) -> None:
        raised = self._raised
        self.problem = self._crash or f"the engine died ({reason})"
        self._log.error("%s; starting it again with %d requests", self.problem, len(self.queue.in_flight))
        for pending in self.queue.bury(raised=raised):
            message = f"The request made the engine fail: {without_paths(self.problem)}."
            pending.finish(APIError(500, message, code="engine_failed"))
        for pending in [pending for pending in self.queue.waiting if not self._resume(pending)]:
            self.queue.waiting.remove(pending)
            message = "The engine died, and this request cannot be continued: several sequences were under way."
            pending.finish(APIError(500, message, code="engine_failed"))

    def _resume(self, pending: PendingRequest) -> bool:
        try:
            return pending.resume()
        except Exception:
            self._log.exception("%s.resumed failed", type(pending.request).__name__)
            return False

    def _fail_all(self, error: APIError) -> None:
        for pending in self.queue.clear():
            pending.finish(error)

    # -- what the worker says

    def _hear(self, message: Any) -> None:
        self._heard_at = time.monotonic()
        match message:
            case Step():
                self._take_step(message)
            case Loaded():
                assert self._loaded is not None
                self._loaded.set_result(message.info)
            case LoadFailed():
                assert self._loaded is not None
                self._loaded.set_result(LoadFailedError(message.reason))
            case Crashed():
                self._crash, self._raised = message.reason, True

    def _take_step(self, step: Step[Any]) -> None:
        in_flight = self.queue.in_flight
        on_trial = False
        for id, event in step.gained:
            if (pending := in_flight.get(id)) is not None:
                on_trial = on_trial or (pending.fresh and pending.deaths > 0)
                pending.push(event)
        for id in step.done:
            if (ended := self.queue.end(id)) is not None:
                ended.finish()
        for id, failure in step.failed:
            if (ended := self.queue.end(id)) is not None:
                ended.finish(_error(failure))
        if step.done or step.failed or on_trial:
            self._pump()


def _error(failure: Failure) -> APIError:
    return APIError(failure.status, failure.message, param=failure.param, code=failure.code)
