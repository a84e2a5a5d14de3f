"""What is in the wheels, and what their metadata promises."""

from __future__ import annotations

import re
import tarfile
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet
from tests.packaging.projects import (
    CORE,
    OPENVINO,
    PACKAGES,
    PARTS,
    PLUGINS,
    ROOT,
    SOURCES,
    Wheel,
    folder,
    module,
    plugin,
)

REQUIRED = {OPENVINO: [], SOURCES: [], "ovms-conformance": [], "ovms-starter": [SOURCES]}
"""What those packages require beside the core that serve no models."""


@pytest.mark.parametrize("package", PACKAGES)
def test_a_wheel_holds_its_package_and_nothing_else(wheels: dict[str, Wheel], package: str) -> None:
    top = {name.split("/")[0] for name in wheels[package].names()}
    assert {name for name in top if not name.endswith(".dist-info")} == {module(package)}
    files = {Path(name) for name in wheels[package].names()}
    modules = {file for file in files if file.suffix == ".py"}
    assert not [file for file in modules if "tests" in file.parts or file.name.startswith(("test_", "conftest"))]
    assert not [file for file in files if file.suffix == ".pyc"]


@pytest.mark.parametrize("package", PACKAGES)
def test_a_wheel_is_typed_and_has_its_licence(wheels: dict[str, Wheel], package: str) -> None:
    wheel = wheels[package]
    assert f"{module(package)}/py.typed" in wheel.names()
    [licence] = [name for name in wheel.names() if name.endswith("dist-info/licenses/LICENSE")]
    assert wheel.read(licence) == (ROOT / "LICENSE").read_text(encoding="utf-8")


@pytest.mark.parametrize("package", PACKAGES)
def test_metadata_says_what_the_package_is(wheels: dict[str, Wheel], package: str) -> None:
    metadata = wheels[package].metadata()
    assert metadata["Name"] == package
    assert metadata["Requires-Python"] == ">=3.11"
    assert "Apache-2.0" in metadata["License-Expression"]
    assert "Typing :: Typed" in metadata.get_all("Classifier", [])
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert str(metadata.get_payload()).startswith(f"# {package}\n")


@pytest.mark.parametrize("package", PACKAGES)
def test_a_description_has_no_links_that_break_outside_the_repository(wheels: dict[str, Wheel], package: str) -> None:
    targets = re.findall(r"\]\(([^)]*)\)", str(wheels[package].metadata().get_payload()))
    assert all(target.startswith("https://") for target in targets), targets


@pytest.mark.parametrize("package", PACKAGES)
def test_requirements_are_ranges(wheels: dict[str, Wheel], package: str) -> None:
    for requirement in wheels[package].requirements():
        operators = {bound.operator for bound in requirement.specifier}
        assert ">=" in operators, f"{requirement}: no lower bound"
        assert not operators & {"==", "===", "~="}, f"{requirement}: a pin"


@pytest.mark.parametrize("package", PARTS)
def test_a_wheel_allows_one_series_of_those_of_ours_that_it_requires(wheels: dict[str, Wheel], package: str) -> None:
    ours = [requirement for requirement in wheels[package].requirements() if requirement.name.startswith("ovms")]
    always = [requirement.name for requirement in ours if not requirement.marker]
    assert always == [CORE, *REQUIRED.get(package, [OPENVINO, SOURCES])]
    assert {requirement.name for requirement in ours} == set(always), "an extra requires another plugin"
    assert {requirement.specifier for requirement in ours} == {SpecifierSet(">=0.1,<0.2")}


@pytest.mark.parametrize("package", PLUGINS)
def test_a_plugin_is_found_by_its_entry_point(wheels: dict[str, Wheel], package: str) -> None:
    [name] = [name for name in wheels[package].names() if name.endswith("entry_points.txt")]
    assert f"[ovms]\n{plugin(package)} = {module(package)}.hooks" in wheels[package].read(name)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_source_distribution_has_all_that_a_build_needs(sdists: dict[str, Path], package: str) -> None:
    with tarfile.open(sdists[package]) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE", "README.md", "pyproject.toml", "PKG-INFO"} <= inside
    assert not [name for name in inside if name.startswith("tests/")]


@pytest.mark.parametrize("package", PACKAGES)
def test_a_wheel_that_is_built_from_a_source_distribution_lacks_no_file(wheels: dict[str, Wheel], package: str) -> None:
    source = folder(package) / "src"
    files = {file.relative_to(source).as_posix() for file in source.rglob("*") if file.is_file()}
    apart = ("__pycache__/", ".dist-info/")
    built = {name for name in wheels[package].names() if ".dist-info/" not in name}
    assert {name for name in files if not any(each in name for each in apart)} == built
