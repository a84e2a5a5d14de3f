"""The task, the endpoint and the settings that go with the scripted engine."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from types import SimpleNamespace
from typing import Any

from ovms_core.calls.endpoint import Call, Endpoint
from ovms_core.hookspecs import hookimpl
from ovms_core.model_files import ModelFiles
from ovms_core.request_body.body import Body
from ovms_core.settings import ModelSettings, Settings, TaskOptions
from ovms_core.task import Task
from ovms_core.testing.scripted_engine import Probe, Probed, Script, Word


class ScriptOptions(TaskOptions):
    """Options of the scripted task."""

    slots: int = 32
    load_seconds: float = 0.0
    load_error: str | None = None
    load_death: bool = False


class ScriptBody(Body):
    """The body of ``POST /script``: a `Script`."""

    ignored = frozenset({"metadata"})

    count: int = 3
    seconds: float = 0.0
    padding: int = 0
    text: str = ""
    fail_at: int | None = None
    raise_at: int | None = None
    hang_at: int | None = None
    die_at: int | None = None
    resumable: bool = True
    stream: bool = False


class ScriptEndpoint(Endpoint[ScriptBody]):
    """``POST /script``."""

    path = "/script"
    body = ScriptBody
    task = "scripted"
    streams = True

    def execute(self, call: Call[ScriptBody]) -> AsyncIterator[Word]:
        return call.require_model().submit(Script(**call.body.model_dump(exclude={"model", "stream", "text"})))

    def to_json(self, call: Call[ScriptBody], events: Sequence[Word]) -> object:
        return {"text": "".join(event.text for event in events)}


def _detect(files: ModelFiles) -> int:
    return 100 if files.has("script.json") else 0


TASK = Task(
    name="scripted",
    engine="ovms_core.testing.scripted_engine:ScriptedEngine",
    options=ScriptOptions,
    request=Script | Probe,
    event=Word | Probed,
    detect=_detect,
)


@hookimpl
def _tasks() -> list[Task]:
    return [TASK]


@hookimpl
def _endpoints(settings: Settings) -> list[Endpoint[Any]]:
    return [ScriptEndpoint()]


scripted_plugin = SimpleNamespace(__name__="scripted", ovms_register_tasks=_tasks, ovms_register_endpoints=_endpoints)
"""A plugin with the scripted task and its endpoints, for `app_with`."""


_MODEL_SETTINGS = ("aliases", "required", "load_timeout", "step_timeout")


def scripted_model(name: str = "scripted", *, max_queue: int = 128, **options: Any) -> ModelSettings:
    """The settings of a scripted model; it needs no files. `options` are those of `ScriptOptions`.

    `aliases`, `required`, `load_timeout` and `step_timeout` among them are the model's own settings.
    """
    own = {key: options.pop(key) for key in _MODEL_SETTINGS if key in options}
    here = os.path.dirname(__file__)  # noqa: PTH120 - any folder that exists will do
    return ModelSettings(
        name=name, source=here, task="scripted", max_queue=max_queue, options=options, device="CPU", **own
    )
