"""Its hook takes what the hook does not pass."""

from ovms_core.plugin import Body, Endpoint, hookimpl


class Wrong(Endpoint):
    path = "/hook_argument"
    body = Body

    async def execute(self, call):
        yield "a"


@hookimpl
def ovms_register_endpoints(setings):
    return [Wrong()]
