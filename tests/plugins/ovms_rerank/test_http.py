"""The endpoints over HTTP, with the starter model in its worker process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import cohere
import httpx
import psutil
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ovms_rerank.hooks
from ovms_core.settings import ModelSettings
from ovms_core.testing import app_with, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUERY = "What is the capital of France?"
DOCUMENTS = [
    "Berlin is the capital of Germany.",
    "Paris is the capital and largest city of France.",
    "Rinse the rice and add water.",
]
PATHS = ["/rerank", "/v1/rerank", "/v2/rerank", "/v3/rerank", "/v3/v1/rerank", "/v3/v2/rerank", "/v1/v2/rerank"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def url(tiny_reranker: Path) -> AsyncIterator[str]:
    model = ModelSettings(
        name="tiny-reranker", source=str(tiny_reranker), device="CPU", aliases=["jina-like"], options={"max_items": 50}
    )
    async with serving(app_with(ovms_rerank.hooks, models=[model])) as url:
        yield url


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        yield client


async def post(client: httpx.AsyncClient, path: str = "/v3/rerank", **body: Any) -> httpx.Response:
    return await client.post(path, json={"query": QUERY} | body)


@pytest.mark.parametrize("path", PATHS)
async def test_rerank_answers_at_every_path(client: httpx.AsyncClient, path: str) -> None:
    response = await post(client, path, documents=DOCUMENTS, top_n=2)
    assert response.status_code == 200, response.text
    answer = response.json()
    assert [result["index"] for result in answer["results"]] == [1, 0]
    assert answer["results"][0]["relevance_score"] == pytest.approx(0.99389, abs=1e-3)
    assert all(result.keys() == {"index", "relevance_score"} for result in answer["results"])
    assert answer["model"] == "tiny-reranker"
    assert answer["meta"]["billed_units"] == {"search_units": 1}
    assert answer["usage"]["prompt_tokens"] == answer["usage"]["total_tokens"] > 30


@pytest.mark.parametrize(("path", "version"), [("/v3/v1/rerank", "1"), ("/v3/v2/rerank", "2"), ("/v3/rerank", "2")])
async def test_the_api_version_is_that_of_the_path(client: httpx.AsyncClient, path: str, version: str) -> None:
    answer = (await post(client, path, documents=DOCUMENTS)).json()
    assert answer["meta"]["api_version"] == {"version": version}


async def test_coheres_first_client_parses_the_answer(url: str) -> None:
    async with cohere.AsyncClient(api_key="none", base_url=f"{url}/v3") as client:
        answer = await client.rerank(
            model="tiny-reranker",
            query=QUERY,
            documents=[{"title": "t", "text": text} for text in DOCUMENTS],
            rank_fields=["text"],
            top_n=2,
            return_documents=True,
            max_chunks_per_doc=3,
        )
    assert [result.index for result in answer.results] == [1, 0]
    assert answer.results[0].document is not None
    assert answer.results[0].document.text == DOCUMENTS[1]
    assert answer.meta is not None
    assert answer.meta.api_version is not None
    assert answer.meta.api_version.version == "1"
    assert answer.meta.billed_units is not None
    assert answer.meta.billed_units.search_units == 1


async def test_coheres_second_client_parses_the_answer(url: str) -> None:
    async with cohere.AsyncClientV2(api_key="none", base_url=f"{url}/v3") as client:
        answer = await client.rerank(
            model="tiny-reranker", query=QUERY, documents=DOCUMENTS, top_n=1, max_tokens_per_doc=100
        )
    (best,) = answer.results
    assert best.index == 1
    assert best.relevance_score == pytest.approx(0.99389, abs=1e-3)
    assert answer.id is not None
    assert answer.meta is not None


async def test_tei_gets_a_list(client: httpx.AsyncClient) -> None:
    answer = (await post(client, "/rerank", texts=DOCUMENTS, return_text=True)).json()
    assert [rank["index"] for rank in answer] == [1, 0, 2]
    assert answer[0]["text"] == DOCUMENTS[1]


async def test_documents_without_text_come_last_and_are_named_in_a_header(client: httpx.AsyncClient) -> None:
    response = await post(client, documents=["", *DOCUMENTS, {"text": " "}], raw_scores=True)
    assert [result["index"] for result in response.json()["results"]] == [2, 1, 3, 0, 4]
    assert response.headers["x-warnings"] == "There is no text in documents at 0, 4: the lowest score."
    score = await client.post("/score", json={"text_1": " ", "text_2": ["", DOCUMENTS[1]]})
    assert score.json()["data"][0]["score"] == 0
    assert "text_2 at 0" in score.headers["x-warnings"]
    assert "x-warnings" not in (await post(client, documents=DOCUMENTS)).headers


async def test_raw_scores_are_the_models_logits(client: httpx.AsyncClient) -> None:
    answer = (await post(client, "/rerank", texts=DOCUMENTS[1:2], raw_scores=True)).json()
    assert answer[0]["score"] == pytest.approx(5.0921, abs=1e-3)


async def test_the_engines_refusals_name_their_field(client: httpx.AsyncClient) -> None:
    for body, param in (
        ({"documents": ["a"] * 51}, "documents"),
        ({"texts": ["a"] * 51}, "texts"),
        ({"documents": ["a", "rice " * 600], "truncate": False}, "documents[1]"),
        ({"documents": ["a"], "query": "why " * 600}, "query"),
        ({"documents": ["a"], "instruction": "be fair"}, "instruction"),
    ):
        response = await post(client, **body)
        assert (response.status_code, response.json()["error"]["param"]) == (400, param)


async def test_score_compares_one_text_with_many(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/score", json={"text_1": QUERY, "text_2": DOCUMENTS})
    answer = response.json()
    assert answer["object"] == "list"
    assert answer["id"].startswith("score-")
    assert [(item["index"], item["object"]) for item in answer["data"]] == [(0, "score"), (1, "score"), (2, "score")]
    assert answer["data"][1]["score"] == pytest.approx(0.99389, abs=1e-3)
    assert answer["usage"]["total_tokens"] == answer["usage"]["prompt_tokens"] > 30


async def test_score_compares_pairs_and_single_texts(client: httpx.AsyncClient) -> None:
    pairs = {"text_1": [QUERY, "cooking rice"], "text_2": DOCUMENTS[1:], "use_activation": False}
    assert [item["index"] for item in (await client.post("/score", json=pairs)).json()["data"]] == [0, 1]
    single = {"text_1": QUERY, "text_2": DOCUMENTS[1], "truncate_prompt_tokens": -1}
    assert len((await client.post("/v3/score", json=single)).json()["data"]) == 1


async def test_score_cuts_pairs_when_asked(client: httpx.AsyncClient) -> None:
    body = {"text_1": QUERY, "text_2": "rice " * 100, "truncate_prompt_tokens": 40}
    assert (await client.post("/score", json=body)).json()["usage"]["prompt_tokens"] == 40


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"text_1": ["a", "b"], "text_2": ["a", "b", "c"]}, "text_1"),
        ({"text_1": "a", "text_2": ["", " "]}, "text_2"),
        ({"text_1": "", "text_2": "b"}, "text_1"),
        ({"text_1": ["a", ""], "text_2": ["b", "c"]}, "text_1[1]"),
        ({"text_1": "a"}, "text_2"),
        ({"text_1": "a", "text_2": []}, "text_2"),
        ({"text_1": "a", "text_2": ["b", 4]}, "text_2[1]"),
        ({"text_1": "a", "text_2": "b", "truncate_prompt_tokens": 3}, "text_1"),
        ({"text_1": "a", "text_2": ["b"] * 51}, "text_2"),
        ({"text_1": ["why " * 600], "text_2": "b"}, "text_1[0]"),
    ],
)
async def test_score_names_what_is_wrong(client: httpx.AsyncClient, body: dict[str, Any], param: str) -> None:
    response = await client.post("/score", json=body)
    assert (response.status_code, response.json()["error"]["param"]) == (400, param)


async def test_the_self_test_is_shown_with_the_model(client: httpx.AsyncClient) -> None:
    (model,) = [entry for entry in (await client.get("/v3/models")).json()["data"] if entry["id"] == "tiny-reranker"]
    assert model["task"] == "rerank"
    assert "passed" in json.dumps(model)


async def test_no_request_is_lost_when_the_worker_is_killed(client: httpx.AsyncClient) -> None:
    documents = [f"{number} {'rice and water ' * 20}{DOCUMENTS[1]}" for number in range(12)]
    asked = [asyncio.create_task(post(client, query=f"{QUERY} {n}", documents=documents)) for n in range(24)]
    await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
    workers = [child for child in psutil.Process().children() if "ovms_core.workers.worker" in child.cmdline()]
    max(workers, key=lambda worker: worker.create_time()).kill()  # the newest is this test's own
    answers = await asyncio.gather(*asked)
    assert [answer.status_code for answer in answers] == [200] * len(asked)
    assert all(len(answer.json()["results"]) == len(documents) for answer in answers)


# -- anything at all

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
FIELDS = [
    "query", "documents", "texts", "top_n", "top_k", "rank_fields", "return_documents", "return_text", "raw_scores",
    "truncate", "truncation", "truncation_direction", "max_chunks_per_doc", "max_tokens_per_doc", "instruction",
    "priority", "text_1", "text_2", "truncate_prompt_tokens", "use_activation",
]  # fmt: skip
BODIES = st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=6), JSON, max_size=6)
DOCUMENT = st.text(max_size=30) | st.dictionaries(st.sampled_from(["text", "title", "x"]), JSON, max_size=3)
NEARLY = st.fixed_dictionaries(
    {"query": st.text(max_size=40), "documents": st.lists(DOCUMENT, max_size=4)},
    optional={name: JSON for name in FIELDS if name not in ("query", "documents")},
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=BODIES | NEARLY, path=st.sampled_from(["/v3/rerank", "/v3/score"]))
async def test_any_json_gets_an_answer_or_a_4xx(client: httpx.AsyncClient, body: dict[str, Any], path: str) -> None:
    response = await client.post(path, json=body)
    assert response.status_code == 200 or 400 <= response.status_code < 500, response.text
    if response.status_code == 200:
        assert "NaN" not in response.text
