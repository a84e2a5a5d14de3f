"""How many CPUs an engine may keep busy. Imports nothing heavy."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def _affine_cpus() -> int:
    """The CPUs that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def usable_cpus(quota: Path = _QUOTA) -> int:
    """The CPUs that this process may keep busy: fewer than it may run on where its container has a quota of time.

    The quota is that of control groups, version 2 (https://docs.kernel.org/admin-guide/cgroup-v2.html).
    """
    try:
        time, period = quota.read_text().split()
        granted = math.ceil(float(time) / float(period))
    except (OSError, ValueError, ZeroDivisionError):  # "max" stands for no limit
        return _affine_cpus()
    return max(1, min(_affine_cpus(), granted))


def thread_limit(device: str, quota: Path = _QUOTA) -> dict[str, Any]:
    """OpenVINO's properties that keep it within a container's quota on `device`; none where it finds out by itself.

    OpenVINO sees the CPUs that it may run on, but no quota, and more threads than CPUs wait for each other.
    """
    cpus = usable_cpus(quota)
    return {"INFERENCE_NUM_THREADS": cpus} if device.startswith("CPU") and cpus < _affine_cpus() else {}
