"""Every snippet of the engine notes runs with the engine that is installed. What it shows is for people to read."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.docs.pages import DOCS

from ovms_llm.model.gguf import converted

_PAGE = (DOCS / "engine-notes.md").read_text(encoding="utf-8")
BEGINNING, *SNIPPETS = re.findall(r"```python\n(.*?)```", _PAGE, re.DOTALL)

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def model(smollm2_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the OpenVINO IR of the small chat model."""
    (source,) = smollm2_path.glob("*.gguf")
    return converted([source], tmp_path_factory.mktemp("notes"))


def _title(snippet: str) -> str:
    return _PAGE.partition(snippet)[0].rpartition("\n### ")[2].partition("\n")[0]


@pytest.mark.parametrize("snippet", SNIPPETS, ids=_title)
def test_a_snippet_runs(snippet: str, model: Path) -> None:
    finished = subprocess.run(
        [sys.executable, "-c", BEGINNING + snippet],
        env={**os.environ, "MODEL": str(model)},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout
