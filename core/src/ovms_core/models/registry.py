"""All served models, by every name they answer to."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from difflib import get_close_matches

from ovms_core.configuration.errors import ConfigurationError
from ovms_core.errors import APIError
from ovms_core.models.events import Change, ModelEvent, Subscriber, Subscribers
from ovms_core.models.model import Model, State, tell_nobody
from ovms_core.settings import ModelName
from ovms_core.task import Task


class NameTakenError(ConfigurationError):
    """Two models would answer to the same name."""


class Models:
    """The served models: ``app.server.models``. Iterates over those that there are now, as they are configured.

    Every change is told to those who `subscribe`. Used on the event loop only.
    """

    def __init__(self, models: Iterable[Model] = (), tasks: Collection[str] = ()) -> None:
        self._tasks = tasks
        self._models: tuple[Model, ...] = ()
        self._by_name: dict[str, Model] = {}
        self._subscribers = Subscribers()
        for model in models:
            self.add(model)

    def __iter__(self) -> Iterator[Model]:
        return iter(self._models)

    def __len__(self) -> int:
        return len(self._models)

    # -- changes

    def add(self, model: Model) -> None:
        """Serve `model` too. Raises `NameTakenError` when one of its names belongs to another model.

        Raises `ValueError` for a model that is served already.
        """
        if model in self._models:
            raise ValueError(f"model '{model.name}' is already being served")
        self._serve((*self._models, model))
        model.on_change = self._tell_change
        self._tell(Change.ADDED, model)

    def replace(self, name: str, model: Model) -> Model:
        """Serve `model` in the place of the one called `name`, from the next request on. Returns the old one.

        Requests under way keep the model that they have. One that is not ready yet answers 503 until it is: bring it up
        first where no request may fail. Raises `APIError` 404, or `NameTakenError`.
        """
        old = self.find(name)
        self._serve(tuple(model if each is old else each for each in self._models))
        self._let_go(old)
        model.on_change = self._tell_change
        self._tell(Change.REPLACED, model, old)
        return old

    def remove(self, name: str) -> Model:
        """Serve the model called `name` no more; requests under way keep it. Raises `APIError` 404."""
        model = self.find(name)
        self._serve(tuple(each for each in self._models if each is not model))
        self._let_go(model)
        self._tell(Change.REMOVED, model)
        return model

    def recognise(self, model: Model, task: Task, variants: Iterable[str]) -> None:
        """Note what the files and the options of `model` have shown. Raises `NameTakenError` for a variant's name."""
        before = model.task, model.variants
        model.task, model.variants = task, list(variants)
        try:
            self._serve(self._models)
        except NameTakenError:
            model.task, model.variants = before
            raise
        if (model.task, model.variants) != before:
            model.on_change(model)

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Have `subscriber` called at every change from now on. Returns what ends that."""
        return self._subscribers.add(subscriber)

    def _serve(self, models: tuple[Model, ...]) -> None:
        self._by_name = _by_name(models)
        self._models = models

    def _let_go(self, model: Model) -> None:
        model.on_change = tell_nobody

    def _tell_change(self, model: Model) -> None:
        self._tell(Change.CHANGED, model)

    def _tell(self, change: Change, model: Model, replaced: Model | None = None) -> None:
        self._subscribers.tell(ModelEvent(change, model, model.status, replaced))

    # -- requests

    def find(self, name: str, *, param: str = "model") -> Model:
        """The model of that name, alias or variant. Raises `APIError` 404 with the nearest name and the list."""
        if (model := self._by_name.get(name)) is not None:
            return model
        names = list(self._by_name)
        close = get_close_matches(name[:200], names, n=1)
        hint = f" Did you mean '{close[0]}'?" if close else ""
        served = f"Served models: {', '.join(names)}." if names else "No models are served."
        raise APIError(404, f"Model '{name[:200]}' does not exist.{hint} {served}", param=param, code="model_not_found")

    def resolve(self, name: str | None, task: str, *, param: str = "model") -> Model:
        """The model called `name`, which must do `task`; without a name, the only one that does.

        `param` is the field of the request in which the client wrote the name: the error's `param`. Raises `APIError`
        404 when there is no such model, 400 when it cannot do the task or several can, 503 when it is not up; and
        `LookupError` in the place of the first two for a `ModelName`, which stands in the settings.
        """
        try:
            model = self._able_one(name, task, param)
        except APIError as error:
            if isinstance(name, ModelName):
                raise LookupError(f"{error.message} The name is from a plugin's settings.") from None
            raise
        model.require_available()
        return model

    def require_task(self, task: str) -> None:
        """Raise `LookupError` for a task that no plugin has, and no model does."""
        if task in self._tasks or self._able(task):
            return
        close = get_close_matches(task, self._tasks, n=1)
        hint = f" (did you mean '{close[0]}'?)" if close else ""
        raise LookupError(f"No plugin has the task '{task}'{hint}. Tasks: {', '.join(self._tasks) or 'none'}.")

    def _able_one(self, name: str | None, task: str, param: str) -> Model:
        model = self.find(name, param=param) if name is not None else self._only(task, param)
        if model.task is not None and model.task.name != task:
            raise self._wrong_task(model, task, param)
        return model

    def _only(self, task: str, param: str) -> Model:
        able = self._able(task)
        if len(able) == 1:
            return able[0]
        if not able and any(model.state is State.QUEUED for model in self._models):
            raise APIError(503, f"No model for {task} is ready yet.", code="model_loading", retry_after=5)
        if not able:
            raise APIError(404, f"This server has no model for {task}.", param=param, code="model_not_found")
        names = ", ".join(model.name for model in able)
        raise APIError(400, f"Field '{param}' is required, one of: {names}.", param=param, code="missing_field")

    def _wrong_task(self, model: Model, task: str, param: str) -> APIError:
        able = ", ".join(other.name for other in self._able(task))
        hint = f"Models for {task}: {able}." if able else f"No model for {task} is served."
        message = f"Model '{model.name}' is for {model.task.name if model.task else '?'}, not for {task}. {hint}"
        return APIError(400, message, param=param, code="wrong_task")

    def _able(self, task: str) -> list[Model]:
        return [model for model in self._models if model.task is not None and model.task.name == task]


def _by_name(models: Iterable[Model]) -> dict[str, Model]:
    """Every name of `models` with its owner. Raises `NameTakenError` for a name that two have."""
    owners: dict[str, Model] = {}
    for model in models:
        for name in model.names:
            if (other := owners.setdefault(name, model)) is not model:
                raise NameTakenError(
                    f"Models '{other.name}' ({other.settings.source}) and '{model.name}' ({model.settings.source}) "
                    f"would both answer to '{name}': give one of them another name, alias or variant."
                )
    return owners
