"""Why a grammar is refused."""

from __future__ import annotations


class GrammarError(ValueError):
    """What was asked for cannot be enforced, or would take too long to compile.

    `pointer` is the JSON pointer (RFC 6901) of the place in what was asked for; empty for the whole.
    """

    def __init__(self, message: str, pointer: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.pointer = pointer
