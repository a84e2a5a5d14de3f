"""The Dockerfile fits this repository. Building the image takes a Docker daemon, and is left to those who have one."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
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


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give folders away")
def test_any_user_in_the_group_of_root_may_write_where_it_must(tmp_path: Path) -> None:
    [made] = [rest.partition("&& install ")[2] for rest in given("RUN") if "install --directory" in rest]
    options = [word.replace("ovms", "12345") for word in shlex.split(made) if word.startswith("--")]
    subprocess.run(["install", *options, tmp_path / "models"], check=True)
    status = (tmp_path / "models").stat()
    assert (status.st_gid, oct(status.st_mode & 0o7777)) == (0, "0o2775")


def test_its_port_is_the_one_that_the_server_listens_on() -> None:
    [environment] = given("ENV")
    assert f"OVMS_PORT={given('EXPOSE')[0]}" in shlex.split(environment)
