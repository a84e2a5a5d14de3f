"""What it has open while the server runs fails to close."""

from contextlib import asynccontextmanager

from ovms_core.plugin import hookimpl


@asynccontextmanager
async def database():
    yield
    raise OSError("the database is gone")


@hookimpl
def ovms_lifespan():
    return database()
