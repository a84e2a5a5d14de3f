"""Whether a guardrail will be able to look into the events of an endpoint, as far as their type tells."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable, Iterator
from typing import Annotated, Any, get_args, get_origin

from ovms_core.answers.event_texts import layout_of, may_hold_text, types_of_members
from ovms_core.calls.endpoint import Endpoint
from ovms_core.plugin_loading.checks.functions import placed
from ovms_core.plugin_loading.failure import Failure
from ovms_core.plugin_loading.host import PluginHost

_LOOKED_INTO = (str, dict, list, tuple, set, frozenset)


def check_events(host: PluginHost, endpoints: Iterable[tuple[str, Endpoint[Any]]]) -> None:
    """Warn of `endpoints` with events that `windowed` cannot look into: behind a guardrail their requests fail."""
    for owner, endpoint in endpoints:
        names = ", ".join(dict.fromkeys(f"{cls.__module__}.{cls.__qualname__}" for cls in _unseen(endpoint)))
        if names:
            message = (
                f"{type(endpoint).__name__}.execute gives {names}, which guardrails cannot look into: behind one that "
                "reads answers, its requests fail. Give subclasses of ovms_core.plugin.Event, dataclasses or pydantic "
                "models, or strings, numbers, lists and dictionaries"
            )
            host.warn(owner, Failure(placed(message, type(endpoint).execute)))


def _unseen(endpoint: Endpoint[Any]) -> Iterator[type]:
    returned = types_of_members(type(endpoint).execute).get("return")
    origin = get_origin(returned)
    if isinstance(origin, type) and issubclass(origin, AsyncIterable):
        yield from _unseen_in(get_args(returned)[0], ())


def _unseen_in(hint: Any, around: tuple[type, ...]) -> Iterator[type]:
    """The classes in a type that cannot be looked into; `around` are those that it is a member of."""
    if not may_hold_text(hint):
        return
    arguments = get_args(hint)[:1] if get_origin(hint) is Annotated else get_args(hint)
    for argument in arguments:
        yield from _unseen_in(argument, around)
    if arguments or not isinstance(hint, type) or hint in (object, Any, *around) or issubclass(hint, _LOOKED_INTO):
        return
    layout = layout_of(hint)
    if layout is None:
        yield hint
        return
    hints = types_of_members(hint)
    for name in layout.others:
        yield from _unseen_in(hints.get(name, Any), (*around, hint))
