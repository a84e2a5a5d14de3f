"""What a stream promises."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from ovms_core.calls.endpoint import Call, Proceed
from ovms_core.client.frames import Frame, read_frames
from ovms_core.errors import APIError
from ovms_core.testing.contract.subject import Contract, Subject

_LATE = "The answer was rejected at its end."


class StreamTests(Contract):
    """A stream says what the whole answer says, and ends so that a client can tell."""

    async def test_a_stream_says_what_the_whole_answer_says(self, subject: Subject) -> None:
        subject.require_streaming()
        whole = await self.ask(subject)
        assert whole.status_code == 200, whole.text
        expected = self.said(whole.json())
        assert expected, f"said() finds nothing in {whole.text[:500]}: override it"
        assert "".join(self.said(document) for document in self.documents(await self._frames(subject))) == expected

    async def test_a_stream_ends_properly(self, subject: Subject) -> None:
        subject.require_streaming()
        frames = await self._frames(subject)
        assert self._is_end(frames[-1]), f"the last frame is {frames[-1]}, not '{self.ends_with}' (ends_with)"
        assert not any(map(self._is_end, frames[:-1])), "something follows the end"
        for document in self.documents(frames):
            assert "error" not in document if isinstance(document, dict) else True, document

    async def test_an_error_in_mid_stream_is_its_last_frame(self, subject: Subject) -> None:
        subject.require_streaming()
        with subject.intercepted(_fail_after_the_last):
            answer = await self.ask(subject, stream=True)
        if answer.status_code != 200:  # nothing had been sent: the endpoint writes only at the end
            assert answer.status_code == 403, answer.text
            return
        *_, last = read_frames(answer.text)
        assert _LATE in last.data, f"the last frame does not tell the error: {last}"  # each dialect has its own shape

    def documents(self, frames: list[Frame]) -> list[Any]:
        """The JSON documents of a stream."""
        return [frame.document() for frame in frames if frame.data != self.ends_with]

    async def _frames(self, subject: Subject) -> list[Frame]:
        answer = await self.ask(subject, stream=True)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].startswith("text/event-stream")
        frames = read_frames(answer.text)
        assert frames, "the stream is empty"
        return frames

    def _is_end(self, frame: Frame) -> bool:
        return self.ends_with in (frame.data, frame.event)


async def _fail_after_the_last(call: Call[Any], proceed: Proceed) -> AsyncIterator[Any]:
    async with aclosing(proceed(call)) as events:
        async for event in events:
            yield event
    raise APIError(403, _LATE, code="contract")
