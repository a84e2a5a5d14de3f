"""Its hook is async."""

from ovms_core.plugin import Body, Endpoint, hookimpl


class Wrong(Endpoint):
    path = "/hook_is_async"
    body = Body

    async def execute(self, call):
        yield "a"


@hookimpl
async def ovms_register_endpoints():
    return [Wrong()]
