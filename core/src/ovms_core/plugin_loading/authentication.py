"""Who says whose a request is: at most one plugin, and the server does not start if that one fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ovms_core.diagnostics.attribution import Owned
from ovms_core.errors import PluginError
from ovms_core.plugin_loading.failure import HookError
from ovms_core.plugin_loading.host import PluginHost

if TYPE_CHECKING:
    from ovms_core.http.auth import Authenticator
    from ovms_core.settings import Settings


def authenticator(host: PluginHost, settings: Settings) -> Owned[Authenticator] | None:
    """The authenticator, with the name of its plugin. Raises `PluginError` when it fails, or when there are two."""
    found: list[Owned[Authenticator]] = []
    for owner, implementation in host.implementations("ovms_authenticate"):
        try:
            answer = implementation(settings=settings)
        except HookError as error:
            host.quarantine(owner, error.failure)
            continue
        if answer is not None:
            found.append(Owned(owner, answer))
    if len(found) > 1:
        both = " and ".join(f"'{each.owner}'" for each in found)
        raise PluginError(f"Plugins {both} both answer ovms_authenticate. Block one of them (plugins.block).")
    return found[0] if found else None
