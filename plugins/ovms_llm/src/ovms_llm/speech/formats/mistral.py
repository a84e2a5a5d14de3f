"""Mistral's models of both generations (https://docs.mistral.ai/capabilities/function_calling)."""

from __future__ import annotations

import re
import secrets
import string
from collections.abc import Collection, Container, Iterator, Sequence
from hashlib import blake2b
from typing import Final

from ovms_llm.speech.functions.tools import Function
from ovms_llm.speech.json_format import JsonFormat
from ovms_llm.speech.parsing.calls import CallReader, MarkedParser, StreamedCalls, WholeCalls, read_json
from ovms_llm.speech.parsing.json_text import Extent, is_object
from ovms_llm.speech.parsing.parser import Arguments, CallStarted, Malformed, Piece, SpeechParser

CALLS: Final = "[TOOL_CALLS]"
ARGUMENTS: Final = "[ARGS]"
ID: Final = "[CALL_ID]"
_ID: Final = re.compile(r"[a-zA-Z0-9]{9}")
_LETTERS: Final = string.ascii_letters + string.digits
_HEAD: Final = re.compile(r"\s*([^\s\[\]{}]+)\s*(?:\[CALL_ID\]\s*(\w*)\s*)?(?:\[ARGS\]\s*)?(?=\{)")


class Mistral(JsonFormat):
    """A list of JSON calls behind one mark, as up to Mistral Small 3.1. Newer models' calls are understood too."""

    name = "mistral"
    markers = (CALLS, ARGUMENTS, ID)
    opening = CALLS
    closing = ""
    listed = True
    separator = ", "

    @classmethod
    def recognise(cls, template: str, vocabulary: Container[str]) -> str | None:
        """By the mark of calls."""
        return f"its chat template writes {CALLS} with a list" if CALLS in template else None

    def parser(self, functions: Sequence[Function], *, guided: bool) -> SpeechParser:
        """Calls behind marks."""
        known = {function.name for function in functions}
        return MarkedParser((CALLS,), lambda _: MistralCalls(known, guided=guided))

    def call_id(self, id: str) -> str:
        """Nine letters or digits: the templates refuse any other, as other servers and clients make them."""
        return id if _ID.fullmatch(id) else blake2b(id.encode(errors="replace")).hexdigest()[:9]


class MistralCalls(CallReader):
    """Reads what stands behind ``[TOOL_CALLS]``: a list of objects, or a name and its arguments.

    Calls without an id get one as the family's templates want it: nine letters or digits.
    """

    def __init__(self, known: Collection[str], *, guided: bool) -> None:
        self._known = known
        self._guided = guided
        self._held = ""
        self._reader: CallReader | None = None

    def feed(self, text: str) -> Iterator[Piece]:
        """What `text` adds."""
        self._held += text
        if self._reader is None and self._held.strip():
            self._reader = self._chosen(self._held.lstrip()[0])
        if self._reader is not None:
            held, self._held = self._held, ""
            yield from map(_with_id, self._reader.feed(held))
            self.rest = self._reader.rest

    def finish(self) -> Iterator[Piece]:
        """What was held back when the answer ended."""
        if self._reader is None:
            yield Malformed(CALLS + self._held)
            return
        yield from map(_with_id, self._reader.finish())
        self.rest = self._reader.rest

    def _chosen(self, first: str) -> CallReader:
        if first not in "[{":
            return NamedCall(self._known, guided=self._guided)
        return StreamedCalls("") if self._guided else WholeCalls(CALLS, "", read_json, self._known)


class NamedCall(CallReader):
    """Reads ``name[CALL_ID]id[ARGS]{…}``, where the middle may be missing."""

    def __init__(self, known: Collection[str], *, guided: bool) -> None:
        self._known = known
        self._guided = guided
        self._text = ""
        self._read = 0
        self._call: CallStarted | None = None
        self._arguments = Extent()
        self._begin = 0

    def feed(self, text: str) -> Iterator[Piece]:
        """What `text` adds."""
        self._text += text
        if self._call is None and (found := _HEAD.match(self._text)):
            self._call = CallStarted(found[1], found[2] or None)
            self._begin = self._read = found.end()
            if self._guided:
                yield self._call
        if self._call is not None:
            yield from self._add(self._call)

    def finish(self) -> Iterator[Piece]:
        """A call that is not whole."""
        if not self._guided:
            yield Malformed(CALLS + self._text)

    def _add(self, call: CallStarted) -> Iterator[Piece]:
        fresh, self._read = self._text[self._read :], len(self._text)
        end = self._arguments.feed(fresh)
        if self._guided and fresh[:end]:
            yield Arguments(fresh[:end])
        if end is None:
            return
        self.rest = fresh[end:]
        if not self._guided:
            yield from self._whole(call, len(self._text) - len(self.rest))

    def _whole(self, call: CallStarted, end: int) -> Iterator[Piece]:
        arguments = self._text[self._begin : end]
        if call.name in self._known and is_object(arguments):
            yield from (call, Arguments(arguments))
        else:
            yield Malformed(CALLS + self._text[:end])


def _with_id(piece: Piece) -> Piece:
    if isinstance(piece, CallStarted) and piece.id is None:
        return CallStarted(piece.name, "".join(secrets.choice(_LETTERS) for _ in range(9)))
    return piece
