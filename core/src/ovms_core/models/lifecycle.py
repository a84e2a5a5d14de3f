"""A model's way from its settings to readiness: fetch, detect, check options, load."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from ovms_core.configuration import ConfigurationError
from ovms_core.configuration.options import validate_options
from ovms_core.errors import LoadError
from ovms_core.messages import ModelSpec
from ovms_core.models.background import Background
from ovms_core.models.detection import choose_task
from ovms_core.models.files import ModelFiles
from ovms_core.models.model import Model
from ovms_core.models.repository import Repository
from ovms_core.models.source import Source, SourceError
from ovms_core.models.sources import Reference, parse_reference
from ovms_core.runner import Runner, RunnerFactory
from ovms_core.settings import Settings
from ovms_core.task import Task

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
        self,
        settings: Settings,
        models: Sequence[Model],
        tasks: Mapping[str, Task],
        sources: Mapping[str, Source],
        start_runner: RunnerFactory,
    ) -> None:
        self._settings = settings
        self._models = list(models)
        self._tasks = tasks
        self._sources = sources
        self._start_runner = start_runner
        self._repository = Repository(Path(settings.model_repository) if settings.model_repository else None)
        self._background = Background()
        self._under_way: list[asyncio.Task[None]] = []
        self._retries: set[asyncio.Task[None]] = set()
        self._stopping = False

    def check(self) -> None:
        """Check what can be checked before anything loads. Raises `ConfigurationError`.

        Options are checked for models whose task is configured or whose files are here already; those
        of the others once they have been fetched.
        """
        for model in self._models:
            try:
                model.task = self._task_of(model)
            except (SourceError, LoadError, FileNotFoundError) as error:
                log.debug("model %s: %s", model.name, error)  # told again, and to everybody, when it is brought up
            if model.task is not None:
                self._check_options(model, model.task)

    def start(self) -> None:
        """Begin with all models; returns at once."""
        self._repository.equip()
        turn = asyncio.Lock()
        self._under_way = [asyncio.create_task(self._bring_up(model, turn)) for model in self._models]

    async def settled(self) -> None:
        """Wait until every model is ready or has failed; a fetch that is tried again has failed."""
        if self._under_way:
            await asyncio.wait(self._under_way)

    async def stop(self) -> None:
        """End every engine, and every fetch at its next sign of progress."""
        self._stopping = True
        tasks = (*self._under_way, *self._retries)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, self._background.finish(_STOP_GRACE), return_exceptions=True)
        await asyncio.gather(*(model.stop() for model in self._models))

    async def _bring_up(self, model: Model, turn: asyncio.Lock, patience: float = _FIRST_PATIENCE) -> None:
        try:
            spec = await self._background.run(self._prepare, model)
        except (SourceError, LoadError, ConfigurationError, FileNotFoundError) as error:
            self._fail(model, str(error))
            if isinstance(error, SourceError) and error.transient:
                retry = asyncio.create_task(self._try_again(model, turn, patience))
                self._retries.add(retry)
                retry.add_done_callback(self._retries.discard)
        except Exception as error:
            log.exception("model %s", model.name)
            self._fail(model, f"{type(error).__name__}: {error}")
        else:
            async with turn:
                runner = self._load(model, spec)
                await self._take_turn(model, runner)
            await runner.settled()

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

    def _prepare(self, model: Model) -> ModelSpec:
        path = self._fetch(model)
        model.task = choose_task(ModelFiles.at(path), self._tasks, model.settings.task)
        options = self._check_options(model, model.task)
        return ModelSpec(
            name=model.name,
            task=model.task.name,
            path=str(path),
            work_dir=str(self._repository.work_dir(model.name, path)),
            device=model.settings.device,
            options=options,
        )

    def _fetch(self, model: Model) -> Path:
        reference = self._reference(model)

        def progress(done: int, total: int | None) -> None:
            if self._stopping:
                raise SourceError("the server is stopping.")
            model.detail = f"fetching, {done / total:.0%}" if total else f"fetching, {done >> 20} MiB"

        source = self._sources[reference.scheme]
        return self._repository.fetch(source, reference, offline=self._settings.offline, progress=progress)

    def _reference(self, model: Model) -> Reference:
        return parse_reference(model.settings.source, self._sources)

    def _task_of(self, model: Model) -> Task | None:
        """The model's task, if it can be told without fetching anything."""
        if model.settings.task is not None:
            return choose_task(ModelFiles(Path(), frozenset()), self._tasks, model.settings.task)
        reference = self._reference(model)
        path = self._sources[reference.scheme].locate(reference.name)
        if path is None and self._repository.has(reference):
            path = self._repository.path_of(reference)
        return None if path is None else choose_task(ModelFiles.at(path), self._tasks, None)

    def _check_options(self, model: Model, task: Task) -> dict[str, object]:
        index = self._models.index(model)
        options = validate_options(index, task.options, model.settings.options, self._settings)
        model.variants = list(task.variants(options))
        dumped: dict[str, object] = options.model_dump(mode="json")
        return dumped

    async def _take_turn(self, model: Model, runner: Runner) -> None:
        try:
            await asyncio.wait_for(runner.settled(), _TURN)
        except TimeoutError:
            log.warning("model %s still loads after %g s: the next one begins meanwhile", model.name, _TURN)

    def _load(self, model: Model, spec: ModelSpec) -> Runner:
        assert model.task is not None
        model.detail = None
        model.runner = self._start_runner(model.task, spec, model.settings, lambda: None)
        return model.runner
