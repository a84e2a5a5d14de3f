"""How a query and a document become one sequence of tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tokenizers import Encoding

from ovms_core.engine import LoadError, RequestError
from ovms_openvino.tokens import TextTokenizer, TokenSequence

SYSTEM_PROMPT = (
    "Judge whether the Document meets the requirements based on the Query and the Instruct provided. "
    'Note that the answer can only be "yes" or "no".'
)
INSTRUCTION = "Given a web search query, retrieve relevant passages that answer the query"


class Layout(Protocol):
    """Joins a query and texts; `instruction` is what the request wants judged."""

    def join(self, query: str, texts: Sequence[str], instruction: str | None) -> list[TokenSequence]:
        """The sequences of `query` with each of `texts`.

        Raises `RequestError` for an instruction to a model that takes none.
        """

    def overhead(self, query: str, instruction: str | None) -> int:
        """How many tokens of a sequence are not the document's."""

    def encode(self, text: str) -> Encoding:
        """A document by itself, with the offsets and words of its tokens."""


class PairLayout:
    """A cross-encoder's: the tokenizer's own template for pairs, such as ``[CLS] query [SEP] document [SEP]``."""

    def __init__(self, tokenizer: TextTokenizer) -> None:
        self._tokenizer = tokenizer
        self._special = tokenizer.special_tokens(pair=True)

    def join(self, query: str, texts: Sequence[str], instruction: str | None) -> list[TokenSequence]:
        _refuse(instruction)
        return self._tokenizer.encode_pairs([(query, text) for text in texts])

    def overhead(self, query: str, instruction: str | None) -> int:
        _refuse(instruction)
        return len(self.encode(query).ids) + self._special

    def encode(self, text: str) -> Encoding:
        return self._tokenizer.raw.encode(text, add_special_tokens=False)


class YesNoLayout:
    """Qwen3-Reranker's prompt, https://huggingface.co/Qwen/Qwen3-Reranker-0.6B.

    Special tokens that are spelt out in a query or a document are read as plain text, so that no document can
    end the user's turn and answer for the model.
    """

    def __init__(self, tokenizer: TextTokenizer, instruction: str | None = None) -> None:
        self._raw = tokenizer.raw
        self._instruction = instruction or INSTRUCTION
        self._before = self._ids(f"<|im_start|>system\n{SYSTEM_PROMPT}<|im_end|>\n<|im_start|>user\n")
        self._after = self._ids("<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n")
        self._raw.encode_special_tokens = True

    def join(self, query: str, texts: Sequence[str], instruction: str | None) -> list[TokenSequence]:
        asked = self._asked(query, instruction)
        encodings = self._raw.encode_batch_fast([asked + text for text in texts], add_special_tokens=False)
        return [TokenSequence((*self._before, *encoding.ids, *self._after)) for encoding in encodings]

    def overhead(self, query: str, instruction: str | None) -> int:
        return len(self._before) + len(self._after) + len(self._ids(self._asked(query, instruction)))

    def encode(self, text: str) -> Encoding:
        return self._raw.encode(text, add_special_tokens=False)

    def _asked(self, query: str, instruction: str | None) -> str:
        return f"<Instruct>: {instruction or self._instruction}\n<Query>: {query}\n<Document>: "

    def _ids(self, text: str) -> tuple[int, ...]:
        return tuple(self._raw.encode(text, add_special_tokens=False).ids)


def answer_tokens(tokenizer: TextTokenizer) -> tuple[int, int]:
    """The ids of ``no`` and ``yes``. Raises `LoadError` when the vocabulary lacks one."""
    no, yes = tokenizer.raw.token_to_id("no"), tokenizer.raw.token_to_id("yes")
    if no is None or yes is None:
        raise LoadError(
            "The tokenizer has no tokens 'yes' and 'no', which a yes_no head compares. Set options.head to 'auto'."
        )
    return no, yes


def _refuse(instruction: str | None) -> None:
    if instruction is not None:
        message = "This model is a cross-encoder and takes no 'instruction': leave it out, or put it in the query."
        raise RequestError(message, param="instruction", code="invalid_value")
