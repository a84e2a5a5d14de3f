"""Its hook is not marked."""

from ovms_core.plugin import Body, Endpoint


class Wrong(Endpoint):
    path = "/unmarked_hook"
    body = Body

    async def execute(self, call):
        yield "a"


def ovms_register_endpoints():
    return [Wrong()]
