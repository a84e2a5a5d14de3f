"""It takes an event for granted."""

from ovms_core.plugin import Body, Endpoint, hookimpl


class Wrong(Endpoint):
    path = "/to_json_raises"
    body = Body

    async def execute(self, call):
        for word in ():
            yield word

    def to_json(self, call, events):
        return {"first": events[0]}


@hookimpl
def ovms_register_endpoints():
    return [Wrong()]
