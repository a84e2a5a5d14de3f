"""OpenVINO's devices, and access to GPUs."""

from __future__ import annotations

import getpass
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ovms_core.cli.probes.finding import Finding, fail, ok, warn

_PATIENCE = 60.0

# In a process of its own: this one stays light, and outlives a driver that crashes.
_LIST_DEVICES = """
import json, openvino
core = openvino.Core()
print(json.dumps({name: core.get_property(name, "FULL_DEVICE_NAME") for name in core.available_devices}))
"""


def openvino_devices(command: Sequence[str] = (sys.executable, "-P", "-c", _LIST_DEVICES)) -> Iterator[Finding]:
    """The devices that OpenVINO sees. Nothing when OpenVINO is not installed."""
    if importlib.util.find_spec("openvino") is None:
        return
    try:
        finished = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        yield fail("devices", f"OpenVINO did not answer within {_PATIENCE:g} s", "A driver may hang: see 'dmesg'.")
        return
    if finished.returncode != 0:
        last = (finished.stderr.strip().splitlines() or [f"exit status {finished.returncode}"])[-1]
        yield fail("devices", f"OpenVINO does not work: {last}", "Run: pip install --force-reinstall openvino")
        return
    for name, full_name in json.loads(finished.stdout.splitlines()[-1]).items():
        yield ok(f"device {name}", str(full_name))


def _usable(node: Path) -> bool:
    return os.access(node, os.R_OK | os.W_OK)


def gpu_access(folder: Path, usable: Callable[[Path], bool] = _usable) -> Iterator[Finding]:
    """Whether this user may use the GPUs whose device files are in `folder`. Nothing where there are none."""
    nodes = sorted(folder.glob("renderD*"))
    refused = [node for node in nodes if not usable(node)]
    if refused:
        user = _user()
        found = f"{user or f'user {os.getuid()}'} may not use {', '.join(str(node) for node in refused)}"
        yield warn("gpu access", found, _how_to_join(user, refused[0]))
    elif nodes:
        yield ok("gpu access", ", ".join(str(node) for node in nodes))


def _user() -> str | None:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # in a container the user may be a mere number
        return None


def _how_to_join(user: str | None, node: Path) -> str:
    if user is None:
        return f"Run the container with --group-add {node.stat().st_gid}."
    return f"Run: sudo usermod -aG {_group(node)} {user}; then log in anew."


def _group(node: Path) -> str:
    try:
        return node.group()
    except (KeyError, OSError):  # a container need not know the host's groups
        return "render"
