"""`windowed`: what reads an answer's text across the borders of its events, before a client does.

A word that is to be redacted may come in three events. So an interceptor that rewrites text looks at a
window on it, in which the last `n` characters are held back until more has come::

    async with aclosing(windowed(proceed(call), n=len("secret"))) as windows:
        async for window in windows:
            for match in SECRET.finditer(window.text):
                if match.end() > window.start:  # its beginning may have been released
                    window.replace(max(match.start(), window.start), match.end(), "[redacted]")
            for event in window.release():
                yield event

The result does not depend on where the borders were, as long as nothing that is looked for is longer
than `n`.

Every string of an event is looked at, in one of two ways:

- The member ``text`` of a class of events is a stretch of a stream. The stream is that of the choice that the
  member ``index`` names; events without one make one stream. A ``finish_reason`` that is not `None` ends its
  choice's streams, and so does the end of all events.
- Every other string is a text of its own: those in lists, dictionaries, structs, dataclasses and pydantic models
  inside as well. It has a window of its own, which holds nothing back.

`Literal`, enums, numbers and bytes are no text. What no class describes can be either: a string, and the ``text``
of a dictionary, are looked at as texts of their own first, then as stretches of a stream. So are events that are
bytes, if they are UTF-8.

A class of events may have its text elsewhere, several streams in one choice, and strings that are no text::

    class ToolCallDelta(Event, tag="tool_call"):
        text_member: ClassVar[str | None] = "arguments"
        stream_members: ClassVar[tuple[str, ...]] = ("call",)
        no_text: ClassVar[tuple[str, ...]] = ("id",)

        index: int
        call: int
        id: str
        arguments: str = ""

With ``text_member = None`` each of its strings is a text of its own. A struct inside an event that names a
`text_member` is a piece of a text, such as a token: the pieces of all events make a stream. Where more than the
text changes, a method ``with_text(text)`` of the class returns the changed copy.

Each of a choice's streams is looked at on its own. A choice says one after the other: text in another stream ends the
stretch before it, so that nothing waits for text that will not come. A word around a tool call is then half out when
the rest of it comes: who must not let it pass searches all of ``window.text``, and replaces from ``window.start`` on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ovms_core.answers.event_texts import Found, Stream, choice_of, is_last, only_stretch, texts_in


@dataclass(slots=True)
class _Stretch:
    """The characters `start` to `end` of a stream, counted from its beginning, seen in `window`."""

    window: Window
    start: int
    end: int


@dataclass(slots=True)
class _Held:
    """An event that waits for its turn, with the stretches of streams in it."""

    event: Any
    stretches: list[_Stretch]

    def is_settled(self) -> bool:
        return all(stretch.window.holds(stretch.end) for stretch in self.stretches)

    def take(self) -> Any:
        """The event, or a copy in which stretches are replaced."""
        changed, new = False, []
        for stretch in self.stretches:
            before, after = stretch.window._take(stretch)
            changed |= before != after
            new.append(after)
        return _rewritten(self.event, iter(new)) if changed else self.event


class Window:
    """What can be seen of one text: of a stream, or of a string by itself.

    `text` holds what is not settled yet, from `start` on, and before it up to `n` characters that are
    settled, so that a pattern can look behind. `text` is always the engine's, without replacements. `member` says
    where in the events it stands, such as ``text`` or ``labels[0].name``; it is empty where the event is a string.
    """

    def __init__(self, n: int, queue: deque[_Held], member: str = "text") -> None:
        self.text = ""
        self.member = member
        self.start = 0
        self._n = n
        self._over = False
        self._queue = queue
        self._shown: list[str] = []  # what becomes of each character of `text`
        self._forgotten = 0

    def replace(self, start: int, end: int, text: str) -> None:
        """Put `text` in the place of ``self.text[start:end]``.

        A match that begins within the last `n` characters is left alone: it appears again in the next window.
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
        """The events that can go on: all whose texts are settled, in the order in which they came.

        An event whose text has changed is a changed copy.
        """
        self.start = max(self.start, self._border())
        while self._queue and self._queue[0].is_settled():
            yield self._queue.popleft().take()

    def holds(self, end: int) -> bool:
        """Whether the text is settled up to its character number `end`."""
        return end - self._forgotten <= self.start

    def _border(self) -> int:
        return len(self.text) if self._over else len(self.text) - self._n

    def _add(self, text: str) -> _Stretch:
        start = self._forgotten + len(self.text)
        self.text += text
        self._shown += text
        self._over = False
        return _Stretch(self, start, start + len(text))

    def _end(self) -> None:
        self._over = True

    def _take(self, stretch: _Stretch) -> tuple[str, str]:
        """What `stretch` was, and what it has become."""
        start, end = stretch.start - self._forgotten, stretch.end - self._forgotten
        pair = self.text[start:end], "".join(self._shown[start:end])
        self._forget(min(end, self.start - self._n))
        return pair

    def _forget(self, count: int) -> None:
        if count <= 0:
            return
        self.text, self._shown = self.text[count:], self._shown[count:]
        self.start -= count
        self._forgotten += count


