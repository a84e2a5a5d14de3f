"""The path of its endpoint begins without a slash."""

from ovms_core.plugin import Body, Endpoint, hookimpl


class Wrong(Endpoint):
    path = "no_slash"
    body = Body

    async def execute(self, call):
        yield "a"


@hookimpl
def ovms_register_endpoints():
    return [Wrong()]
