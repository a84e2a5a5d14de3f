"""The `options:` sections: a model's, checked against its task, and a plugin's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel

from ovms_core.configuration.errors import validated
from ovms_core.settings import Settings

O = TypeVar("O", bound=BaseModel)  # noqa: E741


def validate_options(
    model: int | str, options_cls: type[O], options: Mapping[str, Any], settings: Settings | None = None
) -> O:
    """`options` of ``models[model]`` as the task's `options_cls`; of ``models.NAME`` for one that no settings list.

    Raises `ConfigurationError` with the path of what is wrong (``models[0].options.cache_siz``), and, given
    the `settings` that they are from, the place where it was written.
    """
    at = ("models", model, "options")
    return validated(options_cls, dict(options), settings.where if settings else _nowhere, at)


def plugin_options(plugin: str, options_cls: type[O], settings: Settings) -> O:
    """The options of `plugin`, ``plugins.options.NAME``, as its `options_cls`; what is not set has its default.

    Call it in ``ovms_register_endpoints``. Raises `ConfigurationError`, which stops the start, with the path of what
    is wrong and the place where it was written.

    Example::

        class NotesOptions(BaseModel):
            model_config = ConfigDict(extra="forbid")

            path: str | None = None

        options = plugin_options("notes", NotesOptions, settings)
    """
    at = ("plugins", "options", plugin)
    return validated(options_cls, settings.plugins.options.get(plugin, {}), settings.where, at)


def _nowhere(path: object) -> None:
    return None
