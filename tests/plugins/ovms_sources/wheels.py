"""Wheels made on the fly, sound and otherwise."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path


def record_line(name: str, data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(data)}\n"


def build_wheel(
    folder: Path,
    files: Mapping[str, bytes],
    *,
    name: str = "tiny_model",
    version: str = "1.0",
    swapped: Mapping[str, bytes] | None = None,
) -> Path:
    """A wheel in `folder`. What is in `swapped` is stored instead of what RECORD says."""
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()
    tags = b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    members = {**files, f"{info}/METADATA": metadata, f"{info}/WHEEL": tags, f"{info}/LICENSE": b"MIT"}
    record = "".join(record_line(each, data) for each, data in members.items()) + f"{info}/RECORD,,\n"
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for each, data in {**members, f"{info}/RECORD": record.encode(), **(swapped or {})}.items():
            archive.writestr(each, data)
    return path
