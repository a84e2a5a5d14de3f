"""The guard around an endpoint, in the real pipeline."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import httpx
import pytest

from ovms_core.plugin import Body, Call, Endpoint, Event, hookimpl
from ovms_core.testing import EndpointContract, app_with, connected, read_frames
from ovms_guardrail import hooks
from ovms_guardrail.settings import GuardrailSettings

WORDS = {"words": ["tulip", "open sesame"]}
BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


class Letters(Event, tag="letters"):
    text: str


class Aside(Event, tag="aside"):
    """What interrupts the text, as a tool call does."""

    text_member: ClassVar[str | None] = "aside"

    aside: str


class RepeatBody(Body):
    answer: str
    prompt: str = ""
    letters: int = 3
    aside: str = ""
    stream: bool = False


class Repeat(Endpoint[RepeatBody]):
    """Answer with `answer`, a few letters an event; only `prompt` counts as what the client asks."""

    path = "/repeat"
    body = RepeatBody
    streams = True

    async def execute(self, call: Call[RepeatBody]) -> AsyncIterator[Letters | Aside]:
        for start in range(0, len(call.body.answer), call.body.letters):
            if start and call.body.aside:
                yield Aside(call.body.aside)
            yield Letters(call.body.answer[start : start + call.body.letters])

    def texts(self, call: Call[RepeatBody]) -> Iterator[str]:
        yield call.body.prompt

    def to_json(self, call: Call[RepeatBody], events: Sequence[Letters | Aside]) -> object:
        return {"text": "".join(event.text for event in events if isinstance(event, Letters))}


@hookimpl
def endpoints() -> Iterable[Endpoint[Any]]:
    return [Repeat()]


REPEAT = SimpleNamespace(__name__="repeat", ovms_register_endpoints=endpoints)


class TestAGuardedEndpointKeepsAllPromises(EndpointContract):
    plugin = hooks
    needs = (REPEAT,)
    settings: ClassVar = {"plugins": {"guardrail": WORDS}}
    valid_body = {"answer": "A tulip, two tulips.", "prompt": "flowers"}


@asynccontextmanager
async def guarded() -> AsyncIterator[httpx.AsyncClient]:
    async with connected(app_with(REPEAT, hooks, plugins={"guardrail": WORDS})) as client:
        yield client


async def ask(client: httpx.AsyncClient, **fields: Any) -> httpx.Response:
    return await client.post("/v1/repeat", json=fields)


async def answer(stream: bool, **fields: Any) -> str:
    async with guarded() as client:
        response = await ask(client, **fields, stream=stream)
    assert response.status_code == 200, response.text
    if not stream:
        return str(response.json()["text"])
    *frames, _ = read_frames(response.text)
    return "".join(frame.document().get("text", "") for frame in frames)


@BOTH
@pytest.mark.parametrize("letters", [1, 2, 3, 7, 100])
async def test_words_are_redacted_across_the_borders_of_events(stream: bool, letters: int) -> None:
    said = "A Tulip, some tulips and OPEN SESAME; tulip"
    redacted = "A [redacted], some tulips and [redacted]; [redacted]"
    assert await answer(stream, answer=said, letters=letters) == redacted


@BOTH
async def test_a_word_with_something_else_in_its_midst_does_not_get_through(stream: bool) -> None:
    said = await answer(stream, answer="A tulip and a rose", letters=5, aside="{}")
    assert said == "A tul[redacted] and a rose"


@BOTH
async def test_what_holds_none_of_the_words_is_left_alone(stream: bool) -> None:
    assert await answer(stream, answer="roses and 木犀", prompt="tulips") == "roses and 木犀"


@BOTH
async def test_a_request_that_holds_a_word_is_refused(stream: bool) -> None:
    async with guarded() as client:
        response = await ask(client, prompt="Open Sesame!", answer="a", stream=stream)
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "policy_violation"


@pytest.mark.parametrize("section", [{}, {"words": []}])
def test_a_server_whose_guard_has_no_words_does_not_start(section: dict[str, Any]) -> None:
    with pytest.raises(Exception, match="there is nothing to guard against: set words or file"):
        app_with(REPEAT, hooks, plugins={"guardrail": section})


def test_words_come_from_a_file_too(tmp_path: Path) -> None:
    file = tmp_path / "words"
    file.write_text("tulip\n\nopen sesame\n")
    assert GuardrailSettings(words=["rose"], file=file).forbidden() == ["rose", "tulip", "open sesame"]
