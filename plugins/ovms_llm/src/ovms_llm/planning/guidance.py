"""What the grammar of an answer is, from the tools and the output format of a request."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ovms_core.plugin import APIError
from ovms_llm.fields.output_format import OutputFormat, refusal
from ovms_llm.fields.sampling import GenerationBody
from ovms_llm.grammar import formats
from ovms_llm.grammar.errors import GrammarError
from ovms_llm.grammar.formats import Format
from ovms_llm.messages import Guide
from ovms_llm.planning.admission import admitted
from ovms_llm.planning.validated import Check, check_of
from ovms_llm.planning.voice import Voice
from ovms_llm.speech.functions.tools import Function, ToolUse

_CONFLICTS: Final = {
    "use_beam_search": "beams do not follow a grammar",
    "ignore_eos": "the answer ends where its grammar does",
    "min_tokens": "the answer ends where its grammar does",
}
"""Fields that do not go with a grammar, and why."""


@dataclass(frozen=True, slots=True)
class Guidance:
    """The `guide` of an answer, if it has one; the paths of what is `ignored`.

    `guides_calls` says that the guide makes every tool call well-formed. `check` says what is wrong with a finished
    text.
    """

    guide: Guide | None = None
    guides_calls: bool = False
    ignored: tuple[str, ...] = ()
    check: Check | None = None


def guidance_of(body: GenerationBody, tools: ToolUse | None, voice: Voice) -> Guidance:
    """The guidance of an answer to `body`. Raises `APIError` 400 for what cannot be enforced, with its place."""
    output = body.output
    if output is not None and (tools is None or tools.choice != "required"):
        return _output_guidance(body, output, tools, voice)
    if tools is None or not _is_wanted(body, tools, voice):
        return Guidance()
    _check_goes_with_grammar(body)
    make = voice.format.calls if tools.choice == "required" else voice.format.answer
    taken = admitted(tools.callable, body, voice.limits)
    format = _format(make, taken.functions, tools.many)
    return Guidance(Guide(format, "tools"), True, (*_stops(body), *taken.unenforced))


def _output_guidance(body: GenerationBody, output: OutputFormat, tools: ToolUse | None, voice: Voice) -> Guidance:
    """An answer of the wanted form or, where there are tools, calls instead of it."""
    _check_goes_with_grammar(body)
    made = output.enforced(voice.limits)
    format = voice.format.document(made.format) if body.is_conversation else made.format
    ignored, callable = (*_stops(body), *made.unenforced), tools.callable if tools is not None else ()
    if tools is not None and callable:
        taken = admitted(callable, body, voice.limits)
        format = formats.either(_format(voice.format.calls, taken.functions, tools.many), format)
        ignored = (*ignored, *taken.unenforced)
    return Guidance(Guide(format, output.param), bool(callable), ignored, _check(output))


def _check(output: OutputFormat) -> Check | None:
    try:
        return check_of(output.output)
    except GrammarError as error:
        raise refusal(error, output.param) from None


def _is_wanted(body: GenerationBody, tools: ToolUse, voice: Voice) -> bool:
    """Whether calls must be certain; where they need not, other fields that a grammar would break come first."""
    if tools.choice == "required" or any(function.strict for function in tools.callable):
        return True
    return voice.guided_tools and not any(_conflicts(body)) and not any(_stops(body))


def _format(make: Callable[..., Format], functions: Sequence[Function], many: bool) -> Format:
    try:
        return make(functions, many=many)
    except GrammarError as error:
        raise refusal(error, "tools") from None


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
