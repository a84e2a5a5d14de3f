"""What a process may use, read from files as Linux has them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from ovms_core.resources import Memory, available_memory, cpu_quota, memory

GIB = 1 << 30
MACHINE = Memory(8 * GIB, 16 * GIB)


def system(folder: Path, files: Mapping[str, object]) -> Path:
    """A folder with these files of control groups, and a machine's `meminfo`."""
    told = f"MemTotal: {MACHINE.total >> 10} kB\nMemAvailable: {MACHINE.available >> 10} kB"
    for name, content in {"meminfo": told, **files}.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(f"{content}\n")
    return folder


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({}, MACHINE),
        ({"memory.max": "max", "memory.current": GIB}, MACHINE),
        ({"memory.max": 3 * GIB, "memory.current": GIB}, Memory(2 * GIB, 3 * GIB)),
        ({"memory.max": 3 * GIB}, Memory(3 * GIB, 3 * GIB)),
        ({"memory.max": GIB, "memory.current": 2 * GIB}, Memory(0, GIB)),
        ({"memory.max": 12 * GIB, "memory.current": GIB}, Memory(8 * GIB, 12 * GIB)),
        ({"memory.max": "garbled"}, MACHINE),
        (
            {"memory/memory.limit_in_bytes": 3 * GIB, "memory/memory.usage_in_bytes": GIB},
            Memory(2 * GIB, 3 * GIB),
        ),
        ({"memory/memory.limit_in_bytes": 9223372036854771712}, MACHINE),
    ],
)
def test_memory_is_the_machines_or_less_where_a_container_has_less(
    tmp_path: Path, files: Mapping[str, object], found: Memory
) -> None:
    root = system(tmp_path, files)
    assert memory(root, root / "meminfo") == found
    assert available_memory(root, root / "meminfo") == found.available


def test_a_system_that_does_not_tell_its_memory_is_taken_for_a_small_one(tmp_path: Path) -> None:
    assert memory(tmp_path, tmp_path / "meminfo") is None
    assert available_memory(tmp_path, tmp_path / "meminfo") == 4 * GIB


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({}, None),
        ({"cpu.max": "max 100000"}, None),
        ({"cpu.max": ""}, None),
        ({"cpu.max": "50000 100000"}, 0.5),
        ({"cpu.max": "250000 100000"}, 2.5),
        ({"cpu/cpu.cfs_quota_us": -1, "cpu/cpu.cfs_period_us": 100000}, None),
        ({"cpu/cpu.cfs_quota_us": 150000, "cpu/cpu.cfs_period_us": 100000}, 1.5),
    ],
)
def test_a_quota_of_time_is_read_in_either_version(
    tmp_path: Path, files: Mapping[str, object], quota: float | None
) -> None:
    assert cpu_quota(system(tmp_path, files)) == quota
