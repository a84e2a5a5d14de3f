"""Mounts an application on the server while it starts, as one would with Starlette."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from starlette.applications import Starlette

from ovms_core.plugin import hookimpl


@asynccontextmanager
async def studio(app: Any) -> AsyncIterator[None]:
    app.mount("/studio", Starlette())
    yield


@hookimpl
def ovms_lifespan(app: Any) -> AbstractAsyncContextManager[None] | None:
    return studio(app)
