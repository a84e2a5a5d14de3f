"""From the inputs of a request to what the model reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ovms_core.engine import RequestError
from ovms_embeddings.engine.prompts import prompt_of
from ovms_embeddings.engine.recipe import Recipe
from ovms_embeddings.engine.token_inputs import token_inputs
from ovms_embeddings.messages import Embed, Side
from ovms_embeddings.options import EmbeddingsOptions
from ovms_openvino.tokens import TextTokenizer, TokenSequence

_TEXTS_AT_ONCE = 32
_CHARACTERS_AT_ONCE = 100_000


class Passage(NamedTuple):
    """What the model reads for one input; the first `unpooled` tokens have no say in its vector."""

    tokens: TokenSequence
    unpooled: int = 0


class Reader:
    """Tokenises requests for a model; equal inputs give equal passages.

    Raises `LoadError` for token inputs whose vocabulary cannot be had.
    """

    def __init__(self, tokenizer: TextTokenizer, recipe: Recipe, options: EmbeddingsOptions) -> None:
        self._tokenizer = tokenizer
        self._recipe = recipe
        self._options = options
        self._token_inputs = token_inputs(options.token_inputs, tokenizer)

    def read(self, request: Embed) -> Iterator[Passage]:
        """The passages of a request, prepared as they are asked for.

        Raises `RequestError` at once for what is wrong with the whole request, and naming the input when
        the iterator comes to one that is too long or has token ids that are none.
        """
        if len(request.inputs) > (most := self._options.max_items):
            raise RequestError(
                f"'input' has {len(request.inputs)} items, and a request may have {most}: send several.",
                param="input",
                code="too_many_items",
            )
        return self._passages(request, prompt_of(request, self._recipe, ids_are_text=self._token_inputs.reads_text))

    def warnings(self, request: Embed) -> list[str]:
        """What the client should know of its inputs."""
        return self._token_inputs.warnings(request.inputs)

    def _passages(self, request: Embed, prompt: str) -> Iterator[Passage]:
        unpooled = 0 if self._recipe.pool_prompt or not prompt else self._prompt_tokens(prompt)
        index = 0
        for portion in self._portions(request):
            for content, tokens in zip(portion, self._tokens(portion, prompt, request), strict=True):
                self._require_fit(tokens, self._truncates(request), request.path.format(index))
                yield Passage(tokens, unpooled if isinstance(content, str) else 0)
                index += 1

    def _portions(self, request: Embed) -> Iterator[list[str | list[int]]]:
        """A few inputs at a time: few enough to be tokenised together without anyone waiting for it."""
        portion: list[str | list[int]] = []
        characters = 0
        for index, given in enumerate(request.inputs):
            content = self._content(given, request.path.format(index))
            if portion and (len(portion) == _TEXTS_AT_ONCE or characters + len(content) > _CHARACTERS_AT_ONCE):
                yield portion
                portion, characters = [], 0
            portion.append(content)
            characters += len(content)
        if portion:
            yield portion

    def _content(self, given: str | list[int], path: str) -> str | list[int]:
        content = given if isinstance(given, str) else self._token_inputs.read(given, path)
        if isinstance(content, str) and len(content) > self._options.max_text_characters:
            raise _too_many_characters(content, path, self._options.max_text_characters)
        return content

    def _tokens(self, contents: Sequence[str | list[int]], prompt: str, request: Embed) -> Iterator[TokenSequence]:
        """The token ids of each of `contents`, cut where the request wants it; texts go to the tokenizer at once."""
        limit = self._recipe.max_length if self._truncates(request) else None
        side = request.truncation_side or self._options.cut_side or "right"
        texts = [prompt + content for content in contents if isinstance(content, str)]
        encoded = iter(self._tokenizer.encode(texts, max_length=limit, side=side))
        for content in contents:
            yield next(encoded) if isinstance(content, str) else TokenSequence(_cut(tuple(content), limit, side))

    def _truncates(self, request: Embed) -> bool:
        return self._options.cut_side is not None if request.truncate is None else request.truncate

    def _require_fit(self, tokens: TokenSequence, truncates: bool, path: str) -> None:
        limit = self._recipe.max_length
        if not tokens.ids:
            message = f"'{path}' has no tokens: a vector needs a text that is more than spaces."
            raise RequestError(message, param=path, code="invalid_value")
        if len(tokens.ids) > limit and not truncates:
            raise RequestError(
                f"'{path}' has {len(tokens.ids)} tokens, and the model reads {limit}: "
                f"shorten it, or set 'truncate' to true.",
                param=path,
                code="context_length_exceeded",
            )

    def _prompt_tokens(self, prompt: str) -> int:
        """The tokens of the prompt and of what the tokenizer puts before every text, but not of what it puts after."""
        bare = tuple(self._tokenizer.raw.encode(prompt, add_special_tokens=False).ids)
        whole = self._tokenizer.encode([prompt])[0].ids
        start = next((at for at in range(len(whole)) if whole[at : at + len(bare)] == bare), 0)
        return start + len(bare)


def _cut(ids: tuple[int, ...], limit: int | None, side: Side) -> tuple[int, ...]:
    if limit is None:
        return ids
    return ids[:limit] if side == "right" else ids[-limit:]


def _too_many_characters(text: str, path: str, most: int) -> RequestError:
    message = f"'{path}' has {len(text)} characters, and this model reads texts of at most {most}: send it in parts."
    return RequestError(message, param=path, code="text_too_long")
