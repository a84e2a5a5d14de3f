"""The settings that plugins have of their own: asked for and checked before anything else is."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

from ovms_core.configuration.errors import ConfigurationError
from ovms_core.configuration.plugins import RESERVED, is_declaration, plugin_settings, unknown_sections
from ovms_core.errors import PluginError
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
    found: dict[type[BaseModel], BaseModel] = {}
    for plugin, cls in declared.items():
        try:
            found[cls] = plugin_settings(plugin, cls, settings)
        except ConfigurationError as error:
            problems.append(str(error))
        except Exception as error:
            host.quarantine(plugin, f"its settings cannot be checked: {type(error).__name__}: {error}")
    if problems:
        raise ConfigurationError("\n".join(problems))
    return settings.with_plugins(found)


def _declarations(host: PluginHost) -> Iterator[tuple[str, type[BaseModel]]]:
    for plugin, implementation in host.implementations(HOOK):
        try:
            cls = implementation()
            _check(plugin, cls)
        except Exception as error:
            host.quarantine(plugin, f"{HOOK} failed: {type(error).__name__}: {error}")
        else:
            if cls is not None:
                yield plugin, cls


def _check(plugin: str, cls: object) -> None:
    if cls is not None and not is_declaration(cls):
        raise PluginError(f"it returns {cls!r}: return a class derived from pydantic's BaseModel, or None")
    if cls is not None and plugin in RESERVED:
        raise PluginError(f"'plugins.{plugin}' is a setting of the server: call the plugin something else")


def _refuse_shared(declared: dict[str, type[BaseModel]]) -> None:
    owners: dict[type[BaseModel], str] = {}
    for plugin, cls in declared.items():
        if (other := owners.setdefault(cls, plugin)) != plugin:
            raise PluginError(
                f"Plugins '{other}' and '{plugin}' both return {cls.__name__} from {HOOK}: each needs its own class."
            )
