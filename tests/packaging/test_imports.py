"""What the modules of a wheel import: what the core and the plugins it requires promise, and declared dependencies.

And what the rooms of a package import: the arrows between them point one way.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Collection, Container, Iterator
from graphlib import CycleError, TopologicalSorter
from importlib import import_module
from importlib.metadata import packages_distributions

import pytest
from packaging.utils import NormalizedName, canonicalize_name
from tests.packaging.projects import CORE, OPENVINO, PACKAGES, PARTS, Wheel, module, required_parts

PUBLIC = {
    "ovms_core.command",
    "ovms_core.engine",
    "ovms_core.model_files",
    "ovms_core.plugin",
    "ovms_core.resources",
    "ovms_core.testing",
}
"""The modules of the core whose `__all__` is a promise."""
LIBRARY = module(OPENVINO)
"""The package whose modules are public one by one."""

STANDARD = sys.stdlib_module_names | {"compression"}  # since Python 3.14


FLOORS = {
    CORE: (
        "client errors messages paths plugin_report resources settings",
        "diagnostics engines",
        "threads",
        "answers background configuration off_loop watch",
        "request_body",
        "engine model_files",
        "task",
        "runner",
        "models workers",
        "calls",
        "http",
        "metrics pipeline",
        "application",
        "routes",
        "hookspecs",
        "builtin plugin",
        "plugin_loading",
        "app",
        "serve",
        "testing",
        "cli",
        "command",
    ),
    "ovms-conformance": ("feature", "examination features", "report", "command", "hooks"),
    "ovms-embeddings": ("messages options", "engine http task", "hooks"),
    "ovms-imagegen": (
        "command messages options probe",
        "adapters pictures sizes store task",
        "limits recipe",
        "engine http",
        "hooks",
    ),
    "ovms-rerank": ("messages", "http task", "engine", "hooks"),
    "ovms-sources": ("command wheel", "hub pypi", "hooks"),
    "ovms-llm": (
        "grammar messages settings",
        "options speech",
        "fields prompt task",
        "model planning",
        "engine http",
        "responses",
        "hooks",
    ),
}
"""The rooms of packages that have some, from the ground up. What the hooks mention is below the hooks."""


def imports(source: str) -> Iterator[tuple[str, str]]:
    """Every module that a source imports, with the name that it imports from it, if any."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where a name comes from"
            yield from ((node.module or "", alias.name) for alias in node.names)


def imported(wheel: Wheel) -> list[tuple[str, str, str]]:
    """Every import in a wheel: the file, the module, the name."""
    return [(file, *found) for file, source in wheel.sources().items() for found in imports(source)]


@pytest.mark.parametrize("package", PARTS)
def test_a_plugin_imports_only_what_the_core_promises(wheels: dict[str, Wheel], package: str) -> None:
    internal = [
        f"{file}: {source}.{name}"
        for file, source, name in imported(wheels[package])
        if source.partition(".")[0] == "ovms_core" and not is_promised(source, name)
    ]
    assert internal == []


def is_promised(source: str, name: str) -> bool:
    """Whether `name` may be imported from `source`."""
    return source in PUBLIC and name in import_module(source).__all__


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_a_public_module_has_every_name_that_it_promises(name: str) -> None:
    public = import_module(name)
    assert all(hasattr(public, promised) for promised in public.__all__)
    assert list(public.__all__) == sorted(public.__all__, key=_as_ruff_sorts)


def _as_ruff_sorts(name: str) -> tuple[int, str]:
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_wheel_imports_only_what_a_plugin_that_it_requires_promises(wheels: dict[str, Wheel], package: str) -> None:
    required = {module(each) for each in required_parts(wheels, package)}
    others = {module(each) for each in PARTS if each != package}
    wrong = [
        f"{file}: {source}.{name}"
        for file, source, name in imported(wheels[package])
        if source.partition(".")[0] in others
        if not is_promised_by_a_plugin(source, name, required)
    ]
    assert wrong == []


