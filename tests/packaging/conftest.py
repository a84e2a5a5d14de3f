"""Wheels and environments that the tests share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.packaging.environment import Environment, link_third_party
from tests.packaging.projects import PACKAGES, Wheel, build, folder, module, run_hatchling, wheels_in

Creates = Callable[..., Environment]


@pytest.fixture(scope="session")
def sdists(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The source distribution of every package."""
    into = tmp_path_factory.mktemp("sdists")
    for package in PACKAGES:
        run_hatchling("sdist", into, folder(package))
    return {package: next(into.glob(f"{module(package)}-*.tar.gz")) for package in PACKAGES}


@pytest.fixture(scope="session")
def wheelhouse(tmp_path_factory: pytest.TempPathFactory, sdists: dict[str, Path]) -> Path:
    """A folder with a wheel of every package, built from its source distribution, as installers do."""
    into = tmp_path_factory.mktemp("wheelhouse")
    build(into, *sdists.values())
    return into


@pytest.fixture(scope="session")
def wheels(wheelhouse: Path) -> dict[str, Wheel]:
    """The wheel of every package."""
    return wheels_in(wheelhouse)


@pytest.fixture(scope="session")
def third_party(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the packages depend on."""
    into = tmp_path_factory.mktemp("third-party")
    link_third_party(into)
    return into


@pytest.fixture
def environment_with(tmp_path: Path, third_party: Path) -> Creates:
    """Creates an environment with these wheels."""

    def with_wheels(*wheels: Wheel) -> Environment:
        environment = Environment(tmp_path / "environment", third_party)
        for wheel in wheels:
            environment.add(wheel)
        return environment

    return with_wheels
