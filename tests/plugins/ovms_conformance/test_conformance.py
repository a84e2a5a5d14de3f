"""The conformance runner finds out servers that only look right."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from tests.core.cli.impostor import Answering, answering, chunk, document, events, message

from ovms_conformance.examination import Result, examine
from ovms_conformance.feature import Group, Target, Verdict
from ovms_conformance.features import GROUPS
from ovms_conformance.report import as_markdown, summary
from ovms_core.client.http import RemoteServer

STORY = "Once there was a lighthouse on a rock, far out in the sea."
EVERY = [feature for group in GROUPS for feature in group.features]


def found(name: str, answer: Answering, **models: str) -> Result:
    """What is found out about one feature of a server with these answers."""
    only = [Group(g.name, g.needs, [f for f in g.features if f.name == name]) for g in GROUPS]
    with answering(answer) as url:
        target = Target(RemoteServer.at(url), **{"chat_model": "m", "embed_model": "m", **models})
        [result] = examine(target, only)
    return result


def test_features_have_names_of_their_own_and_say_what_is_asked_for() -> None:
    assert len({feature.name for feature in EVERY}) == len(EVERY)
    assert all(feature.description.endswith(".") for feature in EVERY)


@pytest.mark.parametrize("content", [b"null", b"[]", b'{"choices": []}', b"oops", b""])
def test_nothing_is_found_where_the_answers_are_nonsense(content: bytes) -> None:
    with answering(lambda path, body: (200, "application/json", content)) as url:
        results = list(examine(Target(RemoteServer.at(url), "m", "m", "m", "m"), GROUPS))
    there = {result.feature for result in results if result.verdict is Verdict.YES}
    assert there <= {"health", "readiness", "version"}  # which need only answer


def test_a_stop_string_that_gets_out_is_found_out() -> None:
    result = found("stop string", lambda path, body: message(STORY))
    assert (result.verdict, result.note) == (Verdict.NO, "the stop string is in the answer")


def test_a_part_of_a_stop_string_that_gets_out_in_a_stream_is_found_out() -> None:
    def answer(path: str, body: dict[str, Any]) -> Any:
        if not body.get("stream"):
            return message(STORY)
        told, stop, _ = STORY.partition(body["stop"])
        return events(chunk(told), chunk(stop[:1]), b"data: [DONE]")

    assert "a part of the stop string" in found("stop string in a stream", answer).note


def test_a_stop_string_that_is_kept_in_is_found_right() -> None:
    def answer(path: str, body: dict[str, Any]) -> Any:
        return message(STORY.partition(body["stop"])[0] if "stop" in body else STORY)

    assert found("stop string", answer).verdict is Verdict.YES


def test_a_stream_without_an_end_is_found_out() -> None:
    assert found("done at the end", lambda path, body: events(chunk("a"))).verdict is Verdict.NO
    assert found("done at the end", lambda path, body: events(chunk("a"), b"data: [DONE]")).verdict is Verdict.YES


def test_a_character_that_is_split_between_frames_is_found_out() -> None:
    halves = b'data: {"choices": [{"text": "\xf0\x9f"}]}', b'data: {"choices": [{"text": "\x98\x80"}]}'
    assert found("characters are never split", lambda path, body: events(*halves)).verdict is Verdict.NO
    replaced = b'data: {"choices": [{"text": "\\ufffd"}]}', b'data: {"choices": [{"text": "\\ufffd."}]}'
    assert found("characters are never split", lambda path, body: events(*replaced)).verdict is Verdict.NO


def test_json_of_another_schema_is_found_out() -> None:
    assert found("json schema", lambda path, body: message('{"colour":"blue"}')).verdict is Verdict.NO
    assert found("json schema", lambda path, body: message('{"colour":"red"}')).verdict is Verdict.YES


def test_a_guide_that_has_no_effect_is_found_out() -> None:
    assert found("guided by a regular expression", lambda path, body: message("red 12")).verdict is Verdict.NO
    assert found("guided by a choice", lambda path, body: message(STORY)).note == f"the answer is {STORY[:40]!r}"


def test_a_refusal_that_does_not_say_where_in_the_schema_is_half_of_the_feature() -> None:
    def answer(path: str, body: dict[str, Any]) -> Any:
        bad = "no such type" in json.dumps(body)
        return document({"error": {"message": "bad schema", "param": "response_format"}}, 400) if bad else message("{}")

    result = found("bad schema is refused with its place", answer)
    assert (result.verdict, result.note) == (Verdict.PARTIAL, "it does not name the property")


def paint(arguments: str, **more: Any) -> dict[str, Any]:
    """A piece of a call in a stream."""
    return {"index": 0, "function": {"arguments": arguments}, **more}


def test_a_stream_whose_pieces_make_another_call_is_found_out() -> None:
    function = {"name": "paint", "arguments": '{"colour":"red"}'}
    whole = {"id": "call_1", "type": "function", "function": function}

    def answer(path: str, body: dict[str, Any]) -> Any:
        if not body.get("stream"):
            return document({"choices": [{"message": {"tool_calls": [whole]}, "finish_reason": "tool_calls"}]})
        begun = {"index": 0, "id": "call_1", "function": {"name": "paint", "arguments": '{"colour":'}}
        deltas = [begun, paint('"green"}')]
        return events(*(chunk("", delta={"tool_calls": [delta]}) for delta in deltas))

    result = found("joined pieces are the call", answer)
    assert (result.verdict, result.note) == (Verdict.PARTIAL, "the call in one piece is another")


def test_a_call_although_there_should_be_none_is_found_out() -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "paint", "arguments": "{}"}}
    reply = document({"choices": [{"message": {"content": "Hm.", "tool_calls": [call]}, "finish_reason": "stop"}]})
    assert found("no tool call", lambda path, body: reply).note == "there is a tool call"


def test_thoughts_under_one_name_are_half_of_the_feature() -> None:
    def answer(thought: dict[str, str]) -> Result:
        reply = {"choices": [{"message": {"content": "9.9", **thought}, "finish_reason": "stop"}]}
        return found("reasoning content", lambda path, body: document(reply))

    assert answer({}).verdict is Verdict.SKIPPED
    assert answer({"reasoning": "Hm."}).verdict is Verdict.PARTIAL
    assert answer({"reasoning": "Hm.", "reasoning_content": "Hm."}).verdict is Verdict.YES


def test_events_of_a_response_that_do_not_count_up_are_found_out() -> None:
    def answer(path: str, body: dict[str, Any]) -> Any:
        kinds = ("response.created", "response.completed")
        return events(*(b"data: " + json.dumps({"type": kind, "sequence_number": 0}).encode() for kind in kinds))

    result = found("stream of a response", answer)
    assert (result.verdict, result.note) == (Verdict.PARTIAL, "the numbers do not count")


def test_a_server_without_responses_has_none_of_their_features() -> None:
    names = [group for group in GROUPS if group.name == "Responses"]
    with answering(lambda path, body: document({"error": {"message": "no such path"}}, 404)) as url:
        results = list(examine(Target(RemoteServer.at(url), "m"), names))
    assert {result.verdict for result in results} <= {Verdict.NO, Verdict.SKIPPED}


def test_vectors_in_the_wrong_order_are_found_out() -> None:
    def answer(path: str, body: dict[str, Any]) -> Any:
        given = body["input"] if isinstance(body["input"], list) else [body["input"]]
        vectors = [[math.cos(len(text)), math.sin(len(text))] for text in sorted(given)]
        data = [{"object": "embedding", "index": i, "embedding": vector} for i, vector in enumerate(vectors)]
        return document({"object": "list", "data": data})

    assert "another vector than alone" in found("several texts in order", answer).note


def test_an_error_with_another_status_is_half_of_the_feature() -> None:
    refusal = {"error": {"message": "no", "type": "invalid_request_error", "param": "temperature", "code": None}}
    result = found("wrong type", lambda path, body: document(refusal, 422))
    assert (result.verdict, result.note) == (Verdict.PARTIAL, "422 instead of 400")


def test_what_the_server_refuses_is_noted_in_its_own_words() -> None:
    result = found("answer", lambda path, body: document({"error": {"message": "not today"}}, 503))
    assert (result.verdict, result.note) == (Verdict.NO, "503: not today")


def test_a_connection_that_breaks_is_a_feature_that_is_not_there() -> None:
    result = found("answer", lambda path, body: None)
    assert result.verdict is Verdict.NO
    assert result.note.startswith("the connection broke: ")


def test_what_needs_a_model_that_is_not_named_is_skipped() -> None:
    result = found("answer", lambda path, body: message(STORY), chat_model="")
    assert (result.verdict, result.note) == (Verdict.SKIPPED, "--chat-model is not given")


def test_the_page_has_a_table_for_each_group_and_the_sum() -> None:
    results = [
        Result("Chat", "answer", "An answer.", Verdict.YES),
        Result("Chat", "stop", "It stops.", Verdict.NO, "400: a | b"),
        Result("Errors", "unknown model", "A 404.", Verdict.PARTIAL, "400 instead of 404"),
    ]
    page = as_markdown(results, "ovms conformance URL")
    assert "## Chat\n" in page
    assert "| stop | **no** | It stops. | 400: a \\| b |" in page
    assert summary(results) == "1 yes, 1 partial, 1 no"
