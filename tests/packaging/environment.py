"""Environments that hold nothing but the wheels that a test puts there, and third-party packages."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.packaging.projects import Wheel, run

_EXAMINE = """
import json, sys
from dataclasses import asdict
from ovms_core.app import create_app
from ovms_core.settings import Settings

app = create_app(Settings())
assert "openvino" not in sys.modules, "the server process has imported openvino"
found = {report.name: asdict(report) for report in app.server.plugins}
print(json.dumps({"plugins": found, "routes": [route.path for route in app.server.routes]}))
"""
_IMPORT_ALL = """
import importlib, pkgutil, sys

package = importlib.import_module(sys.argv[1])
for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    importlib.import_module(found.name)
"""


@dataclass(frozen=True, slots=True)
class Found:
    """What a server is made of: a report on each plugin by its name, and the paths that it answers."""

    plugins: dict[str, dict[str, Any]]
    routes: set[str]

    @property
    def states(self) -> dict[str, str]:
        """The state of every plugin."""
        return {name: report["state"] for name, report in self.plugins.items()}


@dataclass(frozen=True, slots=True)
class Environment:
    """A folder of installed packages, which sees those in `third_party` and no others."""

    folder: Path
    third_party: Path
    variables: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("OVMS_", "PYTHON"))}
        paths = os.pathsep.join(map(str, (self.folder, self.third_party)))
        self.folder.mkdir(parents=True, exist_ok=True)
        object.__setattr__(self, "variables", {**kept, "PYTHONPATH": paths, "PYTHONUNBUFFERED": "1"})

    def add(self, wheel: Wheel) -> None:
        """Install a pure wheel, as an installer does: its files as they are."""
        with zipfile.ZipFile(wheel.file) as archive:
            archive.extractall(self.folder)

    def add_plugin(self, name: str, entry_point: str) -> None:
        """Install a package that has nothing but the entry point of a plugin."""
        info = self.folder / f"{name}-0.1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1\n")
        (info / "entry_points.txt").write_text(f"[ovms]\n{name} = {entry_point}\n")

    def examine(self) -> Found:
        """What a server here is made of; it must not have imported OpenVINO."""
        found = json.loads(self._python("-c", _EXAMINE))
        return Found(found["plugins"], set(found["routes"]))

    def import_all(self, module: str) -> None:
        """Import every module of a package."""
        self._python("-c", _IMPORT_ALL, module)

    @contextmanager
    def serving(self, *models: str) -> Iterator[str]:
        """The URL of a server with these models, until the block ends; they are ready or have failed."""
        command = [sys.executable, "-S", "-m", "ovms_core.cli", "serve", *models, "--port", "0"]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=self.folder, env=self.variables
        ) as process:
            try:
                yield _url(process)
            finally:
                process.terminate()
                process.communicate(timeout=60)

    def _python(self, *arguments: str) -> str:
        """What Python prints, started without the packages of the environment that the tests run in (``-S``)."""
        return run(sys.executable, "-S", *arguments, cwd=self.folder, env=self.variables)


def link_third_party(into: Path) -> None:
    """The packages that are installed here, but for this project's own, which come from this checkout's wheels."""
    for source in Path(sysconfig.get_path("purelib")).iterdir():
        if not source.name.startswith(("ovms", "_editable_impl_ovms")) and source.suffix != ".pth":
            (into / source.name).symlink_to(source)


def _url(process: subprocess.Popen[str]) -> str:
    printed = []
    for line in process.stdout or ():
        printed.append(line)
        if match := re.search(r"Serving at (http://[\w.:]+\d)", line):
            return match.group(1)
    raise AssertionError("".join(printed))
