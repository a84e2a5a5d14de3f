"""A plugin that holds a connection pool open while the server runs."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import httpx

from ovms_core.plugin import Application, hookimpl


@asynccontextmanager
async def pool(app: Application) -> AsyncIterator[None]:
    async with httpx.AsyncClient() as client:
        app.state.my_pool = client
        yield


@hookimpl
def ovms_lifespan(app: Application) -> AbstractAsyncContextManager[None] | None:
    return pool(app)
