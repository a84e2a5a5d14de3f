"""``POST /embeddings`` end to end: the application, a worker process, OpenVINO, and OpenAI's client."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Any

import httpx
import numpy as np
import openai
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.plugins.ovms_embeddings.decoder import Decoder

from ovms_core.app import create_app
from ovms_core.settings import ModelSettings, Settings
from ovms_embeddings import hooks
from ovms_embeddings.http.body import EmbeddingsBody

TEXTS = ["the cat is sleeping", "dog", "where is the dog today"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a server with one model, a tiny decoder."""
    folder = tmp_path_factory.mktemp("http")
    decoder = Decoder().save(folder / "tiny", query="query : ", document="")
    model = ModelSettings(source=str(decoder), device="CPU", options={"max_items": 100, "max_text_characters": 1000})
    app = create_app(Settings(models=[model], model_repository=str(folder / "repository")), [hooks])
    async with app.lifespan():
        await app.server.lifecycle.settled()
        (served,) = app.server.models
        assert served.problem is None
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test/v1") as client:
            yield client


async def post(http: httpx.AsyncClient, **fields: Any) -> httpx.Response:
    return await http.post("/embeddings", json=fields)


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_the_openai_client_asks_for_base64_and_gets_floats(http: httpx.AsyncClient) -> None:
    any_http: Any = http  # the client's own HTTP library differs from version to version, its interface does not
    client = openai.AsyncOpenAI(api_key="none", base_url="http://test/v1", http_client=any_http)
    answer = await client.embeddings.create(model="tiny", input=TEXTS)
    assert [item.index for item in answer.data] == [0, 1, 2]
    assert [len(item.embedding) for item in answer.data] == [16, 16, 16]
    assert (answer.object, answer.model) == ("list", "tiny")
    assert answer.usage.prompt_tokens == answer.usage.total_tokens == 5 + 2 + 6


async def test_floats_and_base64_are_the_same_numbers(http: httpx.AsyncClient) -> None:
    floats = (await post(http, input=TEXTS)).json()["data"]
    encoded = (await post(http, input=TEXTS, encoding_format="base64")).json()["data"]
    for one, other in zip(floats, encoded, strict=True):
        assert np.frombuffer(base64.b64decode(other["embedding"]), "<f4").tolist() == one["embedding"]


async def test_the_model_may_be_left_out_where_there_is_one(http: httpx.AsyncClient) -> None:
    assert (await post(http, input="dog")).json()["model"] == "tiny"


@pytest.mark.parametrize("input_", ["dog", ["dog"], [7, 1], [[7, 1]], [7.0, 1], [[7, 1.0]]])
async def test_every_form_of_input_gives_the_same_vector(http: httpx.AsyncClient, input_: Any) -> None:
    expected = (await post(http, input="dog")).json()["data"][0]["embedding"]
    (item,) = (await post(http, input=input_)).json()["data"]
    assert item["embedding"] == pytest.approx(expected, abs=1e-6)


async def test_dimensions_prompts_and_normalisation_reach_the_model(http: httpx.AsyncClient) -> None:
    answer = await post(http, input="dog", dimensions=4, input_type="query", normalize=False)
    prompted = (await post(http, input="query : dog", dimensions=4, normalize=False)).json()
    assert answer.json()["data"] == prompted["data"]
    assert len(answer.json()["data"][0]["embedding"]) == 4


async def test_what_has_no_effect_is_said(http: httpx.AsyncClient) -> None:
    answer = await post(http, input="dog", user="someone")
    assert (answer.status_code, answer.headers["x-ignored-params"]) == (200, "user")


