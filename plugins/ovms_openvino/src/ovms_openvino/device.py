"""Which device a model runs on."""

from __future__ import annotations

from collections.abc import Mapping

import openvino as ov

from ovms_core.engine import LoadError

_VIRTUAL = ("HETERO", "MULTI", "BATCH", "AUTO")


def choose_device(requested: str, core: ov.Core | None = None) -> str:
    """The OpenVINO device for `requested`.

    ``AUTO`` is the first discrete GPU, else an integrated one, else the CPU; never an NPU, which must be asked
    for. Raises `LoadError`, naming the available devices, for one that is not there.
    """
    core = core or ov.Core()
    kinds = {name: _kind(core, name) for name in core.available_devices}
    return pick_device(requested, kinds)


def pick_device(requested: str, kinds: Mapping[str, str]) -> str:
    """As `choose_device`, among `kinds`: names such as ``GPU.1`` to ``discrete``, ``integrated`` or empty."""
    wanted = requested.strip().upper()
    if wanted in ("", "AUTO"):
        return _best(kinds)
    virtual, _, members = wanted.partition(":")
    for name in members.split(",") if virtual in _VIRTUAL else [wanted]:
        _require(name.partition("(")[0].strip(), kinds, requested)
    return wanted


def _best(kinds: Mapping[str, str]) -> str:
    for kind in ("discrete", "integrated"):
        for name in sorted(kinds):
            if name.startswith("GPU") and kinds[name] == kind:
                return name
    return "CPU"


def _require(name: str, available: Mapping[str, str], requested: str) -> None:
    # A lone GPU is listed as GPU and reachable as GPU.0; of several, listed as GPU.0 and GPU.1, GPU is the first.
    if name in available or f"{name}.0" in available or (name.endswith(".0") and name[:-2] in available):
        return
    listed = ", ".join(sorted(available)) or "none"
    raise LoadError(
        f"Device '{requested}' is not available. Available: {listed}. Set 'device' to one of them, or to AUTO."
    )


def _kind(core: ov.Core, name: str) -> str:
    if not name.startswith("GPU"):
        return ""
    return str(core.get_property(name, "DEVICE_TYPE")).rpartition(".")[2].lower()
