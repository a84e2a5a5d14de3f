"""vLLM's tool parser classes as speech formats, as they are (https://docs.vllm.ai/en/latest/features/tool_calling/).

A package that has such a class offers it in a line or two::

    # ovms_parrot.py
    from parrot_parser import ParrotToolParser

    Parrot = from_vllm(
        ParrotToolParser,
        name="parrot",
        recognise=lambda template, vocabulary: "its chat template writes <call>" if "<call>" in template else None,
        markers=("<call>", "</call>"),
        frame=lambda function: (f'<call>{{"name": "{function}", "arguments": ', "}</call>"),
    )

    # pyproject.toml
    [project.entry-points."ovms.speech_formats"]
    parrot = "ovms_parrot:Parrot"

Nothing of vLLM is imported here: the class brings what it needs. It runs in the server, where the model's tokenizer is
not: it gets one that knows `markers` as a token each, and every other character as one.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, Final, Protocol

from ovms_llm.grammar import formats
from ovms_llm.grammar.errors import GrammarError
from ovms_llm.grammar.formats import Format
from ovms_llm.messages import Thinking
from ovms_llm.speech.format import SpeechFormat
from ovms_llm.speech.functions import grammars
from ovms_llm.speech.functions.grammars import Frame
from ovms_llm.speech.functions.tools import Function
from ovms_llm.speech.parsing.markers import held_back
from ovms_llm.speech.parsing.parser import Arguments, CallStarted, Malformed, Piece, SpeechParser, Words

_log: Final = logging.getLogger(__name__)

Recognise = Callable[[str, Container[str]], str | None]
MakeFrame = Callable[[str], tuple[str, str]]


class ToolParser(Protocol):
    """What is used of a parser of vLLM's."""

    def extract_tool_calls(self, model_output: str, request: Any) -> Any:
        """All calls of a whole answer."""

    def extract_tool_calls_streaming(
        self,
        previous_text: str,
        current_text: str,
        delta_text: str,
        previous_token_ids: Sequence[int],
        current_token_ids: Sequence[int],
        delta_token_ids: Sequence[int],
        request: Any,
    ) -> Any:
        """What a piece of an answer adds."""


def from_vllm(
    parser: Callable[[Any], ToolParser],
    *,
    name: str,
    recognise: Recognise,
    markers: Sequence[str] = (),
    thinking: Thinking | None = None,
    frame: MakeFrame | None = None,
) -> type[SpeechFormat]:
    """A speech format called `name` that reads answers with `parser`, a class of vLLM's kind.

    `recognise` says why a model with a chat template and a vocabulary speaks so, or `None`. `markers` are the special
    tokens that the parser looks for. `frame` gives the texts before and behind the JSON of a function's arguments: with
    it calls can be required and guided; without it a required call is refused, and others are as the model writes them.
    """
    make, why, marks, thoughts, around = parser, recognise, tuple(markers), thinking, frame
    format_name = name

    class FromVllm(_FromVllm):
        name = format_name
        markers = marks
        thinking = thoughts
        make_parser = staticmethod(make)
        frame = staticmethod(around) if around is not None else None

        @classmethod
        def recognise(cls, template: str, vocabulary: Container[str]) -> str | None:
            return why(template, vocabulary)

    FromVllm.__name__ = FromVllm.__qualname__ = getattr(parser, "__name__", name)
    return FromVllm


class _FromVllm(SpeechFormat):
    make_parser: Callable[[Any], ToolParser]
    frame: MakeFrame | None = None

    def parser(self, functions: Sequence[Function], *, guided: bool) -> SpeechParser:
        return VllmParser(self.make_parser, self.markers, functions)

    def calls(self, functions: Sequence[Function], *, many: bool) -> Format:
        if self.frame is None:
            raise GrammarError(f"The speech format '{self.name}' cannot make a call certain: let the model choose")
        return grammars.calls(self._frames(self.frame, functions), many=many)

    def answer(self, functions: Sequence[Function], *, many: bool) -> Format:
        if self.frame is None:
            return formats.any_text()
        frames = self._frames(self.frame, functions)
        trigger = self.frame("\0")[0].partition("\0")[0]
        tags = [formats.tag(frame.begin, formats.grammar(frame.body), frame.end) for frame in frames]
        return formats.triggered([trigger], tags, once=not many)

    def _frames(self, frame: MakeFrame, functions: Sequence[Function]) -> list[Frame]:
        around = [(*frame(each.name), each) for each in functions]
        return [Frame(begin, grammars.arguments_ebnf(each), end) for begin, end, each in around]


