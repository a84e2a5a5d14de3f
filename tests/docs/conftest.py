"""The server that the documentation's commands and snippets talk to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.server import Server, started


@pytest.fixture(scope="session")
def documented_server(tmp_path_factory: pytest.TempPathFactory, smollm2_path: Path) -> Iterator[Server]:
    """``ovms serve --starter``, as the documentation tells readers to start it."""
    folder = tmp_path_factory.mktemp("documented")
    small = {"name": "smollm2", "source": str(smollm2_path), "device": "CPU", "options": {"cache_size": 0.5}}
    with started(folder, [small], "--starter") as server:
        yield server


@pytest.fixture(scope="session")
def workbench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that commands and snippets run in: what one writes the next may read."""
    return tmp_path_factory.mktemp("workbench")
