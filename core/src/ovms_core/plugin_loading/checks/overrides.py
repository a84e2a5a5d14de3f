"""Whether an endpoint overrides what its author meant to: a misspelt method is a new one, and the default answers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from difflib import get_close_matches
from inspect import isfunction
from typing import Any

from ovms_core.calls.endpoint import Endpoint
from ovms_core.plugin_loading.checks.functions import placed
from ovms_core.plugin_loading.failure import Failure
from ovms_core.plugin_loading.host import PluginHost

_OWN = {name for cls in Endpoint.__mro__ for name, value in vars(cls).items() if isfunction(value) and name[0] != "_"}
"""The methods that an author can override."""


def check_overrides(
    host: PluginHost, endpoints: Iterable[tuple[str, Endpoint[Any]]], formatted: Collection[Endpoint[Any]]
) -> None:
    """Warn of methods that are nearly one of `Endpoint`'s, and of endpoints without an answer of their own.

    Those in `formatted` have it from a plugin's formatter.
    """
    for owner, endpoint in endpoints:
        misspelt = dict(_misspelt(type(endpoint)))
        for message in misspelt.values():
            host.warn(owner, Failure(message))
        if endpoint not in formatted and "to_json" not in misspelt and _has_no_answer(type(endpoint)):
            name = type(endpoint).__name__
            message = f'{name} has no to_json, so its whole answer is {{"events": [...]}}: define to_json'
            host.warn(owner, Failure(placed(message, type(endpoint))))


def _has_no_answer(cls: type[Endpoint[Any]]) -> bool:
    return cls.to_json is Endpoint.to_json and cls.unary is Endpoint.unary


def _misspelt(cls: type[Endpoint[Any]]) -> Iterator[tuple[str, str]]:
    """The methods of `Endpoint` that are not overridden, where one has nearly their name, with what to say of it."""
    not_overridden = [name for name in _OWN if getattr(cls, name) is getattr(Endpoint, name)]
    for each in cls.__mro__[: cls.__mro__.index(Endpoint)]:
        for name, value in vars(each).items():
            if isfunction(value) and not name.startswith("_") and name not in _OWN:
                for meant in get_close_matches(name, not_overridden, n=1, cutoff=0.8):
                    message = f"{each.__name__}.{name} overrides nothing: did you mean '{meant}'? Else rename it"
                    yield meant, placed(message, value)
