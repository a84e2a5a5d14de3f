"""The endpoint under test, in a server that runs for its tests."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

import httpx
import pytest

from ovms_core.app import Application
from ovms_core.calls.endpoint import Call, Endpoint, Interceptor, Proceed
from ovms_core.calls.execution import close
from ovms_core.errors import APIError
from ovms_core.hookspecs import hookimpl
from ovms_core.models.model import Model, State
from ovms_core.plugin_loading.loader import name_of
from ovms_core.runner import Runner
from ovms_core.settings import ModelSettings
from ovms_core.testing.client import app_with
from ovms_core.testing.in_process import connected

if TYPE_CHECKING:
    from ovms_core.models.registry import Models
    from ovms_core.settings import Settings
    from ovms_core.workers.process import WorkerProcess
    from ovms_core.workers.supervisor import Supervisor

R = TypeVar("R", bound=Runner)

API_KEY = "contract-key"
_PREFIX = "/v3"
_LEAST_BODY_LIMIT = 1 << 20
_MAX_QUEUE = 4


class Contract:
    """What an author says of the endpoint under test."""

    plugin: object
    """The plugin, as its entry point names it: its module `hooks`."""
    needs: ClassVar[Sequence[object]] = ()
    """Further plugins that it needs: one with the task or the source of its models."""
    endpoint: ClassVar[type[Endpoint[Any]] | None] = None
    """The endpoint's class; not needed when `plugin` has only one, however many those in `needs` have."""
    models: ClassVar[Sequence[ModelSettings]] = ()
    """The models to serve."""
    valid_body: ClassVar[dict[str, Any]]
    """A small request that succeeds, without `stream`, and gets the same answer every time.

    Of a model that samples that takes a temperature of 0, and a prompt whose answer does not hang on rounding.
    """
    ends_with: ClassVar[str] = "[DONE]"
    """The data, or the event type, of a stream's last frame."""
    settings: ClassVar[Mapping[str, Any]] = {}
    """Further settings of the server, such as the plugin's own: ``{"plugins": {"notes": {"limit": 3}}}``."""
    patience: ClassVar[float] = 60.0
    """Seconds that anything may take before it counts as hung."""

    def payload(self, body: dict[str, Any]) -> dict[str, Any]:
        """How `body` is sent: arguments of `httpx.AsyncClient.post`. Override for an endpoint that takes forms."""
        return {"json": body}

    def said(self, document: Any) -> str:
        """What an answer, or one frame of a stream, says; joined over all frames it must be the same.

        By default every string that is called ``text`` or ``content``, in order.
        """
        return "".join(_said(document))

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until `condition` is true, for what has no event to wait for."""
        async with asyncio.timeout(self.patience):
            while not condition():  # noqa: ASYNC110 - that is what this is
                await asyncio.sleep(0.005)

    async def until_or_answered(self, event: asyncio.Event, request: asyncio.Task[httpx.Response]) -> None:
        """Wait until `event` is set; asserts that `request` is not answered before."""
        await self.until(lambda: event.is_set() or request.done())
        assert event.is_set(), f"the request was over too soon: {request.result().text}"

    async def ask(self, subject: Subject, *, stream: bool = False, **fields: Any) -> httpx.Response:
        """The answer to `valid_body` with these fields added."""
        body = {**self.valid_body, **fields} | ({"stream": True} if stream else {})
        async with asyncio.timeout(self.patience):
            return await subject.post(**self.payload(body))


def _said(document: Any) -> Iterator[str]:
    if isinstance(document, dict):
        for name, value in document.items():
            if name in ("text", "content") and isinstance(value, str):
                yield value
            else:
                yield from _said(value)
    elif isinstance(document, list):
        for item in document:
            yield from _said(item)


BLOCKED = "contract_blocked"


def block(call: Call[Any], proceed: Proceed) -> AsyncIterator[Any]:
    """A guardrail that lets nothing through."""
    raise APIError(403, "The request was rejected.", code=BLOCKED)


class Control:
    """The kit's own plugin: knows the endpoints, and lets a test step in between."""

    __name__ = "contract"

    def __init__(self) -> None:
        self.endpoints: list[Endpoint[Any]] = []
        self.interceptor: Interceptor | None = None

    @hookimpl
    def ovms_wrap_execution(self, endpoint: Endpoint[Any], settings: Settings) -> Interceptor:
        self.endpoints.append(endpoint)
        return self._intercept

    async def _intercept(self, call: Call[Any], proceed: Proceed) -> AsyncIterator[Any]:
        events = self.interceptor(call, proceed) if self.interceptor else proceed(call)
        try:
            async for event in events:
                yield event
        finally:
            await close(events)


