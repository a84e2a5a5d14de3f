"""The CPUs and the memory that this process may use: the machine's, or its container's where that has less.

A container's limits are those of control groups, version 2 (https://docs.kernel.org/admin-guide/cgroup-v2.html) or
1 (https://docs.kernel.org/admin-guide/cgroup-v1/). Imports nothing heavy. `__all__` is the promise.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CGROUP: Final = Path("/sys/fs/cgroup")
MEMINFO: Final = Path("/proc/meminfo")
_UNKNOWN_MEMORY: Final = 4 << 30
_MEMORY_FILES: Final = (
    ("memory.max", "memory.current"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
)


def affine_cpus() -> int:
    """The CPUs that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpu_quota(cgroup: Path = CGROUP) -> float | None:
    """The CPUs' worth of time that the container may use; `None` without a limit."""
    quota, *period = _numbers(cgroup / "cpu.max")
    if quota is None:
        quota, *period = *_numbers(cgroup / "cpu/cpu.cfs_quota_us"), *_numbers(cgroup / "cpu/cpu.cfs_period_us")
    if quota is None or quota <= 0 or not period or not period[0]:
        return None
    return quota / period[0]


@dataclass(frozen=True, slots=True)
class Memory:
    """In bytes: what can still be allocated, of what there is."""

    available: int
    total: int


def memory(cgroup: Path = CGROUP, meminfo: Path = MEMINFO) -> Memory | None:
    """The memory that this process may use; `None` on a system that does not tell."""
    machine = _memory_of_machine(meminfo)
    for limit_file, used_file in _MEMORY_FILES:
        limit, used = _numbers(cgroup / limit_file)[0], _numbers(cgroup / used_file)[0]
        if machine is not None and limit is not None and limit < machine.total:
            return Memory(min(machine.available, max(0, limit - (used or 0))), limit)
    return machine


def available_memory(cgroup: Path = CGROUP, meminfo: Path = MEMINFO) -> int:
    """Bytes that can still be allocated; 4 GiB on a system that does not tell."""
    found = memory(cgroup, meminfo)
    return _UNKNOWN_MEMORY if found is None else found.available


def _memory_of_machine(meminfo: Path) -> Memory | None:
    try:
        lines = dict(line.split(":", 1) for line in meminfo.read_text().splitlines())
        available, total = (int(lines[name].split()[0]) * 1024 for name in ("MemAvailable", "MemTotal"))
    except (OSError, ValueError, KeyError, IndexError):
        return None
    return Memory(available, total)


def _numbers(file: Path) -> list[int | None]:
    """The numbers in `file`; `None` for ``max``, which stands for no limit, and alone where nothing is to be read."""
    try:
        return [int(word) if word.lstrip("-").isdecimal() else None for word in file.read_text().split()] or [None]
    except OSError:
        return [None]


__all__ = ["CGROUP", "Memory", "affine_cpus", "available_memory", "cpu_quota", "memory"]
