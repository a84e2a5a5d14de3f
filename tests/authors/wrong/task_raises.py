"""Its background task raises."""

from contextlib import asynccontextmanager

from ovms_core.plugin import hookimpl


async def refresh():
    raise KeyError("address")


@hookimpl
def ovms_lifespan(app):
    return refreshing(app)


@asynccontextmanager
async def refreshing(app):
    app.supervise(refresh, name="task_raises: refresh")
    yield
