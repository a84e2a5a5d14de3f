"""One of its streamed events is an object of pydantic's, which has a method for JSON."""

from ovms_core.plugin import Body, Endpoint, hookimpl


class WrongBody(Body):
    stream: bool = False


class Wrong(Endpoint):
    path = "/unwritable_event"
    body = WrongBody
    streams = True

    async def execute(self, call):
        yield {"asked": call.body}


@hookimpl
def ovms_register_endpoints():
    return [Wrong()]
