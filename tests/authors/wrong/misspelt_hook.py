"""The name of its hook lacks an s."""

from ovms_core.plugin import Body, Endpoint, hookimpl


class Wrong(Endpoint):
    path = "/misspelt_hook"
    body = Body

    async def execute(self, call):
        yield "a"


@hookimpl
def ovms_register_endpoint():
    return [Wrong()]
