"""The Responses API."""

from __future__ import annotations

import json
import time
from typing import Any, Final

from ovms_conformance.feature import Group, Target, expect, expect_fully, skip
from ovms_conformance.features.text.asking import QUESTION
from ovms_conformance.features.text.shaping import COLOUR
from ovms_core.command import Answer, RefusedError, Stream

responses = Group("Responses", needs="chat_model")

_PATH: Final = "/responses"
_PATIENCE: Final = 120.0
_TOOL: Final = {"type": "function", "name": "paint", "description": "Paint the wall", "parameters": COLOUR}
_JSON: Final = {"content-type": "application/json"}


def _body(target: Target, input: Any = QUESTION, **fields: Any) -> dict[str, Any]:
    return {"model": target.chat_model, "input": input, "max_output_tokens": 16, "temperature": 0, **fields}


def _create(target: Target, input: Any = QUESTION, **fields: Any) -> Any:
    return target.server.post(_PATH, _body(target, input, **fields))


def _stream(target: Target, input: Any = QUESTION, **fields: Any) -> Stream:
    return target.server.stream(_PATH, _body(target, input, **fields))


def _text(response: Any) -> str:
    """The text of all messages in the output."""
    messages = [item for item in response["output"] if item["type"] == "message"]
    return "".join(part["text"] for item in messages for part in item["content"] if part["type"] == "output_text")


def _stored(target: Target, input: Any = QUESTION, **fields: Any) -> Any:
    """A response that the server keeps. Skips where it makes none at all."""
    try:
        return _create(target, input, store=True, **fields)
    except RefusedError as error:
        if error.answer.status == 404:
            skip("there is no `POST /responses`")
        raise


def _at(response: Any, rest: str = "") -> str:
    return f"{_PATH}/{response['id']}{rest}"


@responses.feature
def create_a_response(target: Target) -> None:
    """`POST /responses` gives a response with `output` and `usage`."""
    response = _create(target)
    expect(response["object"] == "response", f"object is {response['object']!r}")
    expect(_text(response), "the answer is empty")
    expect_fully(response["id"] and response["model"] and response["created_at"], "id, model or created_at is empty")
    expect_fully(response["status"] in {"completed", "incomplete"}, f"status is {response['status']!r}")
    usage = response["usage"]
    total = usage["input_tokens"] + usage["output_tokens"]
    expect_fully(usage["output_tokens"] > 0 and usage["total_tokens"] == total, "the usage does not add up")


@responses.feature
def incomplete_response(target: Target) -> None:
    """`max_output_tokens` bounds the answer, which is then `incomplete` and says why."""
    response = _create(target, max_output_tokens=16)
    expect(response["usage"]["output_tokens"] == 16, f"{response['usage']['output_tokens']} tokens instead of 16")
    expect(response["status"] == "incomplete", f"status is {response['status']!r}")
    expect_fully(response["incomplete_details"]["reason"] == "max_output_tokens", "the reason is another")


@responses.feature
def input_as_items(target: Target) -> None:
    """`input` may be a list of messages; one means the same as its text."""
    item = {"role": "user", "content": [{"type": "input_text", "text": QUESTION}]}
    expect(_text(_create(target, [item])) == _text(_create(target)) != "", "the answer is another than to the text")


@responses.feature
def instructions(target: Target) -> None:
    """`instructions` are a system message."""
    response = _create(target, instructions="You are a pirate.")
    expect(_text(response), "the answer is empty")
    expect_fully(_text(response) != _text(_create(target)), "the answer is the same without them")


@responses.feature
def stream_of_a_response(target: Target) -> None:
    """A stream has typed events from `response.created` to the end, and numbers that count up."""
    events = list(_stream(target).documents())
    expect(events[0]["type"] == "response.created", f"the first event is {events[0]['type']!r}")
    last = events[-1]["type"]
    expect(last in {"response.completed", "response.incomplete"}, f"the last event is {last!r}")
    expect_fully([event["sequence_number"] for event in events] == list(range(len(events))), "the numbers do not count")


@responses.feature
def streamed_text_of_a_response(target: Target) -> None:
    """The deltas of a stream are the text of the response at its end, and of the answer in one piece."""
    events = list(_stream(target).documents())
    text = "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")
    expect(text and text == _text(events[-1]["response"]), "the text at the end is another")
    expect(text == _text(_create(target)), "the answer in one piece is another")


@responses.feature
def response_of_a_schema(target: Target) -> None:
    """`text.format` of type `json_schema` gives JSON of that schema."""
    form = {"type": "json_schema", "name": "answer", "strict": True, "schema": COLOUR}
    fields = {"text": {"format": form}, "max_output_tokens": 48}
    document = json.loads(_text(_create(target, "Which colour has grass?", **fields)))
    expect(document["colour"] in {"red", "green"}, "the answer is not of the schema")


@responses.feature
def function_call(target: Target) -> None:
    """`tools` and `tool_choice` give an item `function_call` with arguments of the schema."""
    response = _create(target, "Paint it red.", tools=[_TOOL], tool_choice="required", max_output_tokens=128)
    calls = [item for item in response["output"] if item["type"] == "function_call"]
    expect(calls, "there is no call")
    expect(calls[0]["name"] == "paint" and calls[0]["call_id"], "another tool is called, or call_id is empty")
    expect(json.loads(calls[0]["arguments"])["colour"] in {"red", "green"}, "the arguments are wrong")


