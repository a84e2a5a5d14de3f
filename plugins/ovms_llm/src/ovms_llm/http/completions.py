"""``POST /completions`` (https://platform.openai.com/docs/api-reference/completions/create)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Annotated, ClassVar, Final

from msgspec import UnsetType, structs
from pydantic import Field, model_validator

from ovms_core.plugin import Int, fault
from ovms_llm.fields.prompt_input import PromptInput
from ovms_llm.fields.reasoning import ReasoningFields
from ovms_llm.fields.sampling import IGNORED, NO_LIMIT, GenerationBody
from ovms_llm.http.answers import Head, TextChoice, TextCompletion, TextLogprobs, TimingsReport, Usage
from ovms_llm.http.chunks import ChunkShape, characters
from ovms_llm.http.generation import ChoicesEndpoint
from ovms_llm.http.usage import ChoiceBuilder
from ovms_llm.messages import Generate, Prompt, Text, TokenLogprob, Tokens

MAX_CHOICES: Final = 1024
_DEFAULT_MAX_TOKENS: Final = 16
"""OpenAI's, for this endpoint."""


class CompletionBody(GenerationBody):
    """The body of ``/completions``."""

    ignored: ClassVar[frozenset[str]] = IGNORED | ReasoningFields.model_fields.keys()

    prompt: PromptInput
    max_tokens: Annotated[Int, Field(ge=NO_LIMIT, le=2**31 - 1)] | None = None
    suffix: str | None = None
    echo: bool = False
    logprobs: Annotated[Int, Field(ge=0, le=5)] | None = None
    add_special_tokens: bool = True

    @model_validator(mode="after")
    def _can_be_told(self) -> CompletionBody:
        if self.logprobs is not None and self.logprobs > 1:
            message = f"'logprobs' over 1 is not supported (got {self.logprobs}): only the chosen token's is known."
            raise fault(message, field="logprobs", code="unsupported_parameter")
        if self.echo and self.logprobs is not None:
            message = "'logprobs' with 'echo' is not supported: the prompt's tokens have none. Leave out one of them."
            raise fault(message, field="logprobs", code="unsupported_parameter")
        return self

    @model_validator(mode="after")
    def _can_be_continued(self) -> CompletionBody:
        candidates = len(self.prompts()) * max(self.n, self.best_of or 1)
        if candidates > MAX_CHOICES:
            message = f"{candidates} continuations are too many: at most {MAX_CHOICES} a request. Send fewer prompts."
            raise fault(message, field="n")
        if self.suffix is not None and any(isinstance(prompt, Tokens) for prompt in self.prompts()):
            raise fault("'suffix' needs a prompt that is text, not token ids.", field="suffix")
        if self.suffix is not None and self.echo:
            raise fault("'suffix' and 'echo' exclude each other: send one of them.", field="echo")
        return self

    @model_validator(mode="after")
    def _asks_for_something(self) -> CompletionBody:
        if self.max_tokens == 0 and not self.echo:
            message = "'max_tokens' of 0 needs 'echo': true, which returns the prompt. Else ask for at least 1 token."
            raise fault(message, field="max_tokens")
        return self

    @property
    def token_limit(self) -> int | None:
        return max(_DEFAULT_MAX_TOKENS, self.min_tokens) if self.max_tokens is None else super().token_limit

    @property
    def wants_logprobs(self) -> bool:
        return self.logprobs is not None

    def path(self, param: str | None, prompt: int) -> str | None:
        several = not isinstance(self.prompt, str) and not isinstance(self.prompt[0], int)
        if several and param is not None and param.startswith("prompt"):
            return f"prompt[{prompt}]{param.removeprefix('prompt')}"
        return param

    def prompts(self) -> Sequence[Prompt]:
        if isinstance(self.prompt, str):
            return [self._text(self.prompt)]
        if isinstance(self.prompt[0], int):  # the first item tells the type of all
            return [Tokens(self.prompt)]
        return [self._prompt(item) for item in self.prompt]

    def _prompt(self, item: str | list[int]) -> Prompt:
        return self._text(item) if isinstance(item, str) else Tokens(item)

    def _text(self, text: str) -> Text:
        return Text(text, self.suffix, self.add_special_tokens)

    def texts(self) -> Iterator[str]:
        for prompt in self.prompts():
            if isinstance(prompt, Text):
                yield prompt.text
        if self.suffix is not None:
            yield self.suffix
        yield from self.output_texts()

    def requests(self) -> list[Generate]:
        return [structs.replace(request, echo=self.echo) for request in super().requests()]


def _logprobs(tokens: Sequence[TokenLogprob], offset: int) -> TextLogprobs:
    return TextLogprobs(
        tokens=[each.token for each in tokens],
        token_logprobs=[each.logprob for each in tokens],
        top_logprobs=None,
        text_offset=list(accumulate(map(characters, tokens), initial=offset))[:-1],
    )


def _logprobs_with_top(tokens: Sequence[TokenLogprob], offset: int) -> TextLogprobs:
    """With the likeliest token of each step, as far as it is known: that is the chosen one."""
    return structs.replace(_logprobs(tokens, offset), top_logprobs=[{each.token: each.logprob} for each in tokens])


def _shape(logprobs: Callable[[Sequence[TokenLogprob], int], TextLogprobs]) -> ChunkShape:
    return ChunkShape(opening=None, before=b'"text":', after=b"", closing=b'"text":""', logprobs=logprobs)


_SHAPE: Final = _shape(_logprobs)
_SHAPE_WITH_TOP: Final = _shape(_logprobs_with_top)


class Completions(ChoicesEndpoint[CompletionBody]):
    """Continue texts."""

    path = "/completions"
    body = CompletionBody
    response = TextCompletion
    id_prefix = "cmpl"
    object = "text_completion"
    chunk_object = "text_completion"

    def shape(self, body: CompletionBody) -> ChunkShape:
        return _SHAPE_WITH_TOP if body.logprobs else _SHAPE

    def choice(self, choice: ChoiceBuilder, body: CompletionBody) -> TextChoice:
        write = _logprobs_with_top if body.logprobs else _logprobs
        logprobs = write(choice.logprobs, 0) if body.wants_logprobs else None
        return TextChoice(choice.index, choice.text, logprobs, choice.finish_reason, choice.stop_reason)

    def document(
        self, head: Head, choices: list[TextChoice], usage: Usage, timings: TimingsReport | UnsetType
    ) -> TextCompletion:
        return TextCompletion(**structs.asdict(head), choices=choices, usage=usage, timings=timings)
