"""What it opens for the server's life fails to open."""

from contextlib import asynccontextmanager

from ovms_core.plugin import Body, Endpoint, hookimpl


class Wrong(Endpoint):
    path = "/lifespan_raises"
    body = Body

    async def execute(self, call):
        yield "a"


@asynccontextmanager
async def database():
    raise OSError("the database is gone")
    yield


@hookimpl
def ovms_register_endpoints():
    return [Wrong()]


@hookimpl
def ovms_lifespan():
    return database()
