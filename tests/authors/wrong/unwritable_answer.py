"""There is something in its answer that JSON does not have."""

from ovms_core.plugin import Body, Endpoint, hookimpl


class Wrong(Endpoint):
    path = "/unwritable_answer"
    body = Body

    async def execute(self, call):
        yield object()

    def to_json(self, call, events):
        return {"choices": [{"message": {"extra": event}} for event in events]}


@hookimpl
def ovms_register_endpoints():
    return [Wrong()]
