"""What the wrong engines share: all that is right in them."""

from contextlib import aclosing

from ovms_core.engine import DONE, Engine, EngineInfo, Event, Request
from ovms_core.plugin import Body, Endpoint, Task, TaskOptions, hookimpl


class Say(Request, tag="say"):
    text: str = "a"


class Said(Event, tag="said"):
    text: str


class Right(Engine):
    """Says it again."""

    def __init__(self, model):
        self.waiting = {}

    def info(self):
        return EngineInfo(slots=8, device="CPU")

    def add(self, id, request):
        self.waiting[id] = request

    def cancel(self, id):
        self.waiting.pop(id, None)

    def step(self):
        id, request = self.waiting.popitem()
        yield id, Said(request.text)
        yield id, DONE


def hooks_of(module):
    """The hooks of a plugin with the engine `Wrong` in `module`."""
    name = module.rpartition(".")[2]

    class Ask(Endpoint):
        path = f"/{name}"
        body = Body
        task = name

        async def execute(self, call):
            async with aclosing(call.require_model().submit(Say())) as events:
                async for event in events:
                    yield event

    @hookimpl
    def tasks():
        return [Task(name, f"{module}:Wrong", TaskOptions, Say, Said, detect=lambda files: 0)]

    @hookimpl
    def endpoints():
        return [Ask()]

    return tasks, endpoints
