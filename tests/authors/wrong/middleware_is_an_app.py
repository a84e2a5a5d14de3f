"""It returns what serves requests, where it must wrap what does."""

from ovms_core.plugin import hookimpl


async def middleware(scope, receive, send):
    raise NotImplementedError


@hookimpl
def ovms_wrap_app():
    return middleware
