"""What happens before a model's engine can start: its files are fetched, its task found, its options checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from ovms_core.configuration.options import validate_options
from ovms_core.messages import ModelSpec
from ovms_core.model_files import ModelFiles
from ovms_core.models.detection import choose_task
from ovms_core.models.reference import parse_reference
from ovms_core.models.repository import Repository
from ovms_core.models.source import FetchProgress, Source
from ovms_core.settings import ModelSettings, Settings
from ovms_core.task import Task


@dataclass(frozen=True, slots=True)
class Recognised:
    """What a model is for: its task, its options with their defaults, and the further names that these define."""

    task: Task
    options: dict[str, object]
    variants: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A model whose engine can start with `spec`."""

    recognised: Recognised
    spec: ModelSpec


class Preparation:
    """Prepares models. Everything here blocks and changes no model, so it can run on any thread."""

    def __init__(self, settings: Settings, tasks: Mapping[str, Task], sources: Mapping[str, Source]) -> None:
        self._settings = settings
        self._tasks = tasks
        self._sources = sources
        self._repository = Repository(Path(settings.model_repository) if settings.model_repository else None)

    def equip(self) -> None:
        """Give this process and its workers the folders that they need (`Repository.equip`)."""
        self._repository.equip()

    def foresee(self, name: str, model: ModelSettings) -> Recognised | None:
        """What can be told without fetching anything of `model`, which is served under `name`; `None` if nothing.

        Raises `ConfigurationError` for wrong options.
        """
        if model.task is not None:
            return self._recognise(name, model, ModelFiles(Path(), frozenset()))
        reference = parse_reference(model.source, self._sources)
        path = self._sources[reference.scheme].locate(reference.name)
        if path is None and self._repository.has(reference):
            path = self._repository.path_of(reference)
        return None if path is None else self._recognise(name, model, ModelFiles.at(path))

    def prepare(self, name: str, model: ModelSettings, progress: FetchProgress) -> Prepared:
        """Fetch and recognise `model`, which is served under `name`.

        Raises `SourceError`, `LoadError`, `ConfigurationError` or `FileNotFoundError`, and what a plugin raises.
        """
        reference = parse_reference(model.source, self._sources)
        source = self._sources[reference.scheme]
        path = self._repository.fetch(source, reference, offline=self._settings.offline, progress=progress)
        recognised = self._recognise(name, model, ModelFiles.at(path))
        spec = ModelSpec(
            name=name,
            task=recognised.task.name,
            path=str(path),
            work_dir=str(self._repository.work_dir(name, path)),
            device=model.device,
            options=recognised.options,
        )
        return Prepared(recognised, spec)

    def _recognise(self, name: str, model: ModelSettings, files: ModelFiles) -> Recognised:
        task = choose_task(files, self._tasks, model.task)
        options = self._check_options(name, model, task)
        return Recognised(task, options.model_dump(mode="json"), tuple(task.variants(options)))

    def _check_options(self, name: str, model: ModelSettings, task: Task) -> BaseModel:
        """The options of `model` as its task knows them; those of the settings know where they were written."""
        for index, each in enumerate(self._settings.models):
            if each is model:
                return validate_options(index, task.options, model.options, self._settings)
        return validate_options(name, task.options, model.options)