async def test_ids_that_look_foreign_are_named_in_a_header_and_once_in_the_log(
    http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    answers = [await post(http, input=input_) for input_ in ("dog", [7, 1], [7], [[7, 1], [7]])]
    assert ["options.token_inputs" in answer.headers.get("x-warnings", "") for answer in answers] == [False] * 2 + [
        True
    ] * 2
    assert [record.message.split(":")[0] for record in caplog.records] == ["A request to model 'tiny'"]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "input"),
        ({"input": None}, "input"),
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": ["a", "b", "c", ""]}, "input[3]"),
        ({"input": [[1], []]}, "input[1]"),
        ({"input": ["a", 2]}, "input[1]"),
        ({"input": [1, "a"]}, "input[1]"),
        ({"input": [1, -2]}, "input[1]"),
        ({"input": [[1, 2], [3, 1.5]]}, "input[1][1]"),
        ({"input": {"text": "a"}}, "input"),
        ({"input": ["dog"] * 101}, "input"),
        ({"input": ["dog", "cat " * 80]}, "input[1]"),
        ({"input": [99]}, "input[0]"),
        ({"input": [7, 99]}, "input[1]"),
        ({"input": [[7], [7, 99]]}, "input[1][1]"),
        ({"input": [7, 10**30]}, "input[1]"),
        ({"input": [7, True]}, "input[1]"),
        ({"input": "cat " * 80}, "input"),
        ({"input": [7] * 80}, "input"),
        ({"input": "d" * 1001}, "input"),
        ({"input": ["dog", "d" * 1001], "truncate": True}, "input[1]"),
        ({"input": "dog", "dimensions": 10**30}, "dimensions"),
        ({"input": "dog", "dimensions": 0}, "dimensions"),
        ({"input": "dog", "dimensions": 17}, "dimensions"),
        ({"input": "dog", "encoding_format": "hex"}, "encoding_format"),
        ({"input": "dog", "truncation_side": "top"}, "truncation_side"),
        ({"input": "dog", "truncate": "yes"}, "truncate"),
        ({"input": "dog", "prompt_name": "nothing"}, "prompt_name"),
        ({"input": "dog", "input_type": "nothing"}, "input_type"),
        ({"input": [7], "input_type": "query"}, "input_type"),
        ({"input": "dog", "normalise": True}, "normalise"),
    ],
)
async def test_what_cannot_be_done_names_its_field(http: httpx.AsyncClient, fields: dict[str, Any], param: str) -> None:
    answer = await post(http, **fields)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["param"], error["type"]) == (param, "invalid_request_error")
    assert param.partition("[")[0] in error["message"]


async def test_the_model_is_listed_with_what_clients_need_to_know(http: httpx.AsyncClient) -> None:
    (model,) = (await http.get("/models")).json()["data"]
    assert (model["task"], model["dimensions"], model["device"]) == ("embeddings", 16, "CPU")


# -- anything at all

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
FIELDS = [
    "model",
    "encoding_format",
    "dimensions",
    "truncate",
    "truncation_side",
    "prompt_name",
    "input_type",
    "normalize",
]
TOKENS = st.lists(st.integers(-1, 12) | st.floats(0, 12), max_size=70)
INPUT = st.text(max_size=200) | TOKENS | st.lists(st.text(max_size=40) | TOKENS, max_size=6)
BODIES = st.dictionaries(st.sampled_from(["input", *FIELDS]) | st.text(min_size=1, max_size=6), JSON, max_size=6)
NEARLY = st.fixed_dictionaries({"input": INPUT}, optional=dict.fromkeys(FIELDS, JSON))
SENSIBLE = st.fixed_dictionaries(
    {"input": INPUT},
    optional={
        "encoding_format": st.sampled_from(["float", "base64"]),
        "dimensions": st.integers(1, 16),
        "truncate": st.booleans(),
        "truncation_side": st.sampled_from(["left", "right"]),
        "input_type": st.sampled_from(["query", "document"]),
        "normalize": st.booleans(),
    },
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=BODIES | NEARLY | SENSIBLE)
async def test_any_json_gets_vectors_or_a_4xx_that_names_a_field(http: httpx.AsyncClient, body: dict[str, Any]) -> None:
    answer = await http.post("/embeddings", json=body)
    if answer.status_code != 200:
        assert 400 <= answer.status_code < 500, answer.text
        assert answer.json()["error"]["param"], answer.text
        return
    asked = EmbeddingsBody.model_validate({"input": body["input"]}).inputs()
    vectors = [item["embedding"] for item in answer.json()["data"]]
    assert len(vectors) == len(asked)
    assert all(isinstance(vector, str) or None not in vector for vector in vectors)
