"""What the endpoints for chat and text completions share: from prompts to events to the answer."""

from __future__ import annotations

import time
import uuid
from abc import abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing
from functools import lru_cache, partial
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

import msgspec
from msgspec import UnsetType

from ovms_core.plugin import APIError, Call, Endpoint, off_loop
from ovms_llm import __version__
from ovms_llm.fields.sampling import GenerationBody
from ovms_llm.http.answers import Head, TimingsReport, Usage
from ovms_llm.http.chunks import Chunks, ChunkShape
from ovms_llm.http.merge import merge
from ovms_llm.http.usage import ChoiceBuilder, UsageCounter, collect
from ovms_llm.messages import Delta, Generate, Started
from ovms_llm.planning.hearing import Hearing
from ovms_llm.planning.plan import Plan, plan
from ovms_llm.planning.validated import validated
from ovms_llm.planning.voice import Voice, voice_of

if TYPE_CHECKING:
    from ovms_core.plugin import Model

G = TypeVar("G", bound=GenerationBody)

_STARTED: Final = "ovms_llm.started"
_TRIES: Final = 5


class GenerationEndpoint(Endpoint[G]):
    """Prompts in, events out. A subclass says how an answer is written."""

    task = "text_generation"
    streams = True

    async def execute(self, call: Call[G]) -> AsyncGenerator[Any, None]:
        """The events of all prompts; a delta's `index` is that of its choice: prompt by prompt, `n` each."""
        call.context[_STARTED] = time.perf_counter()
        model, body = call.require_model(), call.body
        planned = await _planned(call, voice_of(model))
        call.ignored += planned.ignored
        streams = [_events(model, body, at, planned) for at in range(len(planned.requests))]
        async with aclosing(streams[0] if len(streams) == 1 else merge(streams)) as events:
            async for event in events:
                yield event

    def texts(self, call: Call[G]) -> Iterator[str]:
        """Every text that can reach a prompt or the answer. Prompts given as token ids have none."""
        return call.body.texts()


class ChoicesEndpoint(GenerationEndpoint[G]):
    """Answers with choices, whole or in chunks. A subclass says how a choice is written."""

    id_prefix: ClassVar[str]
    object: ClassVar[str]
    chunk_object: ClassVar[str]

    @abstractmethod
    def shape(self, body: G) -> ChunkShape:
        """How a choice is written in a chunk."""

    @abstractmethod
    def choice(self, choice: ChoiceBuilder, body: G) -> Any:
        """How a choice is written in the whole answer."""

    @abstractmethod
    def document(self, head: Head, choices: list[Any], usage: Usage, timings: TimingsReport | UnsetType) -> Any:
        """The whole answer."""

    def to_json(self, call: Call[G], events: Sequence[Any]) -> Any:
        """The answer to a call that does not stream."""
        choices, counter = collect(events, call.body.choice_count)
        written = [self.choice(choice, call.body) for choice in choices]
        return self.document(self._head(call, self.object), written, counter.usage(), _timings(call, counter))

    async def stream(self, call: Call[G], events: AsyncIterator[Any]) -> AsyncIterator[bytes]:
        """The same answer in chunks."""
        body, head = call.body, self._head(call, self.chunk_object)
        chunks = Chunks(self.shape(body), head, body.choice_count, body.usage_in_stream)
        async for event in events:
            if frame := chunks.frame(event):
                yield frame
        yield chunks.end(_timings(call, chunks.counter))

    def _head(self, call: Call[G], kind: str) -> Head:
        model = call.require_model()
        info = model.info
        fingerprint = _fingerprint(model.name, info and info.device, info and info.precision)
        id = f"{self.id_prefix}-{uuid.uuid4().hex}"
        return Head(id, kind, call.created, call.body.model or model.name, fingerprint)


async def _planned(call: Call[Any], voice: Voice) -> Plan:
    """The plan of `call`; beside the event loop if there may be grammars to make."""
    if call.body.tool_use is not None or call.body.output is not None:
        return await off_loop(plan, call.body, voice)
    return await call.off_loop(plan, call.body, voice)


def _events(model: Model, body: GenerationBody, at: int, planned: Plan) -> AsyncGenerator[Any, None]:
    """The typed events of prompt number `at`."""
    request, hearing = planned.requests[at], planned.hearing()
    begin = partial(_continuation, model, body, at, request)
    events = _unseen(begin) if request.guide is not None and not body.stream else begin()
    if hearing is not None:
        events = _heard(events, hearing)
    return events if planned.check is None else validated(events, planned.check, echo=request.echo)


async def _unseen(begin: Callable[[], AsyncGenerator[Any, None]]) -> AsyncGenerator[Any, None]:
    """The events of `begin` once they are complete: while the client has seen none of them, it may begin anew.

    A guided answer that was interrupted cannot always go on: under load it may come out otherwise.
    """
    for left in reversed(range(_TRIES)):
        try:
            async with aclosing(begin()) as events:
                complete = [event async for event in events]
            break
        except APIError as error:
            if error.code != "cannot_resume" or not left:
                raise
    for event in complete:
        yield event


async def _heard(events: AsyncGenerator[Any, None], hearing: Hearing) -> AsyncGenerator[Any, None]:
    async with aclosing(events):
        async for event in events:
            for heard in hearing.hear(event):
                yield heard


async def _continuation(model: Model, body: GenerationBody, at: int, request: Generate) -> AsyncGenerator[Any, None]:
    """The engine's events, whose choices count on from prompt to prompt; an echo comes as the first delta of each."""
    first = at * body.n
    try:
        async with aclosing(model.submit(request)) as events:
            async for event in events:
                if first and isinstance(event, Delta):
                    yield msgspec.structs.replace(event, index=first + event.index)
                    continue
                yield event
                if isinstance(event, Started) and request.echo:
                    for index in range(first, first + request.sampling.n):
                        yield Delta(index, event.prompt_text or "", [])
    except APIError as error:
        raise error.at(body.path(error.param, at)) from None


def _timings(call: Call[Any], counter: UsageCounter) -> TimingsReport | UnsetType:
    elapsed = time.perf_counter() - call.context.get(_STARTED, time.perf_counter())
    return counter.timings_report(1000 * elapsed)


@lru_cache(maxsize=1024)
def _fingerprint(model: str, device: str | None, precision: str | None) -> str:
    """Changes with what is known here to change a seeded answer: the model, where it runs, and the software."""
    known = repr((model, device, precision, __version__))
    return f"fp_{blake2b(known.encode(), digest_size=5).hexdigest()}"
