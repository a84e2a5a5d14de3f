"""Whether tasks can work, and whether the tasks of endpoints are there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel

from ovms_core.calls.endpoint import Endpoint
from ovms_core.errors import PluginError
from ovms_core.plugin_loading.checks.functions import described, placed, plain_fault
from ovms_core.plugin_loading.failure import Failure
from ovms_core.plugin_loading.host import PluginHost
from ovms_core.plugin_report import PluginState
from ovms_core.task import Task

_IMPORT_PATH = re.compile(r"[\w.]+:\w+")


def check_task(task: Task) -> Task:
    """`task`, if it can work. Raises `PluginError`."""
    for fault in _faults(task):
        raise PluginError(f"the task {task.name!r} cannot be used: {fault}")
    return task


def _faults(task: Task) -> Iterator[str]:
    engine, options, variants = (getattr(task, name) for name in ("engine", "options", "variants"))
    if not (isinstance(engine, str) and _IMPORT_PATH.fullmatch(engine)):
        yield f"its engine is {described(engine)}, not an import path such as 'my_plugin.engine:MyEngine'"
    if not (isinstance(options, type) and issubclass(options, BaseModel)):
        yield f"its options are {described(options)}: they must be a class that derives from TaskOptions"
    for name, function, argument in (("detect", task.detect, "files"), ("variants", variants, "options")):
        if fault := plain_fault(function, argument):
            yield placed(f"its {name} is no function for it: {fault}", function)


def check_endpoints_tasks(
    host: PluginHost, endpoints: Iterable[tuple[str, Endpoint[Any]]], tasks: Iterable[Task]
) -> None:
    """Set plugins aside whose endpoints misspell a task; warn where the task's plugin may just not be here."""
    known = sorted({task.name for task in tasks})
    all_active = all(report.state is PluginState.ACTIVE for report in host.reports.values())
    for owner, endpoint in endpoints:
        if endpoint.task is None or endpoint.task in known or owner not in host.active():
            continue
        close = get_close_matches(endpoint.task, known, n=1, cutoff=0.8)
        message = f"{type(endpoint).__name__}.task is '{endpoint.task}', which no plugin here has"
        hint = f" (did you mean '{close[0]}'?)" if close else ""
        message = placed(f"{message}{hint}. Those here: {', '.join(known) or 'none'}", type(endpoint))
        if close and all_active:
            host.quarantine(owner, Failure(message))
        else:
            host.warn(owner, Failure(f"{message}. Until it is there, {endpoint.path} answers 404"))
