"""It answers in a function that is not async."""

from starlette.responses import PlainTextResponse

from ovms_core.plugin import Body, Endpoint, hookimpl


class Wrong(Endpoint):
    path = "/unary_is_not_async"
    body = Body

    async def execute(self, call):
        yield "a"

    def unary(self, call, events):
        return PlainTextResponse("a")


@hookimpl
def ovms_register_endpoints():
    return [Wrong()]
