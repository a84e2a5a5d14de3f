"""A plugin with a task in the background."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

from ovms_core.plugin import Application, hookimpl


async def refresh(app: Application) -> None:
    while True:
        app.state.my_models = [model.name for model in app.server.models]
        await asyncio.sleep(60)


@asynccontextmanager
async def refreshing(app: Application) -> AsyncIterator[None]:
    app.supervise(partial(refresh, app), name="my models")
    yield


@hookimpl
def ovms_lifespan(app: Application) -> AbstractAsyncContextManager[None] | None:
    return refreshing(app)
