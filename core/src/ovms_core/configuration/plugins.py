"""The plugins' own settings: each plugin's section, ``plugins.NAME``, checked against the class that it declares."""

from __future__ import annotations

from collections.abc import Collection

from ovms_core.configuration.environment import read_texts, variable_part
from ovms_core.configuration.errors import ConfigurationError, M, suggestion, validated
from ovms_core.settings import PluginSettings, Settings

RESERVED = frozenset(PluginSettings.model_fields)
"""The keys of ``plugins`` that are no plugin's section."""


def plugin_settings(plugin: str, cls: type[M], settings: Settings) -> M:
    """The section of `plugin` as its `cls`; what is not set has its default.

    Raises `ConfigurationError` with the path of what is wrong, and the place where it was written.
    """
    name = written_name(plugin, settings)
    values = read_texts(settings.plugins.sections.get(name, {}), cls)
    strict = not cls.model_config.get("extra")
    return validated(cls, values, settings.where, ("plugins", name), strict=strict)


def written_name(plugin: str, settings: Settings) -> str:
    """What the section of `plugin` is called: ``my-notes`` may be ``my_notes``, as it is in variables."""
    same = [name for name in settings.plugins.sections if variable_part(name) == variable_part(plugin)]
    if len(same) > 1:
        both = " and ".join(f"'plugins.{name}'" for name in same)
        raise ConfigurationError(f"{both} are the settings of the same plugin, '{plugin}': write one of them.")
    return same[0] if same else plugin


def unknown_sections(settings: Settings, installed: Collection[str], declared: Collection[str]) -> list[str]:
    """What is wrong with the sections of plugins that are not `installed`, or have no settings (`declared`)."""
    parts = {variable_part(name): name for name in installed}
    return [
        _unknown(section, parts.get(variable_part(section)), settings, installed)
        for section in settings.plugins.sections
        if parts.get(variable_part(section)) not in declared
    ]


def _unknown(section: str, plugin: str | None, settings: Settings, installed: Collection[str]) -> str:
    written = settings.written(("plugins", section))
    if plugin is not None:
        return f"{written}'plugins.{section}' is not a setting: the plugin '{plugin}' has no settings of its own."
    names = ", ".join(sorted(installed))
    close = suggestion(section, [*RESERVED, *installed])
    return f"{written}'plugins.{section}' is not a setting, and no plugin has that name. Installed: {names}.{close}"
