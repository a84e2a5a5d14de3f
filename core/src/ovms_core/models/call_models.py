"""The served models, as one call sees them."""

from __future__ import annotations

from collections.abc import Iterator

from ovms_core.models.model import Model
from ovms_core.models.registry import Models


class CallModels:
    """The served models: `call.models`. Iterates over all that there are now.

    What a call asks for stays loaded until its answer has been given, also when it is removed meanwhile.

    Example::

        reranker = call.models.resolve(call.body.reranker, "rerank", param="reranker")
    """

    __slots__ = ("_in_use", "_models", "_started")

    def __init__(self, models: Models | None = None) -> None:
        self._models = models
        self._in_use: list[Model] = []
        self._started = False

    def __iter__(self) -> Iterator[Model]:
        return iter(self._models or ())

    def resolve(self, name: str | None, task: str, *, param: str = "model") -> Model:
        """The model called `name`, which must do `task`; without a name, the only one that does.

        `param` is the field of the request in which the client wrote the name: the error's `param`. Raises `APIError`
        404 when there is no such model, 400 when it cannot do the task or several can, 503 when it is not up. A
        `ModelName`, which stands in the settings, and a task that no plugin has are no fault of the client: they raise
        `LookupError`, a 500.
        """
        models = Models() if self._models is None else self._models
        models.require_task(task)
        model = models.resolve(name, task, param=param)
        self._in_use.append(model)
        if self._started:
            model.hold()
        return model

    # -- for the pipeline

    def hold(self) -> None:
        """The call begins: hold what it has asked for, and what it will ask for."""
        self._started = True
        for model in self._in_use:
            model.hold()

    def release(self) -> None:
        """The call has ended."""
        self._started = False
        for model in self._in_use:
            model.release()
