"""One request in work: what was read of each document, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from ovms_openvino.tokens import TokenSequence
from ovms_rerank.messages import Score, Scored

_PORTION = 32
PORTION_CHARACTERS = 100_000
_NOTHING = -1000.0
"""The log-odds of a document without text: a number that JSON can have, and a probability of 0."""


class Place(NamedTuple):
    """A pair of texts, and where they stand in the client's request."""

    query: str
    document: str
    query_path: str
    path: str


class Scoring:
    """A `Score` request in work.

    Equal pairs of texts are scored once. It saves work, and it keeps ties: the same document gets the same
    score to the last bit, in whatever batches it would have run. A document without text is not scored at all, and
    is worth less than any other.
    """

    def __init__(self, request: Score) -> None:
        self.request = request
        self._pairs = list(_pairs(request))
        self._lengths: dict[tuple[str, str], list[int]] = {}

    def places(self) -> Iterator[Place]:
        """Every different pair of texts that can be scored, in the order of the request."""
        first = {pair: index for index, pair in reversed(list(enumerate(self._pairs)))}
        for index, (query, document) in enumerate(self._pairs):
            if document.strip() and first[query, document] == index:
                self._lengths[query, document] = []
                request = self.request
                yield Place(query, document, request.query_path.format(index), request.document_path.format(index))

    def record(self, place: Place, sequence: TokenSequence) -> None:
        """Note that `sequence` is a chunk of the pair at `place`; its result comes in the same order."""
        self._lengths[place.query, place.document].append(len(sequence.ids))

    def scored(self, results: Sequence[float]) -> Scored:
        """The answer: each document's best chunk. `results` are in the order of `record`."""
        remaining = iter(results)
        best = {pair: max(islice(remaining, len(lengths))) for pair, lengths in self._lengths.items()}
        lowest = min([_NOTHING, *(score - 1 for score in best.values())])
        lengths = [length for pair in self._pairs for length in self._lengths.get(pair, [])]
        log_odds = [best.get(pair, lowest) for pair in self._pairs]
        return Scored(log_odds, chunks=len(lengths), prompt_tokens=sum(lengths))


def portions(places: Sequence[Place]) -> Iterator[list[Place]]:
    """A few places at a time: few enough to be tokenised together without anyone waiting for it."""
    portion: list[Place] = []
    characters = 0
    for place in places:
        if portion and (len(portion) == _PORTION or characters + len(place.document) > PORTION_CHARACTERS):
            yield portion
            portion, characters = [], 0
        portion.append(place)
        characters += len(place.document)
    if portion:
        yield portion


def _pairs(request: Score) -> Iterator[tuple[str, str]]:
    queries = request.queries
    if len(queries) == 1:
        queries = queries * len(request.documents)
    yield from zip(queries, request.documents, strict=True)
