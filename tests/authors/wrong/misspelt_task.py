"""It misspells the task of another plugin."""

from ovms_core.plugin import Body, Endpoint, hookimpl


class Wrong(Endpoint):
    path = "/misspelt_task"
    body = Body
    task = "embedings"

    async def execute(self, call):
        yield "a"


@hookimpl
def ovms_register_endpoints():
    return [Wrong()]
