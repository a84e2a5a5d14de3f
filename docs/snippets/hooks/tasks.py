"""A plugin that registers a task."""

from ovms_core.plugin import Event, ModelFiles, Request, Task, TaskOptions, hookimpl


class Echo(Request, tag="echo"):
    text: str


class Echoed(Event, tag="echoed"):
    text: str


def detect(files: ModelFiles) -> int:
    return 90 if files.has("echo.json") else 0


ECHO = Task(
    name="echo", engine="my_echo.engine:EchoEngine", options=TaskOptions, request=Echo, event=Echoed, detect=detect
)


@hookimpl
def ovms_register_tasks() -> list[Task]:
    return [ECHO]