class MarkerTokenizer:
    """A tokenizer of `markers`, a token each, and of characters: enough for parsers that look for special tokens."""

    def __init__(self, markers: Sequence[str]) -> None:
        self.all_special_tokens = list(markers)
        self.vocab = {marker: number for number, marker in enumerate(markers)}
        self._cut = re.compile("|".join([*map(re.escape, sorted(markers, key=len, reverse=True)), r"[\s\S]"]))

    def get_vocab(self) -> dict[str, int]:
        """The markers and their ids."""
        return self.vocab

    def tokenize(self, text: str) -> list[str]:
        """The tokens of `text`."""
        return self._cut.findall(text)

    def encode(self, text: str, add_special_tokens: bool = False) -> list[int]:
        """The ids of the tokens of `text`."""
        return [self.convert_tokens_to_ids(token) for token in self.tokenize(text)]

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = False) -> str:
        """The text of tokens."""
        count = len(self.all_special_tokens)
        return "".join(self.all_special_tokens[id] if id < count else chr(id - count) for id in ids)

    def convert_tokens_to_ids(self, token: str) -> int:
        """The id of one token."""
        return self.vocab[token] if token in self.vocab else len(self.vocab) + ord(token[0])


class VllmParser(SpeechParser):
    """Gives a parser of vLLM's its text in the pieces that it expects: never a part of a marker.

    What it has not given when the answer ends, and would give of the whole answer, is given then.
    """

    def __init__(
        self, make: Callable[[Any], ToolParser], markers: Sequence[str], functions: Sequence[Function]
    ) -> None:
        self._markers = markers
        self._tokenizer = MarkerTokenizer(markers)
        self._make = make
        self._parser: ToolParser | None = make(self._tokenizer)
        self._request = _request(functions)
        self._text = ""
        self._ids: list[int] = []
        self._held = ""
        self._said = ""
        self._calls: list[str] = []

    def feed(self, text: str) -> Iterator[Piece]:
        """What `text` adds."""
        self._held += text
        ready = len(self._held) - held_back(self._held, self._markers) if self._markers else len(self._held)
        text, self._held = self._held[:ready], self._held[ready:]
        yield from self._read(text)

    def finish(self) -> Iterator[Piece]:
        """What the whole answer has more."""
        text, self._held = self._held, ""
        yield from self._read(text)
        try:
            whole = self._make(self._tokenizer).extract_tool_calls(self._text, self._request)
        except Exception as error:
            _log.warning("The tool parser of a speech format failed: %s: %s", type(error).__name__, error)
            whole = SimpleNamespace(content=self._text, tool_calls=[])
        yield from self._missing(whole)

    def _read(self, text: str) -> Iterator[Piece]:
        for piece in self._pieces(text):
            before, ids = self._text, self._tokenizer.encode(piece)
            self._text += piece
            known, self._ids = self._ids, self._ids + ids
            yield from self._heard(before, piece, known, ids)

    def _pieces(self, text: str) -> Iterator[str]:
        between = re.split(f"({'|'.join(map(re.escape, self._markers))})", text) if self._markers else [text]
        return filter(None, between)

    def _heard(self, before: str, piece: str, known: list[int], ids: list[int]) -> Iterator[Piece]:
        if self._parser is None:
            return
        try:
            delta = self._parser.extract_tool_calls_streaming(
                before, self._text, piece, known, self._ids, ids, self._request
            )
        except Exception as error:
            _log.warning("The tool parser of a speech format failed: %s: %s", type(error).__name__, error)
            self._parser = None
            return
        yield from self._given(delta)

    def _given(self, delta: Any) -> Iterator[Piece]:
        if content := _of(delta, "content"):
            self._said += content
            yield Words(content)
        for call in _of(delta, "tool_calls") or ():
            function = _of(call, "function")
            if name := _of(function, "name"):
                self._calls.append("")
                yield CallStarted(name, _of(call, "id"))
            if (arguments := _of(function, "arguments")) and self._calls:
                self._calls[-1] += arguments
                yield Arguments(arguments)

    def _missing(self, whole: Any) -> Iterator[Piece]:
        content, calls = _of(whole, "content") or "", _of(whole, "tool_calls") or []
        if content.startswith(self._said) and not self._calls and (rest := content[len(self._said) :]):
            yield Words(rest)
        for number, call in enumerate(calls):
            yield from self._missing_of_call(number, call)
        if self._calls and not all(map(_is_object, self._calls)):
            yield Malformed("")

    def _missing_of_call(self, number: int, call: Any) -> Iterator[Piece]:
        function = _of(call, "function")
        arguments = _of(function, "arguments") or "{}"
        if number == len(self._calls):
            self._calls.append(arguments)
            yield CallStarted(_of(function, "name"), _of(call, "id"))
            yield Arguments(arguments)
        elif number == len(self._calls) - 1 and arguments.startswith(given := self._calls[-1]) and arguments != given:
            self._calls[-1] = arguments
            yield Arguments(arguments[len(given) :])


def _of(thing: Any, name: str) -> Any:
    """An attribute or an item: parsers give models as they are or dumped."""
    return thing.get(name) if isinstance(thing, Mapping) else getattr(thing, name, None)


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text or "{}"), dict)
    except ValueError:
        return False


def _request(functions: Sequence[Function]) -> SimpleNamespace:
    """What parsers read of a request."""
    tools = [
        SimpleNamespace(
            type="function",
            function=SimpleNamespace(name=each.name, description=each.description, parameters=each.parameters),
        )
        for each in functions
    ]
    return SimpleNamespace(tools=tools, tool_choice="auto", skip_special_tokens=False, parallel_tool_calls=True)
