"""What is open while the server runs is the hook itself, and no context manager."""

from ovms_core.plugin import hookimpl


@hookimpl
async def ovms_lifespan():
    yield
