"""It makes the answer in an async function."""

from ovms_core.plugin import Body, Endpoint, hookimpl


class Wrong(Endpoint):
    path = "/to_json_is_async"
    body = Body

    async def execute(self, call):
        yield "a"

    async def to_json(self, call, events):
        return {"text": events[0]}


@hookimpl
def ovms_register_endpoints():
    return [Wrong()]
