"""Stop strings, found in text that arrives in pieces."""

from __future__ import annotations

from collections.abc import Sequence


class StopStrings:
    """Lets text through up to the first stop string, and never a part of one.

    Text is held back while its end could still become a stop string. The match that is complete first
    wins, so that the outcome does not depend on how the text was cut into pieces.
    """

    __slots__ = ("_held", "_include", "_stops")

    def __init__(self, stops: Sequence[str], *, include: bool) -> None:
        self._stops = tuple(stops)
        self._include = include
        self._held = ""

    def feed(self, text: str, *, may_end: bool = True) -> tuple[str, str | None]:
        """What may be shown now that `text` has come, and the stop string that it completed, if any.

        While the text may not end yet, a stop string that it completes is let through.
        """
        if not self._stops:
            return text, None
        text = self._held + text
        match = self._first_match(text) if may_end else None
        if match is not None:
            self._held = ""
            start, stop = match
            return text[: start + len(stop) if self._include else start], stop
        shown = len(text) - self._partial(text)
        self._held = text[shown:]
        return text[:shown], None

    def flush(self) -> str:
        """What was held back, now that no more text will come."""
        held, self._held = self._held, ""
        return held

    def _first_match(self, text: str) -> tuple[int, str] | None:
        found = [(start + len(stop), start, stop) for stop in self._stops if (start := text.find(stop)) >= 0]
        if not found:
            return None
        _, start, stop = min(found)
        return start, stop

    def _partial(self, text: str) -> int:
        """The length of the longest end of `text` with which some stop string begins and goes on."""
        for length in range(min(len(text), max(map(len, self._stops)) - 1), 0, -1):
            if any(len(stop) > length and stop.startswith(text[-length:]) for stop in self._stops):
                return length
        return 0
