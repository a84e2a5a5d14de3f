"""How the model of a call speaks, as its engine has told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ovms_llm.grammar.limits import Limits
from ovms_llm.messages import Thinking
from ovms_llm.speech.format import SpeechFormat
from ovms_llm.speech.formats.generic import Generic
from ovms_llm.speech.profile import SpeechProfile
from ovms_llm.speech.registry import formats

if TYPE_CHECKING:
    from ovms_core.plugin import Model

_SILENT: Final = SpeechProfile(Generic.name, "the engine says nothing of how its model speaks")
_GENERIC: Final = Generic()


@dataclass(frozen=True, slots=True)
class Voice:
    """How a model speaks: its `profile`, its `format`, and what the operator lets grammars do for it."""

    profile: SpeechProfile
    format: SpeechFormat
    limits: Limits
    guided_tools: bool

    @property
    def thinking(self) -> Thinking | None:
        """How the model marks its thoughts; `None` for one that does not think aloud."""
        return self.profile.thinking

    def for_tools(self) -> Voice:
        """The voice of a request with tools: in the server's own words, where neither template nor format has any."""
        if self.profile.knows_tools or type(self.format).instructions is not SpeechFormat.instructions:
            return self
        return replace(self, format=_GENERIC)

    @property
    def needs_a_listener(self) -> bool:
        """Whether an answer without tools can hold more than text for the reader."""
        return self.thinking is not None or self.format.marks_answers


def voice_of(model: Model) -> Voice:
    """The voice of `model`. Raises `APIError` 503 where its engine has not said yet how it speaks."""
    model.require_available()
    details: dict[str, Any] = model.info.details if model.info else {}
    profile = msgspec.convert(details["speech"], SpeechProfile) if "speech" in details else _SILENT
    return Voice(
        profile=profile,
        format=formats().get(profile.format) or _GENERIC,
        limits=msgspec.convert(details.get("grammar_limits", {}), Limits),
        guided_tools=details.get("guided_tools", True) is not False,
    )
