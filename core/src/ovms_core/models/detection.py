"""Which task a model is for, as the tasks themselves see it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from difflib import get_close_matches

from ovms_core.errors import LoadError
from ovms_core.model_files import ModelFiles
from ovms_core.task import Task

log = logging.getLogger("ovms.models")


def choose_task(files: ModelFiles, tasks: Mapping[str, Task], wanted: str | None) -> Task:
    """The task named `wanted`, or else the one that is surest of the files.

    Raises `LoadError` when no task claims them, or when two are equally sure. A task whose `detect` fails claims
    nothing: the models of the other tasks need not suffer.
    """
    if wanted is not None:
        return _named(wanted, tasks)
    scores = {name: score for name, task in tasks.items() if (score := _score(task, files)) > 0}
    if not scores:
        known = ", ".join(sorted(tasks)) or "none: install a plugin such as ovms-llm"
        unread = "".join(f" {problem}" for problem in files.problems)
        raise LoadError(
            f"no installed task recognises the model's files (tasks: {known}).{unread} Set `task` to choose one."
        )
    best = max(scores.values())
    winners = sorted(name for name, score in scores.items() if score == best)
    if len(winners) > 1:
        raise LoadError(f"the model could be for {' or '.join(winners)}. Set `task` to choose one.")
    return tasks[winners[0]]


def _score(task: Task, files: ModelFiles) -> int:
    try:
        return task.detect(files)
    except (Exception, SystemExit):
        log.warning("task '%s' could not examine %s", task.name, files.path, exc_info=True)
        files.problems.append(f"Task '{task.name}' could not examine them; the server's log says why.")
        return 0


def _named(name: str, tasks: Mapping[str, Task]) -> Task:
    if name not in tasks:
        known = ", ".join(sorted(tasks)) or "none"
        close = get_close_matches(name, tasks, n=1)
        hint = f"Did you mean '{close[0]}'?" if close else "Is its plugin installed and active?"
        raise LoadError(f"task '{name}' is unknown. Installed tasks: {known}. {hint}")
    return tasks[name]