async def windowed(events: AsyncIterator[Any], n: int) -> AsyncGenerator[Window, None]:
    """Windows on every text of `events`: at least one for each event, and at the end one for each stream.

    `n` is the length, in characters, of the longest text that is looked for. Events without text keep their
    place among the others. Closing the generator closes `events`. Raises `ValueError` for an `n` under 1, and
    `TypeError` for an event that holds something it cannot look into: that event does not get out.
    """
    if n < 1:
        raise ValueError(
            f"a window needs at least 1 character, not {n}: n is the length of the longest text looked for"
        )
    queue: deque[_Held] = deque()
    streams = _Streams(n, queue)
    try:
        async for event in events:
            reading = _Reading(event, streams)
            for window in reading.whole_texts():
                yield window
            for window in reading.on_streams():
                yield window
        for window in streams.all():
            window._end()
            yield window
    finally:
        aclose = getattr(events, "aclose", None)
        if aclose is not None:
            await aclose()


class _Reading:
    """One event as it is read."""

    __slots__ = ("_event", "_found", "_streams")

    def __init__(self, event: Any, streams: _Streams) -> None:
        self._event = event
        self._streams = streams
        found = only_stretch(event)
        self._found = [] if found is None else [found]

    def whole_texts(self) -> Iterator[Window]:
        """A window on each text of its own; what was replaced there is in the event afterwards."""
        if self._found:
            return
        walk = texts_in(self._event)
        try:
            found = next(walk)
            while True:
                if found.stream is not None:
                    self._found.append(found)
                    found = walk.send(found.text)
                    continue
                window = self._streams.alone(found)
                yield window
                found = walk.send("".join(window._shown))
        except StopIteration as end:
            self._event = end.value

    def on_streams(self) -> Iterable[Window]:
        """Each window that has changed, now that the event waits in the queue; one at least."""
        streams, last = self._streams, is_last(self._event)
        changed: dict[Window, None] = {}
        stretches: list[_Stretch] = []
        for found in self._found:
            window = streams.window(found)
            if (found.text or last) and (before := streams.ended_by(found, window)) is not None:
                changed[before] = None
            stretches.append(window._add(found.text))
            changed[window] = None
        if last:
            changed |= dict.fromkeys(streams.end(choice_of(self._event)))
        streams.queue.append(_Held(self._event, stretches))
        return changed or (streams.rest,)


class _Streams:
    """The windows on all streams, and which of them each choice is in."""

    def __init__(self, n: int, queue: deque[_Held]) -> None:
        self.queue = queue
        self.rest = Window(n, queue, "")
        self._n = n
        self._windows: dict[Stream, Window] = {}
        self._current: dict[Hashable, Window] = {}

    def window(self, found: Found) -> Window:
        """The window on the stream of `found`."""
        assert found.stream is not None
        window = self._windows.get(found.stream)
        if window is None:
            window = self._windows[found.stream] = Window(self._n, self.queue, found.member)
        return window

    def alone(self, found: Found) -> Window:
        """A window on a text of its own."""
        window = Window(self._n, self.queue, found.path)
        window._add(found.text)
        window._end()
        return window

    def ended_by(self, found: Found, window: Window) -> Window | None:
        """The window on the stretch that `found`, which is in `window`, ends: on another stream of its choice."""
        assert found.stream is not None
        if found.stream.inside:
            return None
        choice = found.stream.choice
        before, self._current[choice] = self._current.get(choice, window), window
        if before is window:
            return None
        before._end()
        return before

    def end(self, choice: Hashable) -> Iterator[Window]:
        """The windows on the streams of a choice that is over."""
        for stream, window in self._windows.items():
            if stream.choice == choice:
                window._end()
                yield window

    def all(self) -> Iterable[Window]:
        """Every window."""
        return self._windows.values()


def _rewritten(event: Any, stretches: Iterator[str]) -> Any:
    """`event` with `stretches` in the places of its own."""
    walk = texts_in(event)
    try:
        found = next(walk)
        while True:
            found = walk.send(found.text if found.stream is None else next(stretches))
    except StopIteration as end:
        return end.value
