"""Its events are objects that nobody else can look into."""

from collections.abc import AsyncIterator

from ovms_core.plugin import Body, Call, Endpoint, hookimpl


class Spoken:
    def __init__(self, text):
        self.text = text


class Wrong(Endpoint[Body]):
    path = "/events_are_objects"
    body = Body

    async def execute(self, call: Call[Body]) -> AsyncIterator[list[Spoken]]:
        yield [Spoken("hello")]


@hookimpl
def ovms_register_endpoints():
    return [Wrong()]
