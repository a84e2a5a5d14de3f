"""What the grammar of an answer is, from the tools and the output format of a request."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from ovms_core.plugin import APIError
from ovms_llm.grammar import formats
from ovms_llm.grammar.errors import GrammarError
from ovms_llm.grammar.formats import Format
from ovms_llm.grammar.recall import Recall
from ovms_llm.http.callable_functions import Enforceable
from ovms_llm.http.output_format import OutputFormat
from ovms_llm.http.sampling import GenerationBody
from ovms_llm.http.validated import Check, check_of
from ovms_llm.http.voice import Voice
from ovms_llm.messages import Guide
from ovms_llm.speech.format import SpeechFormat
from ovms_llm.speech.tools import ToolUse

_CONFLICTS: Final = {
    "use_beam_search": "beams do not follow a grammar",
    "ignore_eos": "the answer ends where its grammar does",
    "min_tokens": "the answer ends where its grammar does",
}
"""Fields that do not go with a grammar, and why."""
_formats: Final = Recall[Format](16 << 20)


@dataclass(frozen=True, slots=True)
class Guidance:
    """The `guide` of an answer, if it has one; the paths of what is `ignored`.

    `guides_calls` says that the guide makes every tool call well-formed. `check` is the last look at a finished answer.
    """

    guide: Guide | None = None
    guides_calls: bool = False
    ignored: tuple[str, ...] = ()
    check: Check | None = None


_FREE: Final = Guidance()


def guidance_of(body: GenerationBody, tools: ToolUse | None, voice: Voice) -> Guidance:
    """The guidance of an answer to `body`. Raises `APIError` 400 for what cannot be enforced, with its place."""
    output = body.output
    if tools is None:
        return _FREE if output is None else _of_output(body, output, voice)
    if output is None or tools.choice == "required":
        return _of_tools(body, tools, voice)
    return _of_either(body, tools, output, voice)


def _of_output(body: GenerationBody, output: OutputFormat, voice: Voice) -> Guidance:
    _check_goes_with_grammar(body)
    enforced = output.enforced(voice.limits)
    format = voice.format.document(enforced.format) if body.is_conversation else enforced.format
    ignored = (*enforced.unenforced, *_stops(body))
    return Guidance(Guide(format, output.param), False, ignored, _check(output))


def _of_tools(body: GenerationBody, tools: ToolUse, voice: Voice) -> Guidance:
    if not _is_wanted(body, tools, voice):
        return _FREE
    _check_goes_with_grammar(body)
    enforceable = Enforceable(tools.callable, body, voice.limits)
    format = _format(replace(tools, functions=enforceable.functions, allowed=None), voice.format)
    return Guidance(Guide(format, "tools"), True, (*enforceable.ignored, *_stops(body)))


def _of_either(body: GenerationBody, tools: ToolUse, output: OutputFormat, voice: Voice) -> Guidance:
    """A call, or the answer in its form: which of them is the model's choice."""
    answer = _of_output(body, output, voice)
    calls = _of_tools(body, replace(tools, choice="required"), voice)
    assert answer.guide is not None
    assert calls.guide is not None
    guide = Guide(formats.either(calls.guide.format, answer.guide.format), output.param)
    return Guidance(guide, True, tuple(dict.fromkeys(calls.ignored + answer.ignored)), answer.check)


def _check(output: OutputFormat) -> Check | None:
    try:
        return check_of(output.output)
    except GrammarError as error:
        raise APIError(400, error.message, param=output.param + error.pointer, code="invalid_value") from None


def _is_wanted(body: GenerationBody, tools: ToolUse, voice: Voice) -> bool:
    """Whether calls must be certain; where they need not, other fields that a grammar would break come first."""
    if tools.choice == "required" or any(function.strict for function in tools.callable):
        return True
    return voice.guided_tools and not any(_conflicts(body)) and not any(_stops(body))


def _format(tools: ToolUse, speech: SpeechFormat) -> Format:
    """Calls, or an answer with calls in it; remembered, since clients send the same tools again and again."""
    make = speech.calls if tools.choice == "required" else speech.answer
    content = speech.name, tools.choice, tools.many, msgspec.to_builtins(tools.functions)
    try:
        return _formats.get(content, lambda: make(tools.functions, many=tools.many))
    except GrammarError as error:
        raise APIError(400, error.message, param="tools", code="invalid_value") from None


def _conflicts(body: GenerationBody) -> Iterator[str]:
    return (field for field in _CONFLICTS if getattr(body, field))


def _check_goes_with_grammar(body: GenerationBody) -> None:
    for field in _conflicts(body):
        message = f"'{field}' does not go with an answer that follows a grammar: {_CONFLICTS[field]}. Leave it out."
        raise APIError(400, message, param=field, code="unsupported_parameter")


def _stops(body: GenerationBody) -> Iterator[str]:
    """The fields that would end an answer in the middle of its form."""
    if body.stops:
        yield "stop"
    if body.stop_token_ids:
        yield "stop_token_ids"
