"""A served model: its name, its state, and the way to its engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from ovms_core.configuration.models import default_name
from ovms_core.diagnostics.redaction import without_paths
from ovms_core.errors import APIError
from ovms_core.messages import EngineInfo, Request

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


@dataclass(frozen=True, slots=True)
class Status:
    """Where a model is in its life.

    `detail` says how far it is on its way, `problem` why it does not serve as it should.
    """

    state: State
    detail: str | None = None
    problem: str | None = None


class Model:
    """A served model.

    `name` is its own name, `aliases` and `variants` are others that it answers to. `task` is known once its files are
    there, `runner` once its engine has been started.

    Only the event loop's thread changes a model.
    """

    def __init__(self, settings: ModelSettings) -> None:
        self.name = settings.name or default_name(settings.source)
        self.settings = settings
        self.aliases: list[str] = list(settings.aliases)
        self.variants: list[str] = []
        self.task: Task | None = None
        self.runner: Runner | None = None
        self.status = Status(State.QUEUED)
        self.on_change: Callable[[Model], None] = tell_nobody
        self._users = 0
        self._unused: asyncio.Event | None = None

    # -- for clients

    @property
    def state(self) -> State:
        """The model's state now."""
        return self.status.state

    @property
    def detail(self) -> str | None:
        """The progress of the model, if there is more to say than its state."""
        return self.status.detail

    @property
    def problem(self) -> str | None:
        """The model's problem, or `None` if it serves as it should."""
        return self.status.problem

    @property
    def public_problem(self) -> str | None:
        """The same as `problem`, without details of the machine, for clients."""
        return without_paths(self.problem) if self.problem else None

    @property
    def info(self) -> EngineInfo | None:
        """What the engine reported when it was last loaded; `None` before that."""
        return self.runner.info if self.runner else None

    @property
    def names(self) -> list[str]:
        """Every name that the model answers to, its own first."""
        return list(dict.fromkeys((self.name, *self.aliases, *self.variants)))

    def submit(self, request: Request) -> AsyncGenerator[Any, None]:
        """The events of the engine for `request`. Close the generator to cancel.

        Raises `APIError`: 429 when the queue is full, 503 when the model is not there, and what the
        engine says is wrong with the request.
        """
        self.require_available()
        assert self.runner is not None
        return self.runner.submit(request)

    async def collect(self, request: Request) -> list[Any]:
        """All events that the engine gives for `request`, at its end. Raises as `submit` does.

        Example::

            (embedded,) = await model.collect(Embed(inputs=["a text"]))
        """
        async with aclosing(self.submit(request)) as events:
            return [event async for event in events]

    def require_available(self) -> None:
        """Raise `APIError` 503 unless requests can be taken.

        A model that has been ready takes them: its runner knows when it will be up again.
        """
        if self.info is not None:
            return
        name = self.name
        if self.state is State.FAILED:
            raise APIError(503, f"Model '{name}' failed: {self.public_problem}", code="model_failed", retry_after=60)
        if self.state is State.UNLOADED:
            raise APIError(503, f"Model '{name}' has been unloaded.", code="model_unloaded", retry_after=60)
        shown = self.detail or self.state.value
        raise APIError(503, f"Model '{name}' is not ready yet: {shown}.", code="model_loading", retry_after=5)

    def hold(self) -> None:
        """Keep the model until `release` is called, even if it is removed or replaced meanwhile."""
        self._users += 1

    def release(self) -> None:
        """End a `hold`."""
        self._users -= 1
        if self._unused is not None and not self._users:
            self._unused.set()

    # -- for whoever brings it up and takes it down

    def become(self, state: State, *, detail: str | None = None, problem: str | None = None) -> None:
        """Change the model's status, and notify subscribers. Nothing else writes it."""
        status = Status(state, detail, problem)
        if status != self.status:
            self.status = status
            self.on_change(self)

    def attach(self, runner: Runner) -> None:
        """Serve with the engine of `runner`, whose every change must call `follow_runner`."""
        self.runner = runner
        self.follow_runner()

    def follow_runner(self) -> None:
        """Take over the state of the runner: loading, ready or failed."""
        if (runner := self.runner) is not None:
            state = State.FAILED if runner.failed else State.READY if runner.ready else State.LOADING
            self.become(state, problem=runner.problem)

    async def unused(self) -> None:
        """Wait until nobody holds the model, or it is stopped."""
        if self._users:
            self._unused = asyncio.Event()
            await self._unused.wait()

    async def stop(self) -> None:
        """Stop the engine, even if it is in use. Nothing is served after that."""
        if self._unused is not None:
            self._unused.set()
        runner, self.runner = self.runner, None
        self.become(State.UNLOADED)
        if runner is not None:
            await runner.stop()


def tell_nobody(model: Model) -> None:
    """Does nothing: the `on_change` of a model that is in no registry."""
