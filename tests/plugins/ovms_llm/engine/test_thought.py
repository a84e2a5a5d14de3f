"""Thoughts: where prompts open them, how long they may be, and what follows."""

from __future__ import annotations

import pytest
from tests.plugins.ovms_llm.conftest import Outcome, run

from ovms_llm.engine.text_generation import TextGeneration
from ovms_llm.engine.thought import Ending, Thought, Turn, ending_of, forced
from ovms_llm.grammar import formats
from ovms_llm.messages import Chat, Generate, Guide, Prompt, Sampling, Started, Text, Thinking

THINK = Thinking("<think>", "</think>")
MARKER = "\n</think>\n\n"
CHAT = Chat([{"role": "user", "content": "<think>"}])
CONTINUED = Chat([{"role": "assistant", "content": "<think>So"}], continue_final_message=True)
ANSWER = formats.grammar('root ::= "{\\"answer\\": " [0-9]{1,4} "}"\n')
OPENS = Text("What is two and two?\n<think>\nOkay, let me see.")
MAY_OPEN = Text("What is two and two?\n")


@pytest.mark.parametrize(
    ("prompt", "text", "ending"),
    [
        (CHAT, "user: <think>\nassistant:", Ending.FREE),
        (CHAT, "user: <think>\nassistant: <think>\n", Ending.OPEN),
        (CHAT, "user: hi\nassistant: <think>\n\n</think>\n\n", Ending.CLOSED),
        (CHAT, "assistant: <think>a</think>b\nuser: c\nassistant:", Ending.FREE),
        (CONTINUED, "assistant: <think>So", Ending.OPEN),
        (CONTINUED, "assistant: <think>So</think>Yes", Ending.FREE),
        (Text(""), "<think>Well, I", Ending.OPEN),
        (Text(""), "Well, I", Ending.FREE),
    ],
)
def test_a_prompt_opens_a_thought_has_closed_it_or_leaves_it_to_the_model(
    prompt: Prompt, text: str, ending: Ending
) -> None:
    assert ending_of(prompt, text, THINK) is ending


@pytest.mark.parametrize(
    ("closing", "text"),
    [("</think>", MARKER), ("[/THINK]", "\n[/THINK]\n\n"), (MARKER, MARKER), ("<channel|>", "<channel|>")],
)
def test_a_tag_that_is_forced_stands_on_a_line_of_its_own(closing: str, text: str) -> None:
    assert forced(closing) == text


def thought(ending: Ending, budget: int | None = None) -> Thought:
    """A thought in a vocabulary of characters."""
    return Thought(Thinking("<t>", "</t>", budget), ending, lambda ids: "".join(map(chr, ids)))


def turns(text: str, follower: Thought) -> list[Turn]:
    return [turn for character in text if (turn := follower.feed([ord(character)])) is not Turn.NONE]


@pytest.mark.parametrize(
    ("text", "ending", "budget", "expected"),
    [
        ("abc</t>", Ending.OPEN, None, [Turn.CLOSED]),
        ("<t>a</t>", Ending.FREE, None, [Turn.OPENED, Turn.CLOSED]),
        ("\n<t>a", Ending.FREE, None, [Turn.OPENED]),
        ("<tea", Ending.FREE, None, [Turn.ANSWERS, Turn.ANSWERS]),
        ("abc", Ending.OPEN, 3, [Turn.EXHAUSTED]),
        ("<t>ab", Ending.FREE, 2, [Turn.OPENED, Turn.EXHAUSTED]),
        ("<t>", Ending.FREE, 0, [Turn.EXHAUSTED]),
        ("</t>", Ending.OPEN, 4, [Turn.CLOSED]),
    ],
)
def test_tokens_turn_the_thought(text: str, ending: Ending, budget: int | None, expected: list[Turn]) -> None:
    assert turns(text, thought(ending, budget)) == expected


def ask(
    prompt: Prompt = OPENS,
    budget: int | None = 6,
    guide: Guide | None = None,
    emitted: list[int] | None = None,
    **sampling: object,
) -> Generate:
    values = {"temperature": 0.0, "max_tokens": 40} | sampling
    return Generate(
        prompt=prompt,
        sampling=Sampling(**values),  # type: ignore[arg-type]
        thinking=Thinking("<think>", MARKER, budget),
        guide=guide,
        emitted=emitted or [],
    )