@dataclass(slots=True)
class Subject:
    """The endpoint under test and the server that has it; `client` carries the API key."""

    app: Application
    client: httpx.AsyncClient
    endpoint: Endpoint[Any]
    control: Control

    @property
    def url(self) -> str:
        """Where the endpoint is, without the host."""
        return _PREFIX + self.endpoint.path

    async def post(self, **options: Any) -> httpx.Response:
        """The endpoint's answer; `options` are those of `httpx.AsyncClient.request`."""
        return await self.client.request(self.endpoint.method, self.url, **options)

    @contextmanager
    def intercepted(self, interceptor: Interceptor) -> Iterator[None]:
        """Wrap the endpoint's execution for a while."""
        self.control.interceptor = interceptor
        try:
            yield
        finally:
            self.control.interceptor = None

    def require_engine(self) -> Model:
        """The first model that the endpoint works with; skips the test when it works without."""
        if self.endpoint.task is None:
            pytest.skip("the endpoint has no task, and so no engine")
        models: Models = self.app.server.models
        return next(model for model in models if model.task is not None and model.task.name == self.endpoint.task)

    def require_json_body(self) -> None:
        """Skip the test unless the endpoint takes JSON."""
        if "application/json" not in self.endpoint.accepts:
            pytest.skip("the endpoint takes no JSON body")

    def require_streaming(self) -> None:
        """Skip the test unless the endpoint streams, and does so in server-sent events: other formats are not read."""
        if not self.endpoint.streams or not self.endpoint.stream_media_type.startswith("text/event-stream"):
            pytest.skip("the endpoint does not stream")

    def worker(self) -> Worker:
        """The engine's process; skips the test when there is none."""
        return Worker(cast("Supervisor", self.require_engine().runner))

    @contextmanager
    def frozen(self) -> Iterator[Worker]:
        """The engine's process, stopped for a while: what is sent to it stays in flight."""
        worker = self.worker()
        worker.freeze()
        try:
            yield worker
        finally:
            worker.thaw()

    @contextmanager
    def engine_replaced(self, make: Callable[[Runner], R]) -> Iterator[R]:
        """Another runner in the place of the model's for a while."""
        model = self.require_engine()
        runner = model.runner
        assert runner is not None
        other = make(runner)
        model.attach(other)
        try:
            yield other
        finally:
            model.attach(runner)


class Worker:
    """The process of a model's engine, in the hands of a test."""

    def __init__(self, runner: Supervisor) -> None:
        self.runner = runner
        assert runner.connection is not None, "the engine is not running"
        self._process = cast("WorkerProcess", runner.connection)

    @property
    def in_flight(self) -> int:
        return self.runner.load().in_flight

    def freeze(self) -> None:
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        if not self._process.exited.done():
            os.kill(self._process.pid, signal.SIGCONT)

    def kill(self) -> None:
        self._process.kill()


@asynccontextmanager
async def running(contract: type[Contract]) -> AsyncIterator[Subject]:
    """A server for the tests of `contract`. Raises `AssertionError` when it cannot be tested as it is."""
    control = Control()
    models = [model.model_copy(update={"max_queue": _MAX_QUEUE}) for model in contract.models]
    limit = max(_LEAST_BODY_LIMIT, 4 * len(repr(contract.valid_body)))
    app = app_with(
        contract.plugin,
        *contract.needs,
        control,
        models=models,
        **{"max_body_size": limit, **contract.settings, "api_keys": {"contract": API_KEY}},
    )
    headers = {"authorization": f"Bearer {API_KEY}"}
    async with connected(app, headers=headers) as client:
        broken = [report for report in app.server.plugins if report.state != "active"]
        assert not broken, f"plugin {broken[0].name} is {broken[0].state}: {broken[0].account}"
        for model in app.server.models:
            assert model.state is State.READY, f"model '{model.name}' is {model.state}: {model.problem}"
        yield Subject(app, client, _endpoint(contract, app, control), control)


def _endpoint(contract: type[Contract], app: Application, control: Control) -> Endpoint[Any]:
    """The endpoint that `contract` names; else the only one of its plugin; else the only one of those it needs."""
    wanted = contract.endpoint
    if wanted is not None:
        found = [each for each in control.endpoints if type(each) is wanted]
    else:
        owned = {(r.method, r.path) for r in app.server.routes if r.owner == name_of(contract.plugin)}
        own = [each for each in control.endpoints if (each.method, _PREFIX + each.path) in owned]
        found = own or control.endpoints
    names = ", ".join(type(each).__name__ for each in found or control.endpoints) or "none"
    assert len(found) == 1, f"Set {contract.__name__}.endpoint to one of the plugins' endpoints: {names}."
    return found[0]


def error_of(answer: httpx.Response) -> dict[str, Any]:
    """The error in `answer`; asserts that it has the one shape."""
    assert answer.headers["content-type"] == "application/json", answer.text
    return error_in(answer.json())


def error_in(document: Any) -> dict[str, Any]:
    """The error in `document`; asserts that it has the one shape."""
    assert isinstance(document, dict), document
    assert list(document) == ["error"], f"an error is {{'error': …}} and nothing else, not {json.dumps(document)}"
    error: dict[str, Any] = document["error"]
    assert set(error) == {"message", "type", "param", "code"}, error
    assert isinstance(error["message"], str), error
    assert error["message"], "an error says what was wrong"
    assert isinstance(error["type"], str), error
    return error
