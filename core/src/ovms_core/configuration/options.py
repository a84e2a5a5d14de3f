"""The `options:` section of a model, checked against its task."""

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


def _nowhere(path: object) -> None:
    return None
