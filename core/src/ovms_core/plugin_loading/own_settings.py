"""The settings that plugins have of their own: asked for and checked before anything else is."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

from ovms_core.configuration.errors import ConfigurationError
from ovms_core.configuration.plugins import RESERVED, plugin_settings, unknown_sections
from ovms_core.errors import PluginError
from ovms_core.plugin_loading.failure import failure_of
from ovms_core.plugin_loading.host import PluginHost
from ovms_core.settings import Settings

HOOK = "ovms_settings"


def with_plugin_settings(host: PluginHost, settings: Settings) -> Settings:
    """`settings` with every plugin's own. A plugin whose hook fails is quarantined.

    Raises `ConfigurationError` with all that is wrong in the plugins' sections, and `PluginError` when two plugins
    declare the same class.
    """
    declared = dict(_declarations(host))
    _refuse_shared(declared)
    silent = host.reports.keys() - set(host.active())  # what they would declare is not known
    problems = unknown_sections(settings, host.reports.keys(), {*declared, *silent})
    found: dict[str, BaseModel] = {}
    for plugin, cls in declared.items():
        try:
            found[plugin] = plugin_settings(plugin, cls, settings)
        except ConfigurationError as error:
            problems.append(str(error))
        except Exception as error:
            host.quarantine(plugin, failure_of(error, "its settings cannot be checked"))
    if problems:
        raise ConfigurationError("\n".join(problems))
    return settings.with_plugins(found)


def _declarations(host: PluginHost) -> Iterator[tuple[str, type[BaseModel]]]:
    for plugin, implementation in host.implementations(HOOK):
        try:
            cls = implementation()
            if cls is not None:
                _check_name(plugin)
                yield plugin, cls
        except PluginError as error:
            host.quarantine(plugin, failure_of(error, f"{HOOK} failed"))


def _check_name(plugin: str) -> None:
    if plugin in RESERVED:
        raise PluginError(f"'plugins.{plugin}' is a setting of the server: call the plugin something else")


def _refuse_shared(declared: dict[str, type[BaseModel]]) -> None:
    owners: dict[type[BaseModel], str] = {}
    for plugin, cls in declared.items():
        if (other := owners.setdefault(cls, plugin)) != plugin:
            raise PluginError(
                f"Plugins '{other}' and '{plugin}' both return {cls.__name__} from {HOOK}: each needs its own class."
            )
