"""Serve an application, in this process or on a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import uvicorn

from ovms_core.app import Application, create_app
from ovms_core.serve import configure, listen
from ovms_core.settings import ModelSettings, Settings
from ovms_core.testing.fake_engine import FakeEngine, FakeModels


def app_with(*plugins: object, models: Sequence[ModelSettings | FakeEngine] = (), **settings: Any) -> Application:
    """An application with exactly these plugins and models; nothing installed is looked for.

    `settings` are those of `Settings`; only `drain_timeout` is shorter unless given. A plugin's own are in ``plugins``,
    as in ``ovms.yaml``.

    Example::

        app = app_with(hooks, plugins={"notes": {"limit": 3}})
    """
    real = [model for model in models if isinstance(model, ModelSettings)]
    fakes = [model for model in models if isinstance(model, FakeEngine)]
    extra = [FakeModels(fakes)] if fakes else []
    return create_app(Settings(models=real, **{"drain_timeout": 1, **settings}), plugins=[*plugins, *extra])


@asynccontextmanager
async def serving(app: Application, *, settled: bool = True) -> AsyncIterator[str]:
    """Serve `app` on a free port of the loopback interface; gives the base URL, without a prefix.

    With `settled`, waits until every model is ready or has failed.
    """
    server = uvicorn.Server(configure(app))
    listener = listen("127.0.0.1", 0)
    task = asyncio.create_task(server._serve([listener]))  # serve() would take over this process's signals
    while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.005)
    if task.done():
        task.result()
        raise RuntimeError("the application did not start; its log says why")
    try:
        if settled:
            await app.server.lifecycle.settled()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
