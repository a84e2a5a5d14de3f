"""How a plugin failed, in the terms of its author."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.util import find_spec

from ovms_core.diagnostics.tracebacks import author_summary, author_traceback
from ovms_core.errors import PluginError

CORRECT = "Correct the plugin's code where the reason says, or report it to its author"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a plugin is set aside, where its code failed, and what to do about it."""

    reason: str
    traceback: str = ""
    advice: str = CORRECT


class HookError(PluginError):
    """A plugin's implementation of a hook raised, or returned what it must not."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.reason)
        self.failure = failure


def failure_of(error: BaseException, doing: str) -> Failure:
    """How the plugin's code failed with `error`; `doing` begins the reason (``ovms_lifespan failed``)."""
    if isinstance(error, HookError):
        return error.failure
    if isinstance(error, PluginError):
        return Failure(str(error))
    return Failure(f"{doing}: {_told(error)}", author_traceback(error), _advice(error))


def _told(error: BaseException) -> str:
    if isinstance(error, SyntaxError) and error.filename:
        return f"{type(error).__name__}: {error.msg} ({error.filename}:{error.lineno})"
    return author_summary(error)


def _advice(error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name:
        module = error.name.partition(".")[0]
        if module not in sys.modules and find_spec(module) is None:
            likely = module.replace("_", "-")
            return f"Install the package that has the module '{module}', most likely with: pip install {likely}"
    return CORRECT
