"""It returns its endpoint, not a list of endpoints."""

from ovms_core.plugin import Body, Endpoint, hookimpl


class Wrong(Endpoint):
    path = "/returns_an_endpoint"
    body = Body

    async def execute(self, call):
        yield "a"


@hookimpl
def ovms_register_endpoints():
    return Wrong()
