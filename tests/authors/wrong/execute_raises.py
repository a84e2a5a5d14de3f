"""Its endpoint raises what is no error of the client's."""

from ovms_core.plugin import Body, Endpoint, hookimpl


class Wrong(Endpoint):
    path = "/execute_raises"
    body = Body

    async def execute(self, call):
        yield {"color": "red"}["colour"]


@hookimpl
def ovms_register_endpoints():
    return [Wrong()]
