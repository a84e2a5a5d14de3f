"""What is made of token ids that a request has in place of a text."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Protocol

from ovms_core.engine import RequestError
from ovms_embeddings.engine.vocabularies import Vocabulary
from ovms_openvino.tokens import TextTokenizer

_LANGCHAIN = "LangChain's OpenAIEmbeddings sends OpenAI's ids unless it has check_embedding_ctx_length=False"
_WAYS = f"{_LANGCHAIN}; the model's options.token_inputs (cl100k_base, for example) can read them."


class TokenInputs(Protocol):
    """How token ids are read."""

    reads_text: bool
    """Whether ids become a text, which may have a prompt before it."""

    def read(self, ids: list[int], path: str) -> str | list[int]:
        """The text of `ids`, or ids of the model's own. Raises `RequestError` naming the one at fault."""

    def warnings(self, inputs: Sequence[str | list[int]]) -> list[str]:
        """What the client should know of `inputs`, at most one sentence."""


def token_inputs(option: str, tokenizer: TextTokenizer) -> TokenInputs:
    """The way of ``options.token_inputs``. Raises `LoadError` for a vocabulary that cannot be had."""
    if option == "refuse":
        return NoIds()
    return OwnIds(tokenizer) if option == "model" else ForeignIds(Vocabulary.load(option))


class OwnIds:
    """Ids are those of the model's own tokenizer. Ids that look like another's are read, with a warning."""

    reads_text = False

    def __init__(self, tokenizer: TextTokenizer) -> None:
        self._size = tokenizer.vocabulary_size
        self._before, self._after = _around(tokenizer)

    def read(self, ids: list[int], path: str) -> str | list[int]:
        size = self._size
        if ids and (max(ids) >= size or min(ids) < 0):
            at, wrong = next((at, token) for at, token in enumerate(ids) if not 0 <= token < size)
            reason = f"the model's vocabulary goes from 0 to {size - 1}: send the text, or ids of the model's tokenizer"
            raise _unknown(f"{path}[{at}]", wrong, f"{reason}. {_WAYS}")
        return ids

    def warnings(self, inputs: Sequence[str | list[int]]) -> list[str]:
        if not any(self._looks_foreign(content) for content in inputs if not isinstance(content, str)):
            return []
        return [
            "The token ids lack this model's special tokens, as those of another tokenizer do: see its "
            "options.token_inputs, or LangChain's check_embedding_ctx_length=False."
        ]

    def _looks_foreign(self, ids: list[int]) -> bool:
        before, after = self._before, self._after
        begins = bool(before) and ids[: len(before)] == before
        ends = bool(after) and ids[-len(after) :] == after
        return bool(before or after) and not (begins or ends)


class ForeignIds:
    """Ids are those of another vocabulary: they become text, which is tokenised as any other."""

    reads_text = True

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary

    def read(self, ids: list[int], path: str) -> str | list[int]:
        at = self._vocabulary.unknown(ids)
        if at is not None:
            reason = f"{self._vocabulary.name} (options.token_inputs) has no such token"
            raise _unknown(f"{path}[{at}]", ids[at], f"{reason}.")
        return self._vocabulary.text(ids)

    def warnings(self, inputs: Sequence[str | list[int]]) -> list[str]:
        return []


class NoIds:
    """Ids are refused."""

    reads_text = False

    def read(self, ids: list[int], path: str) -> str | list[int]:
        message = f"'{path}' has token ids, and this model takes texts (options.token_inputs: refuse). {_LANGCHAIN}."
        raise RequestError(message, param=path, code="invalid_value")

    def warnings(self, inputs: Sequence[str | list[int]]) -> list[str]:
        return []


def _unknown(path: str, id: int, reason: str) -> RequestError:
    return RequestError(f"'{path}' is the token id {id}, and {reason}", param=path, code="invalid_value")


def _around(tokenizer: TextTokenizer) -> tuple[list[int], list[int]]:
    """The special tokens that the tokenizer puts before every text, and those that it puts after."""
    encoding = tokenizer.raw.encode("a")
    tokens = list(zip(encoding.ids, encoding.special_tokens_mask, strict=True))
    before = [id for id, _ in takewhile(lambda token: token[1], tokens)]
    after = [id for id, _ in takewhile(lambda token: token[1], reversed(tokens))]
    return before, after[::-1]
