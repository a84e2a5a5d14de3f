"""The Dockerfile fits this repository. Building the image takes a Docker daemon, and is left to those who have one."""

from __future__ import annotations

import re
import shlex

from tests.packaging.projects import PACKAGES, ROOT, folder

from ovms_core.configuration.environment import variables

LINES = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE))
INSTRUCTIONS = [(line.split()[0], line.partition(" ")[2].strip()) for line in LINES.splitlines() if line.strip()]


def given(instruction: str) -> list[str]:
    """What stands after each of these instructions."""
    return [rest for name, rest in INSTRUCTIONS if name == instruction]


def test_the_image_has_the_core_and_all_plugins() -> None:
    [install] = [rest for rest in given("RUN") if "pip install" in rest]
    installed = {word.removeprefix("./") for word in shlex.split(install) if word.startswith("./")}
    assert installed == {folder(package).relative_to(ROOT).as_posix() for package in PACKAGES}


def test_what_is_copied_is_there_and_not_ignored() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    for source in (copied.split()[0] for copied in given("COPY") if not copied.startswith("--from")):
        assert (ROOT / source).exists()
        assert f"!{source}" in ignored


def test_its_variables_are_settings() -> None:
    [environment] = given("ENV")
    named = {word.partition("=")[0] for word in shlex.split(environment) if word.startswith("OVMS_")}
    assert named
    assert named <= {name for name, _ in variables()}


def test_it_does_not_run_as_root() -> None:
    [user] = given("USER")
    assert user == "ovms"
    assert [name for name, _ in INSTRUCTIONS].index("USER") > [name for name, _ in INSTRUCTIONS].index("RUN")


def test_its_port_is_the_one_that_the_server_listens_on() -> None:
    [environment] = given("ENV")
    assert f"OVMS_PORT={given('EXPOSE')[0]}" in shlex.split(environment)
