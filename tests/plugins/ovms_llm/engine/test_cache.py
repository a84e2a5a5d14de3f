"""The KV cache: it never runs dry, and nothing stays in it."""

from __future__ import annotations

import pytest
from tests.plugins.ovms_llm.conftest import generate, run

from ovms_core.engine import DONE, RequestError
from ovms_llm.engine.text_generation import TextGeneration
from ovms_llm.messages import Started

pytestmark = pytest.mark.real


def test_long_requests_in_a_small_cache_all_finish_with_the_text_they_have_alone(
    small_engine: TextGeneration,
) -> None:
    tokens = small_engine.info().details["cache_tokens"]
    each = tokens // 8
    requests = [generate(f"Chapter {number}.", max_tokens=each, ignore_eos=True) for number in range(10)]
    outcomes = run(small_engine, *requests)
    assert small_engine.preemptions > 0
    assert all(len(outcome.tokens()) == each for outcome in outcomes)
    assert all(outcome.last().finish_reason == "length" for outcome in outcomes)
    [alone] = run(small_engine, requests[9])
    assert outcomes[9].text() == alone.text()


def test_cancelled_requests_hold_nothing(small_engine: TextGeneration) -> None:
    for round_ in range(10):
        for id in range(10):
            small_engine.add(id, generate(f"Story {round_} {id}", max_tokens=50))
        for _ in range(round_ % 4):
            list(small_engine.step())
        for id in range(10):
            small_engine.cancel(id)
    assert small_engine.cache_usage() == 0
    [outcome] = run(small_engine, generate("After all that,", max_tokens=4))
    assert outcome.gains[-1] is DONE


def test_a_request_that_can_never_fit_is_told_what_to_do(small_engine: TextGeneration) -> None:
    tokens = small_engine.info().details["cache_tokens"]
    with pytest.raises(RequestError, match=r"raise options\.cache_size or lower max_tokens"):
        small_engine.add(0, generate("A story", max_tokens=tokens + 1))


def test_without_max_tokens_an_answer_is_as_long_as_the_cache(small_engine: TextGeneration) -> None:
    tokens = small_engine.info().details["cache_tokens"]
    [outcome] = run(small_engine, generate("A story " * (tokens // 3), max_tokens=None, ignore_eos=True))
    [started] = [gain for gain in outcome.gains if isinstance(gain, Started)]
    assert tokens - 64 <= started.prompt_tokens + len(outcome.tokens()) < tokens
    assert outcome.last().finish_reason == "length"


def test_beams_in_a_small_cache_finish(small_engine: TextGeneration) -> None:
    beams = [generate(f"Beam {i}", use_beam_search=True, best_of=4, temperature=None, max_tokens=20) for i in range(3)]
    outcomes = run(small_engine, *beams)
    assert all(outcome.gains[-1] is DONE for outcome in outcomes)


def test_an_engine_that_only_lets_requests_wait_makes_no_progress(
    small_engine: TextGeneration, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that it is replaced, should it ever come to that."""
    run(small_engine, generate("One.", max_tokens=1))
    assert small_engine.progressed()
    with monkeypatch.context() as never:
        never.setattr(small_engine, "_make_room", lambda gains: None)
        small_engine.add(1, generate("Two.", max_tokens=1))
        assert list(small_engine.step()) == []
        assert not small_engine.progressed()
    while DONE not in [gain for _, gain in small_engine.step()]:
        assert small_engine.progressed()
