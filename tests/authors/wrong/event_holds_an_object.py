"""Its event holds an object of a class of its own, and a guard reads its answers."""

from typing import Any

from ovms_core.plugin import Body, Endpoint, Event, hookimpl, windowed


class Spoken:
    def __init__(self, text):
        self.text = text


class Told(Event):
    said: Any


class Wrong(Endpoint):
    path = "/event_holds_an_object"
    body = Body

    async def execute(self, call):
        yield Told(Spoken("hello"))


@hookimpl
def ovms_register_endpoints():
    return [Wrong()]


async def guard(call, proceed):
    async for window in windowed(proceed(call), 5):
        for event in window.release():
            yield event


@hookimpl(nests="anywhere")
def ovms_wrap_execution(endpoint):
    return guard if isinstance(endpoint, Wrong) else None
