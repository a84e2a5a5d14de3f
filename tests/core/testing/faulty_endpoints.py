"""Endpoints with a fault each, under contract tests that must find it. `test_contract.py` runs this file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from types import SimpleNamespace
from typing import Any, ClassVar, TypedDict

import msgspec
from pydantic import ConfigDict
from starlette.requests import Request
from starlette.responses import Response

from ovms_core.answers import sse
from ovms_core.plugin import Body, Call, Endpoint, Event, Json, Task, hookimpl
from ovms_core.testing import EndpointContract, model_without_files
from ovms_core.testing.scripted import TASK, ScriptOptions
from ovms_core.testing.scripted_engine import Probe, Script, ScriptedEngine, Word

_background: set[asyncio.Task[None]] = set()


class EchoBody(Body):
    text: str
    stream: bool = False


class Echo(Endpoint[EchoBody]):
    """Says what it is told, word by word."""

    path = "/echo"
    body: Any = EchoBody
    streams = True

    async def execute(self, call: Call[EchoBody]) -> AsyncIterator[Any]:
        for word in str(call.body.text).split(" "):
            yield {"text": word}

    def to_json(self, call: Call[EchoBody], events: Sequence[Any]) -> object:
        return {"text": "".join(event["text"] for event in events)}


def plugin_of(endpoint: Endpoint[Any], *tasks: Task) -> SimpleNamespace:
    return SimpleNamespace(
        __name__="faulty",
        ovms_register_endpoints=hookimpl(lambda: [endpoint]),
        ovms_register_tasks=hookimpl(lambda: list(tasks)),
    )


class Echoing(EndpointContract):
    valid_body: ClassVar = {"text": "one two three"}


class TestSound(Echoing):
    plugin = plugin_of(Echo())


class Silent(Echo):
    """Does its work without any event."""

    streams = False

    async def execute(self, call: Call[EchoBody]) -> AsyncIterator[Any]:
        for event in list[Any]():
            yield event


class TestSoundWithoutEvents(Echoing):
    plugin = plugin_of(Silent())


class TrustsItsTexts(Echo):
    """Breaks when a text is not as it expects."""

    async def execute(self, call: Call[EchoBody]) -> AsyncIterator[Any]:
        first, second, third = call.body.text.split(" ")
        for word in (first, second, third):
            yield {"text": word}


class TestTrustsItsTexts(Echoing):
    plugin = plugin_of(TrustsItsTexts())


class AnyTypeBody(Body):
    text: str | float | bool | list[Json] | dict[str, Json]
    stream: bool = False


class TakesEveryType(Echo):
    """Says that it takes all."""

    body = AnyTypeBody


class TestTakesAnyType(Echoing):
    plugin = plugin_of(TakesEveryType())


class LooseBody(EchoBody):
    model_config = ConfigDict(extra="ignore")


class TakesUnknownFields(Echo):
    """Does not say which fields had no effect."""

    body = LooseBody


class TestTakesUnknownFields(Echoing):
    plugin = plugin_of(TakesUnknownFields())


class ParsesByItself(Echo):
    """Takes any bytes."""

    async def parse(self, request: Request) -> Call[EchoBody]:
        await request.body()
        return self.call(request, EchoBody(text="anything"))


class TestParsesByItself(Echoing):
    plugin = plugin_of(ParsesByItself())


class HidesTexts(Echo):
    """Shows a guardrail nothing."""

    def texts(self, call: Call[EchoBody]) -> Iterator[str]:
        return iter(())


class TestHidesTexts(Echoing):
    plugin = plugin_of(HidesTexts())


class Opaque:
    """Nobody knows what is in it."""

    def __init__(self, word: str) -> None:
        self.word = word


class HidesItsAnswer(Echo):
    """Gives events that nobody can look into."""

    streams = False

    async def execute(self, call: Call[EchoBody]) -> AsyncIterator[Any]:
        for word in call.body.text.split(" "):
            yield Opaque(word)

    def to_json(self, call: Call[EchoBody], events: Sequence[Any]) -> object:
        return {"text": [event.word for event in events]}


class TestHidesItsAnswer(Echoing):
    plugin = plugin_of(HidesItsAnswer())


class Line(Event, tag="line"):
    text: str


class RunsLinesTogether(HidesItsAnswer):
    """Its events are lines of their own, and it says that they are pieces of one text."""

    async def execute(self, call: Call[EchoBody]) -> AsyncIterator[Any]:
        for word in call.body.text.split(" "):
            yield Line(word)

    def to_json(self, call: Call[EchoBody], events: Sequence[Any]) -> object:
        return {"text": [event.text for event in events]}


class TestRunsLinesTogether(Echoing):
    plugin = plugin_of(RunsLinesTogether())


class Answer(TypedDict):
    """What it does not say."""

    words: list[str]


class SaysSomethingElse(Echo):
    """Its answer is not what its documentation says."""

    response = Answer


class TestSaysSomethingElse(Echoing):
    plugin = plugin_of(SaysSomethingElse())


class SaysLess(Echo):
    """Asks in its execution whether the client streams."""

    async def execute(self, call: Call[EchoBody]) -> AsyncIterator[Any]:
        for word in call.body.text.split(" ")[call.stream :]:
            yield {"text": word}


class TestSaysLessInStreams(Echoing):
    plugin = plugin_of(SaysLess())


class NeverEnds(Echo):
    """Forgets the last frame."""

    async def stream(self, call: Call[EchoBody], events: AsyncIterator[Any]) -> AsyncIterator[bytes]:
        async for event in events:
            yield sse.data(event)


class TestNeverEndsItsStreams(Echoing):
    plugin = plugin_of(NeverEnds())


class SwallowsErrors(Echo):
    """Makes a good answer of every error."""

    async def unary(self, call: Call[EchoBody], events: AsyncIterator[Any]) -> Response:
        try:
            return await super().unary(call, events)
        except Exception as error:
            return Response(msgspec.json.encode({"text": str(error)}), media_type="application/json")

    async def stream(self, call: Call[EchoBody], events: AsyncIterator[Any]) -> AsyncIterator[bytes]:
        try:
            async for event in events:
                yield sse.data(event)
        except Exception as error:
            yield sse.data({"text": str(error)})
        yield sse.DONE


class TestSwallowsErrors(Echoing):
    plugin = plugin_of(SwallowsErrors())


class HasNoDocstring(Echo):
    __doc__ = None


class TestHasNoDocstring(Echoing):
    plugin = plugin_of(HasNoDocstring())


class OutlivesItsClient(Echo):
    """Talks to its engine in a task that nobody ends."""

    task = "scripted"

    async def execute(self, call: Call[EchoBody]) -> AsyncIterator[Any]:
        events: asyncio.Queue[Word | None] = asyncio.Queue()

        async def talk() -> None:
            async for event in call.require_model().submit(Script(count=2)):
                events.put_nowait(event)
            events.put_nowait(None)

        task = asyncio.create_task(talk())
        _background.add(task)
        while (event := await events.get()) is not None:
            yield {"text": event.text}


class Impatient(EndpointContract):
    """Gives up soon."""

    valid_body: ClassVar = {"text": "one"}
    patience = 2


class TestOutlivesItsClient(Impatient):
    plugin = plugin_of(OutlivesItsClient(), TASK)
    models = (model_without_files("scripted"),)


class ChangesItsMind(Endpoint[EchoBody]):
    """Answers in numbers, with others after its engine was replaced, and leaves it to Python to close its requests."""

    path = "/mind"
    body = EchoBody
    task = "scripted"

    async def execute(self, call: Call[EchoBody]) -> AsyncIterator[Any]:
        async for event in call.require_model().submit(Probe()):
            yield event

    def to_json(self, call: Call[EchoBody], events: Sequence[Any]) -> object:
        return {"id": call.id, "number": events[-1].pid}


class TestChangesItsMind(Impatient):
    plugin = plugin_of(ChangesItsMind(), TASK)
    models = (model_without_files("scripted"),)


class Fragile(ScriptedEngine):
    """Cannot be cancelled."""

    def cancel(self, id: int) -> None:
        raise KeyError(id)


class FragileEcho(Echo):
    """Echoes through an engine."""

    task = "fragile"

    async def execute(self, call: Call[EchoBody]) -> AsyncIterator[Any]:
        async with aclosing(call.require_model().submit(Script(count=2))) as events:
            async for event in events:
                yield {"text": event.text}


class TestDiesOfCancellation(Impatient):
    plugin = plugin_of(
        FragileEcho(),
        Task("fragile", f"{__name__}:Fragile", ScriptOptions, TASK.request, TASK.event, detect=lambda files: 0),
    )
    models = (model_without_files("fragile"),)
