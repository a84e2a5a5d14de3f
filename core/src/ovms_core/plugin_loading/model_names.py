"""Whether the models that the plugins' own settings name are served."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

from ovms_core.configuration.errors import ConfigurationError, suggestion
from ovms_core.configuration.plugins import written_name
from ovms_core.diagnostics.field_errors import Path, json_path
from ovms_core.models.registry import Models
from ovms_core.plugin_loading.failure import Failure
from ovms_core.plugin_loading.host import PluginHost
from ovms_core.settings import ModelName, Settings


def check_model_names(host: PluginHost, settings: Settings, models: Models) -> None:
    """Raise `ConfigurationError` with every `ModelName` that none of `models` has.

    Only a warning where a model may still bring the name, such as an adapter's: its files are not here yet. Without
    any model in the settings nothing is checked: whoever serves them then knows their names.
    """
    if not settings.models:
        return
    may_come = any(model.task is None and model.settings.options for model in models)
    problems = []
    for plugin, problem in _problems(settings, [name for model in models for name in model.names]):
        if may_come:
            host.warn(plugin, Failure(f"{problem} Its requests fail unless a model brings this name."))
        else:
            problems.append(problem)
    if problems:
        raise ConfigurationError("\n".join(problems))


def _problems(settings: Settings, served: list[str]) -> Iterator[tuple[str, str]]:
    for plugin, own in settings.by_plugin.items():
        for path, name in _model_names(own, ("plugins", written_name(plugin, settings))):
            if name not in served:
                said = f"'{json_path(path)}' is '{name}', which no model is called. Served are: {', '.join(served)}."
                yield plugin, settings.written(path) + said + suggestion(name, served)


def _model_names(value: object, at: Path) -> Iterator[tuple[Path, ModelName]]:
    """Every `ModelName` in `value`, with its path."""
    if isinstance(value, ModelName):
        yield at, value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _model_names(getattr(value, name), (*at, name))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _model_names(item, (*at, str(key)))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _model_names(item, (*at, index))
