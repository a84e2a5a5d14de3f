"""Which OpenVINO device a model runs on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ovms_core.engine import LoadError


def _automatic(core: Any, available: Sequence[str]) -> str:
    gpus = [name for name in available if name.split(".")[0] == "GPU"]
    discrete = [name for name in gpus if str(core.get_property(name, "DEVICE_TYPE")).endswith("DISCRETE")]
    return next(iter([*discrete, *gpus]), "CPU")


def _exists(name: str, available: Sequence[str]) -> bool:
    return name in available or any(other.split(".")[0] == name for other in available)


def choose_device(core: Any, requested: str) -> str:
    """The device that `requested` means on this machine, where `core` is an `openvino.Core`.

    `AUTO` is a discrete GPU, else an integrated GPU, else the CPU; an NPU only when asked for.
    Raises `LoadError`, naming the devices there are, when a requested device does not exist.
    """
    available: list[str] = core.available_devices
    if requested.upper() == "AUTO":
        return _automatic(core, available)
    parts = requested.split(":", 1)[-1].split(",")
    missing = [part for part in parts if not _exists(part.strip(), available)]
    if missing:
        raise LoadError(
            f"device {missing[0]} does not exist here: set device to one of {', '.join(available)}, or to AUTO"
        )
    return requested
