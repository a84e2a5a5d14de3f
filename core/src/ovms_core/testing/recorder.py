"""A plugin that sees everything: every hook as it is asked, every call as it is executed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ovms_core.calls.endpoint import Call, Endpoint, Interceptor, Proceed
from ovms_core.calls.observe import Observer, Outcome
from ovms_core.hookspecs import hookimpl

if TYPE_CHECKING:
    import typer
    from prometheus_client.registry import Collector
    from pydantic import BaseModel

    from ovms_core.application import Application
    from ovms_core.models.source import Source
    from ovms_core.routes.route import Route
    from ovms_core.settings import Settings
    from ovms_core.task import Task


@dataclass(frozen=True, slots=True)
class HookCall:
    """A hook that was called, with its arguments by name."""

    name: str
    arguments: dict[str, Any]


@dataclass(slots=True)
class RecordedCall:
    """A call that was executed: its events so far, whether it was closed, and how it ended once it did."""

    call: Call[Any]
    events: list[Any] = field(default_factory=list)
    closed: bool = False
    outcome: Outcome | None = None


class HookRecorder(Observer):
    """Give it to `app_with` beside the plugin under test.

    `hooks` are the calls of hooks so far, each a `HookCall`, and `calls` the calls that were executed, each a
    `RecordedCall`, in order.

    Example::

        recorder = HookRecorder()
        async with connected(app_with(hooks, recorder, models=[model])) as client:
            await client.post("/v3/word_count", json={"texts": ["a b c"]})
        assert recorder.calls[0].events == [Counted([3])]
    """

    __name__ = "hook_recorder"

    def __init__(self) -> None:
        self.hooks: list[HookCall] = []
        self.calls: list[RecordedCall] = []

    def asked(self, name: str) -> list[dict[str, Any]]:
        """The arguments of every call of the named hook."""
        return [hook.arguments for hook in self.hooks if hook.name == name]

    def _record(self, name: str, **arguments: Any) -> None:
        self.hooks.append(HookCall(name, arguments))

    # -- the hooks

    @hookimpl
    def ovms_settings(self) -> type[BaseModel] | None:
        self._record("ovms_settings")
        return None

    @hookimpl
    def ovms_register_tasks(self) -> Iterable[Task]:
        self._record("ovms_register_tasks")
        return ()

    @hookimpl
    def ovms_register_endpoints(self, settings: Settings) -> Iterable[Endpoint[Any]]:
        self._record("ovms_register_endpoints", settings=settings)
        return ()

    @hookimpl
    def ovms_register_routes(self, settings: Settings) -> Iterable[Route]:
        self._record("ovms_register_routes", settings=settings)
        return ()

    @hookimpl
    def ovms_register_sources(self) -> Iterable[Source]:
        self._record("ovms_register_sources")
        return ()

    @hookimpl
    def ovms_authenticate(self, settings: Settings) -> None:
        self._record("ovms_authenticate", settings=settings)

    @hookimpl
    def ovms_parser(self, endpoint: Endpoint[Any], settings: Settings) -> None:
        self._record("ovms_parser", endpoint=endpoint, settings=settings)

    @hookimpl
    def ovms_executor(self, endpoint: Endpoint[Any], settings: Settings) -> None:
        self._record("ovms_executor", endpoint=endpoint, settings=settings)

    @hookimpl
    def ovms_formatter(self, endpoint: Endpoint[Any], settings: Settings) -> None:
        self._record("ovms_formatter", endpoint=endpoint, settings=settings)

    @hookimpl(nests="anywhere")
    def ovms_wrap_execution(self, endpoint: Endpoint[Any], settings: Settings) -> Interceptor:
        self._record("ovms_wrap_execution", endpoint=endpoint, settings=settings)
        return self._intercept

    @hookimpl
    def ovms_wrap_app(self, settings: Settings) -> None:
        self._record("ovms_wrap_app", settings=settings)

    @hookimpl
    def ovms_wrap_server(self, settings: Settings) -> None:
        self._record("ovms_wrap_server", settings=settings)

    @hookimpl
    def ovms_observe(self, settings: Settings) -> Observer:
        self._record("ovms_observe", settings=settings)
        return self

    @hookimpl
    def ovms_register_metrics(self, settings: Settings) -> Iterable[Collector]:
        self._record("ovms_register_metrics", settings=settings)
        return ()

    @hookimpl
    def ovms_lifespan(self, app: Application) -> None:
        self._record("ovms_lifespan", app=app)

    @hookimpl
    def ovms_register_commands(self, cli: typer.Typer) -> None:
        self._record("ovms_register_commands", cli=cli)

    # -- what they return

    async def _intercept(self, call: Call[Any], proceed: Proceed) -> AsyncIterator[Any]:
        recorded = RecordedCall(call)
        self.calls.append(recorded)
        try:
            async with aclosing(proceed(call)) as events:
                async for event in events:
                    recorded.events.append(event)
                    yield event
        finally:
            recorded.closed = True

    def call_ended(self, call: Call[Any], outcome: Outcome) -> None:
        """Remember how the call ended."""
        for recorded in self.calls:
            if recorded.call is call:
                recorded.outcome = outcome
