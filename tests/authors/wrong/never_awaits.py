"""Its events never end, and are there at once."""

from ovms_core.plugin import Body, Endpoint, hookimpl


class Wrong(Endpoint):
    path = "/never_awaits"
    body = Body

    async def execute(self, call):
        while True:
            yield "again"


@hookimpl
def ovms_register_endpoints():
    return [Wrong()]
