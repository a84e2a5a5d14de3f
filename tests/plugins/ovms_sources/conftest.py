from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.plugins.ovms_sources.fake_hub import FakeHub, serve_hub

from ovms_core.models.repository import Repository


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A hub of our own, which HF_ENDPOINT names."""
    with serve_hub() as fake:
        monkeypatch.setenv("HF_ENDPOINT", fake.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.delenv("HF_TOKEN", raising=False)
        yield fake


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")
