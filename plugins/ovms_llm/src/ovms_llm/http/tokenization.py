"""``POST /tokenize`` and ``POST /detokenize``, as vLLM and OpenVINO Model Server understand them.

https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html#tokenizer-api and
https://docs.openvino.ai/2025/model-server/ovms_docs_rest_api_tokenize.html
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from typing import Annotated, Any

from pydantic import Field, model_validator

from ovms_core.plugin import Body, Call, Endpoint, fault
from ovms_llm.fields.conversation import Conversation, Rendering
from ovms_llm.fields.prompt_input import Many, TokenIds
from ovms_llm.fields.reasoning import ReasoningWish
from ovms_llm.fields.sampling import unsupported
from ovms_llm.fields.tools import Tools, check_names, tool_use
from ovms_llm.http.answers import DetokenizeAnswer, TokenizeAnswer
from ovms_llm.http.merge import merge
from ovms_llm.messages import Detokenize, Detokenized, Prompt, Text, Tokenize, Tokenized
from ovms_llm.planning.prompting import addressed
from ovms_llm.planning.voice import Voice, voice_of

_NO_SHAPING = ": the tokens come as they are, neither cut nor padded"


class TokenizeBody(Rendering, Body):
    """The body of ``/tokenize``: exactly one of `prompt` (vLLM), `text` (OpenVINO Model Server) and `messages`."""

    prompt: str | None = None
    text: str | Annotated[list[str], Many] | None = None
    messages: Conversation | None = None
    tools: Tools | None = None
    add_special_tokens: bool | None = None
    return_token_strs: bool = False
    max_length: Annotated[Any, unsupported("max_length", _NO_SHAPING, None)] = None
    pad_to_max_length: Annotated[Any, unsupported("pad_to_max_length", _NO_SHAPING, False, None)] = None
    padding_side: Annotated[Any, unsupported("padding_side", _NO_SHAPING, None)] = None

    @model_validator(mode="after")
    def _has_one_input(self) -> TokenizeBody:
        given = [name for name in ("prompt", "text", "messages") if getattr(self, name) is not None]
        if len(given) != 1:
            found = " and ".join(f"'{name}'" for name in given) or "none of them"
            message = f"Send exactly one of 'prompt', 'text' and 'messages' (got {found})."
            raise fault(message, field=given[-1] if given else "prompt")
        return self

    @model_validator(mode="after")
    def _can_be_rendered(self) -> TokenizeBody:
        if self.messages is None:
            if self.tools:
                raise fault("'tools' needs 'messages': the chat template writes them.", field="tools")
            return self
        check_names([tool.function for tool in self.tools or ()], "tools[{}].function.name")
        if self.add_special_tokens:
            message = "'add_special_tokens' does not go with 'messages': the chat template adds them."
            raise fault(message, field="add_special_tokens")
        self.check(self.messages)
        return self

    @property
    def is_list(self) -> bool:
        """Whether the answer is a list a text."""
        return isinstance(self.text, list)

    def prompts(self, voice: Voice) -> Sequence[Prompt]:
        """What to tokenise, for a model with this `voice`."""
        if self.messages is not None:
            tools = tool_use([tool.function.function() for tool in self.tools or ()], None)
            return [addressed(self.chat(self.messages), voice.for_tools() if tools else voice, tools, ReasoningWish())]
        return [Text(text, add_special_tokens=self.add_special_tokens is not False) for text in self._plain_texts()]

    def texts(self) -> Iterator[str]:
        """Every text in the request."""
        yield from self._plain_texts()
        if self.messages is not None:
            yield from self.conversation_texts(self.messages)
        for tool in self.tools or ():
            yield from tool.function.texts()

    def _plain_texts(self) -> list[str]:
        if isinstance(self.text, list):
            return self.text
        return [text for text in (self.prompt, self.text) if text is not None]


class TokenizeTexts(Endpoint[TokenizeBody]):
    """Which tokens texts or a conversation have."""

    path = "/tokenize"
    bare = True
    body = TokenizeBody
    task = "text_generation"

    async def execute(self, call: Call[TokenizeBody]) -> AsyncIterator[Tokenized]:
        """An event a text, in their order."""
        model, with_texts = call.require_model(), call.body.return_token_strs
        prompts = await call.off_loop(call.body.prompts, voice_of(model))
        requests = [Tokenize(prompt=prompt, with_texts=with_texts) for prompt in prompts]
        streams = [_numbered(at, model.submit(request)) for at, request in enumerate(requests)]
        async with aclosing(merge(streams)) as events:
            answers = {at: event async for at, event in events}
        for at in range(len(requests)):
            yield answers[at]

    def texts(self, call: Call[TokenizeBody]) -> Iterator[str]:
        return call.body.texts()

    def to_json(self, call: Call[TokenizeBody], events: Sequence[Tokenized]) -> TokenizeAnswer:
        """The tokens, or for a list of texts a list of them each."""
        count, longest = sum(len(event.ids) for event in events), events[0].max_model_len
        if call.body.is_list:
            strings = [event.texts or [] for event in events] if call.body.return_token_strs else None
            return TokenizeAnswer([event.ids for event in events], count, longest, strings)
        return TokenizeAnswer(events[0].ids, count, longest, events[0].texts)


async def _numbered(at: int, events: AsyncGenerator[Any, None]) -> AsyncGenerator[tuple[int, Any], None]:
    async with aclosing(events):
        async for event in events:
            yield at, event


class DetokenizeBody(Body):
    """The body of ``/detokenize``."""

    tokens: Annotated[TokenIds, Field(min_length=1)]
    skip_special_tokens: bool = False


class DetokenizeTokens(Endpoint[DetokenizeBody]):
    """Which text tokens make."""

    path = "/detokenize"
    bare = True
    body = DetokenizeBody
    response = DetokenizeAnswer
    task = "text_generation"

    def execute(self, call: Call[DetokenizeBody]) -> AsyncIterator[Detokenized]:
        """One event."""
        return call.require_model().submit(Detokenize(call.body.tokens, call.body.skip_special_tokens))

    def to_json(self, call: Call[DetokenizeBody], events: Sequence[Detokenized]) -> DetokenizeAnswer:
        text = "".join(event.text for event in events)
        return DetokenizeAnswer(prompt=text, text=text)
