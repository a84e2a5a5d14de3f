"""It has no hook at all."""

from ovms_core.plugin import Body, Endpoint


class Wrong(Endpoint):
    path = "/no_hook"
    body = Body

    async def execute(self, call):
        yield "a"
