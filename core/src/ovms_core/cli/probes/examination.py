"""All probes in their order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ovms_core.cli.fetching import open_repository
from ovms_core.cli.probes import devices, machine, software
from ovms_core.cli.probes.finding import Finding
from ovms_core.settings import Settings


def examine(settings: Settings) -> list[Finding]:
    """Everything worth knowing about this machine and installation for a server with `settings`."""
    return list(_findings(settings))


def _findings(settings: Settings) -> Iterator[Finding]:
    repository = open_repository(settings)
    repository.equip()
    yield software.python()
    yield from software.packages()
    yield from software.plugins(settings)
    yield software.pip()
    yield machine.processor()
    yield machine.cores()
    yield machine.memory()
    yield machine.disk(repository.root)
    yield machine.port(settings.host, settings.port)
    yield from devices.openvino_devices()
    yield from devices.gpu_access(Path("/dev/dri"))
