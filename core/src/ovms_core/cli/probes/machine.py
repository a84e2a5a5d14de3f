"""Processor, memory, disk and port."""

from __future__ import annotations

import errno
import os
import platform
import shutil
import socket
from collections.abc import Sequence
from pathlib import Path

from ovms_core import resources
from ovms_core.cli.output import shown_size
from ovms_core.cli.probes.finding import Finding, fail, ok, warn
from ovms_core.paths import is_there

_GIB = 1 << 30
_LITTLE_MEMORY = 4 * _GIB
_LITTLE_DISK = 5 * _GIB
_FEATURES = {"avx2": "AVX2", "avx512f": "AVX-512", "avx512_vnni": "VNNI", "amx_tile": "AMX"}


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> Finding:
    """What the processor can do that OpenVINO makes use of."""
    if platform.machine().lower() not in {"x86_64", "amd64"}:
        return ok("processor", platform.machine())
    try:
        text = cpuinfo.read_text(encoding="utf-8")
    except OSError:
        return ok("processor", platform.processor() or platform.machine())
    fields = dict(_field(line) for line in text.splitlines() if ":" in line)
    flags = set(fields.get("flags", "").split())
    features = [shown for flag, shown in _FEATURES.items() if flag in flags]
    found = f"{fields.get('model name', 'x86-64')}: {', '.join(features) or 'no vector extensions'}"
    if "avx2" not in flags:
        return warn(
            "processor", found, "Without AVX2 models run, but slowly; use a processor (or VM type) that has it."
        )
    return ok("processor", found)


def _field(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip(), value.strip()


def cores(cgroup: Path = resources.CGROUP) -> Finding:
    """Processors that may be used, under a container's limit."""
    usable, quota = resources.affine_cpus(), resources.cpu_quota(cgroup)
    if quota is not None and quota < usable:
        found = f"{usable}, limited to the time of {quota:g}"
        return warn(
            "cores", found, "More threads than processor time make each other wait: pin the container to cores."
        )
    return ok("cores", str(usable))


def memory(meminfo: Path = resources.MEMINFO, cgroup: Path = resources.CGROUP) -> Finding:
    """Memory that models can have, under a container's limit."""
    memory = resources.memory(cgroup, meminfo)
    if memory is None:
        return ok("memory", "unknown on this system")
    found = f"{shown_size(memory.available)} of {shown_size(memory.total)} available"
    if memory.available < _LITTLE_MEMORY:
        return warn("memory", found, "Models of several billion parameters need more; choose small or 4-bit ones.")
    return ok("memory", found)


def disk(repository: Path) -> Finding:
    """Whether models can be stored, and how much."""
    existing = next(folder for folder in (repository, *repository.parents) if is_there(folder))
    elsewhere = "put the repository elsewhere with --model-repository"
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        return fail("model repository", f"{repository} cannot be written", f"Allow it, or {elsewhere}.")
    free = shutil.disk_usage(existing).free
    found = f"{repository}: {shown_size(free)} free"
    if free < _LITTLE_DISK:
        return warn("model repository", found, f"Free space, or {elsewhere}.")
    return ok("model repository", found)


def port(host: str, number: int) -> Finding:
    """Whether the server could listen."""
    subject = f"port {number}"
    try:
        addresses = socket.getaddrinfo(host, number, type=socket.SOCK_STREAM)
        _bind(addresses)
    except OSError as error:
        return _port_problem(subject, host, number, error)
    return ok(subject, f"free on {host}")


def _bind(addresses: Sequence[tuple[int, int, int, str, tuple[object, ...]]]) -> None:
    family, kind, protocol, _, address = addresses[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)


def _port_problem(subject: str, host: str, number: int, error: OSError) -> Finding:
    if error.errno == errno.EADDRINUSE:
        return warn(subject, f"in use on {host}", "If that is not your server, choose another with --port.")
    if error.errno == errno.EACCES:
        return fail(subject, "not allowed", "Ports under 1024 need privileges: choose another with --port.")
    return fail(
        subject, f"{host} cannot be listened on: {error.strerror or error}", f"Choose another --host than {host}."
    )
