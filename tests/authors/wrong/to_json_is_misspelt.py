"""It makes the answer in a method that nobody calls."""

from ovms_core.plugin import Body, Endpoint, hookimpl


class Wrong(Endpoint):
    path = "/to_json_is_misspelt"
    body = Body

    async def execute(self, call):
        yield "a"

    def to_jsn(self, call, events):
        return {"text": "a"}


@hookimpl
def ovms_register_endpoints():
    return [Wrong()]
