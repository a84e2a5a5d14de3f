"""The guard: refuses requests that hold a forbidden word, and redacts it in answers."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing
from typing import Any

from ovms_core.plugin import APIError, Call, Proceed, windowed

REDACTED = "[redacted]"


class Guard:
    """An interceptor. `words`, at least one, are looked for as whole words, whatever their case."""

    def __init__(self, words: Iterable[str]) -> None:
        longest_first = sorted(set(words), key=len, reverse=True)
        self._longest = len(longest_first[0])
        choices = "|".join(map(re.escape, longest_first))
        self._pattern = re.compile(rf"(?<!\w)(?:{choices})(?!\w)", re.IGNORECASE)

    async def __call__(self, call: Call[Any], proceed: Proceed) -> AsyncIterator[Any]:
        """The events of `call`, redacted. Raises `APIError` 400 for one that is against the rules."""
        if await call.off_loop(self._is_forbidden, call):
            raise APIError(400, "The request was rejected by this server's policy.", code="policy_violation")
        async with aclosing(windowed(proceed(call), self._longest)) as windows:
            async for window in windows:
                for match in self._pattern.finditer(window.text):
                    if match.end() > window.start:  # its beginning may be out: a tool call in its midst ends a stretch
                        window.replace(max(match.start(), window.start), match.end(), REDACTED)
                for event in window.release():
                    yield event

    def _is_forbidden(self, call: Call[Any]) -> bool:
        return any(map(self._pattern.search, call.texts()))
