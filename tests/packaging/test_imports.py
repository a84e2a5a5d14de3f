"""What the modules of a wheel import: public modules of the core, declared dependencies, nothing of another plugin.

And what the rooms of a package import: the arrows between them point one way.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from importlib.metadata import packages_distributions

import pytest
from packaging.utils import NormalizedName, canonicalize_name
from tests.packaging.projects import CORE, PACKAGES, PLUGINS, Wheel, module

PUBLIC = {"ovms_core.command", "ovms_core.engine", "ovms_core.plugin", "ovms_core.testing"}
"""The modules whose `__all__` is a promise; those of `ovms_core.openvino` are public one by one."""

STANDARD = sys.stdlib_module_names | {"compression"}  # since Python 3.14


FLOORS = {
    CORE: (
        "client errors field_errors hookspecs messages paths request_id runner settings sse task threads tracebacks windowed",
        "application builtin configuration conformance engines off_loop plugin redaction",
        "engine request_body",
        "endpoint openvino scripted workers",
        "http models observe",
        "metrics pipeline routes",
        "plugin_loading",
        "app",
        "serve",
        "testing",
        "cli",
        "command",
    ),
    "ovms-llm": (
        "grammar messages",
        "options speech",
        "fields prompt task",
        "model planning",
        "engine http",
        "responses",
        "hooks",
    ),
}
"""The rooms of packages that have some, from the ground up."""


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


@pytest.mark.parametrize("package", PLUGINS)
def test_a_plugin_imports_only_what_the_core_promises(wheels: dict[str, Wheel], package: str) -> None:
    internal = [
        f"{file}: {source}.{name}"
        for file, source, name in imported(wheels[package])
        if source.partition(".")[0] == "ovms_core" and not is_promised(source, name)
    ]
    assert internal == []


def is_promised(source: str, name: str) -> bool:
    """Whether `name` may be imported from `source`."""
    if source.startswith("ovms_core.openvino."):
        return not name.startswith("_")
    return source in PUBLIC and name in import_module(source).__all__


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_a_public_module_has_every_name_that_it_promises(name: str) -> None:
    public = import_module(name)
    assert all(hasattr(public, promised) for promised in public.__all__)
    assert list(public.__all__) == sorted(public.__all__, key=_as_ruff_sorts)


def _as_ruff_sorts(name: str) -> tuple[int, str]:
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_wheel_imports_no_other_but_the_core(wheels: dict[str, Wheel], package: str) -> None:
    ours = {module(each) for each in PACKAGES}
    met = {source.partition(".")[0] for _, source, _ in imported(wheels[package])} & ours
    assert met <= {module(package), module(CORE)}


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
    met = arrows(wheels[package].sources(), module(package))
    assert {(room, other) for room in met for other in met[room] if room and floor[other] >= floor[room]} == set()
    assert met.keys() - {""} == floor.keys()


def test_only_where_everything_meets_is_it_known_that_workers_are_local(wheels: dict[str, Wheel]) -> None:
    met = arrows(wheels[CORE].sources(), module(CORE), types=True)
    assert {room for room in met if "workers" in met[room]} == {"app", "testing"}


def arrows(sources: Mapping[str, str], package: str, *, types: bool = False) -> dict[str, set[str]]:
    """Which rooms each room of `package` imports; with `types`, what it imports for type checkers counts, too."""
    rooms: dict[str, set[str]] = {}
    for file, source in sources.items():
        room = room_of(file.removesuffix(".py").replace("/", "."))
        met = {
            room_of(path) for path in imported_at_once(ast.parse(source).body, types) if path.startswith(f"{package}.")
        }
        rooms.setdefault(room, set()).update(met - {room, ""})
    return rooms


def imported_at_once(body: Iterable[ast.AST], types: bool) -> Iterator[str]:
    """What a module imports when it is imported itself, and what it takes from there."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING" and not types:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        else:
            yield from imported_at_once(ast.iter_child_nodes(node), types)


def room_of(path: str) -> str:
    """The folder or the module right below its package that a module is in; nothing for the package itself."""
    _, _, below = path.partition(".")
    room = below.partition(".")[0]
    return "" if room.startswith("__") else room
