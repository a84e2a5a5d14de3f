"""One worker process, as the server sees it: spawn, send, hear, kill."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any, cast

import msgspec

from ovms_core.messages import ModelSpec
from ovms_core.task import Task
from ovms_core.workers.environment import worker_environment
from ovms_core.workers.output import EngineOutput
from ovms_core.workers.wire import SHOW_STACKS, Crashed, Frames, Load, Loaded, LoadFailed, Step, frame, type_paths

_encode = msgspec.msgpack.Encoder().encode

_PAUSE = 0.1
"""Seconds after the beginning of stacks in which the rest has come."""

_PATIENCE = 1.0
"""Seconds to wait for the stacks of a worker that has been asked for them."""


class WorkerProcess(asyncio.SubprocessProtocol):
    """A live worker on this machine: a `Connection`. `on_message` hears every message, in order, on the event loop.

    `exited` is done when the process and its pipes are gone.
    """

    def __init__(self, task: Task, log: logging.Logger, on_message: Callable[[Any], None]) -> None:
        self._on_message = on_message
        self._output = EngineOutput(log)
        self._showing: asyncio.Future[None] | None = None
        self._frames = Frames()
        self._decode = msgspec.msgpack.Decoder(Loaded | LoadFailed | Crashed | Step[task.event]).decode  # type: ignore[name-defined]
        self._transport: asyncio.SubprocessTransport | None = None
        self.exited: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    @classmethod
    async def start(
        cls,
        task: Task,
        model: ModelSpec,
        log: logging.Logger,
        on_message: Callable[[Any], None],
        *,
        variables: Sequence[str] = (),
        step_timeout: float = 300.0,
    ) -> WorkerProcess:
        """Spawn a worker that loads `model`. It is a session of its own, so that no Ctrl-C reaches it.

        `variables` are those of the environment that it gets beside the known ones.
        """
        environment = worker_environment(os.environ, variables)
        log.debug("does not get the variables %s", ", ".join(sorted(os.environ.keys() - environment)))
        _, worker = await asyncio.get_running_loop().subprocess_exec(
            lambda: cls(task, log, on_message),
            sys.executable,
            "-P",  # what lies in the current folder is no package, unless the server takes it for one
            "-m",
            "ovms_core.workers.worker",
            start_new_session=True,
            env={**environment, "PYTHONPATH": os.pathsep.join(sys.path), "TOKENIZERS_PARALLELISM": "false"},
        )
        level = log.getEffectiveLevel()
        worker.send(Load(task.engine, model, type_paths(task.request), level, step_timeout))
        return worker

    @property
    def pid(self) -> int:
        """The process id."""
        assert self._transport is not None
        return self._transport.get_pid()

    @property
    def last_words(self) -> str:
        """The last lines that the process printed."""
        return "\n".join(self._output.tail)

    @property
    def place(self) -> str | None:
        """Where the code of the engine's author was when it last said so."""
        return self._output.place

    def send(self, message: Any) -> None:
        """Send a command; lost without an error when the process is gone, as `exited` will tell."""
        assert self._transport is not None
        stdin = cast("asyncio.WriteTransport | None", self._transport.get_pipe_transport(0))
        if stdin is not None and not stdin.is_closing():
            stdin.write(frame(_encode(message)))

    def kill(self) -> None:
        """End the process at once."""
        if self._transport is not None and not self.exited.done():
            self._transport.kill()

    async def show_stacks(self) -> None:
        """Let the process tell the log where all its threads are. Returns when it has, or does not in a second."""
        assert self._transport is not None
        with contextlib.suppress(ProcessLookupError):
            self._transport.send_signal(SHOW_STACKS)
        self._showing = asyncio.get_running_loop().create_future()
        either: set[asyncio.Future[Any]] = {self._showing, self.exited}
        await asyncio.wait(either, timeout=_PATIENCE, return_when=asyncio.FIRST_COMPLETED)

    async def stop(self, grace: float) -> None:
        """Close the wire, which ends the process after its step; kill it after `grace` seconds."""
        assert self._transport is not None
        stdin = self._transport.get_pipe_transport(0)
        if stdin is not None:
            stdin.close()
        await asyncio.wait({self.exited}, timeout=grace)
        if not self.exited.done():
            self.kill()
            await asyncio.wait({self.exited})

    # -- asyncio.SubprocessProtocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.SubprocessTransport, transport)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd == 2:
            self._relay(data)
            return
        for payload in self._frames.feed(data):
            self._take(payload)

    def _take(self, payload: bytes) -> None:
        try:
            message = self._decode(payload)
        except msgspec.DecodeError as error:
            self.kill()
            message = Crashed("the engine sent an event that its task does not declare", str(error))
        if isinstance(message, Step):
            message.size = len(payload)
        self._on_message(message)

    def process_exited(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # what the engine has started ends with it
            os.killpg(self.pid, signal.SIGKILL)

    def connection_lost(self, exc: Exception | None) -> None:
        assert self._transport is not None
        self._output.feed(b"\n")
        self._end_stacks()
        self.exited.set_result(_how_it_ended(self._transport.get_returncode() or 0))
        self._transport.close()

    def _relay(self, data: bytes) -> None:
        begun = self._output.shows_stacks
        self._output.feed(data)
        if self._output.shows_stacks and not begun:
            asyncio.get_running_loop().call_later(_PAUSE, self._end_stacks)

    def _end_stacks(self) -> None:
        self._output.flush()
        if self._showing is not None and not self._showing.done():
            self._showing.set_result(None)


def _how_it_ended(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"exit status {status}"
