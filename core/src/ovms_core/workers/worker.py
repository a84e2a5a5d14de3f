"""The worker process: imports one engine, loads one model, and steps it for whoever is at the other end.

Started as ``python -m ovms_core.workers.worker``. Commands come in on standard input, messages go out on
what was standard output; whatever the engine prints goes to standard error instead.
"""

from __future__ import annotations

import ctypes
import faulthandler
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import reduce
from importlib import import_module
from operator import attrgetter, or_
from typing import Any, Final

import msgspec

from ovms_core.diagnostics.tracebacks import author_summary
from ovms_core.engine import Done, Engine
from ovms_core.errors import LoadError, RequestError
from ovms_core.workers.in_flight import InFlight
from ovms_core.workers.log_lines import log_to_server
from ovms_core.workers.pipes import Inbox, Outbox, claim_pipes
from ovms_core.workers.request_preparer import RequestPreparer
from ovms_core.workers.wire import (
    SHOW_STACKS,
    Cancel,
    Crashed,
    Failure,
    Load,
    Loaded,
    LoadFailed,
    Step,
    Submit,
)

_PR_SET_PDEATHSIG = 1
_QUIET_SECONDS = 0.25
"""Seconds without a gain after which the server is told that there is progress all the same."""

_LOG: Final = logging.getLogger()
"""Arrives in the server as the log of the model."""

_Refusal = tuple[int, Failure | str]
"""A request that the engine does not take, and why: by the request's fault, or by the engine's, told to the log."""


class EngineLoop:
    """Steps an engine, and keeps count of what is in flight in it."""

    def __init__(
        self, engine: Engine, request: Any, inbox: Inbox, outbox: Outbox, *, step_timeout: float = 300.0
    ) -> None:
        self._engine = engine
        self._inbox = inbox
        self._outbox = outbox
        self._decode = msgspec.msgpack.Decoder(Submit[msgspec.Raw] | Cancel).decode
        self._decode_request = msgspec.msgpack.Decoder(request).decode
        self._in_flight = InFlight(engine, step_timeout)
        self._told_at = 0.0
        prepares = type(engine).prepare is not Engine.prepare
        self._preparer = RequestPreparer(engine, inbox.wake) if prepares else None

    def run(self) -> None:
        """Serve until the server goes away."""
        while True:
            self._refuse([failure for failure in self._take_on() if failure])
            if self._in_flight:
                self._tell(self._step())

    def close(self) -> None:
        """Wait for what is being prepared, and free what the engine holds."""
        if self._preparer is not None:
            self._preparer.close()
        self._engine.close()

    def _take_on(self) -> Iterator[_Refusal | None]:
        """Take in what came from the server and what has been prepared; wait for it when the engine has no work."""
        for raw in self._inbox.receive(block=not self._in_flight):
            yield self._obey(raw)
        if self._preparer is not None:
            for id, request, error in self._preparer.ended():
                yield (id, _why(error, "prepare")) if error else self._add(id, request)

    def _refuse(self, refusals: list[_Refusal]) -> None:
        """Tell which requests the engine does not take. Those that it has make no progress by it."""
        if refusals:
            message: Step[Any] = Step([], [], [], progressed=not self._in_flight)
            for id, why in refusals:
                if isinstance(why, Failure):
                    message.failed.append((id, why))
                else:
                    message.faults.append((id, why))
            self._outbox.send(message)

    def _tell(self, step: Step[Any]) -> None:
        """Send what a step gained; when that is nothing, only now and then that there is progress."""
        now = time.monotonic()
        gains_nothing = not (step.gained or step.done or step.failed or step.faults)
        if gains_nothing and now - self._told_at < _QUIET_SECONDS:
            return
        step.progressed = self._engine.progressed()
        if step.progressed or not gains_nothing:
            self._told_at = now
            self._outbox.send(step)

    def _obey(self, raw: bytes) -> _Refusal | None:
        command = self._decode(raw)
        if isinstance(command, Cancel):
            self._cancel(command.id)
            return None
        try:
            request = self._decode_request(command.request)
        except msgspec.ValidationError as error:
            message = f"The request holds a value that the engine cannot take: {error}"
            return command.id, Failure(400, message, code="invalid_value")
        try:
            prepares = self._preparer is not None and self._engine.needs_preparation(request)
        except Exception as error:
            return command.id, _why(error, "needs_preparation")
        if self._preparer is None or not prepares:
            return self._add(command.id, request)
        self._preparer.start(command.id, request)
        return None

    def _add(self, id: int, request: Any) -> _Refusal | None:
        try:
            self._engine.add(id, request)
        except RequestError as error:
            return id, _failure(error)
        except Exception as error:
            self._engine.cancel(id)
            return id, _why(error, "add")
        self._in_flight.add(id)
        return None

    def _cancel(self, id: int) -> None:
        if self._preparer is not None:
            self._preparer.cancel(id)
        if id in self._in_flight:
            self._in_flight.forget(id)
            self._engine.cancel(id)

    def _step(self) -> Step[Any]:
        message: Step[Any] = Step([], [], [])
        in_flight = self._in_flight
        for id, gain in self._engine.step():
            if isinstance(gain, Done):
                message.done.append(id)
                in_flight.ended(id)
            elif isinstance(gain, RequestError):
                message.failed.append((id, _failure(gain)))
                in_flight.ended(id)
            else:
                message.gained.append((id, gain))
        ended = bool(message.done or message.failed)
        for id, why in in_flight.lost(time.monotonic(), message.gained, ended=ended):
            self._cancel(id)
            message.faults.append((id, why))
        return message


