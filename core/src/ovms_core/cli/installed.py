"""The installed plugins, for subcommands other than `serve`."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ovms_core.plugin_loading.host import PluginHost
    from ovms_core.plugin_loading.loader import PluginSelection
    from ovms_core.plugin_loading.offerings import Offerings
    from ovms_core.settings import Settings


def load_quietly(settings: PluginSelection) -> PluginHost:
    """The plugins; why one is set aside is in its report, and not logged."""
    from ovms_core.plugin_loading.loader import load_plugins

    _be_quiet()
    return load_plugins(settings)


def _be_quiet() -> None:
    logging.getLogger("ovms.plugins").addHandler(logging.NullHandler())
    tell_what_is_slow()


def tell_what_is_slow() -> None:
    """Let the user know which plugin a command waits for, where nothing else is logged."""
    slow = logging.getLogger("ovms.plugins.slow")
    if not slow.handlers and not logging.getLogger().handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("ovms: %(message)s"))
        slow.addHandler(handler)


@contextmanager
def logged_once() -> Iterator[None]:
    """Keep what was logged of the plugins once from being logged again, should they be loaded again."""
    told: set[str] = set()

    def is_new(record: logging.LogRecord) -> bool:
        known = record.getMessage() in told
        told.add(record.getMessage())
        return not known

    log = logging.getLogger("ovms.plugins")
    log.addFilter(is_new)
    try:
        yield
    finally:
        log.removeFilter(is_new)


def gather_quietly(settings: Settings) -> tuple[PluginHost, Offerings]:
    """The plugins, and what they offer."""
    from ovms_core.plugin_loading.offerings import gather

    host = load_quietly(settings.plugins)
    return host, gather(host, settings)


def examined_plugins(settings: Settings) -> tuple[PluginHost, dict[str, list[str]]]:
    """The plugins as a server has them, and what they wrap. Why it would not start stands in the host's `stops`."""
    from ovms_core.errors import PluginError
    from ovms_core.plugin_loading.loader import load_plugins
    from ovms_core.plugin_loading.nesting import nestings
    from ovms_core.plugin_loading.offerings import gather

    _be_quiet()
    host = load_plugins(settings.plugins, examined=True)
    offerings = gather(host, settings)
    try:
        return host, nestings(host, [endpoint for _, endpoint in offerings.endpoints], offerings.settings)
    except PluginError as error:
        host.stop(str(error))
        return host, {}
