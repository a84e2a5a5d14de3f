"""From the inputs of a request to what the model reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ovms_core.engine import RequestError
from ovms_core.openvino.tokens import TextTokenizer, TokenSequence
from ovms_embeddings.messages import Embed
from ovms_embeddings.prompts import prompt_of
from ovms_embeddings.recipe import Recipe

_TEXTS_AT_ONCE = 32


class Passage(NamedTuple):
    """What the model reads for one input; the first `unpooled` tokens have no say in its vector."""

    tokens: TokenSequence
    unpooled: int = 0


class Reader:
    """Tokenises requests for a model; equal inputs give equal passages."""

    def __init__(self, tokenizer: TextTokenizer, recipe: Recipe, max_items: int) -> None:
        self._tokenizer = tokenizer
        self._recipe = recipe
        self._max_items = max_items

    def read(self, request: Embed) -> Iterator[Passage]:
        """The passages of a request, prepared as they are asked for.

        Raises `RequestError` at once for what is wrong with the whole request, and naming the input when
        the iterator comes to one that is too long or has token ids that are none.
        """
        if len(request.inputs) > self._max_items:
            raise RequestError(
                f"'input' has {len(request.inputs)} items, and a request may have {self._max_items}: send several.",
                param="input",
                code="too_many_items",
            )
        return self._passages(request, prompt_of(request, self._recipe))

    def _passages(self, request: Embed, prompt: str) -> Iterator[Passage]:
        unpooled = 0 if self._recipe.pool_prompt or not prompt else self._prompt_tokens(prompt)
        for start in range(0, len(request.inputs), _TEXTS_AT_ONCE):
            contents = request.inputs[start : start + _TEXTS_AT_ONCE]
            for index, tokens in enumerate(self._tokens(contents, prompt), start):
                yield Passage(self._fitting(tokens, index, request, prompt), unpooled)

    def _tokens(self, contents: Sequence[str | list[int]], prompt: str) -> Iterator[TokenSequence]:
        """The token ids of each of `contents`, where texts come from one call of the tokenizer."""
        encoded = iter(self._tokenizer.encode([prompt + content for content in contents if isinstance(content, str)]))
        for content in contents:
            yield next(encoded) if isinstance(content, str) else TokenSequence(tuple(content))

    def _fitting(self, tokens: TokenSequence, index: int, request: Embed, prompt: str) -> TokenSequence:
        content, limit = request.inputs[index], self._recipe.max_length
        if not isinstance(content, str):
            self._require_known(content, f"input[{index}]")
        if not tokens.ids:
            message = f"'input[{index}]' has no tokens: a vector needs a text that is more than spaces."
            raise RequestError(message, param=f"input[{index}]", code="invalid_value")
        if len(tokens.ids) <= limit:
            return tokens
        if not request.truncate:
            raise RequestError(
                f"'input[{index}]' has {len(tokens.ids)} tokens, and the model reads {limit}: "
                f"shorten it, or set 'truncate' to true.",
                param=f"input[{index}]",
                code="context_length_exceeded",
            )
        if isinstance(content, str):
            return self._tokenizer.encode_cut(prompt + content, limit, request.truncation_side)
        return TokenSequence(tokens.ids[:limit] if request.truncation_side == "right" else tokens.ids[-limit:])

    def _require_known(self, ids: Sequence[int], param: str) -> None:
        size = self._tokenizer.vocabulary_size
        if max(ids) >= size or min(ids) < 0:
            wrong = next(token for token in ids if not 0 <= token < size)
            raise RequestError(
                f"'{param}' has the token id {wrong}, and the model's vocabulary goes from 0 to {size - 1}.",
                param=param,
                code="invalid_value",
            )

    def _prompt_tokens(self, prompt: str) -> int:
        """The tokens of the prompt and of what the tokenizer puts before every text, but not of what it puts after."""
        bare = tuple(self._tokenizer.raw.encode(prompt, add_special_tokens=False).ids)
        whole = self._tokenizer.encode([prompt])[0].ids
        start = next((at for at in range(len(whole)) if whole[at : at + len(bare)] == bare), 0)
        return start + len(bare)
