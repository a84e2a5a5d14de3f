"""What it returns for the server's life is not made a context manager."""

from ovms_core.plugin import hookimpl


async def database():
    yield


@hookimpl
def ovms_lifespan():
    return database()
