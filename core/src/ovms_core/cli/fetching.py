"""Fetches models with a progress bar."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ovms_core.cli.installed import gather_quietly
from ovms_core.cli.output import open_console
from ovms_core.cli.progress import Downloads
from ovms_core.models.reference import parse_reference
from ovms_core.models.repository import Repository
from ovms_core.settings import Settings


def open_repository(settings: Settings) -> Repository:
    """The model repository that the settings name, or the default one."""
    return Repository(Path(settings.model_repository) if settings.model_repository else None)


def fetch_all(sources: Sequence[str], settings: Settings) -> None:
    """Fetch every one of `sources`, and say where it is. Raises `SourceError` at the first that cannot be had."""
    _, offerings = gather_quietly(settings)
    references = [parse_reference(source, offerings.sources) for source in sources]
    repository, console = open_repository(settings), open_console()
    repository.equip()
    with Downloads(open_console(stderr=True)) as downloads:
        for reference in references:
            source = offerings.sources[reference.scheme]
            with downloads.of(str(reference)) as progress:
                path = repository.fetch(source, reference, offline=settings.offline, progress=progress)
            console.print(f"{reference}: {path}", soft_wrap=True)
