"""Servers that the end-to-end tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI
from tests.e2e.server import Server, started


@pytest.fixture(scope="session")
def chat_server(smollm2_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with two copies of the chat model: `smollm2` (alias `gpt-4o-mini`), deterministic, and `other`."""
    models: list[dict[str, Any]] = [
        {
            "name": "smollm2",
            "source": str(smollm2_path),
            "aliases": ["gpt-4o-mini"],
            "device": "CPU",
            "max_queue": 64,
            "options": {"cache_size": 0.5, "deterministic": True},
        },
        {"name": "other", "source": str(smollm2_path), "device": "CPU", "options": {"cache_size": 0.25}},
    ]
    with started(tmp_path_factory.mktemp("chat"), models) as server:
        yield server


@pytest.fixture
def openai(chat_server: Server) -> Iterator[OpenAI]:
    """The official client, pointed at the server."""
    with OpenAI(base_url=f"{chat_server.url}/v1", api_key="none", max_retries=0, timeout=120) as client:
        yield client
