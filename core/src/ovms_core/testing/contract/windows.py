"""What a guardrail can do about an answer."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any

import httpx

from ovms_core.answers.windowed import windowed
from ovms_core.calls.endpoint import Call, Proceed
from ovms_core.client.frames import read_frames
from ovms_core.testing.contract.subject import Contract, Subject

_WORD = re.compile(r"[^\W\d_]{3,}")
_REDACTED = "\N{FULL BLOCK}"
_ALL = 1 << 40


class WindowTests(Contract):
    """What an answer says can be seen by a guardrail, and redacted."""

    async def test_a_guardrail_can_redact_every_text_of_an_answer(self, subject: Subject) -> None:
        for stream in [False, True] if subject.endpoint.streams else [False]:
            reader = Reader()
            with subject.intercepted(reader.read):
                answer = await self.ask(subject, stream=stream)
            assert reader.error is None, reader.error
            word = max((word for word in self._words(answer) if reader.has(word)), key=len, default=None)
            if word is None:
                continue
            with subject.intercepted(_Redactor(word).redact):
                redacted = await self.ask(subject, stream=stream)
            assert word not in self._words(redacted), (
                f"a guardrail that looks for the word '{word}' in windowed(…) does not keep it out of the answer: "
                f"{redacted.text[:500]}"
            )

    def _words(self, answer: httpx.Response) -> set[str]:
        """The words in the strings of an answer; none if it is not JSON."""
        kind = answer.headers.get("content-type", "")
        if kind.startswith("text/event-stream"):
            documents = [frame.document() for frame in read_frames(answer.text) if frame.data != self.ends_with]
            said = "".join(map(self.said, documents))
            return set(_WORD.findall(" ".join([said, *_strings(documents)])))
        return set(_WORD.findall(" ".join(_strings(answer.json())))) if kind.startswith("application/json") else set()


class Reader:
    """A guardrail that only reads. `error` says what it cannot look into."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.error: str | None = None

    async def read(self, call: Call[Any], proceed: Proceed) -> AsyncIterator[Any]:
        try:
            async with aclosing(windowed(proceed(call), _ALL)) as windows:
                async for window in windows:
                    self.texts.append(window.text)
                    for event in window.release():
                        yield event
        except TypeError as error:
            self.error = str(error)
            raise

    def has(self, word: str) -> bool:
        """Whether a text has it, if only inside of another word."""
        return any(word in text for text in self.texts)


class _Redactor:
    def __init__(self, word: str) -> None:
        self._length = len(word)
        self._pattern = re.compile(rf"(?<!\w){word}(?!\w)")

    async def redact(self, call: Call[Any], proceed: Proceed) -> AsyncIterator[Any]:
        async with aclosing(windowed(proceed(call), self._length)) as windows:
            async for window in windows:
                for match in self._pattern.finditer(window.text, window.start):
                    window.replace(*match.span(), _REDACTED)
                for event in window.release():
                    yield event


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _strings(item)
