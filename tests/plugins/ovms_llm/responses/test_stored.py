"""Stored responses: fetched, listed, deleted; and those that are made in the background."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import openai
import pytest
from tests.plugins.ovms_llm.responses.conftest import Api, replayed, served, words

from ovms_core.calls.endpoint import Executor
from ovms_core.plugin import APIError, Call, hookimpl
from ovms_llm.messages import Delta

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_stored_response_is_what_was_answered(api: Api) -> None:
    made = await api.responses.create(input="Hi", metadata={"a": "b"})
    assert await api.responses.retrieve(made.id) == made
    stream = [event async for event in await api.responses.create(input="Hi", stream=True)]
    assert stream[-1].type == "response.completed"
    assert await api.responses.retrieve(stream[-1].response.id) == stream[-1].response


async def test_a_deleted_response_is_gone(api: Api) -> None:
    made = await api.responses.create(input="Hi")
    answer = await api.http.delete(f"/responses/{made.id}")
    assert answer.json() == {"id": made.id, "object": "response", "deleted": True}
    for gone in (api.responses.retrieve, api.responses.delete):
        with pytest.raises(openai.NotFoundError):
            await gone(made.id)


async def test_input_items_are_listed_in_pages(api: Api) -> None:
    made = await api.responses.create(
        input=[
            {"role": "system", "content": "one"},
            {"role": "user", "content": "two"},
            {"role": "assistant", "content": "three"},
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": "four"},
        ]
    )
    listed = api.responses.input_items
    kinds = [item.type async for item in listed.list(made.id, order="asc", limit=2)]
    assert kinds == ["message", "message", "message", "function_call", "function_call_output"]
    page = await listed.list(made.id, limit=2)
    assert [item.type for item in page.data] == ["function_call_output", "function_call"]
    assert page.has_more
    with pytest.raises(openai.BadRequestError):
        await listed.list(made.id, after="msg_x")


async def test_a_background_response_is_fetched_when_it_is_done(api: Api) -> None:
    gate = api.hold()
    made = await api.responses.create(input="Hi", background=True)
    assert made.status in ("queued", "in_progress")
    assert (made.output, made.background) == ([], True)
    assert (await _settled(api, made.id, "in_progress")).output == []
    gate.set()
    done = await _settled(api, made.id, "completed")
    assert done.output_text == "Hello wörld!"
    assert done.usage is not None
    assert done.usage.output_tokens == 5


async def _settled(api: Api, id: str, status: str) -> Any:
    """The response once it has the status."""
    async with asyncio.timeout(10):
        while (response := await api.responses.retrieve(id)).status != status:
            await asyncio.sleep(0)
    return response


async def test_a_background_response_is_cancelled_and_frees_its_slot(api: Api) -> None:
    api.hold()
    made = await api.responses.create(input="Hi", background=True)
    await _settled(api, made.id, "in_progress")
    assert api.engine.open == 1
    assert (await api.responses.cancel(made.id)).status == "cancelled"
    assert api.engine.open == 0
    assert (await api.responses.retrieve(made.id)).status == "cancelled"
    assert (await api.responses.cancel(made.id)).status == "cancelled"


async def test_only_a_background_response_can_be_cancelled(api: Api) -> None:
    made = await api.responses.create(input="Hi")
    with pytest.raises(openai.BadRequestError):
        await api.responses.cancel(made.id)


async def test_a_background_response_that_is_deleted_is_ended(api: Api) -> None:
    api.hold()
    made = await api.responses.create(input="Hi", background=True)
    await api.responses.delete(made.id)
    assert api.engine.open == 0
    with pytest.raises(openai.NotFoundError):
        await api.responses.retrieve(made.id)


async def test_a_background_response_that_fails_says_why(api: Api) -> None:
    api.says(*words("Hel"), APIError(400, "No.", code="invalid_value"))
    made = await api.responses.create(input="Hi", background=True)
    failed = await _settled(api, made.id, "failed")
    assert failed.error is not None
    assert (failed.error.code, failed.error.message) == ("invalid_prompt", "No.")


async def test_a_background_stream_is_read_again_from_any_place(api: Api) -> None:
    told = [event async for event in await api.responses.create(input="Hi", background=True, stream=True)]
    assert [event.type for event in told[:3]] == ["response.created", "response.queued", "response.in_progress"]
    last = told[-1]
    assert last.type == "response.completed"
    assert replayed(told) == [item.to_dict() for item in last.response.output]
    again = [event async for event in await api.responses.retrieve(last.response.id, stream=True, starting_after=3)]
    assert again == told[4:]


async def test_a_response_without_a_background_stream_has_none_to_fetch(api: Api) -> None:
    made = await api.responses.create(input="Hi")
    with pytest.raises(openai.BadRequestError) as refused:
        await api.responses.retrieve(made.id, stream=True)
    assert refused.value.body["code"] == "stream_not_available"  # type: ignore[index]


async def test_background_responses_are_bounded_in_number() -> None:
    async with served({"max_background": 1}) as api:
        gate = api.hold()
        made = await api.responses.create(input="Hi", background=True)
        with pytest.raises(openai.RateLimitError):
            await api.responses.create(input="Hi", background=True)
        gate.set()
        await _settled(api, made.id, "completed")
        await api.responses.create(input="Hi", background=True)


async def test_a_server_that_stops_ends_its_background_responses(tmp_path: Path) -> None:
    options = {"path": str(tmp_path / "responses.sqlite")}
    async with served(options) as api:
        api.hold()
        made = await api.responses.create(input="Hi", background=True)
        await _settled(api, made.id, "in_progress")
    assert api.engine.open == 0
    async with served(options) as api:
        ended = await api.responses.retrieve(made.id)
        assert ended.status == "failed"
        assert ended.error is not None
        assert "shut down" in ended.error.message


async def test_a_background_response_passes_all_interceptors_once() -> None:
    seen: list[str] = []

    async def shout(call: Call[Any], proceed: Executor) -> AsyncIterator[Any]:
        seen.extend(call.texts())
        async with aclosing(proceed(call)) as events:  # type: ignore[type-var]
            async for event in events:
                if isinstance(event, Delta):
                    event.text = event.text.upper()
                yield event

    plugin = SimpleNamespace(__name__="shout", ovms_wrap_execution=hookimpl(nests="inside")(lambda: shout))
    async with served(beside=[plugin]) as api:
        made = await api.responses.create(input="Hi", background=True)
        assert (await _settled(api, made.id, "completed")).output_text == "HELLO WÖRLD!"
    assert seen == ["Hi"]


async def test_a_client_that_leaves_a_background_stream_does_not_end_it(api: Api) -> None:
    gate = api.hold()
    created = await _leaving_after_the_first_frame(api, {"input": "Hi", "background": True, "stream": True})
    assert api.engine.open == 1
    gate.set()
    assert (await _settled(api, created["response"]["id"], "completed")).output_text == "Hello wörld!"


async def _leaving_after_the_first_frame(api: Api, body: dict[str, Any]) -> dict[str, Any]:
    """What the first frame of the stream says; its reader left then, and the server has seen that."""
    content, left, frames = json.dumps(body).encode(), asyncio.Event(), list[bytes]()
    sent = iter([{"type": "http.request", "body": content, "more_body": False}])

    async def receive() -> Any:
        if (message := next(sent, None)) is not None:
            return message
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message.get("body"):
            frames.append(message["body"])
            left.set()

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v3/responses",
        "raw_path": b"/v3/responses",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))],
        "http_version": "1.1",
        "scheme": "http",
        "client": ("test", 1),
    }
    async with asyncio.timeout(20):
        await api.app(scope, receive, send)
    first: dict[str, Any] = json.loads(frames[0].partition(b"data: ")[2])
    return first
