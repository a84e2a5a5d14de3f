"""Every code block of the guides is taken from something that is run, read or parsed."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest
import typer
import yaml
from tests.docs.pages import EXAMPLES, ROOT, SNIPPETS, Block, blocks

from ovms_core import hookspecs
from ovms_core.cli.app import create_cli
from ovms_core.cli.installed import gather_quietly
from ovms_core.cli.plugin_commands import add_plugin_commands
from ovms_core.configuration import read_settings, validate_options
from ovms_core.plugin_loading.offerings import Offerings
from ovms_core.settings import Settings

TASKS = {
    "qwen3": "text_generation",
    "Qwen3-8B-int4-ov": "text_generation",
    "base-model": "text_generation",
    "draft": "text_generation",
    "bge-m3": "embeddings",
    "embed": "embeddings",
    "reranker": "rerank",
    "sd": "image_generation",
}
"""What the models that the guides configure are for."""

CONFIGURATIONS = [block for block in blocks("yaml") if "httpGet" not in block.text]
KUBERNETES = [block for block in blocks("yaml") if "httpGet" in block.text]


@cache
def _sources() -> str:
    files = [file for folder in (SNIPPETS, EXAMPLES) for file in sorted(folder.rglob("*.py"))]
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


def _is_signature(block: Block) -> bool:
    """The signatures in the hook reference are compared with the hooks themselves."""
    return block.page == "docs/hooks.md" and block.text.startswith("def ovms_")


PYTHON = [block for block in blocks("python") if not _is_signature(block)]


@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_a_python_block_is_taken_from_a_file_that_is_run(block: Block) -> None:
    wanted = block.text.rstrip()
    assert any(indent(wanted, " " * width) in _sources() for width in (0, 4, 8)), f"no file has the block at {block}"


@pytest.mark.parametrize(
    ("name", "source"), [("language", "src"), pytest.param("similarity", ".", marks=pytest.mark.real)]
)
def test_the_tests_of_the_tutorial_pass(name: str, source: str) -> None:
    package = SNIPPETS / name
    path = os.pathsep.join(filter(None, (str(package / source), os.environ.get("PYTHONPATH"))))
    finished = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "--rootdir",
            str(package),
            "-c",
            "pyproject.toml",
        ],
        cwd=package,
        env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr


@pytest.mark.parametrize("block", blocks("toml"), ids=str)
def test_a_package_block_is_the_snippets_own_or_valid(block: Block) -> None:
    name = tomllib.loads(block.text).get("project", {}).get("name")
    if name is not None:
        assert block.text == (SNIPPETS / name.removeprefix("ovms-") / "pyproject.toml").read_text()


@pytest.mark.parametrize("block", blocks("json"), ids=str)
def test_a_json_block_is_json(block: Block) -> None:
    json.loads(block.text)


@pytest.fixture(scope="module")
def offerings() -> Offerings:
    """What the first-party plugins offer."""
    return gather_quietly(Settings())[1]


@pytest.mark.parametrize("block", CONFIGURATIONS, ids=str)
def test_a_configuration_is_read(block: Block, tmp_path: Path, offerings: Offerings) -> None:
    text = block.text.replace("/etc/ovms/keys", str(tmp_path / "keys"))
    (tmp_path / "keys").write_text("alice:secret\n")
    (tmp_path / "keys").chmod(0o600)
    (tmp_path / "ovms.yaml").write_text(text)
    settings = read_settings(environ={"ALICE_KEY": "secret"}, directory=tmp_path)
    for index, model in enumerate(settings.models):
        task = offerings.tasks[TASKS[str(model.name)]]
        validate_options(index, task.options, model.options, settings)


@pytest.mark.parametrize("block", KUBERNETES, ids=str)
def test_a_probe_asks_for_a_route_that_needs_no_key(block: Block) -> None:
    probes = yaml.safe_load(block.text)
    paths = {probe["httpGet"]["path"] for probe in probes.values() if isinstance(probe, dict)}
    assert paths <= {"/health", "/v2/health/live", "/v2/health/ready"}
    assert probes["terminationGracePeriodSeconds"] > Settings().drain_timeout


@pytest.mark.parametrize("page", ["docs/plugins/testing.md", "docs/plugins/tutorial.md"])
def test_an_author_needs_no_newer_pip_than_python_brings(page: str) -> None:
    """``--group`` came with pip 25.1; Python 3.11 and 3.12 make environments with older ones."""
    commands = [block.text for block in blocks("sh") if block.page == page]
    assert any("pip install" in text for text in commands)
    assert not any("--group" in text for text in commands)


COMMANDS = [
    (f"{block}: {line}", shlex.split(line, comments=True)[1:])
    for block in blocks("sh")
    for line in block.text.splitlines()
    if line.startswith("ovms ")
]


@cache
def _command_line() -> Any:
    cli = create_cli()
    add_plugin_commands(cli)
    return typer.main.get_command(cli)


@pytest.mark.parametrize(("line", "arguments"), COMMANDS)
def test_a_command_of_ovms_is_understood(line: str, arguments: list[str]) -> None:
    """Parsed only: what it would do is for other tests."""
    command = _command_line()
    while hasattr(command, "commands"):
        name, *arguments = arguments
        assert name in command.commands, line
        command = command.commands[name]
    command.make_context(line, arguments)


def test_every_hook_has_an_example_that_is_loaded() -> None:
    hooks = {name for name in vars(hookspecs) if name.startswith("ovms_")}
    files = sorted((SNIPPETS / "hooks").glob("*.py"))
    assert hooks == {name for name in hooks if any(f"def {name}(" in file.read_text() for file in files)}


def test_every_snippet_is_shown() -> None:
    """A snippet that no page has is dead code."""
    shown = "\n".join(block.text for block in blocks("python"))
    for file in sorted(SNIPPETS.rglob("*.py")):
        body = file.read_text().partition('"""\n\n')[2]
        first = next((line.strip() for line in body.splitlines() if line.startswith(("class ", "def ", "answer"))), "")
        assert first in shown, f"{file.relative_to(ROOT)} is on no page"
