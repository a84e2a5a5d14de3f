"""How many CPUs an engine may keep busy. Imports nothing heavy."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from ovms_core.resources import CGROUP, affine_cpus, cpu_quota


def usable_cpus(cgroup: Path = CGROUP) -> int:
    """The CPUs that this process may keep busy: fewer than it may run on where its container has a quota of time."""
    quota = cpu_quota(cgroup)
    return affine_cpus() if quota is None else max(1, min(affine_cpus(), math.ceil(quota)))


def thread_limit(device: str, cgroup: Path = CGROUP) -> dict[str, Any]:
    """OpenVINO's properties that keep it within a container's quota on `device`; none where it finds out by itself.

    OpenVINO sees the CPUs that it may run on, but no quota, and more threads than CPUs wait for each other.
    """
    cpus = usable_cpus(cgroup)
    return {"INFERENCE_NUM_THREADS": cpus} if device.startswith("CPU") and cpus < affine_cpus() else {}
