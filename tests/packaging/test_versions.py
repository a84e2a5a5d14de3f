"""A plugin works with every core that it allows, and is set aside by one that it does not."""

from __future__ import annotations

import pytest
from packaging.version import Version
from tests.packaging.conftest import Creates
from tests.packaging.projects import CORE, OPENVINO, PLUGINS, Wheel, build_versions, plugin

NEXT_SERIES = "0.2.0"
LAST_OF_THE_SERIES = "0.1.99"


@pytest.fixture(scope="session")
def lowest_core(wheels: dict[str, Wheel]) -> str:
    """The lowest version of the core that all plugins allow."""
    lower = [
        Version(bound.version)
        for package in PLUGINS
        for requirement in wheels[package].requirements()
        if requirement.name == CORE
        for bound in requirement.specifier
        if bound.operator == ">="
    ]
    assert len(lower) == len(PLUGINS)
    return str(max(lower))


@pytest.fixture(scope="session")
def others(tmp_path_factory: pytest.TempPathFactory, lowest_core: str) -> dict[str, Wheel]:
    """The plugins as they are but far ahead of the core in version, and cores of other versions (``ovms-core==…``)."""
    into = tmp_path_factory.mktemp("versions")
    cores = dict.fromkeys([lowest_core, LAST_OF_THE_SERIES, NEXT_SERIES], CORE)
    newest = [(package, "0.99.0") for package in PLUGINS if package != "ovms-starter"]
    return build_versions(into, *newest, *((package, version) for version, package in cores.items()))


@pytest.fixture(scope="session")
def newest(others: dict[str, Wheel]) -> list[Wheel]:
    """The plugins, with a version far ahead of the core's."""
    return [wheel for name, wheel in others.items() if not name.startswith(CORE)]


def test_the_newest_plugins_work_with_the_lowest_core_that_they_allow(
    environment_with: Creates, wheels: dict[str, Wheel], lowest_core: str, others: dict[str, Wheel], newest: list[Wheel]
) -> None:
    plugins = environment_with(others[f"{CORE}=={lowest_core}"], wheels[OPENVINO], *newest).examine().plugins
    assert {report["state"] for report in plugins.values()} == {"active"}
    assert plugins.pop("core")["version"] == lowest_core
    assert {report["version"] for report in plugins.values()} == {"0.99.0"}


def test_the_plugins_work_with_the_last_core_of_the_series(
    environment_with: Creates, wheels: dict[str, Wheel], others: dict[str, Wheel]
) -> None:
    core = others[f"{CORE}=={LAST_OF_THE_SERIES}"]
    found = environment_with(core, wheels[OPENVINO], *(wheels[package] for package in PLUGINS)).examine()
    assert found.states == dict.fromkeys(["core", *map(plugin, PLUGINS)], "active")


def test_a_core_of_the_next_series_sets_the_plugins_aside_and_serves(
    environment_with: Creates, wheels: dict[str, Wheel], others: dict[str, Wheel]
) -> None:
    core = others[f"{CORE}=={NEXT_SERIES}"]
    environment = environment_with(core, *(wheels[package] for package in PLUGINS))
    plugins = environment.examine().plugins
    assert plugins.pop("core")["state"] == "active"
    assert {report["state"] for report in plugins.values()} == {"incompatible"}
    assert {report["reason"] for report in plugins.values()} == {f"needs {CORE}<0.2,>=0.1; this is {NEXT_SERIES}"}
    with environment.serving() as url:
        assert url


def test_an_installer_keeps_plugins_and_a_core_of_the_next_series_apart(wheels: dict[str, Wheel]) -> None:
    for package in PLUGINS:
        [core] = [requirement for requirement in wheels[package].requirements() if requirement.name == CORE]
        assert not core.specifier.contains(NEXT_SERIES)
        assert core.specifier.contains(LAST_OF_THE_SERIES)
