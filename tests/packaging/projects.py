"""The packages of this repository, and what is said in the wheels that they are built into."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from email.parser import Parser
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
CORE = "ovms-core"
OPENVINO = "ovms-openvino"
SOURCES = "ovms-sources"
PLUGINS = {
    "ovms-conformance": None,
    "ovms-embeddings": "/v1/embeddings",
    "ovms-imagegen": "/v1/images/generations",
    "ovms-llm": "/v1/chat/completions",
    "ovms-rerank": "/v1/rerank",
    SOURCES: None,
    "ovms-starter": None,
}
"""Every plugin, and an endpoint that it brings."""
PARTS = (OPENVINO, *PLUGINS)
"""The packages beside the core: a library that plugins share, and the plugins."""
PACKAGES = (CORE, *PARTS)


@dataclass(frozen=True, slots=True)
class Wheel:
    """A built wheel."""

    file: Path

    def names(self) -> list[str]:
        """The paths of the files in it."""
        with zipfile.ZipFile(self.file) as archive:
            return archive.namelist()

    def read(self, name: str) -> str:
        """The text of one file."""
        with zipfile.ZipFile(self.file) as archive:
            return archive.read(name).decode()

    def sources(self) -> dict[str, str]:
        """The text of every module by its path."""
        return {name: self.read(name) for name in self.names() if name.endswith(".py")}

    def metadata(self) -> Message:
        """The core metadata."""
        [name] = [name for name in self.names() if name.endswith(".dist-info/METADATA")]
        return Parser().parsestr(self.read(name))

    def requirements(self) -> list[Requirement]:
        """What it requires, extras included."""
        return [Requirement(line) for line in self.metadata().get_all("Requires-Dist", [])]


def folder(package: str) -> Path:
    """Where the project of `package` is."""
    return ROOT / "core" if package == CORE else ROOT / "plugins" / module(package)


def module(package: str) -> str:
    """The name that `package` is imported by."""
    return package.replace("-", "_")


def plugin(package: str) -> str:
    """The name that the plugin in `package` goes by."""
    return package.removeprefix("ovms-")


def required_parts(wheels: Mapping[str, Wheel], package: str) -> list[str]:
    """The packages beside the core that `package` requires."""
    needed = [requirement.name for requirement in wheels[package].requirements() if not requirement.marker]
    return [name for name in needed if name in PARTS]


def build(into: Path, *projects: Path) -> None:
    """Wheels of `projects`, which are source distributions."""
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(into)]
    run(sys.executable, "-m", "pip", "wheel", *options, *map(str, projects))


def build_versions(into: Path, *wanted: tuple[str, str]) -> dict[str, Wheel]:
    """Wheels of packages as they are but for the version, each by ``package==version``."""
    for package, version in wanted:
        run_hatchling("wheel", into, _copy(package, version, into / "sources"))
    names = {f"{module(package)}-{version}": f"{package}=={version}" for package, version in wanted}
    return {names["-".join(file.name.split("-")[:2])]: Wheel(file) for file in into.glob("*.whl")}


def _copy(package: str, version: str, into: Path) -> Path:
    copy = into / f"{package}-{version}"
    shutil.copytree(folder(package), copy, ignore=shutil.ignore_patterns("__pycache__"))
    init = copy / "src" / module(package) / "__init__.py"
    init.write_text(re.sub("(?m)^__version__ = .*$", f'__version__ = "{version}"', init.read_text()))
    return copy


def run_hatchling(kind: str, into: Path, project: Path) -> None:
    """Build a ``wheel`` or an ``sdist`` of the project in a folder."""
    run(sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", into, cwd=project)


def wheels_in(folder: Path) -> dict[str, Wheel]:
    """The wheels in a folder, by the package that each is of."""
    return {package: Wheel(next(folder.glob(f"{module(package)}-*.whl"))) for package in PACKAGES}


def run(*command: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    """What `command` prints. Raises `AssertionError` with all of it when it fails."""
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=cwd, env=env)
    assert ended.returncode == 0, f"{' '.join(map(str, command))}\n{ended.stdout}{ended.stderr}"
    return ended.stdout
