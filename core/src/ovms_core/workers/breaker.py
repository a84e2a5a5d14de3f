"""When to start an engine again after it died, and when to give up for a while."""

from __future__ import annotations

import time
from collections import deque


class Breaker:
    """Backs off between restarts and opens after `limit` deaths within `window` seconds.

    While it is open nothing is restarted for `cooldown` seconds; then one attempt is made, and the
    breaker closes when the engine has lived for `window` seconds
    (https://martinfowler.com/bliki/CircuitBreaker.html).
    """

    def __init__(self, *, limit: int = 5, window: float = 120.0, cooldown: float = 30.0) -> None:
        self._deaths: deque[float] = deque(maxlen=limit)
        self._limit = limit
        self._window = window
        self._cooldown = cooldown
        self._open_until = 0.0

    @property
    def open_for(self) -> float:
        """Seconds for which the breaker stays open; 0 when it is closed."""
        return max(0.0, self._open_until - time.monotonic())

    @property
    def deaths(self) -> int:
        """How many deaths are remembered."""
        return len(self._deaths)

    def record_death(self) -> float:
        """An engine died: return the seconds to wait before the next start."""
        now = time.monotonic()
        self._deaths.append(now)
        recent = sum(now - death < self._window for death in self._deaths)
        if recent >= self._limit:
            self._open_until = now + self._cooldown
            return self._cooldown
        return 0.0 if recent == 1 else min(0.25 * 2.0 ** (recent - 2), 10.0)
