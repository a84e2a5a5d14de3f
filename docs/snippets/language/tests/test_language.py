"""The plugin under test, served with a real worker process."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from ovms_language import hooks

from ovms_core.plugin import ModelSettings
from ovms_core.testing import app_with, connected

WORDS = {"en": ["the", "and", "is"], "de": ["der", "und", "ist"]}


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    (tmp_path / "languages.json").write_text(json.dumps(WORDS))
    app = app_with(hooks, models=[ModelSettings(name="words", source=str(tmp_path))])
    async with connected(app) as client:
        yield client


async def test_each_text_gets_its_language(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/language", json={"input": ["the sky is blue", "der Himmel ist blau", "???"]})
    assert answer.json() == {"model": "words", "languages": ["en", "de", "und"]}


async def test_a_body_without_texts_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/language", json={"input": []})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "input"
