"""Every example is a package of its own: it passes its tests, and works once it is installed."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from tests.core.routes.test_openapi import FIRST_PARTY, document
from tests.examples.conftest import EXAMPLES

FOLDERS = sorted(file.parent for file in EXAMPLES.glob("*/pyproject.toml"))
PUBLIC = re.compile(r"ovms_core\.(plugin|engine|testing|command)|ovms_openvino\.\w+|ovms_\w+\.messages")

each = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)


def run(*command: str, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, *command],
        cwd=cwd,
        env={**os.environ, "NO_COLOR": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_there_are_five() -> None:
    assert [folder.name for folder in FOLDERS] == ["classify", "compact", "guardrail", "messages", "relay"]


@each
def test_an_example_passes_its_own_tests(folder: Path) -> None:
    out = run("-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=folder, PYTHONPATH="src")
    assert " passed" in out


@each
def test_an_example_works_once_it_is_installed(folder: Path, tmp_path: Path) -> None:
    run(
        *("-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"),
        *("--disable-pip-version-check", "--target", str(tmp_path), str(folder)),
        cwd=tmp_path,
    )
    own = {"OVMS_PLUGINS__GUARDRAIL__WORDS": "[tulip]"} if folder.name == "guardrail" else {}
    shown = run("-m", "ovms_core.cli", "plugins", cwd=tmp_path, PYTHONPATH=str(tmp_path), COLUMNS="200", **own)
    (line,) = (line for line in shown.splitlines() if f"ovms-{folder.name}" in line)
    assert "active" in line, line


@each
def test_an_example_imports_only_what_is_public(folder: Path) -> None:
    own = f"ovms_{folder.name}"
    for file in folder.rglob("*.py"):
        for module in _imports(file):
            if module.startswith("ovms_") and module.partition(".")[0] != own:
                assert PUBLIC.fullmatch(module), f"{file} imports {module}"


@each
def test_an_example_is_small(folder: Path) -> None:
    lines = [line for file in folder.glob("src/**/*.py") for line in _statements(file)]
    assert len(lines) <= {"guardrail": 60, "relay": 210}.get(folder.name, 160), len(lines)


def _imports(file: Path) -> list[str]:
    nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    named = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    return named + [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module]


def _statements(file: Path) -> list[str]:
    """The lines of code: without blank lines, comments and docstrings."""
    unparsed = ast.unparse(_without_docstrings(ast.parse(file.read_text(encoding="utf-8"))))
    return [line for line in unparsed.splitlines() if line.strip()]


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [part for part in node.body if not _is_text(part)] or [ast.Pass()]
    return tree


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


@each
def test_the_code_in_its_readme_is_its_code(folder: Path) -> None:
    files = [*folder.rglob("*.py"), folder / "pyproject.toml"]
    sources = "\n".join(_flat(file.read_text(encoding="utf-8")) for file in files)
    readme = (folder / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```(?:python|toml)\n(.*?)```", readme, re.DOTALL)
    assert blocks
    for block in blocks:
        assert _flat(block) in sources, f"not in {folder.name}'s files:\n{block}"


def _flat(code: str) -> str:
    return "\n".join(line.strip() for line in code.splitlines() if line.strip())


def test_the_examples_and_all_first_party_plugins_are_described_in_one_valid_document() -> None:
    examples = [f"ovms_{folder.name}" for folder in FOLDERS]
    hooks = [import_module(f"{name}.hooks") for name in (*FIRST_PARTY, *examples)]
    paths = document(*hooks, plugins={"guardrail": {"words": ["tulip"]}})["paths"]
    assert {"/classify", "/messages", "/chat/completions"} <= paths.keys()
