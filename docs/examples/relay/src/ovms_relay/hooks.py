"""The plugin's entry point."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ovms_core.plugin import hookimpl

if TYPE_CHECKING:
    from ovms_core.plugin import Endpoint, Executor, Settings
    from ovms_relay.settings import RelaySettings


@hookimpl
def ovms_settings() -> type[RelaySettings]:
    """The section ``plugins.relay``."""
    from ovms_relay.settings import RelaySettings

    return RelaySettings


@hookimpl
def ovms_executor(endpoint: Endpoint[Any], settings: Settings) -> Executor | None:
    """Chat is executed here or there; without a server to relay to, as ever."""
    from ovms_relay.relay import Relay
    from ovms_relay.settings import RelaySettings

    own = settings.plugin(RelaySettings)
    return Relay(endpoint, own) if own.url and endpoint.path == "/chat/completions" else None
