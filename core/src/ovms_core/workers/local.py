"""Runs engines in processes of this machine."""

from __future__ import annotations

from collections.abc import Callable

from ovms_core.messages import ModelSpec
from ovms_core.runner import Runner
from ovms_core.settings import ModelSettings
from ovms_core.task import Task
from ovms_core.workers.process import WorkerProcess
from ovms_core.workers.supervisor import Supervisor


def start_local_runner(
    task: Task, model: ModelSpec, settings: ModelSettings, on_change: Callable[[], None], /
) -> Runner:
    """A runner whose worker is a process of this machine. A `RunnerFactory`."""
    supervisor = Supervisor(
        task,
        model,
        WorkerProcess.start,
        max_queue=settings.max_queue,
        load_timeout=settings.load_timeout,
        step_timeout=settings.step_timeout,
        on_change=on_change,
    )
    supervisor.start()
    return supervisor
