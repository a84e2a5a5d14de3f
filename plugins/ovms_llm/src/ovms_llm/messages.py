"""What the endpoints and the engine of text generation say to each other.

Public, to other plugins too: a dialect is an endpoint with ``task = "text_generation"`` that submits `Generate`
and `Tokenize`. `__all__` is the promise: these names keep working.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Self

import msgspec

from ovms_core.plugin import Event, Request

__all__ = [
    "AnyEvent",
    "AnyRequest",
    "Channel",
    "Chat",
    "Delta",
    "Detokenize",
    "Detokenized",
    "FinishReason",
    "Generate",
    "Guide",
    "Prompt",
    "Sampling",
    "Started",
    "Text",
    "Thinking",
    "Timings",
    "TokenLogprob",
    "Tokenize",
    "Tokenized",
    "Tokens",
    "ToolCallDelta",
    "Used",
]

FinishReason = Literal["stop", "length", "tool_calls"]

Channel = Literal["content", "reasoning"]
"""Whether a text is for the reader, or the model thinking aloud."""


class Chat(msgspec.Struct, tag="chat"):
    """A conversation, to be rendered by the model's chat template, or by the one of its templates that is named.

    `tools` are functions as OpenAI's API has them, for templates that know tools.
    """

    messages: list[dict[str, Any]]
    add_generation_prompt: bool = True
    continue_final_message: bool = False
    template_kwargs: dict[str, Any] = {}
    template: str | None = None
    tools: list[dict[str, Any]] | None = None


class Text(msgspec.Struct, tag="text"):
    """A text; `suffix` asks for what stands between the two (fill in the middle)."""

    text: str
    suffix: str | None = None
    add_special_tokens: bool = True


class Tokens(msgspec.Struct, tag="tokens"):
    """Token ids, taken as they are."""

    ids: list[int]


Prompt = Chat | Text | Tokens


class Sampling(msgspec.Struct, omit_defaults=True, kw_only=True):
    """How tokens are chosen and when to stop. `None` means the model's own default, then OpenAI's.

    `top_k` 0 considers every token; `max_tokens` 0 generates none, where only an `echo` of the prompt is wanted.
    """

    max_tokens: int | None = None
    min_tokens: int = 0
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    seed: int | None = None
    n: int = 1
    best_of: int | None = None
    use_beam_search: bool = False
    length_penalty: float | None = None
    stop: list[str] = []
    stop_token_ids: list[int] = []
    include_stop: bool = False
    ignore_eos: bool = False
    skip_special_tokens: bool = True
    logprobs: bool = False


class Thinking(msgspec.Struct):
    """How the model marks that it thinks aloud: `opening` and `closing` stand around the thought.

    A thought of `budget` tokens is ended by force: `closing` is put behind it, and the answer begins. `None` lets it
    take as long as it takes.
    """

    opening: str
    closing: str
    budget: int | None = None


class Guide(msgspec.Struct):
    """What the answer must look like, behind the thought if there is one.

    `format` is the format of a structural tag of XGrammar
    (https://xgrammar.mlc.ai/docs/tutorials/structural_tag.html), such as ``{"type": "grammar", "grammar": "…"}``.
    `param` is the field of the request that asked for it, for error messages.
    """

    format: dict[str, Any]
    param: str = "response_format"


class Generate(Request, tag="generate", kw_only=True):
    """Continue a prompt.

    `guide` says what the answer must look like and `thinking` how the model marks its thoughts. `markers` are special
    tokens that stay in the text, so that whoever reads it can tell the model's thoughts and tool calls from its answer.

    `emitted` holds the tokens that were given before the request was interrupted; what follows them is wanted.
    `started` says that `Started` was given. `echo` asks for the prompt's text in `Started`, `timings` for a `Timings`
    event at the end.
    """

    prompt: Prompt
    sampling: Sampling
    guide: Guide | None = None
    thinking: Thinking | None = None
    markers: list[str] = msgspec.field(default_factory=list)
    echo: bool = False
    timings: bool = False
    emitted: list[int] = msgspec.field(default_factory=list)
    started: bool = False

    def resumed(self, events: Sequence[Any]) -> Self | None:
        """Go on behind the tokens that were given; several sequences begin again, as long as none was sent."""
        started = self.started or any(isinstance(event, Started) for event in events)
        if self.sampling.n > 1 or self.sampling.use_beam_search or (self.sampling.best_of or 1) > 1:
            sent = any(isinstance(event, Delta) for event in events)
            return None if sent else msgspec.structs.replace(self, started=started)
        fresh = [token for event in events if isinstance(event, Delta) for token in event.tokens]
        return msgspec.structs.replace(self, emitted=self.emitted + fresh, started=started)


class Tokenize(Request, tag="tokenize", kw_only=True):
    """Which token ids a prompt has."""

    prompt: Prompt
    with_texts: bool = False

    def resumed(self, events: Sequence[Any]) -> Self:
        return self


class Detokenize(Request, tag="detokenize"):
    """Which text token ids make."""

    ids: list[int]
    skip_special_tokens: bool = False

    def resumed(self, events: Sequence[Any]) -> Self:
        return self


class Started(Event, tag="started", array_like=True):
    """The prompt is in: its length in tokens and, when asked for, its text.

    Given once a request, before any `Delta`; not again after a resume. `channel` is what the answer's text begins with:
    "reasoning" where the prompt itself opens a thought.
    """

    prompt_tokens: int
    cached_tokens: int | None = None
    prompt_text: str | None = None
    channel: Channel = "content"


class TokenLogprob(msgspec.Struct, array_like=True):
    """A chosen token, as text and as bytes, with its natural logarithm of probability.

    The tokens of a choice are its text once more, in pieces: whoever redacts the one redacts the other as well.
    """

    text_member: ClassVar[str | None] = "token"

    token: str
    logprob: float
    bytes: list[int]

    def with_text(self, text: str) -> TokenLogprob:
        """The token with another text, and its bytes."""
        return TokenLogprob(text, self.logprob, [*text.encode()])


class Delta(Event, tag="delta", array_like=True):
    """What sequence `index` gained in a step: tokens, and the text that they complete.

    The text may be shorter than its tokens: what could still become a stop string or a character is
    held back. `finish_reason` is set in the sequence's last delta. The engine says everything as "content"; which
    `channel` a text belongs to is for the model's speech format to tell.
    """

    stream_members: ClassVar[tuple[str, ...]] = ("channel",)

    index: int
    text: str
    tokens: list[int]
    logprobs: list[TokenLogprob] | None = None
    finish_reason: FinishReason | None = None
    stop_reason: str | int | None = None
    channel: Channel = "content"


class ToolCallDelta(Event, tag="tool_call", array_like=True):
    """What tool call number `call` of choice `index` gained: first its id and name, then pieces of its arguments.

    `arguments` is a piece of JSON text; all pieces together are the call's arguments. `tokens` are those that the
    piece was read from. Made of the engine's text by the model's speech format, in the server.
    """

    text_member: ClassVar[str | None] = "arguments"
    stream_members: ClassVar[tuple[str, ...]] = ("call",)
    no_text: ClassVar[tuple[str, ...]] = ("id",)

    index: int
    call: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""
    tokens: list[int] = msgspec.field(default_factory=list)


class Used(Event, tag="used", array_like=True):
    """What an answer has used, in tokens, where its deltas have none: it was made elsewhere, and came as text."""

    prompt_tokens: int
    completion_tokens: int
    reasoning_tokens: int = 0
    cached_tokens: int | None = None


class Timings(Event, tag="timings", array_like=True):
    """Where the time went, in milliseconds, as the engine saw it."""

    tokenize_ms: float
    queue_ms: float
    prefill_ms: float
    decode_ms: float
    tokens_per_second: float


class Tokenized(Event, tag="tokenized", array_like=True):
    """The answer to `Tokenize`."""

    ids: list[int]
    max_model_len: int
    texts: list[str] | None = None


class Detokenized(Event, tag="detokenized", array_like=True):
    """The answer to `Detokenize`."""

    text: str


AnyRequest = Generate | Tokenize | Detokenize
AnyEvent = Started | Delta | Timings | Tokenized | Detokenized
