"""Every snippet of the engine notes runs with the engine that is installed. What it shows is for people to read.

Those of a section share a process, and the introduction's names: pipelines are made once.
"""

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
_SNIPPET = re.compile(r"```python\n(.*?)```", re.DOTALL)
INTRODUCTION, *_SECTIONS = re.split(r"^## ", _PAGE, flags=re.MULTILINE)
SECTIONS = list(filter(_SNIPPET.search, _SECTIONS))
RUN = """
import gc, sys
beginning, *notes = sys.argv[1:]
known = {"__name__": "__main__"}
exec(compile(beginning, "introduction", "exec"), known)
for title, snippet in zip(notes[::2], notes[1::2]):
    print("#", title, flush=True)
    exec(compile(snippet, title, "exec"), dict(known))
    gc.collect()
"""

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def model(smollm2_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the OpenVINO IR of the small chat model."""
    (source,) = smollm2_path.glob("*.gguf")
    return converted([source], tmp_path_factory.mktemp("notes"))


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.partition("\n")[0])
def test_the_snippets_of_a_section_run(section: str, model: Path) -> None:
    [beginning] = _SNIPPET.findall(INTRODUCTION)
    notes = [(note.partition("\n")[0], _SNIPPET.findall(note)) for note in section.split("\n### ")[1:]]
    snippets = [part for title, found in notes for snippet in found for part in (title, snippet)]
    finished = subprocess.run(
        [sys.executable, "-c", RUN, beginning, *snippets],
        env={**os.environ, "MODEL": str(model)},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    said = re.split(r"^# .*\n", finished.stdout, flags=re.MULTILINE)[1:]
    assert len(said) == len(snippets) // 2
    assert all(said), finished.stdout
