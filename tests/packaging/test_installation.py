"""Any choice of plugins can be installed, and a broken one does not keep the others from serving."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from tests.packaging.conftest import Creates
from tests.packaging.projects import CORE, OPENVINO, PLUGINS, SOURCES, Wheel, module, plugin, required_parts, run

JSON = {"Content-Type": "application/json"}


def routes_of(*packages: str) -> set[str]:
    """The endpoints that these packages bring."""
    return {path for package in packages if (path := PLUGINS[package])}


@pytest.mark.parametrize("package", PLUGINS)
def test_a_plugin_works_with_the_core_and_what_it_requires_and_brings_only_its_own(
    environment_with: Creates, wheels: dict[str, Wheel], package: str
) -> None:
    required = required_parts(wheels, package)
    environment = environment_with(wheels[CORE], wheels[package], *(wheels[each] for each in required))
    found = environment.examine()
    assert found.states == dict.fromkeys(["core", plugin(package), *map(plugin, PLUGINS.keys() & required)], "active")
    assert found.routes & routes_of(*PLUGINS) == routes_of(package)
    environment.import_all(module(package))


@pytest.mark.parametrize("missing", [package for package in PLUGINS if package != SOURCES])
def test_all_plugins_but_one_work(environment_with: Creates, wheels: dict[str, Wheel], missing: str) -> None:
    present = [package for package in PLUGINS if package != missing]
    found = environment_with(wheels[CORE], wheels[OPENVINO], *(wheels[package] for package in present)).examine()
    assert found.states == dict.fromkeys(["core", *map(plugin, present)], "active")
    assert found.routes & routes_of(*PLUGINS) == routes_of(*present)


def test_the_core_serves_without_any_plugin(environment_with: Creates, wheels: dict[str, Wheel]) -> None:
    environment = environment_with(wheels[CORE])
    assert environment.examine().states == {"core": "active"}
    with environment.serving() as url, urlopen(f"{url}/v1/models") as answer:
        assert json.load(answer)["data"] == []


def test_the_core_alone_serves_a_folder_and_says_which_package_fetches(
    environment_with: Creates, wheels: dict[str, Wheel], tmp_path: Path
) -> None:
    environment = environment_with(wheels[CORE])
    (environment.folder / "huggingface_hub.py").write_text("raise ImportError('the core must do without it')")
    environment.add_plugin("scripted", "ovms_core.testing:scripted_plugin")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "script.json").touch()
    with environment.serving(str(tmp_path / "model"), "OpenVINO/other") as url:
        with urlopen(Request(f"{url}/v1/script", b'{"model": "model", "count": 2}', JSON)) as answer:
            assert json.load(answer) == {"text": "w0 w1 "}
        with urlopen(f"{url}/v1/models/other") as answer:
            assert "run 'pip install ovms-sources'" in json.load(answer)["error"]


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        ("hooks.py", "raise RuntimeError('broken on purpose')"),
        ("http/rerank.py", "raise RuntimeError('broken on purpose')"),
    ],
    ids=["at import", "in a hook"],
)
def test_a_broken_plugin_is_quarantined_with_its_reason_and_the_server_starts(
    environment_with: Creates, wheels: dict[str, Wheel], file: str, damage: str
) -> None:
    environment = environment_with(*(wheels[each] for each in (CORE, OPENVINO, "ovms-embeddings", "ovms-rerank")))
    (environment.folder / "ovms_rerank" / file).write_text(damage)
    found = environment.examine()
    assert found.states == {"core": "active", "embeddings": "active", "rerank": "quarantined"}
    assert "RuntimeError: broken on purpose" in found.plugins["rerank"]["reason"]
    assert found.routes & routes_of(*PLUGINS) == routes_of("ovms-embeddings")
    with environment.serving() as url, urlopen(f"{url}/v1/models") as answer:
        assert answer.status == 200


def test_pip_installs_all_of_them_with_what_they_require(tmp_path: Path, third_party: Path, wheelhouse: Path) -> None:
    python = virtual_environment(tmp_path, third_party)
    pip = (sys.executable, "-m", "pip", "--python", python)
    run(*pip, "install", "--no-index", f"--find-links={wheelhouse}", *PLUGINS)
    run(*pip, "check")
    assert run(python.with_name("ovms"), "version").startswith("ovms 0.")


def virtual_environment(folder: Path, third_party: Path) -> Path:
    """The Python of a new virtual environment that sees the packages in `third_party`."""
    run(sys.executable, "-m", "venv", "--without-pip", folder / "environment")
    [site_packages] = (folder / "environment").glob("lib/python*/site-packages")
    (site_packages / "third_party.pth").write_text(f"{third_party}\n")
    return folder / "environment" / "bin" / "python"
