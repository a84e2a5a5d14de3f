"""A model's way from its settings to readiness: fetch, detect, check options, load."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from functools import partial

from ovms_core.configuration import ConfigurationError
from ovms_core.errors import LoadError
from ovms_core.models.background import Background, CallEndedError
from ovms_core.models.fetch_report import FetchReport
from ovms_core.models.model import Model
from ovms_core.models.preparation import Preparation, Prepared, Recognised
from ovms_core.models.source import Source, SourceError
from ovms_core.settings import Settings
from ovms_core.task import Task
from ovms_core.workers.supervisor import Supervisor

log = logging.getLogger("ovms.models")

_FIRST_PATIENCE, _LAST_PATIENCE = 10.0, 300.0  # seconds until a fetch is tried again that failed by the network
_TURN = 60.0
"""Seconds after which a model that still loads lets the next one begin. Most have loaded by then: one whose load hangs
would hold all others for its `load_timeout`, which is half an hour so that a large model can be compiled."""
_STOP_GRACE = 1.0  # seconds in which a fetch sees that it must stop, unless the network hangs


class Lifecycle:
    """Brings up all models of a server and takes them down again.

    Models are fetched side by side, but loaded one after the other: an engine that sizes itself by the
    free memory must see what the one before has left. One that takes very long does not hold the others.
    """

    def __init__(
        self, settings: Settings, models: Sequence[Model], tasks: Mapping[str, Task], sources: Mapping[str, Source]
    ) -> None:
        self._models = list(models)
        self._preparation = Preparation(settings, tasks, sources)
        self._background = Background()
        self._under_way: list[asyncio.Task[None]] = []
        self._retries: set[asyncio.Task[None]] = set()
        self._reports: dict[Model, FetchReport] = {}

    def check(self) -> None:
        """Check what can be checked before anything loads. Raises `ConfigurationError`.

        Options are checked for models whose task is configured or whose files are here already; those
        of the others once they have been fetched.
        """
        for model in self._models:
            try:
                recognised = self._preparation.foresee(model.settings)
            except ConfigurationError:
                raise
            except (Exception, SystemExit) as error:
                log.debug("model %s: %s", model.name, error)  # told again, and to everybody, when it is brought up
            else:
                if recognised is not None:
                    self._recognise(model, recognised)

    def start(self) -> None:
        """Begin with all models; returns at once."""
        self._preparation.equip()
        turn = asyncio.Lock()
        self._under_way = [asyncio.create_task(self._bring_up(model, turn)) for model in self._models]

    async def settled(self) -> None:
        """Wait until every model is ready or has failed; a fetch that is tried again has failed."""
        if self._under_way:
            await asyncio.wait(self._under_way)

    async def stop(self) -> None:
        """End every engine, and every fetch at its next sign of progress."""
        for report in self._reports.values():
            report.stop()
        tasks = (*self._under_way, *self._retries)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, self._background.finish(_STOP_GRACE), return_exceptions=True)
        await asyncio.gather(*(model.stop() for model in self._models))

    async def _bring_up(self, model: Model, turn: asyncio.Lock, patience: float = _FIRST_PATIENCE) -> None:
        try:
            prepared = await self._prepare(model)
            self._recognise(model, prepared.recognised)
            async with turn:
                runner = self._load(model, prepared)
                await self._take_turn(model, runner)
            await runner.settled()
        except (SourceError, LoadError, ConfigurationError, FileNotFoundError) as error:
            self._fail(model, str(error))
            if isinstance(error, SourceError) and error.transient:
                retry = asyncio.create_task(self._try_again(model, turn, patience))
                self._retries.add(retry)
                retry.add_done_callback(self._retries.discard)
        except CallEndedError as error:
            log.error("model %s", model.name, exc_info=error)
            self._fail(model, str(error))
        except Exception as error:
            log.exception("model %s", model.name)
            self._fail(model, f"{type(error).__name__}: {error}")

    async def _try_again(self, model: Model, turn: asyncio.Lock, patience: float) -> None:
        log.info("model %s is tried again in %g s", model.name, patience)
        model.detail = f"tried again after {patience:g} s"
        await asyncio.sleep(patience)
        model.failure = model.detail = None
        await self._bring_up(model, turn, min(2 * patience, _LAST_PATIENCE))

    def _fail(self, model: Model, reason: str) -> None:
        model.detail = None
        model.failure = reason
        log.error("model %s failed: %s", model.name, reason)

    async def _prepare(self, model: Model) -> Prepared:
        report = self._reports[model] = FetchReport(partial(setattr, model, "detail"))
        try:
            return await self._background.run(self._preparation.prepare, model.name, model.settings, report)
        finally:
            report.stop()
            del self._reports[model]

    def _recognise(self, model: Model, recognised: Recognised) -> None:
        model.task = recognised.task
        model.variants = list(recognised.variants)

    async def _take_turn(self, model: Model, runner: Supervisor) -> None:
        try:
            await asyncio.wait_for(runner.settled(), _TURN)
        except TimeoutError:
            log.warning("model %s still loads after %g s: the next one begins meanwhile", model.name, _TURN)

    def _load(self, model: Model, prepared: Prepared) -> Supervisor:
        settings = model.settings
        runner = Supervisor(
            prepared.recognised.task,
            prepared.spec,
            max_queue=settings.max_queue,
            load_timeout=settings.load_timeout,
            step_timeout=settings.step_timeout,
        )
        model.detail = None
        model.runner = runner
        runner.start()
        return runner
