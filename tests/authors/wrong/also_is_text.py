"""A comma is missing, so that its further path is a text and not a tuple."""

from ovms_core.plugin import Body, Endpoint, hookimpl


class Wrong(Endpoint):
    path = "/also_is_text"
    body = Body
    also = "/louder"

    async def execute(self, call):
        yield "a"


@hookimpl
def ovms_register_endpoints():
    return [Wrong()]
