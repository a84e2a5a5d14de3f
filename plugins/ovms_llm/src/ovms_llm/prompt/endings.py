"""The tokens that end an answer: all that the model's files name, and those that its chat templates end a turn with."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from ovms_llm.prompt.templates import ChatTemplate
from ovms_llm.prompt.vocabulary import Vocabulary

_LOOKS_SPECIAL: Final = re.compile(r"<\S+>|\[\S+\]")


@dataclass(frozen=True, slots=True)
class NamedEnds:
    """The end tokens that files name: `ids` for certain, `doubtful` ones in passing, `texts` as text.

    The doubtful ones are those that transformers heeds only where nothing else is said: ``config.json`` of many a model
    has kept the id that its architecture had before it got a vocabulary of its own.
    """

    ids: frozenset[int] = frozenset()
    doubtful: frozenset[int] = frozenset()
    texts: frozenset[str] = frozenset()


def end_tokens(named: NamedEnds, tokenizer_eos: int, vocabulary: Vocabulary, template: ChatTemplate) -> frozenset[int]:
    """The ids that end an answer; `tokenizer_eos` is the one that the tokenizer itself knows, or -1."""
    ids = named.ids.union(_known(named.texts, vocabulary), turn_ends(template, vocabulary))
    doubtful = named.doubtful | {tokenizer_eos}
    sound = {id for id in doubtful if _is_control(id, vocabulary)}
    ends = ids.union(sound) or doubtful
    return frozenset(id for id in ends if 0 <= id < vocabulary.size)


def turn_ends(template: ChatTemplate, vocabulary: Vocabulary) -> set[int]:
    """The tokens that `template` writes behind what an assistant said, each one token that is no text.

    Only where it does so whatever follows: what begins the next turn does not end an answer.
    """
    return {
        id
        for endings in template.turn_endings()
        if len(ids := {_first_control(ending, vocabulary) for ending in endings}) == 1
        for id in ids
        if id is not None
    }


def _first_control(text: str, vocabulary: Vocabulary) -> int | None:
    """The token without text that `text` begins with, white space aside."""
    begin = text.lstrip()
    ids = (vocabulary.id_of(begin[:length]) for length in range(min(len(begin), vocabulary.longest), 0, -1))
    return next((id for id in ids if id is not None and _is_control(id, vocabulary)), None)


def _is_control(id: int, vocabulary: Vocabulary) -> bool:
    return id in vocabulary.special or bool(_LOOKS_SPECIAL.fullmatch(vocabulary.text_of(id)))


def _known(texts: Iterable[str], vocabulary: Vocabulary) -> set[int]:
    return {id for text in texts if (id := vocabulary.id_of(text)) is not None}
