"""Which hooks a plugin implements, and whether it does so as hooks want it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from difflib import get_close_matches
from inspect import Parameter
from typing import Any, get_args

from ovms_core import hookspecs
from ovms_core.errors import PluginError
from ovms_core.hookspecs import Place, place_of
from ovms_core.plugin_loading.checks.functions import placed

WRAPS = ("ovms_wrap_execution", "ovms_wrap_app", "ovms_wrap_server")
"""The hooks that wrap."""
GUARDS = (*WRAPS, "ovms_authenticate")
"""A plugin with one of these hooks may guard requests, so the server does not start without it."""
_MARKER = f"{hookspecs.PROJECT}_impl"
_PASSED = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


def specifications() -> list[str]:
    """The names of all hooks."""
    return [name for name in vars(hookspecs) if name.startswith("ovms_")]


def implementations(plugin: object) -> list[str]:
    """The names of the functions of `plugin` that are marked, hooks or not."""
    return [name for name in dir(plugin) if hasattr(getattr(plugin, name, None), _MARKER)]


def means_to_guard(plugin: object) -> bool:
    """Whether a plugin has a hook that guards requests, marked or not, or misspells one."""
    names = {*implementations(plugin), *(set(GUARDS) & set(dir(plugin)))}
    return any(get_close_matches(name, specifications(), n=1)[:1] == [hook] for name in names for hook in GUARDS)


def check_implementations(plugin: object) -> None:
    """Raise `PluginError` for hooks that are not there, and for implementations that could not be called."""
    marked, known = implementations(plugin), specifications()
    if misspelt := sorted(set(marked) - set(known)):
        message = f"implements hooks that do not exist: {', '.join(misspelt)}{_suggestion(misspelt[0], known)}"
        raise PluginError(placed(message, getattr(plugin, misspelt[0])))
    if unmarked := sorted(set(known) & set(dir(plugin)) - set(marked)):
        raise PluginError(placed(f"does not mark {', '.join(unmarked)} with @hookimpl", getattr(plugin, unmarked[0])))
    if not marked:
        raise PluginError("implements no hook: mark its functions with @hookimpl")
    for name in marked:
        for fault in _faults(name, plugin):
            raise PluginError(placed(fault, getattr(plugin, name)))


def _faults(hook: str, plugin: object) -> Iterator[str]:
    implementation = getattr(plugin, hook)
    if not _is_plain(implementation):
        hint = ", so put @asynccontextmanager between @hookimpl and it" if hook == "ovms_lifespan" else ""
        yield f"implements {hook} as a coroutine or wrapper: hooks are plain functions{hint}"
    if isinstance(plugin, type) and inspect.isfunction(vars(plugin).get(hook)):
        yield f"is the class {plugin.__name__}: its entry point must name an object of it ({plugin.__name__}())"
    yield from _argument_faults(hook, implementation)
    yield from _place_faults(hook, place_of(implementation))


def _is_plain(implementation: Any) -> bool:
    options = getattr(implementation, _MARKER)
    wraps = options["wrapper"] or options["hookwrapper"]
    return not (wraps or inspect.iscoroutinefunction(implementation) or inspect.isasyncgenfunction(implementation))


def _argument_faults(hook: str, implementation: Any) -> Iterator[str]:
    """pluggy passes what a hook has and the implementation takes, and never what has a default."""
    passed = [*inspect.signature(getattr(hookspecs, hook)).parameters]
    for parameter in inspect.signature(implementation).parameters.values():
        name, defaults = parameter.name, parameter.default is not Parameter.empty
        if defaults and name in passed:
            yield f"has a default for '{name}' of {hook}, which then keeps it: leave out the default"
        elif not defaults and parameter.kind is Parameter.KEYWORD_ONLY:
            yield f"takes '{name}' of {hook} by keyword only: leave out the '*' before it"
        elif not defaults and parameter.kind in _PASSED and name not in passed:
            hint = _suggestion(name, passed)
            yield f"takes '{name}' in {hook}, which that hook does not pass{hint}: it passes {_listed(passed)}"


def _listed(passed: list[str]) -> str:
    return " and ".join(passed) or "nothing"


def _place_faults(hook: str, place: Place | None) -> Iterator[str]:
    if place is not None and place not in get_args(Place):
        yield f"marks {hook} with nests={place!r}, which is none of 'outside', 'inside' or 'anywhere'"
    if place is not None and hook not in WRAPS:
        yield f"says how {hook} nests, which wraps nothing"


def _suggestion(name: str, known: list[str]) -> str:
    close = get_close_matches(name, known, n=1)
    return f" (did you mean {close[0]}?)" if close else ""