def start_of(outcome: Outcome) -> Started:
    return next(gain for gain in outcome.gains if isinstance(gain, Started))


@pytest.mark.real
def test_a_thought_that_has_used_its_budget_up_is_ended_and_the_answer_begins(engine: TextGeneration) -> None:
    free, bounded = run(engine, ask(budget=None), ask())
    assert free.tokens()[:6] == bounded.tokens()[:6]
    thought, found, answer = bounded.text().partition(MARKER)
    assert found
    assert free.text().startswith(thought)
    assert answer
    assert len(bounded.tokens()) == 40, "the marker counts"
    assert start_of(free).channel == start_of(bounded).channel == "reasoning"
    assert bounded.last().finish_reason == "length"


@pytest.mark.real
def test_no_half_of_the_forced_marker_is_given(engine: TextGeneration) -> None:
    marker = len(engine._intake._prompts.marker(MARKER))
    fits, short, none = run(
        engine, ask(max_tokens=6 + marker), ask(max_tokens=6 + marker - 1), ask(budget=0, max_tokens=1)
    )
    assert fits.text().endswith(MARKER)
    assert fits.text() == short.text() + MARKER
    assert none.text() == ""
    assert {outcome.last().finish_reason for outcome in (fits, short, none)} == {"length"}


@pytest.mark.real
def test_without_a_budget_no_thought_is_allowed(engine: TextGeneration) -> None:
    [outcome] = run(engine, ask(budget=0, n=2))
    assert all(outcome.text(index).startswith(MARKER) for index in range(2))


@pytest.mark.real
def test_the_forced_marker_is_certain(engine: TextGeneration) -> None:
    [outcome] = run(engine, ask(logprobs=True))
    logprobs = [each for delta in outcome.deltas for each in delta.logprobs or []]
    assert len(logprobs) == len(outcome.tokens())
    assert [each.logprob for each in logprobs][6:8] == [0.0, 0.0]


@pytest.mark.real
@pytest.mark.parametrize("cut", [1, 6, -3])
def test_a_bounded_thought_is_resumed_where_it_was(engine: TextGeneration, cut: int) -> None:
    [whole] = run(engine, ask())
    given = [token for delta in whole.deltas[:cut] for token in delta.tokens]
    [rest] = run(engine, ask(emitted=given))
    assert given + rest.tokens() == whole.tokens()


@pytest.mark.real
def test_a_guide_binds_the_answer_behind_the_thought(engine: TextGeneration) -> None:
    request = ask(guide=Guide(ANSWER))
    assert engine.needs_preparation(request)
    [whole] = run(engine, engine.prepare(request))
    assert not engine.needs_preparation(request)
    answer = whole.text().partition(MARKER)[2]
    assert answer.strip().startswith('{"answer": ')
    assert answer.endswith("}")
    assert whole.last().finish_reason == "stop"
    for cut in (3, 9, len(whole.deltas) - 1):
        given = [token for delta in whole.deltas[:cut] for token in delta.tokens]
        [rest] = run(engine, ask(guide=Guide(ANSWER), emitted=given))
        assert given + rest.tokens() == whole.tokens()


@pytest.mark.real
def test_a_model_that_may_think_may_answer_at_once(engine: TextGeneration) -> None:
    [outcome] = run(engine, engine.prepare(ask(MAY_OPEN, guide=Guide(ANSWER))))
    assert start_of(outcome).channel == "content"
    thought, found, answer = outcome.text().rpartition(MARKER)
    assert thought.startswith("<think>") is bool(found)
    assert answer.strip().startswith('{"answer": ')
    assert answer.endswith("}")


@pytest.mark.real
def test_a_model_that_opens_a_thought_under_a_guide_thinks_freely_and_then_answers(engine: TextGeneration) -> None:
    thinking = Thinking("Paris", " So be it.\n", budget=5)
    request = Generate(
        prompt=Text("Paris\n" * 8),
        sampling=Sampling(temperature=0, max_tokens=40),
        thinking=thinking,
        guide=Guide(formats.grammar('root ::= "§" [0-9]{1,2} "§"\n')),
    )
    [outcome] = run(engine, engine.prepare(request))
    thought, _, answer = outcome.text().partition(thinking.closing)
    assert thought.startswith("Paris")
    assert len(thought) > len("Paris")
    assert answer.strip()[0] == answer[-1] == "§"
    assert outcome.last().finish_reason == "stop"
