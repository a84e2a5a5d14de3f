"""What ``ovms doctor`` finds, in places that are made for it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ovms_core.cli.probes import Verdict, devices, machine, software
from ovms_core.plugin_report import PluginReport, PluginState

Ovms = Callable[..., "subprocess.CompletedProcess[str]"]


def test_the_examination_is_json_for_programs(ovms: Ovms) -> None:
    finished = ovms("doctor", "--json", OVMS_PLUGINS__ALLOW="core", OVMS_PORT="0")
    findings = {finding["subject"]: finding for finding in json.loads(finished.stdout)}
    assert findings["python"]["verdict"] == "ok"
    assert findings["ovms-core"]["verdict"] == "ok"
    assert "model repository" in findings
    assert finished.returncode == int(any(finding["verdict"] == "fail" for finding in findings.values()))


def test_a_repository_that_cannot_be_made_is_a_failure_and_exit_status_1(ovms: Ovms, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    finished = ovms("doctor", "--model-repository", "file/store")
    assert finished.returncode == 1
    assert "cannot be written" in finished.stdout


def test_a_processor_without_avx2_is_slow(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor : 0\nmodel name : Old One\nflags : fpu sse4_2\n\n")
    finding = machine.processor(cpuinfo)
    assert (finding.verdict, finding.found) == (Verdict.WARN, "Old One: no vector extensions")


def test_a_processors_features_are_named(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("model name : New One\nflags : fpu avx2 avx512f avx512_vnni amx_tile\n")
    assert machine.processor(cpuinfo).found == "New One: AVX2, AVX-512, VNNI, AMX"


def test_memory_is_what_the_container_may_use(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:       33554432 kB\nMemAvailable:   30000000 kB\n")
    assert machine.memory(meminfo, tmp_path).verdict is Verdict.OK
    (tmp_path / "memory.max").write_text("2147483648\n")
    finding = machine.memory(meminfo, tmp_path)
    assert (finding.verdict, finding.found) == (Verdict.WARN, "2.1 GB of 2.1 GB available")


def test_less_processor_time_than_processors_is_told(tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    finding = machine.cores(tmp_path)
    assert finding.verdict is Verdict.WARN
    assert finding.found.endswith("limited to the time of 0.5")


def test_a_port_in_use_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert machine.port("127.0.0.1", port).verdict is Verdict.WARN
    assert machine.port("127.0.0.1", 0).verdict is Verdict.OK


def test_an_address_of_another_machine_is_a_failure() -> None:
    assert machine.port("192.0.2.1", 0).verdict is Verdict.FAIL


def test_a_driver_that_crashes_does_not_take_the_doctor_along() -> None:
    crash = (sys.executable, "-c", "import os; os.abort()")
    findings = list(devices.openvino_devices(crash))
    assert [finding.verdict for finding in findings] == [Verdict.FAIL]


def test_what_lies_in_the_current_folder_is_not_taken_for_openvino(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "openvino.py").write_text("raise SystemExit('not the real one')")
    monkeypatch.chdir(tmp_path)
    assert Verdict.FAIL not in [finding.verdict for finding in devices.openvino_devices()]


def test_devices_are_named_in_full() -> None:
    listing = (sys.executable, "-c", """print('{"CPU": "A Processor"}')""")
    assert [(finding.subject, finding.found) for finding in devices.openvino_devices(listing)] == [
        ("device CPU", "A Processor")
    ]


def test_a_gpu_that_the_user_may_not_use_comes_with_the_command(tmp_path: Path) -> None:
    (tmp_path / "renderD128").write_text("")
    (finding,) = devices.gpu_access(tmp_path, usable=lambda node: False)
    assert finding.verdict is Verdict.WARN
    assert "sudo usermod -aG" in finding.advice


def test_a_gpu_that_the_user_may_use_is_fine(tmp_path: Path) -> None:
    (tmp_path / "renderD128").write_text("")
    assert [finding.verdict for finding in devices.gpu_access(tmp_path)] == [Verdict.OK]
    assert list(devices.gpu_access(tmp_path / "absent")) == []


def test_plugins_that_do_not_work_are_failures() -> None:
    reports = [
        PluginReport("good", "good", "1"),
        PluginReport("bad", "bad", "1", PluginState.QUARANTINED, "cannot be imported"),
        PluginReport("unwanted", "unwanted", "1", PluginState.BLOCKED, "by the configuration"),
    ]
    findings = list(software.plugin_findings(reports))
    assert [finding.verdict for finding in findings] == [Verdict.OK, Verdict.FAIL, Verdict.OK]
    assert "plugins.block" in findings[1].advice


def test_no_plugins_at_all_is_worth_a_warning() -> None:
    assert [finding.verdict for finding in software.plugin_findings([])] == [Verdict.WARN]
