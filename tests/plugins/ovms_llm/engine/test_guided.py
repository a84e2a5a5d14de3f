"""Answers that follow a grammar, on a real model."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from tests.plugins.ovms_llm.conftest import MakeEngine, Outcome, generate, run

from ovms_core.engine import DONE, RequestError
from ovms_llm.engine.text_generation import TextGeneration
from ovms_llm.grammar import formats
from ovms_llm.messages import Chat, Delta, Generate, Guide, Sampling, Started

pytestmark = pytest.mark.real

CITY = formats.grammar(
    'root ::= "{\\"city\\": " text ", \\"country\\": " text ", \\"people\\": " number "}"\n'
    'text ::= "\\"" [a-zA-Z ]{1,12} "\\""\nnumber ::= [1-9] [0-9]{0,6}\n'
)
QUESTION = Chat([{"role": "user", "content": "Where is the Eiffel tower? Answer in JSON."}])
STORIES = [f"Tell me story number {number} about the sea." for number in range(4)]


def guided(format: dict[str, Any] = CITY, emitted: list[int] | None = None, **sampling: Any) -> Generate:
    values = {"temperature": 0.0, "max_tokens": 64} | sampling
    return Generate(
        prompt=QUESTION, sampling=Sampling(**values), guide=Guide(format, "response_format"), emitted=emitted or []
    )


def prepared(engine: TextGeneration, *requests: Generate) -> list[Outcome]:
    return run(engine, *(engine.prepare(each) if engine.needs_preparation(each) else each for each in requests))


def is_city(text: str) -> bool:
    return sorted(json.loads(text)) == ["city", "country", "people"]


def test_the_answer_follows_its_grammar_and_comes_in_pieces(engine: TextGeneration) -> None:
    [outcome] = prepared(engine, guided())
    assert is_city(outcome.text())
    assert outcome.last().finish_reason == "stop"
    assert len(outcome.deltas) > 5


def test_free_answers_beside_a_guided_one_stay_what_they_are(engine: TextGeneration) -> None:
    free = [generate(story, max_tokens=16) for story in STORIES]
    alone = [outcome.text() for outcome in run(engine, *free)]
    [answer, *beside] = prepared(engine, guided(), *free)
    assert is_city(answer.text())
    assert [outcome.text() for outcome in beside] == alone


def test_several_choices_follow_the_grammar_each_in_its_own_way(engine: TextGeneration) -> None:
    [first] = prepared(engine, guided(n=2, seed=7, temperature=1.5))
    texts = [first.text(index) for index in range(2)]
    assert all(map(is_city, texts))
    assert texts[0] != texts[1]
    [again] = prepared(engine, guided(n=2, seed=7, temperature=1.5))
    assert [again.text(index) for index in range(2)] == texts


def test_a_grammar_that_is_known_needs_no_preparation(engine: TextGeneration) -> None:
    format = formats.sequence(formats.text("known"), CITY)
    assert engine.needs_preparation(guided(format))
    assert not engine.needs_preparation(generate("free"))
    prepared(engine, guided(format, max_tokens=2))
    assert not engine.needs_preparation(guided(format))


@pytest.mark.parametrize(
    ("format", "words"),
    [
        (formats.grammar("root ::= x"), 'Rule "x" is not defined'),
        (formats.grammar("root ::= ["), "Unterminated character class"),
        (formats.grammar(""), "non-empty string"),
        ({"type": "regex", "pattern": "(?=a)"}, "Lookahead is not supported"),
        ({"type": "regex", "pattern": "["}, "Unclosed"),
        ({"type": "star", "content": CITY}, "star"),
        ({"type": "json_schema", "json_schema": {"type": "foo"}}, "foo"),
        ({"nope": 1}, "nope"),
        ({}, "format"),
    ],
)
def test_a_bad_grammar_is_refused_in_xgrammars_words(
    engine: TextGeneration, format: dict[str, Any], words: str
) -> None:
    with pytest.raises(RequestError, match=re.escape(words)) as raised:
        engine.prepare(guided(format))
    assert (raised.value.status, raised.value.param) == (400, "response_format")
    assert "/" not in raised.value.message
    assert not re.search(r"\.(cc|cpp|h)\b", raised.value.message)
    [outcome] = run(engine, generate("One.", max_tokens=2))
    assert outcome.gains[-1] is DONE


def test_a_bad_grammar_that_was_not_prepared_fails_its_own_request_only(engine: TextGeneration) -> None:
    [bad, good] = run(engine, guided(formats.grammar("root ::= nothing")), generate(STORIES[0], max_tokens=4))
    assert isinstance(bad.gains[-1], RequestError)
    assert good.gains[-1] is DONE


@pytest.mark.parametrize(
    ("sampling", "param"),
    [
        ({"use_beam_search": True}, "use_beam_search"),
        ({"ignore_eos": True}, "ignore_eos"),
        ({"min_tokens": 3}, "min_tokens"),
    ],
)
def test_what_would_break_a_guide_is_refused(engine: TextGeneration, sampling: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestError, match="structured output") as raised:
        engine.add(0, guided(**sampling))
    assert raised.value.param == param


def test_a_stop_string_does_not_cut_a_guided_answer(engine: TextGeneration) -> None:
    [outcome] = prepared(engine, guided(stop=["city", "}"]))
    assert is_city(outcome.text())


def test_streams_go_on_while_a_grammar_is_compiled(engine: TextGeneration) -> None:
    """Counted in steps, so that it holds on a busy machine."""
    slow = formats.grammar('root ::= "[" item "]"\nitem ::= [a-z]{1,120} | [a-y]{1,120} ","\n')
    engine.add(1, generate(STORIES[0], max_tokens=200, ignore_eos=True))
    engine.add(2, guided(slow, max_tokens=4))
    tokens, begun = 0, False
    while not begun:
        gains = engine.step()
        begun = any(id == 2 for id, _ in gains)
        tokens += sum(len(gain.tokens) for id, gain in gains if id == 1 and isinstance(gain, Delta))
    engine.cancel(1)
    engine.cancel(2)
    assert tokens >= 5


def test_a_guided_answer_that_is_resumed_gives_only_what_is_missing(engine: TextGeneration) -> None:
    [whole] = prepared(engine, guided(temperature=1.0, seed=3))
    for cut in (1, len(whole.deltas) // 2, len(whole.deltas) - 1):
        given = [token for delta in whole.deltas[:cut] for token in delta.tokens]
        [rest] = prepared(engine, guided(emitted=given, temperature=1.0, seed=3))
        assert "".join(delta.text for delta in whole.deltas[:cut]) + rest.text() == whole.text()
        assert given + rest.tokens() == whole.tokens()
        assert not any(isinstance(gain, Started) for gain in rest.gains)


def test_a_guided_answer_that_would_come_out_otherwise_is_an_error(engine: TextGeneration) -> None:
    [whole] = prepared(engine, guided())
    spoilt = whole.tokens()[:6]
    spoilt[-1] += 1
    [outcome] = prepared(engine, guided(emitted=spoilt))
    error = outcome.gains[-1]
    assert isinstance(error, RequestError)
    assert error.code == "cannot_resume"
    assert not outcome.deltas


@pytest.fixture(scope="module")
def tight_engine(make_engine: MakeEngine) -> Iterator[TextGeneration]:
    """A deterministic engine whose cache is soon full, and whose grammars take more than they may."""
    engine = make_engine(cache_size=0.0272, deterministic=True, grammar_cache_mb=3, grammar_timeout=120)
    yield engine
    engine.close()


def test_guided_answers_that_are_put_back_stay_whole(tight_engine: TextGeneration) -> None:
    each = tight_engine.info().details["cache_tokens"] // 8
    words = formats.grammar('root ::= "[" ("word, " | "other, "){200} "]"\n')
    requests = [guided(words, temperature=0.5, seed=seed, max_tokens=each) for seed in range(5)]
    outcomes = prepared(tight_engine, *requests)
    assert tight_engine.preemptions > 0
    assert all(re.match(r"\[(word, |other, ){8}", outcome.text()) for outcome in outcomes)
    assert all(len(outcome.tokens()) == each for outcome in outcomes)
    [alone] = prepared(tight_engine, requests[-1])
    assert alone.text() == outcomes[-1].text()


def test_too_many_grammars_are_thrown_away_and_compiled_again_when_needed(tight_engine: TextGeneration) -> None:
    asked = [guided(formats.text(f"number {number}")) for number in range(6)]
    texts = [prepared(tight_engine, request)[0].text() for request in asked]
    assert texts == [f"number {number}" for number in range(6)]
    assert tight_engine.needs_preparation(asked[0]), "it was thrown away"
    [again] = prepared(tight_engine, asked[0])
    assert again.text() == "number 0"
