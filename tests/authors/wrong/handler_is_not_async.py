"""The handler of its route is not async."""

from starlette.responses import PlainTextResponse

from ovms_core.plugin import Route, hookimpl


def page(request):
    return PlainTextResponse("a")


@hookimpl
def ovms_register_routes():
    return [Route("GET", "/handler_is_not_async", page)]
