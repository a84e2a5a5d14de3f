"""It makes the answer in a function that takes no events."""

from ovms_core.plugin import Body, Endpoint, hookimpl


class Wrong(Endpoint):
    path = "/to_json_without_events"
    body = Body

    async def execute(self, call):
        yield "a"

    def to_json(self, call):
        return {"text": "a"}


@hookimpl
def ovms_register_endpoints():
    return [Wrong()]
