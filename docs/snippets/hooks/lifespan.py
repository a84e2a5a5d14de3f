"""A plugin that holds a connection pool open while the server runs."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import httpx
from starlette.applications import Starlette

from ovms_core.plugin import hookimpl


@asynccontextmanager
async def pool(app: Starlette) -> AsyncIterator[None]:
    async with httpx.AsyncClient() as client:
        app.state.my_pool = client
        yield


@hookimpl
def ovms_lifespan(app: Starlette) -> AbstractAsyncContextManager[None] | None:
    return pool(app)
