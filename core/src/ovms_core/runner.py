"""What runs a model's engine, wherever that is: what the models ask of it, and what the workers offer."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ovms_core.messages import EngineInfo, ModelSpec, Request
    from ovms_core.settings import ModelSettings
    from ovms_core.task import Task


@dataclass(frozen=True, slots=True)
class RunnerLoad:
    """What a runner has to do: requests that wait, requests in its engine; how often that was replaced.

    `parked` counts the requests that go on when their clients have read what is there.
    """

    waiting: int
    in_flight: int
    restarts: int
    parked: int = 0


class Runner(Protocol):
    """Runs a model's engine, wherever that is."""

    info: EngineInfo | None
    ready: bool
    failed: bool
    problem: str | None

    def submit(self, request: Request) -> AsyncGenerator[Any, None]:
        """The request's events. Closing the generator cancels the request."""

    def load(self) -> RunnerLoad:
        """How busy the engine is."""

    async def settled(self) -> None:
        """Wait until the engine is ready for the first time, or has failed to load."""

    async def stop(self) -> None:
        """End the engine."""


class RunnerFactory(Protocol):
    """Starts the runner of a model. It decides where engines run."""

    def __call__(
        self, task: Task, model: ModelSpec, settings: ModelSettings, on_change: Callable[[], None], /
    ) -> Runner:
        """A runner that loads `model` from now on; needs a running event loop.

        `on_change` is called whenever the runner's `info`, `ready`, `failed` or `problem` changed.
        """
