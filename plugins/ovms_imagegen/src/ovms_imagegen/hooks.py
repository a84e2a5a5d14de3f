"""What the plugin registers: the task, its endpoints and the command ``ovms image``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ovms_core.plugin import hookimpl

if TYPE_CHECKING:
    import typer

    from ovms_core.plugin import Endpoint, Settings, Task


@hookimpl
def ovms_register_tasks() -> Iterable[Task]:
    from ovms_imagegen.task import IMAGE_GENERATION

    return [IMAGE_GENERATION]


@hookimpl
def ovms_register_endpoints(settings: Settings) -> Iterable[Endpoint[Any]]:
    from ovms_imagegen.http.endpoints import Edits, Generations, Variations
    from ovms_imagegen.http.files import KeptFiles, folders

    return [Generations(), Edits(), Variations(), KeptFiles(folders(settings))]


@hookimpl
def ovms_register_commands(cli: typer.Typer) -> None:
    from ovms_imagegen.command.image import register

    register(cli)
