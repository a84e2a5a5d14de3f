"""The KV cache: it never runs dry, and nothing stays in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.plugins.ovms_llm.conftest import MakeEngine, generate, run

from ovms_core.engine import DONE, RequestError
from ovms_llm.engine.text_generation import TextGeneration
from ovms_llm.messages import Delta, Generate, Started

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


# -- prompts that are given up while they are read


@pytest.fixture(scope="module")
def uncached(make_engine: MakeEngine) -> Iterator[TextGeneration]:
    """A deterministic engine that reads every prompt from its beginning."""
    engine = make_engine(cache_size=0.2, deterministic=True, enable_prefix_caching=False)
    yield engine
    engine.close()


def give_up(engine: TextGeneration, *requests: Generate, steps: int) -> None:
    """Cancel `requests` all at once, after `steps` steps."""
    for id, request in enumerate(requests, 100):
        engine.add(id, request)
    for _ in range(steps):
        list(engine.step())
    for id in range(100, 100 + len(requests)):
        engine.cancel(id)


def test_prompts_given_up_while_they_are_read_spoil_no_later_answer(
    engine: TextGeneration, uncached: TextGeneration
) -> None:
    request = generate("1, 2, 3, 4, 5, 6,", max_tokens=6)
    [expected] = run(uncached, request)
    for crowd in range(16, 46, 5):
        give_up(engine, *[request] * crowd, steps=1 + crowd % 2)
        [outcome] = run(engine, request)
        assert outcome.text() == expected.text()
    assert engine.cache_usage() == 0


def test_a_long_prompt_is_given_up_between_two_portions(engine: TextGeneration, uncached: TextGeneration) -> None:
    request = generate("A b c d e f g h. " * 120, max_tokens=8)
    [expected] = run(uncached, request)
    for steps in (2, 5):
        give_up(engine, request, steps=steps)
        assert engine.cache_usage() == 0
        [outcome] = run(engine, request)
        assert outcome.text() == expected.text()
        request = generate(f"{steps} " + "A b c d e f g h. " * 120, max_tokens=8)
        [expected] = run(uncached, request)


def test_what_others_say_is_the_same_while_prompts_are_given_up(
    engine: TextGeneration, uncached: TextGeneration
) -> None:
    requests = [generate(f"Chapter {number}. " * 30, max_tokens=40, ignore_eos=True) for number in range(4)]
    expected = run(uncached, *requests)
    for id, request in enumerate(requests):
        engine.add(id, request)
    texts, in_flight = [""] * len(requests), set(range(len(requests)))
    for round_ in range(300):
        give_up(engine, generate(f"Story {round_ // 2}. " * 40, max_tokens=4), steps=0)
        for id, gain in engine.step():
            if isinstance(gain, Delta):
                texts[id] += gain.text
            elif gain is DONE:
                in_flight.discard(id)
        if not in_flight:
            break
    assert texts == [outcome.text() for outcome in expected]


def test_beams_of_a_prompt_longer_than_a_portion_are_the_same(engine: TextGeneration, uncached: TextGeneration) -> None:
    prompt = "one two three four, " * 240
    request = generate(prompt, max_tokens=8, use_beam_search=True, best_of=2, temperature=None)
    [expected], [outcome] = run(uncached, request), run(engine, request)
    assert outcome.text() == expected.text()
    assert outcome.last().finish_reason == expected.last().finish_reason == "length"
