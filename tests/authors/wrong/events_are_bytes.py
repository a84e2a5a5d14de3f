"""Its events are bytes, which may be a text."""

from collections.abc import AsyncIterator

from ovms_core.plugin import Body, Call, Endpoint, hookimpl


class Wrong(Endpoint[Body]):
    path = "/events_are_bytes"
    body = Body

    async def execute(self, call: Call[Body]) -> AsyncIterator[bytes]:
        yield b"a,b,c"


@hookimpl
def ovms_register_endpoints():
    return [Wrong()]
