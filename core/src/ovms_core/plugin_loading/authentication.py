"""Who says whose a request is: at most one plugin, and the server does not start if that one fails."""

from __future__ import annotations

from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

from ovms_core.errors import PluginError
from ovms_core.http.auth import Authenticator
from ovms_core.plugin_loading.host import PluginHost

if TYPE_CHECKING:
    from ovms_core.settings import Settings

_HOOK = "ovms_authenticate"


def authenticator(host: PluginHost, settings: Settings) -> tuple[str, Authenticator] | None:
    """The authenticator, with the name of its plugin. Raises `PluginError` when it fails, or when there are two."""
    found = []
    for owner, implementation in host.implementations(_HOOK):
        try:
            answer = implementation(settings=settings)
        except Exception as error:
            message = f"Plugin '{owner}' failed in {_HOOK}: {type(error).__name__}: {error}"
            raise PluginError(f"{message}. It guards requests, so the server does not start without it.") from error
        if answer is not None:
            found.append((owner, _usable(owner, answer)))
    if len(found) > 1:
        both = " and ".join(f"'{owner}'" for owner, _ in found)
        raise PluginError(f"Plugins {both} both answer {_HOOK}. Block one of them (plugins.block).")
    return found[0] if found else None


def _usable(owner: str, answer: Any) -> Authenticator:
    if iscoroutinefunction(answer) or iscoroutinefunction(type(answer).__call__):
        usable: Authenticator = answer
        return usable
    raise PluginError(
        f"Plugin '{owner}' answers {_HOOK} with {answer!r}. Return an async function that takes an HTTPConnection "
        "and returns the owner's name, or None."
    )
