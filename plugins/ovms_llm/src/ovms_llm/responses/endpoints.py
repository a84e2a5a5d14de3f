"""The endpoints of the Responses API (https://platform.openai.com/docs/api-reference/responses)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from ovms_core.plugin import APIError, Body, Call, Endpoint, Event, Int
from ovms_llm.http.generation import GenerationEndpoint
from ovms_llm.responses.body import ResponsesBody
from ovms_llm.responses.composer import Composer, new_id
from ovms_llm.responses.documents import DeletedResponse, InputItemList, Reasoning, TextConfig
from ovms_llm.responses.documents import Response as ResponseDocument
from ovms_llm.responses.service import Responses

B = TypeVar("B", bound=Body)

_RESPONSES: Final = "ovms_llm.responses"
_COMPOSER: Final = "ovms_llm.composer"


def _responses(call: Call[Any]) -> Responses:
    responses: Responses = call.context[_RESPONSES]
    return responses


class CreateResponse(GenerationEndpoint[ResponsesBody]):
    """Answer an input, and remember the conversation.

    With `background` the response is made while nobody waits: fetch it by its id.
    """

    path = "/responses"
    body = ResponsesBody
    response = ResponseDocument

    async def parse(self, request: Request) -> Call[ResponsesBody]:
        call = await super().parse(request)
        call.context[_RESPONSES] = responses = Responses.of(request.app)
        await responses.begin(call)
        call.detached = call.body.background
        return call

    async def execute(self, call: Call[ResponsesBody]) -> AsyncGenerator[Any, None]:
        """The events of the answer; where the input is too long and may be truncated, to as much as there is room for.

        That it is too long is known before the first event, so nothing is told twice.
        """
        ignored, dropped = list(call.ignored), 0
        while True:
            try:
                async with aclosing(super().execute(call)) as events:
                    async for event in events:
                        yield event
                return
            except APIError as error:
                if error.code != "context_length_exceeded" or call.body.truncation != "auto":
                    raise
                if not (more := call.body.drop_oldest()):
                    raise
            dropped += more
            call.ignored[:] = ignored
            call.warnings[:] = [*filter(_is_not_ours, call.warnings), f"{_DROPPED}{dropped}."]

    async def unary(self, call: Call[ResponsesBody], events: AsyncIterator[Any]) -> Response:
        composer, responses = _composer(call), _responses(call)
        if call.detached:
            await responses.start(call, composer, events)
            return _json(composer.response)
        async for event in events:
            _exhaust(composer.add(event))
        _exhaust(composer.finish())
        await responses.save(call, composer.response)
        return _json(composer.response)

    async def stream(self, call: Call[ResponsesBody], events: AsyncIterator[Any]) -> AsyncIterator[bytes]:
        composer, responses = _composer(call), _responses(call)
        if call.detached:
            job = await responses.start(call, composer, events)
            async for frame in job.follow():
                yield frame
            return
        for change in composer.begin():
            yield change.frame()
        async for event in events:
            if changes := [change.frame() for change in composer.add(event)]:
                yield b"".join(changes)
        *last, end = [change.frame() for change in composer.finish()]
        yield b"".join(last)
        await responses.save(call, composer.response)  # before the last event tells that there is something to fetch
        yield end

    def error(self, call: Call[ResponsesBody], error: APIError) -> bytes:
        """The response has failed, as the last event says."""
        return b"".join(change.frame() for change in _composer(call).fail(error))


_DROPPED: Final = "The input was too long for the model's context. Turns that were dropped, the oldest first: "


def _is_not_ours(warning: str) -> bool:
    return not warning.startswith(_DROPPED)


def _exhaust(changes: Iterator[Any]) -> None:
    for _ in changes:
        pass


def _composer(call: Call[ResponsesBody]) -> Composer:
    """What puts the call's response together: one a call."""
    if _COMPOSER not in call.context:
        composer = Composer(_beginning(call), with_reasoning=call.body.reasoning_wish.include)
        call.context[_COMPOSER] = composer
    made: Composer = call.context[_COMPOSER]
    return made


def _beginning(call: Call[ResponsesBody]) -> ResponseDocument:
    body = call.body
    return ResponseDocument(
        id=new_id("resp"),
        created_at=call.created,
        background=body.background,
        instructions=body.instructions,
        max_output_tokens=body.token_limit,
        model=body.model or call.require_model().name,
        parallel_tool_calls=body.parallel_tool_calls is not False,
        previous_response_id=body.previous_response_id,
        reasoning=Reasoning(body.reasoning_wish.effort),
        store=body.store,
        temperature=body.temperature,
        text=TextConfig(body.text.format or {"type": "text"}),
        tool_choice=body.shown_choice,
        tools=[tool.resource() for tool in body.tools],
        top_p=body.top_p,
        truncation=body.truncation,
        metadata=body.metadata,
    )