def _failure(error: RequestError) -> Failure:
    return Failure(error.status, error.message, error.param, error.code)


def _why(error: BaseException, method: str) -> Failure | str:
    """Why a request failed in a method of the engine; if by the engine's fault, the log has the traceback."""
    if isinstance(error, RequestError):
        return _failure(error)
    _LOG.error("%s() of the engine raised an exception", method, exc_info=error)
    return f"{method}() raised {author_summary(error)}"


def _import(path: str) -> Any:
    module, _, name = path.partition(":")
    return attrgetter(name)(import_module(module))


def _die_with_parent() -> None:
    """Ask the kernel to end this process when its parent ends, in whatever way (prctl(2)).

    Without that call (not Linux), the end of standard input says the same between two steps.
    """
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def _load(command: Load, outbox: Outbox) -> Engine | None:
    try:
        engine: Engine = _import(command.engine)(command.model)
        info = engine.info()
    except LoadError as error:
        outbox.send(LoadFailed(str(error)))
    except Exception as error:
        _LOG.exception("loading the model raised %s", author_summary(error))
        outbox.send(LoadFailed("the engine raised an exception while it loaded the model; the server's log says why"))
    else:
        outbox.send(Loaded(info))
        return engine
    return None


def main() -> int:
    """Run the worker; the exit status is 0 when the server asked for the end."""
    _die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    inbox, outbox = claim_pipes()
    faulthandler.enable()
    faulthandler.register(SHOW_STACKS)
    with ExitStack() as closing:  # which may take a while: a crash is told before
        try:
            return _serve(inbox, outbox, closing)
        except (EOFError, BrokenPipeError):
            return 0
        except Exception as error:
            _LOG.exception("the engine raised an exception")
            outbox.send(Crashed("the engine raised an exception", author_summary(error)))
            return 1


def _serve(inbox: Inbox, outbox: Outbox, closing: ExitStack) -> int:
    commands = list(inbox.receive(block=True))
    while not commands:
        commands = list(inbox.receive(block=True))
    command = msgspec.msgpack.decode(commands[0], type=Load)
    log_to_server(command.log_level)
    request = reduce(or_, map(_import, command.requests))
    engine = _load(command, outbox)
    if engine is None:
        return 2
    loop = EngineLoop(engine, request, inbox, outbox, step_timeout=command.step_timeout)
    closing.callback(loop.close)
    loop.run()
    return 0


if __name__ == "__main__":
    status = main()
    sys.stderr.flush()
    # Process exit frees everything; native destructors that run late have crashed here.
    os._exit(status)
