"""What kind a function is that a plugin hands over, and whether it takes what it will be given."""

from __future__ import annotations

import inspect
import reprlib
from collections.abc import Callable
from typing import Any

from ovms_core.diagnostics.tracebacks import definition_place

_AWAITABLES = ("Any", "Awaitable", "Coroutine", "Future", "Task")


def generator_fault(function: Any, *arguments: str) -> str | None:
    """What keeps `function` from being used as an async generator function of `arguments`; `None` if nothing does.

    A plain function may return an async iterator that something else made.
    """
    if not callable(function):
        return "it cannot be called"
    if _is(inspect.iscoroutinefunction, function):
        return "it is an async function without a 'yield': yield the events, one by one"
    if _is(inspect.isgeneratorfunction, function):
        return "it is a generator that is not async: write 'async def'"
    return _arguments_fault(function, arguments)


def coroutine_fault(function: Any, *arguments: str) -> str | None:
    """What keeps `function` from being used as an async function of `arguments`."""
    if not callable(function):
        return "it cannot be called"
    if _is(inspect.isasyncgenfunction, function):
        return "it is an async generator: write 'return' in place of 'yield'"
    if not _is(inspect.iscoroutinefunction, function) and not _may_return_awaitable(function):
        return "it is no async function: write 'async def'"
    return _arguments_fault(function, arguments)


def plain_fault(function: Any, *arguments: str) -> str | None:
    """What keeps `function` from being used as a function of `arguments` that is not async; ``name=`` is a keyword."""
    if not callable(function):
        return "it cannot be called"
    if _is(inspect.iscoroutinefunction, function) or _is(inspect.isasyncgenfunction, function):
        return "it is async, and nobody awaits it: write 'def'"
    return _arguments_fault(function, arguments)


def described(value: Any) -> str:
    """`value` in an error message: ``a Shout``, ``the class Shout``, ``the function guard``."""
    if value is None or isinstance(value, str | int | float | bool):
        return reprlib.repr(value)
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if inspect.isroutine(value):
        return f"the function {value.__name__}"
    name = type(value).__name__
    return f"{'an' if name[0] in 'AEIOUaeiou' else 'a'} {name}"


def placed(message: str, thing: Any) -> str:
    """`message`, with where `thing` is written."""
    place = definition_place(thing)
    return f"{message} ({place})" if place else message


def _is(kind: Callable[[Any], bool], function: Any) -> bool:
    return kind(function) or (not inspect.isroutine(function) and kind(type(function).__call__))


def _may_return_awaitable(function: Any) -> bool:
    """A plain function may hand on what an async one returns; then it says so, or is wrapped by something."""
    if not inspect.isroutine(function) or hasattr(function, "__wrapped__"):
        return True
    returned = str(getattr(function, "__annotations__", {}).get("return", ""))
    return any(name in returned for name in _AWAITABLES)


def _arguments_fault(function: Any, arguments: tuple[str, ...]) -> str | None:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # of C, which does not say
        return None
    try:
        named = {argument[:-1]: None for argument in arguments if argument.endswith("=")}
        signature.bind(*arguments[: len(arguments) - len(named)], **named)
    except TypeError:
        return f"it takes {signature}, and is called with ({', '.join(arguments)})"
    return None