@responses.feature
def function_call_in_a_stream(target: Target) -> None:
    """The arguments of a call stream as `response.function_call_arguments.delta`."""
    fields = {"tools": [_TOOL], "tool_choice": {"type": "function", "name": "paint"}, "max_output_tokens": 128}
    events = list(_stream(target, "Paint it red.", **fields).documents())
    kind = "response.function_call_arguments.delta"
    arguments = "".join(event["delta"] for event in events if event["type"] == kind)
    expect(json.loads(arguments)["colour"] in {"red", "green"}, "the arguments are wrong")


@responses.feature
def function_call_output(target: Target) -> None:
    """`input` may hold calls and what came of them."""
    call = {"type": "function_call", "call_id": "call_1", "name": "paint", "arguments": '{"colour":"red"}'}
    output = {"type": "function_call_output", "call_id": "call_1", "output": "The wall is red now."}
    response = _create(target, [{"role": "user", "content": "Paint it red."}, call, output], tools=[_TOOL])
    expect(response["output"], "the answer is empty")


@responses.feature
def retrieve_a_response(target: Target) -> None:
    """`GET /responses/{id}` shows a response that was stored."""
    response = _stored(target)
    shown = target.server.get(_at(response))
    expect(shown["id"] == response["id"] and _text(shown) == _text(response) != "", "another response is shown")


@responses.feature
def response_that_is_not_stored(target: Target) -> None:
    """With `store: false` a response is not kept: `GET /responses/{id}` is a 404."""
    response = _create(target, store=False)
    status = target.server.send("GET", _at(response)).status
    expect(status == 404, f"{status} instead of 404")


@responses.feature
def delete_a_response(target: Target) -> None:
    """`DELETE /responses/{id}` forgets a response."""
    response = _stored(target)
    expect(target.server.send("DELETE", _at(response)).accepted().json()["deleted"], "it is not deleted")
    status = target.server.send("GET", _at(response)).status
    expect(status == 404, f"it is still there: {status} instead of 404")


@responses.feature
def input_items(target: Target) -> None:
    """`GET /responses/{id}/input_items` lists what was put in."""
    listed = target.server.get(_at(_stored(target), "/input_items"))
    expect(listed["object"] == "list" and len(listed["data"]) == 1, "it does not list the one message")
    expect(QUESTION in json.dumps(listed["data"][0]["content"]), "it lists another message")


@responses.feature
def previous_response(target: Target) -> None:
    """`previous_response_id` goes on with a conversation."""
    first = _stored(target, "My name is Ann.")
    second = _create(target, "What is my name?", previous_response_id=first["id"])
    expect(_text(second) and second["previous_response_id"] == first["id"], "previous_response_id is another")
    alone = _create(target, "What is my name?")
    more = second["usage"]["input_tokens"] > alone["usage"]["input_tokens"] + first["usage"]["output_tokens"]
    expect(more, "the prompt is no longer than without it")


@responses.feature
def unknown_previous_response(target: Target) -> None:
    """A `previous_response_id` that is not there is a 400 or 404 that names it in `param`."""
    answer = target.server.send_json(_PATH, _body(target, previous_response_id="resp_0123456789abcdef"))
    expect(answer.status in {400, 404}, f"{answer.status} instead of 400 or 404")
    expect("previous_response_id" in str(answer.json()["error"].get("param")), "param does not name it")


@responses.feature
def background_response(target: Target) -> None:
    """With `background: true` the answer comes at once, and the response is ready when it is asked for later."""
    response = _stored(target, background=True)
    expect(response["status"] in {"queued", "in_progress"}, f"status is {response['status']!r} at first")
    deadline = time.monotonic() + _PATIENCE
    while response["status"] in {"queued", "in_progress"} and time.monotonic() < deadline:
        time.sleep(0.1)
        response = target.server.get(_at(response))
    expect(response["status"] in {"completed", "incomplete"}, f"status is {response['status']!r} at last")
    expect(_text(response), "the answer is empty")


@responses.feature
def cancel_a_response(target: Target) -> None:
    """`POST /responses/{id}/cancel` ends a response in the background."""
    response = _stored(target, background=True, max_output_tokens=4096)
    cancelled = _cancel(target, response).accepted().json()
    if cancelled["status"] in {"completed", "incomplete"}:
        skip("it was ready too soon")
    expect(cancelled["status"] == "cancelled", f"status is {cancelled['status']!r}")
    shown = target.server.get(_at(response))["status"]
    expect_fully(shown == "cancelled", f"status is {shown!r} afterwards")


@responses.feature
def cancel_needs_the_background(target: Target) -> None:
    """A response that did not run in the background cannot be cancelled: a 400."""
    answer = _cancel(target, _stored(target))
    expect(answer.status == 400, f"{answer.status} instead of 400")


def _cancel(target: Target, response: Any) -> Answer:
    return target.server.send("POST", _at(response, "/cancel"), b"{}", _JSON)


@responses.feature
def unknown_response(target: Target) -> None:
    """`GET /responses/{id}` of a response that is not there is a 404 that says so."""
    _stored(target)
    answer = target.server.send("GET", f"{_PATH}/resp_0123456789abcdef")
    expect(answer.status == 404, f"{answer.status} instead of 404")
    expect_fully("resp_0123456789abcdef" in answer.json()["error"]["message"], "it does not name the response")


@responses.feature
def hosted_tools_are_named(target: Target) -> None:
    """A hosted tool that the server does not have is a 400 that names it."""
    answer = target.server.send_json(_PATH, _body(target, tools=[{"type": "web_search"}]))
    if answer.status == 200:
        skip("the server has it")
    expect(answer.status == 400, f"{answer.status} instead of 400")
    expect("web_search" in answer.json()["error"]["message"], "it is not named")


@responses.feature
def metadata(target: Target) -> None:
    """`metadata` comes back as it was given."""
    expect(_create(target, metadata={"ticket": "42"})["metadata"] == {"ticket": "42"}, "it is another")
