"""The page on the conformance of this server says what the server does."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.e2e.server import started

PAGE = Path(__file__).parents[3] / "docs" / "conformance.md"
KEY = "secret"
MODELS = "--chat-model smollm2 --embed-model minilm --rerank-model tiny-reranker --image-model shapes"
REMAKE = (
    "run: OVMS_API_KEY=secret OVMS_CORS_ORIGINS='*' ovms serve --starter\n"
    f"and: OVMS_API_KEY=secret ovms conformance http://127.0.0.1:8000 {MODELS} --markdown"
    " > docs/conformance.md"
)


@pytest.mark.real
@pytest.mark.usefixtures("smollm2_path")
def test_the_page_has_the_verdicts_that_the_server_gets_now(tmp_path: Path) -> None:
    with started(tmp_path, [], "--starter", cors_origins=["*"], api_keys={"tester": KEY}) as server:
        command = [sys.executable, "-m", "ovms_core.cli", "conformance", server.url, *MODELS.split(), "--json"]
        environment = {**os.environ, "OVMS_API_KEY": KEY}
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    results = json.loads(ended.stdout)["features"]
    assert {each["feature"]: each["verdict"] for each in results} == verdicts(PAGE.read_text()), REMAKE


def verdicts(page: str) -> dict[str, str]:
    """The verdict on each feature, as the tables of the page have it."""
    rows = re.findall(r"^\| (\S[^|]*) \| \**(yes|partial|no|skipped)\** \|", page, re.MULTILINE)
    return dict(rows)
