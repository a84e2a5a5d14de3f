"""How much memory this process may still take."""

from __future__ import annotations

from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
_LIMITS = (
    ("memory.max", "memory.current"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
)


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # "max" stands for no limit
        return None


def _cgroup_room(root: Path) -> int | None:
    for limit_name, usage_name in _LIMITS:
        limit, usage = _number(root / limit_name), _number(root / usage_name)
        if limit is not None and usage is not None:
            return max(0, limit - usage)
    return None


def _system_room(meminfo: Path) -> int:
    lines = dict(line.split(":", 1) for line in meminfo.read_text().splitlines())
    return int(lines["MemAvailable"].split()[0]) * 1024


def available_memory(cgroup: Path = _CGROUP, meminfo: Path = Path("/proc/meminfo")) -> int:
    """Bytes that can still be allocated: what the machine has, or less where a container's limit is lower."""
    try:
        system = _system_room(meminfo)
    except (OSError, KeyError):
        system = 4 << 30
    room = _cgroup_room(cgroup)
    return system if room is None else min(system, room)
