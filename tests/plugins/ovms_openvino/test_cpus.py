"""The CPUs of a container."""

from __future__ import annotations

from pathlib import Path

import pytest

from ovms_openvino import cpus
from ovms_openvino.cpus import thread_limit, usable_cpus


@pytest.fixture(autouse=True)
def eight_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpus, "affine_cpus", lambda: 8)


@pytest.mark.parametrize(
    ("quota", "usable"),
    [("200000 100000", 2), ("150000 100000", 2), ("1000 100000", 1), ("max 100000", 8), ("9900000 100000", 8), ("", 8)],
)
def test_a_quota_of_time_bounds_the_cpus(tmp_path: Path, quota: str, usable: int) -> None:
    (tmp_path / "cpu.max").write_text(quota)
    assert usable_cpus(tmp_path) == usable


def test_without_control_groups_all_count(tmp_path: Path) -> None:
    assert usable_cpus(tmp_path) == 8


def test_openvino_is_told_of_a_quota_and_left_alone_without_one(tmp_path: Path) -> None:
    assert thread_limit("CPU", tmp_path) == {}
    (tmp_path / "cpu.max").write_text("200000 100000")
    assert thread_limit("CPU", tmp_path) == {"INFERENCE_NUM_THREADS": 2}
    assert thread_limit("GPU", tmp_path) == {}
