"""``ovms plugin new``: what it writes is sound as it is written."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from ovms_core.cli.plugin_kit.answers import Answers
from ovms_core.cli.plugin_kit.scaffold import write_plugin

Ovms = Callable[..., "subprocess.CompletedProcess[str]"]
SETTINGS = {"PYTHONDONTWRITEBYTECODE": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def run(project: Path, *words: str, path: Path | None = None) -> str:
    """What a command of this interpreter's environment says in `project`; with `path` in its search path."""
    environment = {**os.environ, **SETTINGS} | ({"PYTHONPATH": str(path), "MYPYPATH": str(path)} if path else {})
    command = [sys.executable, "-m", *words]
    finished = subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new plugin, as it is written for one who answers no question."""
    folder = tmp_path_factory.mktemp("new")
    run(folder, "ovms_core.cli", "plugin", "new", "word-tally", "--yes")
    return folder / "word-tally"


@pytest.fixture(scope="module")
def site(project: Path) -> Path:
    """Where the plugin is installed, as its wheel."""
    target = project.parent / "site"
    run(
        project,
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--no-build-isolation",
        "--target",
        str(target),
        ".",
    )
    return target


def test_it_is_a_whole_package(project: Path) -> None:
    files = {file.relative_to(project).as_posix() for file in project.rglob("*") if file.is_file()}
    names = ("__init__", "endpoint", "engine", "hooks", "messages", "task")
    expected = {f"src/word_tally/{name}.py" for name in names} | {
        ".github/workflows/ci.yml",
        ".gitignore",
        "LICENSE",
        "README.md",
        "models/english/stopwords.txt",
        "pyproject.toml",
        "src/word_tally/py.typed",
        "tests/test_word_tally.py",
    }
    assert expected <= files
    assert not any(file.endswith(".tmpl") for file in files)


def test_nothing_of_the_template_is_left_in_it(project: Path) -> None:
    for file in (file for file in project.rglob("*") if file.is_file() and "dist-info" not in str(file)):
        text = file.read_text(encoding="utf-8")
        assert "${package}" not in text
        assert "word_count" not in text


def test_it_is_linted_formatted_and_typed(project: Path) -> None:
    run(project, "ruff", "check", "--no-cache", ".")
    run(project, "ruff", "format", "--no-cache", "--check", ".")
    run(project, "mypy", "--cache-dir", str(project.parent / "mypy"), "src", "tests", path=project / "src")


def test_it_passes_its_own_tests_and_the_contract_once_it_is_installed(project: Path, site: Path) -> None:
    assert "failed" not in run(project, "pytest", "-q", "-p", "no:cacheprovider", path=site)
    report = run(project, "ovms_core.cli", "plugin", "check", "word-tally", path=site)
    assert "POST /v3/word_tally" in report
    assert "passed" in report
    assert "fail" not in report


def test_its_model_is_told_from_others(project: Path, site: Path) -> None:
    table = run(project, "ovms_core.cli", "plugins", path=site)
    assert "word_tally" in table
    assert "active" in table


@pytest.mark.parametrize("name", ["Word", "2words", "json", "class", "word count", "../up", "ovms-core"])
def test_what_is_no_name_is_refused_and_nothing_is_written(ovms: Ovms, tmp_path: Path, name: str) -> None:
    finished = ovms("plugin", "new", name, "--yes")
    assert finished.returncode == 2
    assert name in finished.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_is_left_alone(ovms: Ovms, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    finished = ovms("plugin", "new", "mine", "--yes")
    assert finished.returncode == 2
    assert "exists already" in finished.stderr
    assert list((tmp_path / "mine").iterdir()) == []


def test_without_a_terminal_it_says_that_yes_asks_nothing(ovms: Ovms, tmp_path: Path) -> None:
    finished = ovms("plugin", "new", "tally", stdin="")
    assert finished.returncode == 2
    assert "add --yes" in finished.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_plugin_of_a_package_with_the_prefix_is_named_without_it(tmp_path: Path) -> None:
    folder = write_plugin(Answers.of("ovms-word-tally"), tmp_path / "new")
    project = tomllib.loads((folder / "pyproject.toml").read_text())
    assert project["project"]["name"] == "ovms-word-tally"
    assert project["project"]["entry-points"]["ovms"] == {"word_tally": "ovms_word_tally.hooks"}
    endpoint = (folder / "src/ovms_word_tally/endpoint.py").read_text()
    assert "class WordTally(Endpoint[WordTallyBody]):" in endpoint
    assert 'path = "/word_tally"' in endpoint
    assert 'task = "word_tally"' in endpoint


def test_without_yes_it_asks_and_takes_the_answers(ovms: Ovms, tmp_path: Path) -> None:
    finished = ovms("plugin", "new", "tally", stdin='Counts "words".\n/text/tally\nAda\n')
    assert finished.returncode == 0, finished.stderr
    project = (tmp_path / "tally" / "pyproject.toml").read_text()
    assert "description = \"Counts 'words'\"" in project
    assert 'authors = [{ name = "Ada" }]' in project
    assert 'path = "/text/tally"' in (tmp_path / "tally/src/tally/endpoint.py").read_text()
