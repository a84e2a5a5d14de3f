"""Its endpoint returns its event, where it must yield events."""

from ovms_core.plugin import Body, Endpoint, hookimpl


class Wrong(Endpoint):
    path = "/execute_is_a_coroutine"
    body = Body

    async def execute(self, call):
        return "a"


@hookimpl
def ovms_register_endpoints():
    return [Wrong()]
