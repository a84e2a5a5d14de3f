"""The base class of all engines.

The worker process calls it from one thread, so it needs no
locks, and asks it for one bounded piece of work at a time::

    class Shout(Engine):
        def __init__(self, model: ModelSpec) -> None:
            self._waiting: dict[int, Say] = {}

        def info(self) -> EngineInfo:
            return EngineInfo(slots=64, device="CPU")

        def add(self, id: int, request: Say) -> None:
            self._waiting[id] = request

        def cancel(self, id: int) -> None:
            self._waiting.pop(id, None)

        def step(self) -> Iterable[tuple[int, Event | Done | RequestError]]:
            id, request = self._waiting.popitem()
            yield id, Said(request.text.upper())
            yield id, DONE
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable
from typing import Any, Final

from ovms_core.errors import RequestError
from ovms_core.messages import EngineInfo, Event, ModelSpec


class Done:
    """The type of `DONE`, with which an engine says that a request is complete."""

    __slots__ = ()


DONE: Final = Done()

Gain = Event | Done | RequestError


class Engine(ABC):
    """A loaded model. All methods except `prepare` are called on the one engine thread of its worker process."""

    @abstractmethod
    def __init__(self, model: ModelSpec) -> None:
        """Load the model. If that fails, raise `LoadError` with what to do about it."""

    @abstractmethod
    def info(self) -> EngineInfo:
        """Return what the server and its users should know about the loaded model."""

    def prepare(self, request: Any) -> Any:
        """Make of `request` what `add` takes; by default the request itself, and then no thread is involved.

        `needs_preparation` says which requests it is called for. For what takes a while and does not need the engine's
        thread, such as decoding a picture. Runs on one of a few threads while the engine steps, for several requests
        at once, so it must not change the engine. Only code that releases the GIL runs beside a step which holds it.

        A request is added when it is prepared, and requests may overtake each other on the way; one that is cancelled
        meanwhile is never added. Raise `RequestError` when it cannot be served. Whatever else is raised fails the
        request with a 500, and the engine goes on.
        """
        return request

    def needs_preparation(self, request: Any) -> bool:
        """Whether `request` goes through `prepare`; by default all do where that is overridden, else none.

        Called on the engine thread for each request, so it must be fast. A request that needs none is added at once,
        and costs no change of threads::

            def needs_preparation(self, request: Describe) -> bool:
                return bool(request.pictures)
        """
        return type(self).prepare is not Engine.prepare

    @abstractmethod
    def add(self, id: int, request: Any) -> None:
        """Accept a request, as `prepare` returned it. Raise `RequestError` if it cannot be served: a 400.

        Must be fast: the requests in flight wait for it. If it raises anything else, the request fails with a 500, the
        engine is told to `cancel` it, and continues.
        """

    @abstractmethod
    def cancel(self, id: int) -> None:
        """Drop a request, and free its resources by the end of the next step. It may have ended already."""

    @abstractmethod
    def step(self) -> Iterable[tuple[int, Gain]]:
        """Do one limited piece of work for all requests in flight, and yield their events.

        Called again and again while any request is in flight. A request ends with ``(id, DONE)`` or
        ``(id, RequestError(...))``. Whatever else is raised counts as the death of the engine: its
        process is replaced and the requests in flight are tried again.
        """

    def progressed(self) -> bool:
        """Whether there was progress since the last call. Called after steps.

        An engine that makes no progress for the model's `step_timeout` while requests are in flight counts as hung
        and is replaced. By default each step is progress. An engine whose steps only look what other
        threads have done says here whether these have done anything.
        """
        return True

    def in_flight(self) -> Collection[int] | None:
        """The ids of the requests that the engine has not ended yet; `None`, the default, where it does not say.

        A request that was added and not ended, and is not here, is lost: it fails within seconds, and the log says so.

        An engine that does not say is given longer. A request of its own is lost when it gains nothing for the model's
        `step_timeout` while requests that came later end, or while the engine's steps do nothing at all.
        """
        return None

    def close(self) -> None:  # noqa: B027 - optional
        """Free what process exit would not free by itself."""
