"""What the engine says becomes events: each token belongs to one of them."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

from tests.plugins.ovms_llm.speech.hearing import FUNCTIONS, THINK, Sample, hear

from ovms_llm.messages import Channel, Delta, TokenLogprob, ToolCallDelta
from ovms_llm.speech.listening import Listener
from ovms_llm.speech.registry import formats

CALL = '<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>'
LOGPROBS = [TokenLogprob("x", -0.5, [120])]


def _listener(**options: Any) -> Listener:
    return Listener(formats()["hermes"], THINK, options.pop("functions", FUNCTIONS), **options)


def _texts(listener: Listener, *pieces: str) -> list[tuple[str, Channel, list[int]]]:
    heard = []
    for number, piece in enumerate(pieces):
        for event in listener.hear(Delta(0, piece, [number])):
            assert isinstance(event, Delta)
            heard.append((event.text, event.channel, event.tokens))
    return heard


def test_tokens_that_are_heard_in_a_thought_are_reasoning() -> None:
    heard = _texts(_listener(), "<think>", "hm", "</think>", "\n\n", "Yes")
    assert heard == [
        ("", "reasoning", [0]),
        ("hm", "reasoning", [1]),
        ("", "reasoning", [2]),
        ("", "content", [3]),
        ("Yes", "content", [4]),
    ]


def test_a_delta_of_a_thoughts_end_and_more_gives_its_tokens_once() -> None:
    events = _listener(channel="reasoning").hear(Delta(2, "a</think>b", [7, 8], LOGPROBS))
    assert events == [Delta(2, "a", [7, 8], LOGPROBS, channel="reasoning"), Delta(2, "b", [])]


def test_a_call_carries_its_tokens() -> None:
    begin, arguments, end = _listener(guided=True).hear(Delta(0, CALL, [1, 2], finish_reason="stop"))
    assert isinstance(begin, ToolCallDelta)
    assert (begin.call, begin.name, begin.tokens) == (0, "now", [1, 2])
    assert re.fullmatch("call_[0-9a-f]{24}", begin.id or "")
    assert arguments == ToolCallDelta(0, 0, arguments="{}")
    assert end == Delta(0, "", [], finish_reason="tool_calls")


def test_probabilities_of_a_calls_tokens_come_in_an_empty_text() -> None:
    first, *_ = _listener().hear(Delta(0, CALL, [1], LOGPROBS, finish_reason="stop"))
    assert first == Delta(0, "", [1], LOGPROBS)


def test_guided_arguments_come_as_they_are_written() -> None:
    text = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n</tool_call>'
    listener = _listener(guided=True)
    events = [event for letter in text for event in listener.hear(Delta(0, letter, []))]
    pieces = [event.arguments for event in events if isinstance(event, ToolCallDelta)]
    assert pieces == ["", *'{"city": "Paris"}']


def test_calls_are_numbered_with_ids_of_their_own() -> None:
    heard = hear(formats()["hermes"], Sample(""), [CALL, CALL, CALL])
    assert len(heard.calls) == 3
    assert all(one != other for one, other in pairwise(heard.ids))


def test_one_call_may_be_all_that_is_wanted() -> None:
    heard = hear(formats()["hermes"], Sample(""), [CALL + CALL, " more"], many=False)
    assert heard.calls == [("now", "{}")]


def test_without_functions_only_thoughts_are_taken_out() -> None:
    listener = _listener(functions=())
    assert [text for text, *_ in _texts(listener, "<think>a</think>", CALL)] == ["a", CALL]


def test_a_broken_call_is_told_as_the_reason_to_stop() -> None:
    (event,) = _listener().hear(Delta(0, "<tool_call>{</tool_call>", [1], finish_reason="stop"))
    assert event == Delta(0, "<tool_call>{</tool_call>", [1], finish_reason="stop", stop_reason="malformed_tool_call")


def test_an_answer_that_was_cut_says_so() -> None:
    heard = hear(formats()["hermes"], Sample("", finish_reason="length"), [CALL])
    assert (heard.calls, heard.finish_reason) == ([("now", "{}")], "length")


def test_a_stop_string_is_told_as_before() -> None:
    (event,) = _listener().hear(Delta(0, "Yes", [1], finish_reason="stop", stop_reason="END"))
    assert event == Delta(0, "Yes", [1], finish_reason="stop", stop_reason="END")


def test_plain_text_passes_through_as_it_is() -> None:
    listener = _listener()
    listener.hear(Delta(0, "The", [1]))
    delta = Delta(0, " sky", [2], LOGPROBS)
    assert listener.hear(delta)[0] is delta
