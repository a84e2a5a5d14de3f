"""The endpoint in front of a real worker process with a tiny model."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import exp
from pathlib import Path
from typing import Any

import httpx
import pytest

from ovms_classify import hooks
from ovms_classify.task import detect
from ovms_core.plugin import ModelFiles, ModelSettings
from ovms_core.testing import EndpointContract, app_with, connected

TINY = Path(__file__).parent / "tiny-sentiment"
LIKELY = exp(3) / (exp(3) + 2)
"""The softmax of a logit of 3 beside two of 0."""


def model(folder: Path = TINY, **options: Any) -> ModelSettings:
    return ModelSettings(name="sentiment", source=str(folder), device="CPU", options=options)


class TestClassifyContract(EndpointContract):
    plugin = hooks
    models = (model(),)
    valid_body = {"input": "a good day"}


@asynccontextmanager
async def client_of(settings: ModelSettings) -> AsyncIterator[httpx.AsyncClient]:
    async with connected(app_with(hooks, models=[settings])) as client:
        yield client


async def classify(client: httpx.AsyncClient, text: str | list[str], **fields: Any) -> httpx.Response:
    return await client.post("/v1/classify", json={"input": text, **fields})


async def test_texts_are_classified_in_their_order() -> None:
    async with client_of(model()) as client:
        answer = (await classify(client, ["bad", "A good day", "so okay", "bad", "good bad"])).json()
    items = answer["data"]
    assert [item["index"] for item in items] == [0, 1, 2, 3, 4]
    assert [item["label"] for item in items][:4] == ["negative", "positive", "neutral", "negative"]
    assert [item["num_classes"] for item in items] == [3] * 5
    assert items[1]["probs"] == pytest.approx([(1 - LIKELY) / 2, (1 - LIKELY) / 2, LIKELY])
    assert items[4]["probs"][0] == pytest.approx(items[4]["probs"][2])
    assert answer["usage"] == {"prompt_tokens": 1 + 3 + 2 + 1 + 2, "total_tokens": 9}
    assert (answer["object"], answer["model"]) == ("list", "sentiment")


async def test_one_text_may_stand_by_itself() -> None:
    async with client_of(model()) as client:
        alone, listed = await classify(client, "good"), await classify(client, ["good"])
    assert alone.json()["data"] == listed.json()["data"]


async def test_labels_that_exclude_nothing_have_probabilities_of_their_own(tmp_path: Path) -> None:
    folder = changed(tmp_path, problem_type="multi_label_classification")
    async with client_of(model(folder)) as client:
        (item,) = (await classify(client, "good bad")).json()["data"]
    assert item["probs"] == pytest.approx([1 / (1 + exp(-3)), 0.5, 1 / (1 + exp(-3))])


async def test_a_text_that_is_too_long_is_refused_or_cut() -> None:
    async with client_of(model(max_length=4)) as client:
        refused = await classify(client, ["good", "good good good good good bad bad"])
        cut = await classify(client, "good good good good good bad bad", truncate=True)
    assert refused.status_code == 400
    error = refused.json()["error"]
    assert (error["param"], error["code"]) == ("input", "context_length_exceeded")
    assert "Text 1 of 'input' has 7 tokens, and the model reads 4" in error["message"]
    assert cut.json()["usage"]["prompt_tokens"] == 4


async def test_too_many_texts_are_refused() -> None:
    async with client_of(model(max_items=2)) as client:
        answer = await classify(client, ["good"] * 3)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "too_many_items")


@pytest.mark.parametrize("text", ["", [], ["good", ""], None, 3])
async def test_what_is_no_text_is_refused(text: Any) -> None:
    async with client_of(model()) as client:
        answer = await classify(client, text)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"].startswith("input")


async def test_a_model_with_more_labels_than_logits_does_not_load(tmp_path: Path) -> None:
    folder = changed(tmp_path, id2label={index: str(index) for index in range(4)})
    async with client_of(model(folder)) as client:
        (shown,) = (await client.get("/v1/models")).json()["data"]
    assert shown["state"] == "failed"
    assert "names 4 labels" in shown["error"]


async def test_the_models_list_tells_the_labels() -> None:
    async with client_of(model()) as client:
        (shown,) = (await client.get("/v1/models")).json()["data"]
    assert "negative" in json.dumps(shown)


def test_a_model_with_two_labels_is_left_to_rerankers(tmp_path: Path) -> None:
    assert detect(ModelFiles.at(TINY)) == 80
    assert detect(ModelFiles.at(changed(tmp_path, id2label={0: "no", 1: "yes"}))) == 40
    (tmp_path / "config.json").write_text('{"architectures": ["BertModel"]}')
    assert detect(ModelFiles.at(tmp_path)) == 0


def changed(folder: Path, **fields: Any) -> Path:
    """A copy of the model with other fields in its ``config.json``."""
    shutil.copytree(TINY, folder, dirs_exist_ok=True)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | fields))
    return folder
