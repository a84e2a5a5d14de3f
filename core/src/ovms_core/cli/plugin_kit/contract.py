"""Runs a plugin's own contract tests."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import typer
from importlib_metadata import EntryPoint
from packaging.utils import canonicalize_name

from ovms_core.cli.probes.finding import Finding, fail, ok, warn

_MARKER = "ovms_contract"
_NEEDED = ("pytest", "pytest_asyncio", "httpx")
_NOTHING_COLLECTED = 5
_WHOLE_REASONS = "1000"
"""pytest cuts the reasons of failures to the width of the terminal."""
_LAST_LINES = 5
_WITH_DIGITS = re.compile(r"\w*\d\w*")
_COLLECTING = re.compile(r"_+ ERROR collecting (.+?) _+")


def contract_findings(entry: EntryPoint, tests: Path | None) -> Iterator[Finding]:
    """How the plugin's contract tests ended."""
    if not all(map(find_spec, _NEEDED)):
        yield warn("contract", "not tested", "Run pip install 'ovms-core[testing]'.")
        return
    where = [str(tests)] if tests else _tests_of(entry)
    if not where:
        yield warn("contract", "its tests are not here", "Name their folder with --tests.")
        return
    command = [sys.executable, "-m", "pytest", "-m", _MARKER, "-q", "--no-header", "-rfE", *where]
    environment = {**os.environ, "COLUMNS": _WHOLE_REASONS}
    _say_that_it_takes_a_while()
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    yield _finding(finished)


def _say_that_it_takes_a_while() -> None:
    if sys.stderr.isatty():
        typer.echo("Running the contract tests, which can take a minute ...", err=True)


def _finding(finished: subprocess.CompletedProcess[str]) -> Finding:
    lines = finished.stdout.strip().splitlines()
    if finished.returncode == _NOTHING_COLLECTED:
        return warn("contract", "it has no contract tests", "Subclass ovms_core.testing.EndpointContract.")
    if finished.returncode:
        said = "\n".join(failures(lines)) or "\n".join(lines[-_LAST_LINES:]) or finished.stderr.strip()
        return fail("contract", said, f"Run pytest -m {_MARKER}.")
    if "passed" not in lines[-1]:
        return warn("contract", lines[-1], f"No test was run: pytest -m {_MARKER} -rs says why.")
    return ok("contract", lines[-1])


def failures(lines: Sequence[str]) -> Iterator[str]:
    """The failures with their reasons, each reason once, whatever ids and numbers it has."""
    collecting = dict(_collection_errors(lines))
    for test, reason, count in _grouped(lines, "FAILED "):
        more = f" and {count - 1} more" if count > 1 else ""
        yield f"FAILED {test}{more} - {reason}"
    for test, reason, count in _grouped(lines, "ERROR "):
        yield f"ERROR in {count} test{'s' * (count > 1)}: {reason or _of_file(test, collecting) or test}"


def _of_file(test: str, reasons: Mapping[str, str]) -> str:
    """The summary names a file from here, the heading from pytest's root."""
    return next((reason for file, reason in reasons.items() if test.endswith(file) or file.endswith(test)), "")


def _grouped(lines: Sequence[str], kind: str) -> Iterator[tuple[str, str, int]]:
    """The first test of those that ended alike, their reason, and how many they are."""
    found: dict[str, list[tuple[str, str]]] = {}
    for line in lines:
        if line.startswith(kind):
            test, _, reason = line.removeprefix(kind).partition(" - ")
            found.setdefault(_WITH_DIGITS.sub("", reason) or test, []).append((test, reason))
    yield from ((*alike[0], len(alike)) for alike in found.values())


def _collection_errors(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Why pytest could not read a file of tests, by the file: its summary does not say it."""
    file = None
    for line in lines:
        if heading := _COLLECTING.fullmatch(line):
            file = heading[1]
        elif file and line.startswith("E  "):
            yield file, line.removeprefix("E").strip()  # the last counts


def _tests_of(entry: EntryPoint) -> list[str]:
    """What pytest is given: the tests beside an editable package's source, beside us, or inside the package."""
    for project in (_source(entry), Path()):
        if project is not None and _is_project_of(project, entry) and (project / "tests").is_dir():
            return [str(project / "tests")]
    package = entry.module.partition(".")[0]
    spec = find_spec(package)
    inside = [Path(folder) / "tests" for folder in (spec and spec.submodule_search_locations) or ()]
    return ["--pyargs", f"{package}.tests"] if any(folder.is_dir() for folder in inside) else []


def _source(entry: EntryPoint) -> Path | None:
    """Where an editable package's project is (https://packaging.python.org/specifications/direct-url/)."""
    text = entry.dist.read_text("direct_url.json") if entry.dist is not None else None
    url = json.loads(text).get("url", "") if text else ""
    return Path(url2pathname(urlsplit(url).path)) if url.startswith("file:") else None


def _is_project_of(folder: Path, entry: EntryPoint) -> bool:
    file = folder / "pyproject.toml"
    if not file.is_file() or entry.dist is None:
        return False
    name = tomllib.loads(file.read_text(encoding="utf-8")).get("project", {}).get("name", "")
    return canonicalize_name(name) == canonicalize_name(entry.dist.name)
