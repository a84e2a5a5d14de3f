"""Hands the requests of one model to its engine, and them what the engine gives."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable
from typing import Any, Final

from ovms_core.errors import APIError
from ovms_core.messages import Request
from ovms_core.workers.connection import Connection
from ovms_core.workers.pending import PendingRequest
from ovms_core.workers.queue import Queue
from ovms_core.workers.wire import Cancel, Failure, Step, Submit

HARD_LIMIT: Final = 64 << 20
"""Bytes of unread events at which a request fails that cannot be parked."""

PARKED_LIMIT: Final = 512 << 20
"""Bytes of unread events that all parked requests of a model may hold together; the next one fails."""

_OBJECT_SIZE = 256
"""About what a small event needs in memory beyond its size on the wire."""


class Dispatcher:
    """The requests of one model on their way to whatever worker it has now, and back.

    A request whose client reads too slowly is parked: cancelled in the engine, and sent again as
    `Request.resumed` when the client has read what there was. Meanwhile the engine serves others. A request
    that cannot be resumed goes on up to a limit.
    """

    def __init__(self, model: str, max_queue: int) -> None:
        self.queue = Queue(max_queue)
        self._model = model
        self._log = logging.getLogger(f"ovms.model.{model}")
        self._ids = itertools.count(1)
        self._worker: Connection | None = None

    def attach(self, worker: Connection, slots: int) -> None:
        """Send requests to `worker` from now on, at most `slots` at a time."""
        self._worker = worker
        self.queue.slots = slots
        self._pump()

    def detach(self) -> None:
        """There is no worker for now: requests wait."""
        self._worker = None

    # -- requests

    def admit(self, request: Request) -> PendingRequest:
        """Take on a request. Raises `APIError` 429 when too many wait."""
        if self.queue.full:
            message = f"Model '{self._model}' is busy: {len(self.queue.waiting)} requests are waiting already."
            raise APIError(429, message, code="queue_full", retry_after=self.queue.retry_after)
        pending = PendingRequest(next(self._ids), request)
        self.queue.waiting.append(pending)
        self._pump()
        return pending

    def go_on(self, pending: PendingRequest) -> None:
        """The reader has done with what it took. If there is no more, and the request was parked, it goes on."""
        if pending in self.queue.parked and not pending.unread:
            self.queue.unpark(pending)
            self._pump()

    def drop(self, pending: PendingRequest) -> None:
        """Nobody waits for the request any more."""
        if self.queue.drop(pending):
            self._send(Cancel(pending.id))
        self._pump()

    def fail_all(self, make_error: Callable[[], APIError]) -> None:
        """Fail every request, each with an error of its own."""
        for pending in self.queue.clear():
            pending.finish(make_error())

    def bury(self, reason: str, details: str, *, raised: bool) -> None:
        """The engine died: fail the requests to blame and those that cannot go on. The others wait for the next engine.

        `raised` says that the engine raised an exception. The `details` are for the log; clients may see the `reason`.
        """
        for pending in self.queue.bury(raised=raised):
            self._fail(pending, details, "" if raised else f": {reason}")
        for pending in [pending for pending in self.queue.waiting if not pending.resume()]:
            self.queue.waiting.remove(pending)
            message = "The engine died, and this request cannot be continued: a part of its answer has been given."
            pending.finish(APIError(500, message, code="engine_failed"))

    def _fail(self, pending: PendingRequest, details: str, told: str = "") -> None:
        """The engine is at fault for a request: `details` are for the log, and `told` is what its client may know."""
        self._log.error("the engine failed on request %s: %s", pending.origin or pending.id, details)
        where = f" (request id {pending.origin})" if pending.origin else ""
        message = f"The engine failed on this request{told}; the server's log says why{where}."
        pending.finish(APIError(500, message, code="engine_failed"))

    def _pump(self) -> None:
        """Send the engine whatever may go to it now."""
        while self._worker is not None and (pending := self.queue.take_next()) is not None:
            self._dispatch(pending)

    def _dispatch(self, pending: PendingRequest) -> None:
        try:
            self._send(Submit(pending.id, pending.request))
        except (TypeError, ValueError, OverflowError) as error:
            self.queue.end(pending.id)
            message = f"The request holds a value that cannot be sent to the engine: {error}"
            pending.finish(APIError(400, message, code="invalid_value"))

    def _send(self, command: Submit[Any] | Cancel) -> None:
        if self._worker is not None:
            self._worker.send(command)

    # -- what the engine gives

    def take_step(self, step: Step[Any]) -> None:
        """Hand over what the requests gained in a step."""
        in_flight = self.queue.in_flight
        size = step.size // max(1, len(step.gained)) + _OBJECT_SIZE
        on_trial = False
        behind: set[PendingRequest] = set()
        for id, event in step.gained:
            if (pending := in_flight.get(id)) is not None:
                on_trial = on_trial or (pending.fresh and pending.deaths > 0)
                pending.push(event, size)
                if pending.behind:
                    behind.add(pending)
        for id in step.done:
            if (ended := self.queue.end(id)) is not None:
                ended.finish()
        for id, failure in step.failed:
            if (ended := self.queue.end(id)) is not None:
                ended.finish(_error(failure))
        for id, why in step.faults:
            if (ended := self.queue.end(id)) is not None:
                self._fail(ended, why)
        for pending in behind:
            self._hold_back(pending)
        if step.done or step.failed or step.faults or on_trial or behind:
            self._pump()

    def _hold_back(self, pending: PendingRequest) -> None:
        """Do not let the engine go on with a request whose reader is behind, unless it has ended already."""
        if pending.id not in self.queue.in_flight:
            return
        parked = sum(other.unread for other in self.queue.parked)
        if parked + pending.unread <= PARKED_LIMIT and pending.resume():
            self._send(Cancel(pending.id))
            self.queue.park(pending, next(self._ids))
        elif pending.unread > HARD_LIMIT or parked + pending.unread > PARKED_LIMIT:
            self.drop(pending)
            message = (
                f"The client reads too slowly: {pending.unread >> 20} MiB wait for it, and the request cannot pause."
            )
            pending.finish(APIError(500, message, code="slow_client"))


def _error(failure: Failure) -> APIError:
    return APIError(failure.status, failure.message, param=failure.param, code=failure.code)
