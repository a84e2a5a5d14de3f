"""Keeps one model's engine alive, and its requests with it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from typing import Any

from ovms_core.diagnostics.redaction import without_paths
from ovms_core.errors import APIError
from ovms_core.messages import EngineInfo, ModelSpec, Request
from ovms_core.runner import RunnerLoad
from ovms_core.task import Task
from ovms_core.workers.breaker import Breaker
from ovms_core.workers.connection import Connect, Connection
from ovms_core.workers.dispatcher import Dispatcher
from ovms_core.workers.wire import Crashed, Loaded, LoadFailed, Step

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
        self.requests = Dispatcher(model.name, max_queue)
        self.connection: Connection | None = None
        self._connect = connect
        self._load_timeout = load_timeout
        self._step_timeout = step_timeout
        self._breaker = breaker or Breaker()
        self._on_change = on_change
        self._log = logging.getLogger(f"ovms.model.{model.name}")
        self._loaded: asyncio.Future[EngineInfo | LoadFailedError] | None = None
        self._crash: Crashed | None = None
        self._hung: str | None = None
        self._progressed = False
        self._task: asyncio.Task[None] | None = None
        self._settled = asyncio.Event()

    # -- for endpoints

    async def submit(self, request: Request) -> AsyncGenerator[Any, None]:
        """The request's events, as the engine gives them. Closing the generator cancels the request.

        Raises `APIError` 429 when the queue is full, 503 when no engine is to be had, and the
        request's own error.
        """
        self._require_engine()
        pending = self.requests.admit(request)
        try:
            while events := await pending.take():
                for event in events:
                    yield event
                self.requests.go_on(pending)
        finally:
            self.requests.drop(pending)

    def load(self) -> RunnerLoad:
        """How busy the engine is, and how often it was replaced."""
        queue = self.requests.queue
        return RunnerLoad(len(queue.waiting), len(queue.in_flight), self.restarts, len(queue.parked))

    def _require_engine(self) -> None:
        """Raise `APIError` 503 when no engine is there for long."""
        if self._task is None or self._task.done() or (not self.ready and self._breaker.open_for):
            raise self._unavailable()

    def _unavailable(self) -> APIError:
        reason = without_paths(self.problem or "its engine is not running")
        message = f"Model '{self.model.name}' is unavailable: {reason}"
        return APIError(503, message, code="model_unavailable", retry_after=self._breaker.open_for or 5)

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
        self.requests.fail_all(self._unavailable)

    async def _live(self) -> None:
        try:
            while True:
                await self._try_to_live_once()
                delay = self._breaker.record_death()
                self.failed = self._breaker.open_for > 0
                if self.failed:
                    self.requests.fail_all(self._unavailable)
                self._on_change()
                await asyncio.sleep(delay)
                self.restarts += 1
                self.failed = False
                self._on_change()
        except LoadFailedError as error:
            self._log.error("failed to load: %s", error)
            self._give_up(str(error))
        except Exception:
            self._log.exception("its supervisor failed")
            self._give_up("the server failed to keep it running; the server's log says why")
        finally:
            self.ready = False
            self._settled.set()
            self._on_change()

    def _give_up(self, problem: str) -> None:
        self.failed = True
        self.problem = problem
        self.requests.fail_all(self._unavailable)

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
        self._crash, self._hung = None, None
        self._loaded = asyncio.get_running_loop().create_future()
        worker = await self._connect(self.task, self.model, self._log, self._hear)
        self.connection = worker
        watchdog: asyncio.Task[None] | None = None
        try:
            if await self._load(worker):
                watchdog = asyncio.create_task(self._watch(worker))
                await asyncio.shield(worker.exited)
                self._bury(worker)
        finally:
            self.ready = False
            self.connection = None
            self.requests.detach()
            self._on_change()
            if watchdog is not None:
                watchdog.cancel()
            await worker.stop(_STOP_GRACE if watchdog is not None else 0.0)  # loading has nothing to lose

    async def _load(self, worker: Connection) -> bool:
        """Wait for the model to load; false when the process died on the way and may be tried again."""
        assert self._loaded is not None
        either: set[asyncio.Future[Any]] = {self._loaded, worker.exited}
        await asyncio.wait(either, timeout=self._load_timeout, return_when=asyncio.FIRST_COMPLETED)
        if self._loaded.done():
            return self._take_loaded(worker, self._loaded.result())
        if not worker.exited.done():
            await worker.show_stacks()
            worker.kill()
            raise LoadFailedError(f"loading took longer than {self._load_timeout:g} s: raise load_timeout.")
        if worker.last_words:
            self._log.error("the last lines that the engine printed:\n%s", worker.last_words)
        self._note_failed_start(f"the engine died while loading ({worker.exited.result()})")
        return False

    def _take_loaded(self, worker: Connection, info: EngineInfo | LoadFailedError) -> bool:
        if isinstance(info, LoadFailedError):
            raise info
        self.info = info
        self.ready = True
        self.failed = False
        self.problem = None
        for warning in info.warnings:
            self._log.warning("%s", warning)
        self._settled.set()
        self._on_change()
        self.requests.attach(worker, info.slots)
        return True

    async def _watch(self, worker: Connection) -> None:
        """Kill the engine when it has had work for `step_timeout` seconds without any progress.

        Only the time with work counts, and only progress sets it back: a client that leaves and comes again does not.
        """
        tick, stalled = min(1.0, self._step_timeout / 4), 0.0
        while stalled <= self._step_timeout:
            await asyncio.sleep(tick)
            if self._progressed:
                stalled = 0.0
            elif self.requests.queue.in_flight:
                stalled += tick
            self._progressed = False
        self._hung = f"the engine made no progress for {self._step_timeout:g} s (step_timeout)"
        await worker.show_stacks()
        worker.kill()

    def _bury(self, worker: Connection) -> None:
        crash, reason = self._crash, self._hung or f"the engine died ({worker.exited.result()})"
        self.problem = crash.reason if crash else reason
        more = f": {crash.details}" if crash else f" in {worker.place}" if worker.place else ""
        self._log.error("%s%s; starting it again with %d requests", self.problem, more, self.load().in_flight)
        self.requests.bury(self.problem, self.problem + more, raised=crash is not None)

    # -- what the worker says

    def _hear(self, message: Any) -> None:
        match message:
            case Step():
                self._progressed = self._progressed or message.progressed
                self.requests.take_step(message)
            case Loaded():
                assert self._loaded is not None
                self._loaded.set_result(message.info)
            case LoadFailed():
                assert self._loaded is not None
                self._loaded.set_result(LoadFailedError(message.reason))
            case Crashed():
                self._crash = message
