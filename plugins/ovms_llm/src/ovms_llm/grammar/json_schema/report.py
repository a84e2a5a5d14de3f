"""What of a schema cannot be enforced while the model writes."""

from __future__ import annotations

from ovms_llm.grammar.errors import GrammarError

WAY_OUT = 'leave it out, or set "strict": false to have the finished answer checked against it'


class Unenforced(Exception):
    """A keyword that cannot be enforced; raised where a schema is to be enforced whole."""

    def __init__(self, pointer: str, message: str) -> None:
        super().__init__(message)
        self.pointer = pointer
        self.message = message

    def error(self, pointer: str) -> GrammarError:
        return GrammarError(self.message, pointer)


class Report:
    """Collects the keywords that are not enforced, or refuses the first."""

    def __init__(self, strict: bool) -> None:
        self.strict = strict
        self.found: dict[str, None] = {}

    def add(self, pointer: str, why: str = "") -> None:
        if self.strict:
            keyword = pointer.rsplit("/", 1)[-1]
            detail = f" ({why})" if why else ""
            raise Unenforced(pointer, f'"{keyword}" cannot be enforced here{detail}; {WAY_OUT}')
        self.found[pointer] = None
