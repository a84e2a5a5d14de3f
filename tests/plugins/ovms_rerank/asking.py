"""Ways to ask an engine of this process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ovms_core.engine import Done, Engine, RequestError
from ovms_rerank.messages import Score, Scored


def ask(engine: Engine, *requests: Score) -> list[Any]:
    """What each request got (`Scored` or `RequestError`), all of them in flight together."""
    answers: dict[int, Any] = {}
    for id, request in enumerate(requests):
        engine.add(id, request)
    in_flight = set(range(len(requests)))
    while in_flight:
        for id, gain in engine.step():
            if not isinstance(gain, Done):
                answers[id] = gain
            if isinstance(gain, Done | RequestError):
                in_flight.discard(id)
    return [answers[id] for id in range(len(requests))]


def scored(engine: Engine, query: str, documents: Sequence[str], **fields: Any) -> Scored:
    """What one request got, which must be an answer."""
    (answer,) = ask(engine, Score(queries=[query], documents=list(documents), **fields))
    assert isinstance(answer, Scored), answer
    return answer


def refused(engine: Engine, **fields: Any) -> RequestError:
    """What one request got, which must be an error."""
    (answer,) = ask(engine, Score(**fields))
    assert isinstance(answer, RequestError), answer
    return answer
