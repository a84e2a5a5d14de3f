"""It returns the class of its endpoint."""

from ovms_core.plugin import Body, Endpoint, hookimpl


class Wrong(Endpoint):
    path = "/returns_a_class"
    body = Body

    async def execute(self, call):
        yield "a"


@hookimpl
def ovms_register_endpoints():
    return [Wrong]
