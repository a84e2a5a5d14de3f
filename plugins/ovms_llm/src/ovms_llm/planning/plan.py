"""From a body to what the engine is asked for, given how its model speaks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from secrets import randbits

from msgspec.structs import replace

from ovms_llm.fields.reasoning import ReasoningWish
from ovms_llm.fields.sampling import GenerationBody
from ovms_llm.messages import Chat, Generate, Thinking
from ovms_llm.planning.guidance import Guidance, guidance_of
from ovms_llm.planning.hearing import Hearing
from ovms_llm.planning.prompting import addressed
from ovms_llm.planning.validated import Check
from ovms_llm.planning.voice import Voice
from ovms_llm.speech.functions.tools import Function, ToolUse
from ovms_llm.speech.listening import Listener


@dataclass(frozen=True, slots=True)
class Plan:
    """What the engine is asked for, a request a prompt, and how its answers are read.

    `ignored` names the fields that have no effect with this model. `voice` is `None` where all that the engine says is
    text for the reader. `check` says what is wrong with a finished text.
    """

    requests: Sequence[Generate]
    ignored: Sequence[str] = ()
    voice: Voice | None = None
    functions: Sequence[Function] = ()
    guided: bool = False
    many: bool = True
    check: Check | None = None

    def hearing(self) -> Hearing | None:
        """Who tells thoughts and tool calls of one prompt's answers from text; `None` where all is text."""
        if self.voice is None:
            return None
        format, thinking = self.voice.format, self.voice.thinking
        listener = partial(Listener, format, thinking, self.functions, guided=self.guided, many=self.many)
        return Hearing(lambda channel: listener(channel=channel))


def plan(body: GenerationBody, voice: Voice) -> Plan:
    """What to ask for. Raises `APIError` 400 for what the model, or a grammar, cannot do."""
    tools = body.tool_use
    if tools is not None:
        voice = voice.for_tools()
    guidance = guidance_of(body, tools, voice)
    requests = [_guided(request, guidance) for request in body.requests()]
    if not body.is_conversation:
        return Plan(requests, guidance.ignored, check=guidance.check)
    wish = body.reasoning_wish
    return Plan(
        requests=[_addressed(request, voice, tools, wish) for request in requests],
        ignored=(*guidance.ignored, *_unknown_wishes(wish, voice)),
        voice=voice if tools or voice.needs_a_listener else None,
        functions=tools.callable if tools else (),
        guided=guidance.guides_calls,
        many=tools is None or tools.many,
        check=guidance.check,
    )


def _guided(request: Generate, guidance: Guidance) -> Generate:
    if guidance.guide is None:
        return request
    sampling = request.sampling
    # A replay after a restart must draw the same tokens again, or the client gets an error.
    seed = randbits(63) if sampling.seed is None else sampling.seed
    sampling = replace(sampling, seed=seed, stop=[], stop_token_ids=[], include_stop=False)
    return replace(request, sampling=sampling, guide=guidance.guide)


def _addressed(request: Generate, voice: Voice, tools: ToolUse | None, wish: ReasoningWish) -> Generate:
    assert isinstance(request.prompt, Chat)
    request.prompt = addressed(request.prompt, voice, tools, wish)
    if (thinking := voice.thinking) is not None:
        request.thinking = Thinking(thinking.opening, thinking.closing, wish.budget)
    request.markers = list(_markers(voice, listens=tools is not None))
    return request


def _markers(voice: Voice, *, listens: bool) -> Iterator[str]:
    """The special tokens that someone reads."""
    if voice.thinking is not None:
        yield voice.thinking.opening
        yield voice.thinking.closing
    if listens or voice.format.marks_answers:
        yield from voice.format.markers


def _unknown_wishes(wish: ReasoningWish, voice: Voice) -> Iterator[str]:
    """The fields about reasoning of which this model knows nothing."""
    if wish.effort is not None and not voice.profile.knows_effort:
        yield from wish.effort_fields
    if wish.budget is not None and voice.thinking is None:
        yield from wish.budget_fields
