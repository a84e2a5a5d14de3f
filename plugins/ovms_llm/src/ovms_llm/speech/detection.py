"""Finding out how a model speaks, from its chat templates and its vocabulary."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Final

from ovms_llm.messages import Thinking
from ovms_llm.speech.format import SpeechFormat
from ovms_llm.speech.profile import SpeechProfile
from ovms_llm.speech.registry import formats

GENERIC: Final = "generic"

_PAIRS: Final = (
    Thinking("<think>", "</think>"),
    Thinking("<|START_THINKING|>", "<|END_THINKING|>"),
    Thinking("[THINK]", "[/THINK]"),
    Thinking("<seed:think>", "</seed:think>"),
    Thinking("<thinking>", "</thinking>"),
)


def recognise(
    templates: Mapping[str, str],
    vocabulary: Container[str],
    *,
    knows_tools: bool,
    knows_effort: bool,
    knows_system: bool = True,
    named: str | None = None,
) -> SpeechProfile:
    """How a model with these chat templates, by name, and this vocabulary speaks.

    `knows_tools`, `knows_effort` and `knows_system` say what the templates make use of. `named` is the operator's
    choice of a format; raises `ValueError` if there is none of that name.
    """
    template = "\n".join(templates.values())
    if named is not None:
        format, reason = _named(named), "set by options.speech_format"
    else:
        format, reason = _recognised(template, vocabulary)
    thinking = format.thinking or _marks_of_thoughts(template, vocabulary)
    if named is None and not knows_tools and not _has_instructions(format):
        format, reason = formats()[GENERIC], "its chat template has no tools"
    # Tools that a template shows in its own way would have the model write calls that nobody understands.
    shown = knows_tools and format.name != GENERIC
    return SpeechProfile(format.name, reason, shown, knows_effort, thinking, knows_system)


def _named(name: str) -> SpeechFormat:
    if name not in formats():
        known = ", ".join(formats())
        raise ValueError(f"options.speech_format is '{name}', which is no speech format: there are {known}")
    return formats()[name]


def _recognised(template: str, vocabulary: Container[str]) -> tuple[SpeechFormat, str]:
    for format in formats().values():
        if (reason := format.recognise(template, vocabulary)) is not None:
            return format, reason
    return formats()[GENERIC], "its chat template writes calls in no known way"


def _has_instructions(format: SpeechFormat) -> bool:
    overridden = type(format).instructions is not SpeechFormat.instructions
    return overridden and format.name != GENERIC


def _marks_of_thoughts(template: str, vocabulary: Container[str]) -> Thinking | None:
    for pair in _PAIRS:
        tokens = pair.opening in vocabulary and pair.closing in vocabulary
        if tokens or pair.closing in template:
            return pair
    return None
