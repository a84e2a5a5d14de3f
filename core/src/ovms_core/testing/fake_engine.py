"""An engine of this process that gives what a test says, and remembers what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from ovms_core.application import Application
from ovms_core.errors import APIError, RequestError
from ovms_core.hookspecs import hookimpl
from ovms_core.messages import EngineInfo, Request
from ovms_core.models.model import Model
from ovms_core.runner import RunnerLoad
from ovms_core.settings import ModelSettings, TaskOptions
from ovms_core.task import Task


class FakeEngine:
    """A model of the named task with no process behind it: for tests of what an endpoint does with its engine.

    `answer` is the events for every request, or a function that takes the request and returns its events; a
    `RequestError` or an `APIError` among them is raised. With `endless` a request stays open after its events until its
    client leaves. Give it to `app_with` among the ``models``. `name` is the model's name: that of the task by default.

    `requests` are those that it got, `cancelled` those that were closed before their end. It is `closed` once the
    server has stopped it.

    Example::

        engine = FakeEngine("word_count", [Counted([3])])
        async with connected(app_with(hooks, models=[engine])) as client:
            await client.post("/v3/word_count", json={"texts": ["a b c"]})
        assert engine.requests == [Count(["a b c"])]
        assert engine.closed

        echo = FakeEngine("word_count", lambda request: [Counted([len(text) for text in request.texts])])
    """

    def __init__(
        self,
        task: str,
        answer: Sequence[Any] | Callable[[Any], Iterable[Any]] = (),
        *,
        name: str | None = None,
        info: EngineInfo | None = None,
        endless: bool = False,
    ) -> None:
        self.name = name or task
        self.task = task
        self.requests: list[Any] = []
        self.cancelled: list[Any] = []
        self.closed = False
        self.info: EngineInfo | None = info or EngineInfo(slots=64, device="CPU")
        self.ready = True
        self.failed = False
        self.problem: str | None = None
        self._answer = answer
        self._endless = endless
        self._in_flight = 0
        self._cancellation = asyncio.Event()

    async def until_cancelled(self) -> None:
        """Wait until a request was closed before its end."""
        await self._cancellation.wait()

    # -- ovms_core.runner.Runner

    async def submit(self, request: Request) -> AsyncGenerator[Any, None]:
        """The events for `request`."""
        self.requests.append(request)
        self._in_flight += 1
        try:
            for event in self._answer(request) if callable(self._answer) else self._answer:
                if isinstance(event, Exception):
                    raise _as_client_sees(event)
                yield event
            if self._endless:
                await asyncio.Event().wait()
        except (GeneratorExit, asyncio.CancelledError):
            self.cancelled.append(request)
            self._cancellation.set()
            raise
        finally:
            self._in_flight -= 1

    def load(self) -> RunnerLoad:
        """How many requests are open."""
        return RunnerLoad(waiting=0, in_flight=self._in_flight, restarts=0)

    async def settled(self) -> None:
        """Return at once: a fake engine is always ready."""

    async def stop(self) -> None:
        """Do nothing: a fake engine has nothing to end."""
        self.closed = True

    def model(self) -> Model:
        """A served model with this engine."""
        model = Model(ModelSettings(name=self.name, source=".", task=self.task))
        model.task = Task(self.task, "", TaskOptions, Any, Any, detect=lambda files: 0)
        model.attach(self)
        return model


def _as_client_sees(error: Exception) -> Exception:
    if isinstance(error, RequestError):
        return APIError(error.status, error.message, param=error.param, code=error.code)
    return error


class FakeModels:
    """The plugin that puts fake engines among an application's models for as long as it runs."""

    __name__ = "fake_models"

    def __init__(self, engines: Sequence[FakeEngine]) -> None:
        self._engines = engines

    @hookimpl
    def ovms_lifespan(self, app: Application) -> Any:
        return self._lifespan(app)

    @asynccontextmanager
    async def _lifespan(self, app: Application) -> AsyncGenerator[None, None]:
        served = app.server.models
        models = [engine.model() for engine in self._engines]
        for model in models:
            served.add(model)
        yield
        for model in models:
            served.remove(model.name)
