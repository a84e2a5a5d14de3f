"""Its hook has a default for what the hook passes."""

from ovms_core.plugin import Body, Endpoint, hookimpl


class Wrong(Endpoint):
    path = "/hook_default"
    body = Body

    async def execute(self, call):
        yield "a"


@hookimpl
def ovms_register_endpoints(settings=None):
    return [Wrong()]
