"""The request fields that chat and text completions share: sampling, stopping and streaming."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum, auto
from typing import Annotated, Any, ClassVar, Final

from pydantic import AfterValidator, Field, model_validator

from ovms_core.plugin import Body, Int, Part, fault
from ovms_llm.fields.output_format import OutputFields
from ovms_llm.fields.reasoning import NO_WISH, ReasoningWish
from ovms_llm.messages import Generate, Prompt, Sampling
from ovms_llm.speech.functions.tools import ToolUse

IGNORED: Final = frozenset(
    {
        "user",
        "metadata",
        "store",
        "service_tier",
        "prompt_cache_key",
        "safety_identifier",
        "verbosity",
        "prediction",
        "web_search_options",
    }
)

REFUSED: Final = {
    "logit_bias": "the engine cannot shift single tokens",
    "num_assistant_tokens": "this model has no draft model",
    "prompt_logprobs": "the prompt's tokens have none",
    "allowed_token_ids": "the engine chooses among all tokens",
    "bad_words": "the engine chooses among all tokens",
}

MAX_STOPS: Final = 64
NO_LIMIT: Final = -1
"""A limit that is none, as llama.cpp and LM Studio spell it."""


def _limit(value: int) -> int:
    if value < 1 and value != NO_LIMIT:
        raise ValueError(f"must be at least 1, or {NO_LIMIT} for as many tokens as there is room for")
    return value


Limit = Annotated[Int, Field(le=2**31 - 1), AfterValidator(_limit)]
TokenId = Annotated[Int, Field(ge=0, le=2**31 - 1)]


def unsupported(name: str, advice: str, *harmless: Any) -> AfterValidator:
    """A validator that refuses a field by its name, unless its value would have no effect anyway."""

    def refuse(value: Any) -> Any:
        if value not in harmless:
            raise fault(f"'{name}' is not supported{advice}.", code="unsupported_parameter")
        return value

    return AfterValidator(refuse)


class UsageInStream(Enum):
    """Which chunks of a stream tell the usage."""

    NOWHERE = auto()
    LAST = auto()
    EVERYWHERE = auto()


class StreamOptions(Part):
    """What a stream tells beyond its text.

    `continuous_usage_stats` is vLLM's: with `include_usage`, each chunk tells what its choice has used so far.
    """

    include_usage: bool = False
    continuous_usage_stats: bool = False
    include_obfuscation: Annotated[bool, unsupported("include_obfuscation", ": leave it out", False)] = False


class GenerationBody(OutputFields, Body):
    """The fields that chat and text completions share.

    Where they differ in detail, the limits are OpenAI's, then vLLM's (https://docs.vllm.ai/en/latest/api/vllm/sampling_params.html).
    """

    ignored: ClassVar[frozenset[str]] = IGNORED
    refused: ClassVar[Mapping[str, str]] = REFUSED

    max_tokens: Limit | None = None
    min_tokens: Annotated[Int, Field(ge=0, le=2**31 - 1)] = 0
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: Annotated[Int, Field(ge=-1, le=2**31 - 1)] | None = None
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    repetition_penalty: Annotated[float, Field(ge=0.01, le=10)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    seed: Annotated[Int, Field(ge=-(2**63), le=2**63 - 1)] | None = None
    n: Annotated[Int, Field(ge=1, le=128)] = 1
    best_of: Annotated[Int, Field(ge=1, le=128)] | None = None
    use_beam_search: bool = False
    length_penalty: Annotated[float, Field(ge=-10, le=10)] | None = None
    stop: str | Annotated[list[str], Field(max_length=MAX_STOPS)] | None = None
    stop_token_ids: Annotated[list[TokenId], Field(max_length=128)] = Field(default_factory=list)
    include_stop_str_in_output: bool = False
    ignore_eos: bool = False
    skip_special_tokens: bool = True
    stream: bool = False
    stream_options: StreamOptions | None = None
    timings: bool = False

    @model_validator(mode="after")
    def _fields_agree(self) -> GenerationBody:
        if self.stream_options is not None and not self.stream:
            raise fault("'stream_options' needs 'stream': true.", field="stream_options")
        self._check_lengths()
        self._check_candidates()
        return self

    def _check_lengths(self) -> None:
        limit = self.token_limit
        if limit is not None and self.min_tokens > limit:
            message = f"'min_tokens' ({self.min_tokens}) must not be over the maximum of {limit} tokens."
            raise fault(message, field="min_tokens")

    def _check_candidates(self) -> None:
        if self.best_of is None:
            return
        if self.best_of < self.n:
            message = f"'best_of' ({self.best_of}) must not be less than 'n' ({self.n}): the answers come from it."
            raise fault(message, field="best_of")
        if self.stream and self.best_of > self.n:
            message = "'best_of' over 'n' cannot stream: which answer is best is known at the end. Leave out 'stream'."
            raise fault(message, field="best_of")

    @property
    def token_limit(self) -> int | None:
        """The most tokens that an answer may have; `None` leaves it to the model."""
        return None if self.max_tokens == NO_LIMIT else self.max_tokens

    @property
    def stops(self) -> list[str]:
        """The texts that end an answer, each once."""
        given = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return list(dict.fromkeys(filter(None, given)))

    def without_effect(self) -> Iterator[str]:
        """The paths of fields whose values are understood, but change nothing here."""
        if isinstance(self.stop, list):
            yield from (f"stop[{at}]" for at, stop in enumerate(self.stop) if not stop)
        elif self.stop == "":
            yield "stop"
        options = self.stream_options
        if options is not None and options.continuous_usage_stats and not options.include_usage:
            yield "stream_options.continuous_usage_stats"
        yield from self.ignored_output_fields()

    @abstractmethod
    def prompts(self) -> Sequence[Prompt]:
        """The prompts to continue, each `n` times."""

    @abstractmethod
    def texts(self) -> Iterator[str]:
        """Every text that can reach a prompt or the answer."""

    def path(self, param: str | None, prompt: int) -> str | None:
        """The path in this body of what the engine calls `param`, in the request for prompt number `prompt`."""
        return param

    @property
    def tool_use(self) -> ToolUse | None:
        """The functions that the model may or must call; none by default."""
        return None

    @property
    def reasoning_wish(self) -> ReasoningWish:
        """How much the model shall think; by default as it does by itself."""
        return NO_WISH

    @property
    def is_conversation(self) -> bool:
        """Whether the model answers in a conversation, in the way of its family; else it goes on with a text."""
        return False

    def schema_path(self, name: str) -> str:
        """The path in this body of the parameters of function `name`."""
        return "tools"

    @property
    @abstractmethod
    def wants_logprobs(self) -> bool:
        """Whether the answer tells the probabilities of its tokens."""

    @property
    def choice_count(self) -> int:
        """How many choices the answer has."""
        return self.n * len(self.prompts())

    @property
    def usage_in_stream(self) -> UsageInStream:
        """Where a stream tells the usage."""
        options = self.stream_options
        if options is None or not options.include_usage:
            return UsageInStream.NOWHERE
        return UsageInStream.EVERYWHERE if options.continuous_usage_stats else UsageInStream.LAST

    def requests(self) -> list[Generate]:
        """What the engine is asked for, a request a prompt."""
        sampling = self.sampling()
        return [Generate(prompt=prompt, sampling=sampling, timings=self.timings) for prompt in self.prompts()]

    def sampling(self) -> Sampling:
        """How the engine is to choose tokens and when to stop."""
        return Sampling(
            max_tokens=self.token_limit,
            min_tokens=self.min_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            top_k=None if self.top_k is None else max(self.top_k, 0),
            min_p=self.min_p,
            repetition_penalty=self.repetition_penalty,
            frequency_penalty=self.frequency_penalty,
            presence_penalty=self.presence_penalty,
            seed=self.seed,
            n=self.n,
            best_of=self.best_of,
            use_beam_search=self.use_beam_search,
            length_penalty=self.length_penalty,
            stop=self.stops,
            stop_token_ids=self.stop_token_ids,
            include_stop=self.include_stop_str_in_output,
            ignore_eos=self.ignore_eos,
            skip_special_tokens=self.skip_special_tokens,
            logprobs=self.wants_logprobs,
        )
