"""Stop strings, found in text that arrives in pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence


class StopStrings:
    """Lets text through up to the first stop string, and never a part of one.

    Text is held back while its end could still become a stop string. The match that is complete first
    wins, so that the outcome does not depend on how the text was cut into pieces. This runs for every
    token: a stop string is looked at only where the text has its first or its last character, so that
    many cost little more than one.
    """

    __slots__ = ("_by_first", "_by_last", "_held", "_include", "_longest")

    def __init__(self, stops: Sequence[str], *, include: bool) -> None:
        self._by_first = _grouped(stops, lambda stop: stop[0])
        self._by_last = _grouped(stops, lambda stop: stop[-1])
        self._longest = max(map(len, stops), default=0)
        self._include = include
        self._held = ""

    def __bool__(self) -> bool:
        return self._longest > 0

    def feed(self, text: str, *, may_end: bool = True) -> tuple[str, str | None]:
        """What may be shown now that `text` has come, and the stop string that it completed, if any.

        While the text may not end yet, a stop string that it completes is let through.
        """
        if not self._longest:
            return text, None
        known = len(self._held)
        text = self._held + text
        match = self._first_match(text, known) if may_end else None
        if match is not None:
            self._held = ""
            start, stop = match
            return text[: start + len(stop) if self._include else start], stop
        shown = self._safe(text)
        self._held = text[shown:]
        return text[:shown], None

    def flush(self) -> str:
        """What was held back, now that no more text will come."""
        held, self._held = self._held, ""
        return held

    def _first_match(self, text: str, known: int) -> tuple[int, str] | None:
        """Where the stop string begins that is complete first, of those that end behind the `known` characters."""
        found = []
        for last in self._by_last.keys() & set(text[known:]):
            for stop in self._by_last[last]:
                start = text.find(stop, max(0, known - len(stop) + 1))
                if start >= 0:
                    found.append((start + len(stop), start, stop))
        return min(found)[1:] if found else None

    def _safe(self, text: str) -> int:
        """How much of `text` no stop string can claim any more, however it goes on."""
        for start in range(max(0, len(text) - self._longest + 1), len(text)):
            for stop in self._by_first.get(text[start], ()):
                if len(stop) > len(text) - start and stop.startswith(text[start:]):
                    return start
        return len(text)


def _grouped(stops: Iterable[str], key: Callable[[str], str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for stop in stops:
        groups.setdefault(key(stop), []).append(stop)
    return groups
