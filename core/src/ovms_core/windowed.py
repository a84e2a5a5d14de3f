"""`windowed`: what reads an answer's text across the borders of its events, before a client does.

A word that is to be redacted may come in three events. So an interceptor that rewrites text looks at a
window on it, in which the last `n` characters are held back until more has come::

    async with aclosing(windowed(proceed(call), n=len("secret"))) as windows:
        async for window in windows:
            for match in SECRET.finditer(window.text, window.start):
                window.replace(*match.span(), "[redacted]")
            for event in window.release():
                yield event

The result does not depend on where the borders were, as long as nothing that is looked for is longer
than `n`.

An event has text when it is a `msgspec.Struct` with a member `text` that is a string. It belongs to the stream that its
member `index` names (one of several choices); events without one make one stream. A `finish_reason`
that is not `None` ends its stream, and so does the end of all events.

A class of events may have its text elsewhere, and several streams in one choice::

    class ToolCallDelta(Event, tag="tool_call"):
        text_member: ClassVar[str] = "arguments"
        stream_members: ClassVar[tuple[str, ...]] = ("call",)

        index: int
        call: int
        arguments: str = ""

Each of a choice's streams is looked at on its own. A choice says one after the other: text in another stream ends the
stretch before it, so that nothing waits for text that will not come.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec


@dataclass(slots=True)
class _Held:
    """An event that waits for its turn: `length` characters of the window's text are its own."""

    event: Any
    window: Window | None
    length: int = 0

    def is_settled(self) -> bool:
        return self.window is None or self.window.holds(self.length)


class Window:
    """What can be seen of one stream's text.

    `text` holds what is not settled yet, from `start` on, and before it up to `n` characters that are
    settled, so that a pattern can look behind. `text` is always the engine's, without replacements. `member` is the
    member of the events that it stands in.
    """

    def __init__(self, n: int, queue: deque[_Held], member: str = "text") -> None:
        self.text = ""
        self.member = member
        self.start = 0
        self._n = n
        self._over = False
        self._queue = queue
        self._shown: list[str] = []  # what becomes of each character of `text`
        self._released = 0

    def replace(self, start: int, end: int, text: str) -> None:
        """Put `text` in the place of ``self.text[start:end]``.

        What begins among the last `n` characters is left alone: it will be seen again, with what follows.
        Raises `ValueError` for a span that is empty, or not in what is unsettled.
        """
        if not self.start <= start < end <= len(self.text):
            raise ValueError(
                f"({start}, {end}) is no span of what can still be replaced, which is {self.start} to "
                f"{len(self.text)}: search from window.start on, and replace from left to right."
            )
        if start < self._border():
            self._shown[start:end] = [text, *[""] * (end - start - 1)]
            self.start = end

    def release(self) -> Iterator[Any]:
        """The events that can go on: all whose text is settled, in the order in which they came.

        An event whose text has changed is a changed copy.
        """
        self.start = max(self.start, self._border())
        while self._queue and self._queue[0].is_settled():
            held = self._queue.popleft()
            yield held.event if held.window is None else held.window._take(held)

    def holds(self, length: int) -> bool:
        """Whether the next `length` characters that wait for their release are settled."""
        return self._released + length <= self.start

    def _border(self) -> int:
        return len(self.text) if self._over else len(self.text) - self._n

    def _add(self, event: Any, text: str) -> None:
        self.text += text
        self._shown += text
        self._over = getattr(event, "finish_reason", None) is not None
        self._queue.append(_Held(event, self, len(text)))

    def _end(self) -> None:
        self._over = True

    def _take(self, held: _Held) -> Any:
        end = self._released + held.length
        before, after = self.text[self._released : end], "".join(self._shown[self._released : end])
        self._released = end
        self._forget(min(end, self.start - self._n))
        return held.event if before == after else msgspec.structs.replace(held.event, **{self.member: after})

    def _forget(self, count: int) -> None:
        if count <= 0:
            return
        self.text, self._shown = self.text[count:], self._shown[count:]
        self.start -= count
        self._released -= count


async def windowed(events: AsyncIterator[Any], n: int) -> AsyncGenerator[Window, None]:
    """A window for each of `events`, and at the end one for each stream that still holds text.

    `n` is the length, in characters, of the longest text that is looked for. Events without text keep their
    place among the others. Closing the generator closes `events`. Raises `ValueError` for an `n` under 1.
    """
    if n < 1:
        raise ValueError(
            f"a window needs at least 1 character, not {n}: n is the length of the longest text looked for"
        )
    queue: deque[_Held] = deque()
    streams = _Streams(n, queue)
    rest = Window(n, queue)
    try:
        async for event in events:
            text = _text(event)
            if text is None:
                queue.append(_Held(event, None))
                yield rest
                continue
            if (before := streams.ended_by(event, text)) is not None:
                yield before
            window = streams.window(event)
            window._add(event, text)
            yield window
        for window in streams.all():
            window._end()
            yield window
    finally:
        aclose = getattr(events, "aclose", None)
        if aclose is not None:
            await aclose()


class _Streams:
    """The windows on all streams, and which of them each choice is in."""

    def __init__(self, n: int, queue: deque[_Held]) -> None:
        self._n = n
        self._queue = queue
        self._windows: dict[Hashable, Window] = {}
        self._current: dict[Hashable, Window] = {}

    def window(self, event: Any) -> Window:
        """The window on the stream of `event`."""
        member: str = getattr(event, "text_member", "text")
        names: tuple[str, ...] = getattr(event, "stream_members", ())
        choice = getattr(event, "index", None)
        key = (choice, member, *(getattr(event, name, None) for name in names))
        return self._windows.setdefault(key, Window(self._n, self._queue, member))

    def ended_by(self, event: Any, text: str) -> Window | None:
        """The window on the stretch that `event` ends, by text in another stream of its choice or as the last."""
        if not text and getattr(event, "finish_reason", None) is None:
            return None
        choice, window = getattr(event, "index", None), self.window(event)
        before, self._current[choice] = self._current.get(choice, window), window
        if before is window:
            return None
        before._end()
        return before

    def all(self) -> Iterable[Window]:
        """Every window."""
        return self._windows.values()


def _text(event: Any) -> str | None:
    """The text of `event`; `None` if it is none that has text."""
    if not isinstance(event, msgspec.Struct):
        return None
    text = getattr(event, getattr(event, "text_member", "text"), None)
    return text if isinstance(text, str) else None
