"""The installed plugins, for subcommands other than `serve`."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ovms_core.plugin_loading.host import PluginHost
    from ovms_core.plugin_loading.loader import PluginSelection
    from ovms_core.plugin_loading.offerings import Offerings
    from ovms_core.settings import Settings


def load_quietly(settings: PluginSelection) -> PluginHost:
    """The plugins; why one is set aside is in its report, and not logged."""
    from ovms_core.plugin_loading.loader import load_plugins

    logging.getLogger("ovms.plugins").addHandler(logging.NullHandler())
    return load_plugins(settings)


def gather_quietly(settings: Settings) -> tuple[PluginHost, Offerings]:
    """The plugins, and what they offer."""
    from ovms_core.plugin_loading.offerings import gather

    host = load_quietly(settings.plugins)
    return host, gather(host, settings)
