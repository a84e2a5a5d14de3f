"""Its middleware wants a header that not every client sends."""

from ovms_core.plugin import hookimpl


def middleware(app):
    async def run(scope, receive, send):
        if scope["path"] == "/v1/middleware_raises":
            scope["tenant"] = dict(scope["headers"])[b"x-tenant"]
        await app(scope, receive, send)

    return run


@hookimpl(nests="anywhere")
def ovms_wrap_server():
    return middleware
