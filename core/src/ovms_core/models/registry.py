"""All served models, by every name they answer to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from ovms_core.errors import APIError
from ovms_core.models.model import Model, State


class Models:
    """The served models. Iterates over them in the order of the configuration."""

    def __init__(self, models: Sequence[Model] = ()) -> None:
        self._models = list(models)

    def __iter__(self) -> Iterator[Model]:
        return iter(self._models)

    def __len__(self) -> int:
        return len(self._models)

    def find(self, name: str) -> Model:
        """The model of that name, alias or variant. Raises `APIError` 404 with the nearest name and the list."""
        for model in self._models:
            if name in model.names:
                return model
        names = [known for model in self._models for known in model.names]
        close = get_close_matches(name[:200], names, n=1)
        hint = f" Did you mean '{close[0]}'?" if close else ""
        served = f"Served models: {', '.join(names)}." if names else "No model is served."
        raise APIError(
            404, f"Model '{name[:200]}' does not exist.{hint} {served}", param="model", code="model_not_found"
        )

    def resolve(self, name: str | None, task: str) -> Model:
        """The model for a request to an endpoint with `task`; without a name, the only one there is.

        Raises `APIError` 404 when there is none, 400 when it cannot do the task, 503 when it is not up.
        """
        model = self.find(name) if name is not None else self._only(task)
        if model.task is not None and model.task.name != task:
            raise self._wrong_task(model, task)
        model.require_available()
        return model

    def _only(self, task: str) -> Model:
        able = self._able(task)
        if len(able) == 1:
            return able[0]
        if not able and any(model.state is State.QUEUED for model in self._models):
            raise APIError(503, f"No model for {task} is ready yet.", code="model_loading", retry_after=5)
        if not able:
            raise APIError(404, f"No served model does {task}.", param="model", code="model_not_found")
        names = ", ".join(model.name for model in able)
        raise APIError(400, f"Field 'model' is required, one of: {names}.", param="model", code="missing_field")

    def _wrong_task(self, model: Model, task: str) -> APIError:
        able = ", ".join(other.name for other in self._able(task))
        hint = f"Models that do: {able}." if able else "No served model does."
        message = f"Model '{model.name}' does {model.task.name if model.task else '?'}, not {task}. {hint}"
        return APIError(400, message, param="model", code="wrong_task")

    def _able(self, task: str) -> list[Model]:
        return [model for model in self._models if model.task is not None and model.task.name == task]
