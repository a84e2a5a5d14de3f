"""It fails when its answer has begun."""

from ovms_core.plugin import Body, Endpoint, hookimpl


class WrongBody(Body):
    stream: bool = False


class Wrong(Endpoint):
    path = "/fails_in_stream"
    body = WrongBody
    streams = True

    async def execute(self, call):
        for divisor in (2, 1, 0):
            yield 2 // divisor


@hookimpl
def ovms_register_endpoints():
    return [Wrong()]
