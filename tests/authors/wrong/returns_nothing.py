"""It forgets to return its endpoints."""

from ovms_core.plugin import Body, Endpoint, hookimpl


class Wrong(Endpoint):
    path = "/returns_nothing"
    body = Body

    async def execute(self, call):
        yield "a"


@hookimpl
def ovms_register_endpoints():
    Wrong()
