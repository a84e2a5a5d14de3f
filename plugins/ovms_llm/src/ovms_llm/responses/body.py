"""The body of ``POST /responses`` (https://platform.openai.com/docs/api-reference/responses/create)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import AfterValidator, Field, PrivateAttr, model_validator

from ovms_core.plugin import APIError, Int, Json, Part, fault
from ovms_llm.fields.conversation import Message, Rendering
from ovms_llm.fields.output_format import OutputFormat, said
from ovms_llm.fields.reasoning import ReasoningFields, ReasoningOptions
from ovms_llm.fields.sampling import IGNORED, NO_LIMIT, REFUSED, GenerationBody, Limit, unsupported
from ovms_llm.messages import Chat
from ovms_llm.responses.history import messages_of, turns
from ovms_llm.responses.items import MAX_REFERENCES, Input, ItemReference, MessageInput, NewId
from ovms_llm.responses.tools import ToolFields

LOGPROBS: Final = "message.output_text.logprobs"
_NEVER_THERE: Final = frozenset(
    {
        "file_search_call.results",
        "web_search_call.results",
        "web_search_call.action.sources",
        "message.input_image.image_url",
        "computer_call_output.output.image_url",
        "code_interpreter_call.outputs",
        "reasoning.encrypted_content",
    }
)
"""What clients ask to include that no answer of this server has; thoughts are given unencrypted."""

Includable = Annotated[
    str, AfterValidator(lambda value: _one_of(value, {LOGPROBS} | _NEVER_THERE)), Field(max_length=64)
]


def _one_of(value: str, known: set[str] | frozenset[str]) -> str:
    if value not in known:
        raise ValueError(f"must be one of {', '.join(sorted(known))}")
    return value


class ResponsesReasoning(ReasoningOptions):
    """How much the model thinks. Nobody makes summaries here, and earlier thoughts are shown as the template likes."""

    summary: Literal["auto", "concise", "detailed"] | None = None
    generate_summary: Literal["auto", "concise", "detailed"] | None = None
    context: str | None = None
    mode: str | None = None


class TextOptions(Part):
    """How the model is to write."""

    format: dict[str, Json] | None = None
    verbosity: Literal["low", "medium", "high"] | None = None


Metadata = Annotated[
    dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]], Field(max_length=16)
]


class ResponsesBody(ToolFields, ReasoningFields, Rendering, GenerationBody):
    """The body of ``/responses``."""

    ignored: ClassVar[frozenset[str]] = (IGNORED - {"metadata", "store"}) | {
        "max_tool_calls",
        "prompt_cache_options",
        "prompt_cache_retention",
        "context_management",
    }
    refused: ClassVar[Mapping[str, str]] = {
        **REFUSED,
        "conversation": "conversations are not stored; continue a response by 'previous_response_id'",
        "prompt": "prompts are not stored; send 'instructions' and 'input'",
        "response_format": "here it is 'text.format'",
        "functions": "send 'tools'",
        "function_call": "send 'tool_choice'",
        "messages": "here it is 'input'",
        "modalities": "answers are text",
        "audio": "answers are text",
    }

    input: Input
    instructions: str | None = None
    previous_response_id: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    store: bool = True
    background: bool = False
    metadata: Metadata = Field(default_factory=dict)
    include: list[Includable] = Field(default_factory=list)
    max_output_tokens: Limit | None = None
    truncation: Literal["auto", "disabled"] = "disabled"
    text: TextOptions = TextOptions()
    reasoning: ResponsesReasoning | None = None
    top_logprobs: Annotated[
        Annotated[Int, Field(ge=0, le=20)] | None,
        unsupported("top_logprobs", " over 0: the engine knows the chosen token's probability only", 0, None),
    ] = None
    n: Annotated[Int, Field(ge=1, le=1)] = 1

    _items: list[dict[str, Any]] = PrivateAttr(default_factory=list)
    _messages: list[Message] = PrivateAttr(default_factory=list)

    @model_validator(mode="after")
    def _makes_sense(self) -> ResponsesBody:
        if not self.input:
            raise fault("'input' is empty: send a text or at least one item.", field="input")
        if self.background and not self.store:
            message = "'background' needs 'store': true, since the response is fetched by its id."
            raise fault(message, field="background")
        if len(self.references) > MAX_REFERENCES:
            raise fault(f"'input' may refer to at most {MAX_REFERENCES} stored items: send the items.", field="input")
        self.check([Message(role="assistant", content="")])
        both = self.max_tokens, self.max_output_tokens
        if None not in both and both[0] != both[1]:
            message = f"'max_tokens' ({both[0]}) and 'max_output_tokens' ({both[1]}) disagree: send one of them."
            raise fault(message, field="max_output_tokens")
        return self

    def output_formats(self) -> Iterator[OutputFormat]:
        if self.text.format is not None and (found := said(self.text.format, "text.format")) is not None:
            yield found
        yield from super().output_formats()

    # -- the conversation

    @property
    def references(self) -> dict[int, str]:
        """The ids of the stored items that the input refers to, by their place in it."""
        if isinstance(self.input, str):
            return {}
        return {at: item.id for at, item in enumerate(self.input) if isinstance(item, ItemReference)}

    def input_items(self, stored: Mapping[int, dict[str, Any]], new_id: NewId) -> list[dict[str, Any]]:
        """The items of the input as the API shows them; at the places of references stands what is `stored`."""
        if isinstance(self.input, str):
            return [MessageInput(role="user", content=self.input).resource(new_id)]
        return [
            stored[at] if isinstance(item, ItemReference) else item.resource(new_id)
            for at, item in enumerate(self.input)
        ]

    def begin(self, history: Sequence[dict[str, Any]], own: list[dict[str, Any]]) -> None:
        """Make the conversation of the items before this request and its `own`."""
        self._items = own
        system = [Message(role="system", content=self.instructions)] if self.instructions else []
        self._messages = [*system, *messages_of([*history, *own])]
        if self.continue_final_message and self._messages[-1].role != "assistant":
            message = "'continue_final_message' needs an assistant's message as the last item of 'input'."
            raise APIError(400, message, param="continue_final_message", code="invalid_value")

    @property
    def items(self) -> list[dict[str, Any]]:
        """The items of the request itself."""
        return self._items

    def drop_oldest(self) -> int:
        """Drop an eighth of the user's turns, the oldest, at least one; how many: 0 if only one is left.

        What comes before the first turn, instructions for example, stays.
        """
        cuts = list(turns(self._messages))
        if not cuts:
            return 0
        dropped = 1 + len(cuts) // 8
        first = next(at for at, message in enumerate(self._messages) if message.role == "user")
        kept = [message for message in self._messages[:first] if message.role in ("system", "developer")]
        self._messages = [*kept, *self._messages[cuts[dropped - 1] :]]
        return dropped

    # -- what generation asks

    def prompts(self) -> Sequence[Chat]:
        return [self.chat(self._messages)]

    @property
    def choice_count(self) -> int:
        return 1

    @property
    def token_limit(self) -> int | None:
        limit = self.max_output_tokens or self.max_tokens
        return None if limit == NO_LIMIT else limit

    @property
    def wants_logprobs(self) -> bool:
        return LOGPROBS in self.include

    def path(self, param: str | None, prompt: int) -> str | None:
        if param == "max_tokens" and self.max_output_tokens:
            return "max_output_tokens"
        return "input" if param == "messages" else param

    def texts(self) -> Iterator[str]:
        yield from self.conversation_texts(self._messages)
        yield from self.tool_texts()
        yield from self.output_texts()

    def without_effect(self) -> Iterator[str]:
        yield from super().without_effect()
        yield from (f"include[{at}]" for at, wish in enumerate(self.include) if wish in _NEVER_THERE)
        if self.text.verbosity is not None:
            yield "text.verbosity"
        for name in ("summary", "generate_summary", "context", "mode"):
            if self.reasoning is not None and getattr(self.reasoning, name) is not None:
                yield f"reasoning.{name}"
        if self.stream_options is not None and self.stream_options.include_usage:
            yield "stream_options.include_usage"
