"""What a supervisor needs of a worker, wherever that runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from ovms_core.messages import ModelSpec
from ovms_core.task import Task


class Connection(Protocol):
    """A live worker that loads or has loaded one model; it speaks the messages of `ovms_core.workers.wire`.

    `exited` is done when the worker is gone and everything that it said has been heard. Its result is how the
    worker ended, such as ``signal 9``.
    """

    exited: asyncio.Future[str]

    @property
    def last_words(self) -> str:
        """The last lines that the worker printed."""

    @property
    def place(self) -> str | None:
        """Where the code of the engine's author was when the worker last said so, such as ``/srv/e.py:12 in step``."""

    async def show_stacks(self) -> None:
        """Let the worker tell the log where its threads are, if it can; takes about a second at most."""

    def send(self, message: Any) -> None:
        """Send a command; lost without an error when the worker is gone, as `exited` will tell.

        Raises `TypeError`, `ValueError` or `OverflowError` for a value that cannot be sent.
        """

    def kill(self) -> None:
        """End the worker at once."""

    async def stop(self, grace: float) -> None:
        """Let the worker end after its step; kill it after `grace` seconds. Returns when it is gone."""


Connect = Callable[[Task, ModelSpec, logging.Logger, Callable[[Any], None]], Awaitable[Connection]]
"""Starts a worker that loads a model. What it prints goes to the logger. The last argument is called with each of its
messages, in order, on the event loop. Raises `OSError` when there can be no worker now."""
