"""A served model: its name, its state, and the way to its engine."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from ovms_core.configuration.models import default_name
from ovms_core.errors import APIError
from ovms_core.messages import EngineInfo, Request
from ovms_core.redaction import without_paths

if TYPE_CHECKING:
    from ovms_core.runner import Runner
    from ovms_core.settings import ModelSettings
    from ovms_core.task import Task


class State(StrEnum):
    """Where a model is in its life."""

    QUEUED = "queued"
    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"
    UNLOADED = "unloaded"


class Model:
    """One served model. `task` is known once its files are here, `runner` once its engine was started."""

    def __init__(self, settings: ModelSettings) -> None:
        self.name = settings.name or default_name(settings.source)
        self.settings = settings
        self.aliases: list[str] = list(settings.aliases)
        self.variants: list[str] = []
        self.task: Task | None = None
        self.task_from = "configuration" if settings.task else "detected"
        self.runner: Runner | None = None
        self.failure: str | None = None
        self.detail: str | None = None
        self.unloaded = False

    @property
    def state(self) -> State:
        """The model's state now."""
        if self.unloaded:
            return State.UNLOADED
        if self.failure is not None or (self.runner is not None and self.runner.failed):
            return State.FAILED
        if self.runner is None:
            return State.QUEUED
        return State.READY if self.runner.ready else State.LOADING

    @property
    def info(self) -> EngineInfo | None:
        """What the engine said of itself when it was loaded last; `None` before that."""
        return self.runner.info if self.runner else None

    @property
    def problem(self) -> str | None:
        """Why the model does not serve as it should; `None` when it does."""
        if self.failure is not None:
            return self.failure
        return self.runner.problem if self.runner else None

    @property
    def public_problem(self) -> str | None:
        """As `problem`, with nothing of the machine in it: what a client may see."""
        return without_paths(self.problem) if self.problem else None

    @property
    def names(self) -> list[str]:
        """Every name that the model answers to, its own first."""
        return [self.name, *self.aliases, *self.variants]

    def submit(self, request: Request) -> AsyncGenerator[Any, None]:
        """The events that the engine gives for `request`; close the generator to cancel.

        Raises `APIError`: 429 when the queue is full, 503 when the model is not there, and what the
        engine says is wrong with the request.
        """
        self.require_available()
        assert self.runner is not None
        return self.runner.submit(request)

    def require_available(self) -> None:
        """Raise `APIError` 503 unless requests can be taken.

        A model that has been ready takes them: its runner knows when it will be up again.
        """
        if self.failure is not None or (self.state is State.FAILED and self.info is None):
            raise APIError(
                503, f"Model '{self.name}' failed: {self.public_problem}", code="model_failed", retry_after=60
            )
        if self.state is State.UNLOADED:
            raise APIError(503, f"Model '{self.name}' has been unloaded.", code="model_unloaded", retry_after=60)
        if self.info is None:
            shown = self.detail or self.state.value
            raise APIError(503, f"Model '{self.name}' is not ready yet: {shown}.", code="model_loading", retry_after=5)

    async def stop(self) -> None:
        """End the engine; nothing is served from then on."""
        self.unloaded = True
        if self.runner is not None:
            await self.runner.stop()