def is_promised_by_a_plugin(source: str, name: str, required: Collection[str]) -> bool:
    """Whether a wheel that requires the packages `required` may import `name` from `source`."""
    if source.startswith(f"{LIBRARY}."):
        return LIBRARY in required and not name.startswith("_")
    return source in required and name in import_module(source).__all__


@pytest.mark.parametrize("package", PACKAGES)
def test_what_a_wheel_imports_is_among_its_requirements(wheels: dict[str, Wheel], package: str) -> None:
    declared = required(wheels, package)
    distributions = packages_distributions()
    undeclared = {
        f"{file}: {top}"
        for file, source, _ in imported(wheels[package])
        if (top := source.partition(".")[0]) not in STANDARD and not top.startswith("ovms_")
        if not {canonicalize_name(name) for name in distributions.get(top, [top])} & declared
    }
    assert undeclared == set()


@pytest.mark.parametrize("package", PACKAGES)
def test_a_wheel_requires_what_reads_forms_if_and_only_if_it_reads_forms(
    wheels: dict[str, Wheel], package: str
) -> None:
    """Starlette imports it when a form is read, so no import of ours shows it."""
    reads = any("request.form(" in source for source in wheels[package].sources().values())
    assert ("python-multipart" in required(wheels, package)) is reads


def required(wheels: dict[str, Wheel], package: str) -> set[NormalizedName]:
    """What a wheel requires by name, extras included; with an extra of the core, what that brings."""
    found: set[NormalizedName] = set()
    for requirement in wheels[package].requirements():
        found.add(canonicalize_name(requirement.name))
        if requirement.name == CORE and package != CORE:
            found |= {
                canonicalize_name(more.name)
                for more in wheels[CORE].requirements()
                if more.marker and any(more.marker.evaluate({"extra": extra}) for extra in requirement.extras)
            }
    return found


@pytest.mark.parametrize("package", FLOORS)
def test_a_room_imports_only_what_stands_below_it(wheels: dict[str, Wheel], package: str) -> None:
    floor = {room: number for number, rooms in enumerate(FLOORS[package]) for room in rooms.split()}
    met = arrows(wheels[package])
    assert {(room, other) for room in met for other in met[room] if room and floor[other] >= floor[room]} == set()
    assert met.keys() - {""} == floor.keys()


def test_only_where_everything_meets_is_it_known_that_workers_are_local(wheels: dict[str, Wheel]) -> None:
    met = arrows(wheels[CORE])
    assert {room for room in met if "workers" in met[room]} == {"app", "testing"}


def arrows(wheel: Wheel) -> dict[str, set[str]]:
    """Which rooms each room of a wheel imports, in functions and for type checkers, too."""
    rooms: dict[str, set[str]] = {}
    for name, met in modules(wheel).items():
        rooms.setdefault(room_of(name), set()).update({room_of(other) for other in met} - {room_of(name), ""})
    return rooms


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_imports_itself_by_way_of_others(wheels: dict[str, Wheel], package: str) -> None:
    try:
        TopologicalSorter(modules(wheels[package])).prepare()
    except CycleError as error:
        pytest.fail(f"these modules import each other, each the one before it: {', '.join(error.args[1])}")


def modules(wheel: Wheel) -> dict[str, set[str]]:
    """Which modules of its own each module of a wheel imports, in functions and for type checkers, too."""
    sources = {_dotted(file): source for file, source in wheel.sources().items()}
    met = {name: {_home(*found, sources) for found in imports(source)} for name, source in sources.items()}
    return {name: (others - {name}) & sources.keys() for name, others in met.items()}


def _dotted(file: str) -> str:
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _home(source: str, name: str, known: Container[str]) -> str:
    """The module that is imported: `name` may be one, or stand in `source`."""
    return f"{source}.{name}" if f"{source}.{name}" in known else source


def room_of(path: str) -> str:
    """The folder or the module right below its package that a module is in; nothing for the package itself."""
    _, _, below = path.partition(".")
    room = below.partition(".")[0]
    return "" if room.startswith("__") else room
