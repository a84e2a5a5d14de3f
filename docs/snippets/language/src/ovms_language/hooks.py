"""The entry point."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ovms_core.plugin import hookimpl

if TYPE_CHECKING:
    from ovms_core.plugin import Endpoint, Settings, Task


@hookimpl
def ovms_register_tasks() -> list[Task]:
    from ovms_language.task import LANGUAGE

    return [LANGUAGE]


@hookimpl
def ovms_register_endpoints(settings: Settings) -> list[Endpoint[Any]]:
    from ovms_language.endpoint import Language

    return [Language()]
