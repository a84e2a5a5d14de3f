"""Taking requests on: everything that can be refused is refused here, before the pipeline sees it."""

from __future__ import annotations

from typing import Any, Final

from ovms_core.engine import LoadError, RequestError
from ovms_llm.engine.course import Course, ending_in, grammars_of
from ovms_llm.engine.plan import beams_of, check_guided, plan
from ovms_llm.engine.request_state import Clock, RequestState
from ovms_llm.engine.schedule import Schedule
from ovms_llm.engine.thought import forced
from ovms_llm.messages import Chat, Detokenize, Detokenized, Generate, Prompt, Tokenize, Tokenized
from ovms_llm.model.loading import Loaded, chat_template, sampling_defaults
from ovms_llm.prompt.endings import end_tokens
from ovms_llm.prompt.prompts import Prompts
from ovms_llm.prompt.template_facts import knows_effort, knows_system, knows_tools
from ovms_llm.prompt.templates import ChatTemplate
from ovms_llm.prompt.vocabulary import Vocabulary
from ovms_llm.speech.detection import recognise
from ovms_llm.speech.profile import SpeechProfile

FREE: Final = Course()
"""The course of a request that asks for nothing special."""


class Intake:
    """Turns requests into their states, for a model that is `loaded` and a cache as `schedule` knows it."""

    def __init__(self, loaded: Loaded, tokenizer: Any, vocabulary: Vocabulary, schedule: Schedule) -> None:
        self._tokenizer = tokenizer
        self._vocabulary = vocabulary
        self._schedule = schedule
        template = chat_template(loaded, tokenizer)
        self._prompts = Prompts(tokenizer, template, vocabulary, loaded.options.max_prompt_characters)
        self.speech = _speech(template, vocabulary, loaded.options.speech_format)
        self._eos = end_tokens(loaded.folder.ends, tokenizer.get_eos_token_id(), vocabulary, template)
        self._defaults = sampling_defaults(loaded)
        self._answer_tokens = loaded.folder.answer_tokens
        self._max_model_len = loaded.max_model_len

    @property
    def end_tokens(self) -> dict[str, int]:
        """The tokens that end an answer, as text and id."""
        return {self._vocabulary.text_of(id): id for id in sorted(self._eos)}

    def state(self, id: int, request: Generate) -> tuple[RequestState, list[int]]:
        """The state for a request, and the token ids of its prompt. Raises `RequestError`, naming what is wrong."""
        clock, sampling = Clock(), request.sampling
        ids, text = self._prompts.ids(request.prompt)
        prompt = ids or self._beginning()
        self._vocabulary.check(sampling.stop_token_ids, "stop_token_ids")
        self._vocabulary.check(request.emitted, "emitted")
        max_tokens = self._max_tokens(request, len(prompt))
        decided = plan(sampling, max_tokens, self._defaults, self._eos)
        if max_tokens:
            self._schedule.check(len(prompt), max_tokens, decided.beams)
            decided.config()
        if text is None and (request.echo or request.thinking):
            text = self._vocabulary.decode([prompt], False)[0]
        course = self._course(request, text or "")
        clock.tokenized = clock.now()
        state = RequestState(
            id=id,
            plan=decided,
            clock=clock,
            timings=request.timings,
            prompt_tokens=len(prompt),
            prompt_text=text if request.echo else None,
            started=request.started or bool(request.emitted),
            course=course,
            open=sampling.n if decided.beams > 1 else decided.sequences,
        )
        return state, prompt

    def grammars(self, request: Generate) -> list[str]:
        """The grammars that the answer to `request` may need. Raises `RequestError` if it can have no guide."""
        check_guided(request.sampling)
        text = self._prompts.text(request.prompt) if request.thinking else ""
        return self._course(request, text).grammars

    def _course(self, request: Generate, text: str) -> Course:
        if request.guide is None and request.thinking is None and not request.markers:
            return FREE
        if request.guide is not None:
            check_guided(request.sampling)
        ending, thinking = ending_in(request, text), request.thinking
        bounded = thinking is not None and (request.guide is not None or thinking.budget is not None)
        first, answer = grammars_of(request.guide, thinking, ending)
        return Course(
            first=first,
            answer=answer,
            param=request.guide.param if request.guide else "",
            ending=ending,
            thinking=thinking,
            closing=tuple(self._prompts.marker(forced(thinking.closing))) if thinking and bounded else (),
            visible=self._vocabulary.special_ids(request.markers),
        )

    def tokenized(self, request: Tokenize) -> Tokenized:
        """The token ids of a prompt."""
        ids, _ = self._prompts.ids(request.prompt)
        texts = [self._vocabulary.logprob(id, 0.0).token for id in ids] if request.with_texts else None
        return Tokenized(ids, self._max_model_len, texts)

    def detokenized(self, request: Detokenize) -> Detokenized:
        """The text of token ids."""
        self._vocabulary.check(request.ids, "tokens")
        return Detokenized(self._vocabulary.decode([request.ids], request.skip_special_tokens)[0])

    def _beginning(self) -> list[int]:
        bos: int = self._tokenizer.get_bos_token_id()
        if bos < 0:
            raise RequestError("the prompt is empty, and the model has no token to begin with", param="prompt")
        return [bos]

    def _max_tokens(self, request: Generate, prompt_tokens: int) -> int:
        asked, limit = request.sampling.max_tokens, self._max_model_len
        name, least = ("min_tokens", request.sampling.min_tokens) if asked is None else ("max_tokens", asked)
        rest = limit - prompt_tokens
        if rest < (least if asked is not None else max(1, least)):
            wish = f"{prompt_tokens} tokens of the prompt" + (f" and {least} of {name}" if least else "")
            raise RequestError(
                f"the context of {limit} tokens cannot hold {wish}: shorten the prompt"
                + (f" or lower {name}" if least else ""),
                param=name if least and rest >= 1 else _field_of(request.prompt),
                code="context_length_exceeded",
            )
        return asked if asked is not None else self._default_max_tokens(request, prompt_tokens, rest)

    def _default_max_tokens(self, request: Generate, prompt_tokens: int, rest: int) -> int:
        """As long as the model wants a chat's answer to be, where it says so, else as long as there is room."""
        room = min(rest, self._schedule.room(prompt_tokens, beams_of(request.sampling)))
        if self._answer_tokens is not None and isinstance(request.prompt, Chat):
            room = min(room, self._answer_tokens)
        return max(1, room, request.sampling.min_tokens)


def _speech(template: ChatTemplate, vocabulary: Vocabulary, named: str | None) -> SpeechProfile:
    """How the model speaks. Raises `LoadError` if the operator has named a format that there is not."""
    try:
        return recognise(
            template.templates,
            vocabulary,
            knows_tools=knows_tools(template),
            knows_effort=knows_effort(template),
            knows_system=knows_system(template),
            named=named,
        )
    except ValueError as error:
        raise LoadError(str(error)) from error


def _field_of(prompt: Prompt) -> str:
    return "messages" if isinstance(prompt, Chat) else "prompt"
