"""Its endpoint streams, but nobody can ask for that."""

from ovms_core.plugin import Body, Endpoint, hookimpl


class Wrong(Endpoint):
    path = "/no_stream_field"
    body = Body
    streams = True

    async def execute(self, call):
        yield "a"


@hookimpl
def ovms_register_endpoints():
    return [Wrong()]
