"""A model's way from its settings to readiness: fetch, detect, check options, load."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ovms_core.configuration import ConfigurationError
from ovms_core.errors import LoadError
from ovms_core.models.background import Background
from ovms_core.models.events import Change, ModelEvent
from ovms_core.models.fetch_report import FetchReport
from ovms_core.models.model import Model, State
from ovms_core.models.preparation import Preparation, Prepared
from ovms_core.models.registry import Models
from ovms_core.models.source import Source, SourceError
from ovms_core.runner import RunnerFactory
from ovms_core.settings import ModelSettings, Settings
from ovms_core.task import Task

log = logging.getLogger("ovms.models")

_FIRST_PATIENCE, _LAST_PATIENCE = 10.0, 300.0  # seconds until a fetch is tried again that failed by the network
_TURN = 60.0
"""Seconds after which a model that still loads lets the next one begin. Most have loaded by then: one whose load hangs
would hold all others for its `load_timeout`, which is half an hour so that a large model can be compiled."""
_UNEXPECTED = "it could not be brought up; the server's log says why"
"""What is told of an exception that nobody wrote for its reader: what is in it is for the log only."""
_STOP_GRACE = 1.0  # seconds in which a fetch sees that it must stop, unless the network hangs


class Lifecycle:
    """Brings up the models of a server, and takes them down again.

    Once started it follows the registry: a model that is added without an engine gets one, and one that is removed or
    replaced is ended when its last request has ended.

    Models are fetched side by side, but loaded one after the other: an engine that sizes itself by the
    free memory must see what the one before has left. One that takes very long does not hold the others.
    """

    def __init__(
        self,
        settings: Settings,
        models: Models,
        tasks: Mapping[str, Task],
        sources: Mapping[str, Source],
        start_runner: RunnerFactory,
    ) -> None:
        self._models = models
        self._start_runner = start_runner
        self._preparation = Preparation(settings, tasks, sources)
        self._background = Background()
        self._coming: dict[Model, _Coming] = {}
        self._leaving: dict[Model, asyncio.Task[None]] = {}
        self._turn = asyncio.Lock()
        self._unfollow: Callable[[], None] = lambda: None

    # -- all models

    def check(self) -> None:
        """Check what can be checked before anything loads. Raises `ConfigurationError`.

        Options are checked for models whose task is configured or whose files are here already; those
        of the others once they have been fetched.
        """
        for model in self._models:
            try:
                recognised = self._preparation.foresee(model.name, model.settings)
            except ConfigurationError:
                raise
            except (Exception, SystemExit) as error:
                log.debug("model %s: %s", model.name, error)  # told again, and to everybody, when it is brought up
            else:
                if recognised is not None:
                    self._models.recognise(model, recognised.task, recognised.variants)

    def start(self) -> None:
        """Begin with all models that have no engine yet; returns at once."""
        self._preparation.equip()
        self._background, self._turn = Background(), asyncio.Lock()  # of this event loop
        self._unfollow = self._models.subscribe(self._follow)
        for model in self._models:
            self._begin(model)

    async def settled(self) -> None:
        """Wait until every model is ready or has failed; a fetch that is tried again has failed."""
        for coming in list(self._coming.values()):
            await coming.settled.wait()

    async def stop(self) -> None:
        """End every engine, and every fetch at its next sign of progress."""
        self._unfollow()
        tasks = [coming.task for coming in self._coming.values()]
        self._coming.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, self._background.finish(_STOP_GRACE), return_exceptions=True)
        leaving = dict(self._leaving)
        await asyncio.gather(*(model.stop() for model in (*self._models, *leaving)), *leaving.values())

    # -- one model

    def add(self, settings: ModelSettings) -> Model:
        """Serve one more model; returns at once, with the model on its way. Raises `NameTakenError`."""
        model = Model(settings)
        self._models.add(model)
        return model

    async def remove(self, name: str) -> None:
        """Serve a model no more; returns when its last request has ended, and its engine. Raises `APIError` 404.

        Cancelling the call ends the wait, but not the removal.
        """
        model = self._models.remove(name)
        if (leaving := self._leaving.get(model)) is not None:
            await asyncio.wait({leaving})

    def _follow(self, event: ModelEvent) -> None:
        if event.change in {Change.ADDED, Change.REPLACED}:
            self._begin(event.model)
        if (gone := event.gone) is not None:
            task = self._leaving[gone] = asyncio.create_task(self._take_down(gone), name=f"take down:{gone.name}")
            task.add_done_callback(lambda _: self._leaving.pop(gone))

    async def _take_down(self, model: Model) -> None:
        if (coming := self._coming.pop(model, None)) is not None:
            coming.task.cancel()
            await asyncio.wait({coming.task})
        await model.unused()
        await model.stop()

    # -- the way up

    def _begin(self, model: Model) -> None:
        if model.runner is not None or model in self._coming:
            return
        model.become(State.QUEUED)
        settled = asyncio.Event()
        task = asyncio.create_task(self._bring_up(model, settled), name=f"bring up:{model.name}")
        task.add_done_callback(lambda _: settled.set())  # however it ends
        self._coming[model] = _Coming(task, settled)

    async def _bring_up(self, model: Model, settled: asyncio.Event) -> None:
        patience = _FIRST_PATIENCE
        while not await self._try(model):
            settled.set()
            log.info("model %s is tried again in %g s", model.name, patience)
            model.become(State.FAILED, detail=f"tried again after {patience:g} s", problem=model.problem)
            await asyncio.sleep(patience)
            model.become(State.QUEUED)
            patience = min(2 * patience, _LAST_PATIENCE)

    async def _try(self, model: Model) -> bool:
        """Whether that was all that can be done: the model has loaded, or has failed for good."""
        try:
            prepared = await self._prepare(model)
            self._models.recognise(model, prepared.recognised.task, prepared.recognised.variants)
            await self._load(model, prepared)
        except SourceError as error:
            self._fail(model, str(error))
            return not error.transient
        except (LoadError, ConfigurationError, FileNotFoundError) as error:
            self._fail(model, str(error))
        except (Exception, SystemExit) as error:
            log.error("model %s failed: %s", model.name, error, exc_info=error)
            model.become(State.FAILED, problem=_UNEXPECTED)
        return True

    def _fail(self, model: Model, reason: str) -> None:
        log.error("model %s failed: %s", model.name, reason)
        model.become(State.FAILED, problem=reason)

    async def _prepare(self, model: Model) -> Prepared:
        report = FetchReport(lambda detail: model.become(State.QUEUED, detail=detail))
        try:
            return await self._background.run(self._preparation.prepare, model.name, model.settings, report)
        finally:
            report.stop()

    async def _load(self, model: Model, prepared: Prepared) -> None:
        """Wait for the model's turn, and then until its engine is there or has failed."""
        async with self._turn:
            runner = self._start_runner(prepared.recognised.task, prepared.spec, model.settings, model.follow_runner)
            model.attach(runner)
            try:
                await asyncio.wait_for(runner.settled(), _TURN)
            except TimeoutError:
                log.warning("model %s is still loading after %g s: the next one starts now", model.name, _TURN)
        await runner.settled()


@dataclass(frozen=True, slots=True)
class _Coming:
    """A model on its way: the task that brings it up, and whether the first try is over."""

    task: asyncio.Task[None]
    settled: asyncio.Event
