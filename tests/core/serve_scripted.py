"""Runs a server with scripted models, as ``ovms serve`` would. Arguments: settings as JSON."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from types import SimpleNamespace

from tests.core.support import talking, worker_pid

from ovms_core import app, serve
from ovms_core.app import Application
from ovms_core.plugin import hookimpl
from ovms_core.serve import listen
from ovms_core.settings import Settings
from ovms_core.testing import scripted_model, scripted_plugin


class Telling:
    """Says on standard output what happens, a line each."""

    def listening(self, url: str, app: Application) -> None:
        sys.stdout.write(f"listening {url}\n")
        sys.stdout.flush()

    def progress(self, app: Application) -> None: ...

    def settled(self, url: str, app: Application) -> None:
        pids = [worker_pid(app, model.name) for model in app.server.models if model.runner]
        sys.stdout.write(f"settled {json.dumps(pids)}\n")
        sys.stdout.flush()


def listen_with_small_buffers(host: str, port: int) -> socket.socket:
    """A listener whose connections are full soon when their clients do not read."""
    listener = listen(host, port)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    return listener


@asynccontextmanager
async def never_closing(app: object) -> AsyncIterator[None]:
    yield
    while True:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)


def not_starting(app: object) -> None:
    raise OSError("The disk is full.")


async def blocking(call: object) -> AsyncIterator[str]:
    threading.Event().wait()
    yield ""


def main() -> int:
    settings = json.loads(sys.argv[1])
    if settings.pop("small_buffers", False):
        vars(serve)["listen"] = listen_with_small_buffers
    models = [scripted_model(**model) for model in settings.pop("models", [{}])]
    logging.basicConfig(level="INFO")
    plugins = [scripted_plugin]
    if settings.pop("never_closing", False):
        plugins.append(SimpleNamespace(__name__="hanging", ovms_lifespan=hookimpl(never_closing)))
    if settings.pop("blocking", False):
        plugins.append(talking(blocking, "/block"))
    vars(serve)["_PATIENCE"] = settings.pop("patience", vars(serve)["_PATIENCE"])
    if settings.pop("not_starting", False):
        plugins.append(SimpleNamespace(__name__="broken", ovms_lifespan=hookimpl(not_starting)))
    vars(serve)["create_app"] = partial(app.create_app, plugins=plugins)
    return serve.run(Settings(port=0, models=models, **settings), report=Telling())


if __name__ == "__main__":
    raise SystemExit(main())