def _json(document: Any) -> Response:
    return Response(msgspec.json.encode(document), media_type="application/json")


# -- what is stored


class StoredResponseEndpoint(Endpoint[B]):
    """Works on a response that is stored: its answer is its one event."""

    accepts = ()

    async def parse(self, request: Request) -> Call[B]:
        call = await super().parse(request)
        call.context[_RESPONSES] = Responses.of(request.app)
        return call

    def texts(self, call: Call[B]) -> Iterator[str]:
        """None: an id reaches no model."""
        return iter(())

    def to_json(self, call: Call[B], events: Sequence[Any]) -> Any:
        return events[-1]


class ResponseId(Body):
    """Which response."""

    id: str


class ShownResponse(ResponseId):
    """Which response, and whether its stream is wanted, behind the event of that number."""

    ignored = frozenset({"include", "include_obfuscation"})

    stream: bool = False
    starting_after: Annotated[Int, Field(ge=0)] | None = None


class Frame(Event):
    """A frame of a stream, of events that have passed all interceptors."""

    data: bytes


class ShowResponse(StoredResponseEndpoint[ShownResponse]):
    """A stored response.

    With `stream` the events of one that is made in the background, from the first on or from behind `starting_after`.
    """

    path = "/responses/{id}"
    method = "GET"
    body = ShownResponse
    streams = True
    response = ResponseDocument

    async def execute(self, call: Call[ShownResponse]) -> AsyncIterator[Any]:
        owner, body, responses = call.user or "", call.body, _responses(call)
        if not call.stream:
            yield await responses.show(owner, body.id)
            return
        job = responses.jobs.with_stream(owner, body.id)
        if job is None:
            await responses.find(owner, body.id)
            message = "Only a response made with 'background': true and 'stream': true has a stream to fetch, and that "
            raise APIError(
                400, message + "for a while. Leave out 'stream'.", param="stream", code="stream_not_available"
            )
        after = -1 if body.starting_after is None else body.starting_after
        async with aclosing(job.follow(after)) as frames:
            async for frame in frames:
                yield Frame(frame)

    async def stream(self, call: Call[ShownResponse], events: AsyncIterator[Frame]) -> AsyncIterator[bytes]:
        async for event in events:
            yield event.data


class DeleteResponse(StoredResponseEndpoint[ResponseId]):
    """Forget a stored response."""

    path = "/responses/{id}"
    method = "DELETE"
    body = ResponseId
    response = DeletedResponse

    async def execute(self, call: Call[ResponseId]) -> AsyncIterator[Any]:
        await _responses(call).delete(call.user or "", call.body.id)
        yield DeletedResponse(call.body.id)


class CancelResponse(StoredResponseEndpoint[ResponseId]):
    """End a response that is made in the background."""

    path = "/responses/{id}/cancel"
    body = ResponseId
    response = ResponseDocument

    async def execute(self, call: Call[ResponseId]) -> AsyncIterator[Any]:
        yield await _responses(call).cancel(call.user or "", call.body.id)


class ListedItems(ResponseId):
    """Which of the response's input items, and in which order."""

    ignored = frozenset({"include"})

    after: str | None = None
    limit: Annotated[Int, Field(ge=1, le=100)] = 20
    order: Literal["asc", "desc"] = "desc"


class ListInputItems(StoredResponseEndpoint[ListedItems]):
    """The input items of a stored response: those that its own request sent."""

    path = "/responses/{id}/input_items"
    method = "GET"
    body = ListedItems
    response = InputItemList

    async def execute(self, call: Call[ListedItems]) -> AsyncIterator[Any]:
        body = call.body
        record = await _responses(call).find(call.user or "", body.id)
        items = record.input if body.order == "asc" else record.input[::-1]
        if body.after is not None:
            items = _behind(items, body.after)
        shown = items[: body.limit]
        ids = [item["id"] for item in shown] or [None]
        yield InputItemList(shown, ids[0], ids[-1], len(items) > len(shown))


def _behind(items: Sequence[dict[str, Any]], id: str) -> list[dict[str, Any]]:
    for at, item in enumerate(items):
        if item["id"] == id:
            return list(items[at + 1 :])
    raise APIError(400, f"No input item of the response has the id '{id:.100}'.", param="after", code="item_not_found")
