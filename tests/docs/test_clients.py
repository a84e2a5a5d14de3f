"""Every client snippet and every curl command of the guides is run against a server."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.docs.pages import SNIPPETS, Block, blocks
from tests.e2e.server import Server

DOCUMENTED_URL = "http://127.0.0.1:8000"
CLIENTS = sorted((SNIPPETS / "clients").glob("*.py"))
COMMANDS = [block for block in blocks("sh") if "curl" in block.text]

pytestmark = pytest.mark.real


@pytest.mark.parametrize("file", CLIENTS, ids=lambda file: file.stem)
def test_a_client_snippet_runs(file: Path, documented_server: Server, workbench: Path) -> None:
    _require_input(file, documented_server, workbench)
    assert _run_snippet(file, documented_server, workbench) or file.stem == "images_edit"


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl on this machine")
@pytest.mark.parametrize("block", COMMANDS, ids=str)
def test_a_curl_command_gets_an_answer(block: Block, documented_server: Server, workbench: Path) -> None:
    if "@circle.png" in block.text:
        _require_input(SNIPPETS / "clients" / "images_edit.py", documented_server, workbench)
    (workbench / ".curlrc").write_text("fail-with-body\n")
    script = block.text.replace(DOCUMENTED_URL, documented_server.url)
    finished = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=workbench,
        env={**os.environ, "CURL_HOME": str(workbench)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert finished.stdout


def _require_input(file: Path, server: Server, workbench: Path) -> None:
    """The picture that some begin with is what another one makes."""
    if "circle.png" in file.read_text() and not (workbench / "circle.png").exists():
        _run_snippet(SNIPPETS / "clients" / "images.py", server, workbench)


def _run_snippet(file: Path, server: Server, workbench: Path) -> str:
    source = file.read_text(encoding="utf-8")
    assert DOCUMENTED_URL in source
    finished = subprocess.run(
        [sys.executable, "-c", source.replace(DOCUMENTED_URL, server.url)],
        cwd=workbench,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout
