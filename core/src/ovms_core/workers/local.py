"""Runs engines in processes of this machine."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ovms_core.messages import ModelSpec
from ovms_core.runner import Runner, RunnerFactory
from ovms_core.settings import ModelSettings, Settings
from ovms_core.task import Task
from ovms_core.workers.process import WorkerProcess
from ovms_core.workers.supervisor import Supervisor


def local_runners(settings: Settings) -> RunnerFactory:
    """What starts runners whose workers are processes of this machine."""

    def start(task: Task, model: ModelSpec, limits: ModelSettings, on_change: Callable[[], None], /) -> Runner:
        variables, patience = settings.worker_environment, limits.step_timeout
        supervisor = Supervisor(
            task,
            model,
            partial(WorkerProcess.start, variables=variables, step_timeout=patience),
            max_queue=limits.max_queue,
            load_timeout=limits.load_timeout,
            step_timeout=limits.step_timeout,
            on_change=on_change,
        )
        supervisor.start()
        return supervisor

    return start
