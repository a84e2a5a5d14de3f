"""The body of its endpoint derives from pydantic's base."""

from pydantic import BaseModel

from ovms_core.plugin import Endpoint, hookimpl


class Text(BaseModel):
    text: str


class Wrong(Endpoint):
    path = "/body_of_pydantic"
    body = Text

    async def execute(self, call):
        yield "a"


@hookimpl
def ovms_register_endpoints():
    return [Wrong()]
