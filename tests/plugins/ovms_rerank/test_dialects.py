"""Requests of every dialect, and what is made of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ovms_core.plugin import APIError, decode_body
from ovms_rerank.http.answers import Answer, document
from ovms_rerank.http.body import RerankBody
from ovms_rerank.http.dialects import COHERE, JINA, TEI, VOYAGE, Dialect, recognise
from ovms_rerank.http.documents import warnings_of
from ovms_rerank.http.ranking import documents_name, rank, require_numbers, score_request, sigmoid
from ovms_rerank.messages import Scored

TEXTS = ["first", "second", "third"]
ODDS = [-1.0, 2.0, 0.0]
SCORES = [pytest.approx(0.26894, abs=1e-4), pytest.approx(0.8808, abs=1e-4), pytest.approx(0.5)]


def body(**fields: Any) -> RerankBody:
    return decode_body(json.dumps({"query": "q", **fields}).encode(), RerankBody)[0]


def cohere(**fields: Any) -> RerankBody:
    return body(documents=TEXTS, **fields)


def answer(request: RerankBody, version: str = "2", chunks: int = 3) -> Any:
    score_request(request)
    return document(Answer("rerank-1", "m", version, request, Scored(ODDS, chunks=chunks, prompt_tokens=21)))


def error(**fields: Any) -> APIError:
    with pytest.raises(APIError) as caught:
        score_request(body(**fields))
    assert caught.value.status == 400
    return caught.value


# -- which dialect


@pytest.mark.parametrize(
    ("fields", "dialect"),
    [
        ({"documents": TEXTS}, COHERE),
        ({"documents": TEXTS, "model": "m", "top_n": 1, "return_documents": True}, COHERE),
        ({"documents": TEXTS, "priority": 0}, COHERE),
        ({"documents": [{"text": "a"}], "rank_fields": ["text"], "model": "jina-reranker-v2"}, COHERE),
        ({"documents": TEXTS, "model": "jina-reranker-v2-base-multilingual"}, JINA),
        ({"documents": TEXTS, "return_embeddings": False}, JINA),
        ({"documents": TEXTS, "top_k": 2}, VOYAGE),
        ({"documents": TEXTS, "truncation": True}, VOYAGE),
        ({"texts": TEXTS}, TEI),
        ({"texts": TEXTS, "truncate": True, "raw_scores": True}, TEI),
    ],
)
def test_a_dialect_is_known_by_its_own_fields(fields: dict[str, Any], dialect: Dialect) -> None:
    assert recognise(body(**fields)) is dialect


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"texts": TEXTS, "documents": TEXTS}, "documents"),
        ({"texts": TEXTS, "top_k": 1}, "top_k"),
        ({"texts": TEXTS, "return_documents": True}, "return_documents"),
        ({"texts": TEXTS, "rank_fields": ["a"]}, "rank_fields"),
        ({"documents": TEXTS, "return_text": True}, "documents"),
        ({"documents": TEXTS, "top_k": 1, "rank_fields": ["a"]}, "rank_fields"),
        ({"documents": TEXTS, "top_k": 1, "return_embeddings": False}, "return_embeddings"),
    ],
)
def test_a_field_of_another_dialect_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    refusal = error(**fields)
    assert refusal.param == param
    assert "means nothing in a request in the manner of" in refusal.message


# -- answers, golden


def test_cohere_v2_is_answered_without_documents() -> None:
    assert answer(cohere(top_n=2)) == {
        "id": "rerank-1",
        "results": [{"index": 1, "relevance_score": SCORES[1]}, {"index": 2, "relevance_score": SCORES[2]}],
        "model": "m",
        "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}},
        "usage": {"prompt_tokens": 21, "total_tokens": 21},
    }


def test_cohere_v1_gets_its_documents_back_when_it_asks() -> None:
    given = answer(cohere(top_n=1, return_documents=True), "1")
    assert given["results"] == [{"index": 1, "relevance_score": SCORES[1], "document": {"text": "second"}}]
    assert given["meta"]["api_version"] == {"version": "1"}


def test_objects_come_back_with_their_own_fields_and_a_text() -> None:
    documents = [{"title": "a", "year": 1999}, {"title": "b", "year": 2}, {"title": "c"}]
    given = answer(body(documents=documents, rank_fields=["title", "year"], return_documents=True))
    assert given["results"][0]["document"] == {"title": "b", "year": 2, "text": "title: b\nyear: 2"}


def test_an_object_without_a_text_comes_back_with_what_was_ranked() -> None:
    documents = [{"title": "é", "text": None}, {"title": "b"}, {"title": "c", "text": ["x", "é"]}]
    given = answer(body(documents=documents, rank_fields=["title"], return_documents=True))
    assert {result["index"]: result["document"]["text"] for result in given["results"]} == {
        0: "é",
        1: "b",
        2: '["x", "é"]',
    }


def test_jina_gets_its_documents_unless_it_declines() -> None:
    given = answer(cohere(model="jina-reranker-v2", top_n=1))
    assert given["object"] == "list"
    assert given["results"] == [{"index": 1, "relevance_score": SCORES[1], "document": {"text": "second"}}]
    assert given["usage"] == {"prompt_tokens": 21, "total_tokens": 21}
    declined = answer(cohere(model="jina-reranker-v2", return_documents=False))
    assert all("document" not in result for result in declined["results"])


def test_voyage_gets_data_with_texts() -> None:
    given = answer(cohere(top_k=1, return_documents=True))
    assert given["object"] == "list"
    assert given["data"] == [{"index": 1, "relevance_score": SCORES[1], "document": "second"}]
    assert given["usage"]["total_tokens"] == 21
    assert given["model"] == "m"
    assert answer(cohere(top_k=1))["data"] == [{"index": 1, "relevance_score": SCORES[1]}]


def test_tei_gets_a_list() -> None:
    assert answer(body(texts=TEXTS)) == [
        {"index": 1, "score": SCORES[1]},
        {"index": 2, "score": SCORES[2]},
        {"index": 0, "score": SCORES[0]},
    ]
    with_text = answer(body(texts=TEXTS, return_text=True, raw_scores=True))
    assert with_text[0] == {"index": 1, "score": 2.0, "text": "second"}


@pytest.mark.parametrize(("chunks", "units"), [(1, 1), (100, 1), (101, 2), (1000, 10)])
def test_a_search_unit_is_up_to_100_chunks(chunks: int, units: int) -> None:
    assert answer(cohere(), chunks=chunks)["meta"]["billed_units"] == {"search_units": units}


# -- what the engine is asked


@pytest.mark.parametrize(
    ("fields", "fit"),
    [
        ({}, None),
        ({"truncate": True}, "keep_start"),
        ({"truncate": False}, "refuse"),
        ({"truncation": True}, "keep_start"),
        ({"truncation": False}, "refuse"),
    ],
)
def test_truncation_decides_what_happens_to_long_documents(fields: dict[str, Any], fit: str | None) -> None:
    assert score_request(cohere(**fields)).fit == fit


@pytest.mark.parametrize(("direction", "fit"), [("Left", "keep_end"), ("left", "keep_end"), ("Right", "keep_start")])
def test_tei_chooses_the_side_that_is_cut(direction: str, fit: str) -> None:
    assert score_request(body(texts=TEXTS, truncate=True, truncation_direction=direction)).fit == fit


def test_limits_and_instruction_reach_the_engine() -> None:
    asked = score_request(cohere(max_chunks_per_doc=2.0, max_tokens_per_doc=99, instruction="i"))
    assert (asked.max_chunks, asked.max_tokens, asked.instruction) == (2, 99, "i")
    assert asked.document_path == "documents[{}]"
    assert score_request(body(texts=TEXTS)).document_path == "texts[{}]"


@pytest.mark.parametrize(
    ("documents", "rank_fields", "expected"),
    [
        ([{"text": "a", "title": "b"}], None, ["a"]),
        ([{"text": "a", "title": "b"}], ["title"], ["b"]),
        ([{"text": "a", "title": "b"}], ["title", "text"], ["title: b\ntext: a"]),
        ([{"text": "a"}, "plain"], ["title", "text"], ["a", "plain"]),
        ([{"price": 9.5, "size": 3}], ["price", "size"], ["price: 9.5\nsize: 3"]),
        ([{"title": "a", "new": True}], ["title", "new"], ["title: a\nnew: true"]),
        ([{"title": "a", "text": None}], ["title", "text"], ["a"]),
    ],
)
def test_rank_fields_choose_what_is_read(documents: Any, rank_fields: Any, expected: list[str]) -> None:
    assert score_request(body(documents=documents, rank_fields=rank_fields)).documents == expected


# -- refusals


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "documents"),
        ({"return_text": True}, "texts"),
        ({"documents": TEXTS, "query": ""}, "query"),
        ({"documents": ["", {"text": " "}]}, "documents"),
        ({"texts": ["", "\n"]}, "texts"),
        ({"documents": [{"title": " ", "body": ""}], "rank_fields": ["title", "body"]}, "documents"),
        ({"documents": ["a", {"title": "b"}]}, "documents[1].text"),
        ({"documents": ["a", {"text": None}]}, "documents[1].text"),
        ({"documents": [{"text": ["b"]}]}, "documents[0].text"),
        ({"documents": ["a", {"text": 5}], "top_k": 1}, "documents[1].text"),
        ({"documents": [{"text": {"b": 1}}], "model": "jina-reranker-v2"}, "documents[0].text"),
        ({"documents": [{"a": "b"}], "rank_fields": ["c"]}, "documents[0]"),
        ({"documents": TEXTS, "rank_fields": ["text"]}, "rank_fields"),
        ({"documents": TEXTS, "top_n": 1, "top_k": 1}, "top_k"),
        ({"documents": TEXTS, "truncate": True, "truncation": True}, "truncation"),
    ],
)
def test_what_cannot_be_ranked_is_named(fields: dict[str, Any], param: str) -> None:
    assert error(**{"query": "q", **fields}).param == param


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"documents": []}, "documents"),
        ({"documents": "text"}, "documents"),
        ({"documents": ["a", 5]}, "documents[1]"),
        ({"texts": [{"text": "a"}]}, "texts[0]"),
        ({"documents": TEXTS, "top_n": -2}, "top_n"),
        ({"documents": TEXTS, "top_k": -2}, "top_k"),
        ({"documents": TEXTS, "top_n": True}, "top_n"),
        ({"documents": TEXTS, "top_n": 1.5}, "top_n"),
        ({"documents": TEXTS, "priority": 3}, "priority"),
        ({"documents": TEXTS, "relevant_spans": {"mode": "enabled"}}, "relevant_spans.mode"),
        ({"documents": TEXTS, "return_embeddings": True}, "return_embeddings"),
        ({"documents": TEXTS, "truncation_direction": "up"}, "truncation_direction"),
        ({"documents": TEXTS, "topn": 1}, "topn"),
        ({"documents": TEXTS, "query": 5}, "query"),
    ],
)
def test_a_value_that_cannot_be_honoured_is_a_400_that_names_it(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(APIError) as caught:
        body(**fields)
    assert (caught.value.status, caught.value.param) == (400, param)


def test_null_means_the_default() -> None:
    nothing = {name: None for name in RerankBody.model_fields if name not in ("query", "documents")}
    request = cohere(**nothing)
    assert recognise(request) is COHERE
    assert len(answer(request)["results"]) == 3


def test_user_is_accepted_and_named_as_ignored() -> None:
    _, ignored = decode_body(b'{"query": "q", "documents": ["a"], "user": "u"}', RerankBody)
    assert ignored == ["user"]


# -- ranking


@pytest.mark.parametrize("fields", [{"top_n": 0}, {"top_n": -1}, {"top_k": 0}, {"top_k": -1}, {"top_n": 9}])
def test_no_results_and_minus_one_mean_all_of_them(fields: dict[str, Any]) -> None:
    assert [result["index"] for result in answer(cohere(**fields))["results"]] == [1, 2, 0]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"documents": TEXTS}, None),
        ({"documents": ["a", "", {"text": " "}]}, "documents at 1, 2:"),
        ({"texts": ["\n", "a"], "query": " "}, "texts at 0:"),
        ({"documents": [{"title": ""}, {"title": "b"}], "rank_fields": ["title"]}, "documents at 0:"),
        ({"documents": ["a", *[""] * 500]}, "20 and 480 more:"),
    ],
)
def test_documents_without_text_are_named_and_do_not_fail_the_others(fields: dict[str, Any], said: str | None) -> None:
    request = body(**fields)
    texts = score_request(request).documents
    assert len(texts) == len(fields.get("documents") or fields["texts"])
    warnings = warnings_of(texts, documents_name(request))
    assert len(warnings) == (1 if said else 0)
    assert said is None or (said in warnings[0] and len(warnings[0]) <= 200)


def test_ties_keep_the_order_of_the_request() -> None:
    assert [place for place, _ in rank([1.0, 2.0, 1.0, 2.0], cohere())] == [1, 3, 0, 2]


def test_the_sigmoid_does_not_overflow() -> None:
    assert sigmoid(-1000) == 0
    assert sigmoid(1000) == 1
    assert sigmoid(0) == 0.5


def test_a_score_that_is_no_number_is_an_error_of_ours() -> None:
    with pytest.raises(APIError, match="document 1") as caught:
        require_numbers(Scored([0.0, float("nan")], chunks=2, prompt_tokens=2))
    assert caught.value.status == 500
