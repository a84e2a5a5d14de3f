"""Models that think aloud."""

from __future__ import annotations

import json
from typing import Any, Final

from ovms_conformance.feature import Group, Target, expect, expect_fully, skip
from ovms_conformance.features.text.asking import PATH, ask, ask_streaming, choices, question
from ovms_conformance.features.text.shaping import COLOUR, schema_format

reasoning = Group("Reasoning", needs="chat_model")

_RIDDLE: Final = "Which is larger, 9.11 or 9.9? Think, then answer with the number."
_TOKENS: Final = 512
_PROBE: Final = 16


def _thoughts(message: Any) -> str:
    return message.get("reasoning_content") or message.get("reasoning") or ""


def _thinking(target: Target, **fields: Any) -> Any:
    """An answer with a thought. Skips where the model does not begin with one."""
    begun = ask(target, _RIDDLE, max_tokens=_PROBE)
    if not _thoughts(begun["choices"][0]["message"]):
        skip("the model does not think aloud")
    return ask(target, _RIDDLE, max_tokens=_TOKENS, **fields)


@reasoning.feature
def reasoning_effort(target: Target) -> str:
    """`reasoning_effort` is taken, or named in a header where the model knows none."""
    answer = target.server.send_json(PATH, question(target, reasoning_effort="low")).accepted()
    expect(answer.json()["choices"], "there is no answer")
    named = any("reasoning_effort" in value for value in answer.headers.values())
    return "named in a header" if named else "taken"


@reasoning.feature
def reasoning_content(target: Target) -> None:
    """What a model thinks is in `reasoning_content` or `reasoning`, and not in `content`."""
    message = _thinking(target)["choices"][0]["message"]
    expect("<think>" not in (message.get("content") or ""), "the mark of thoughts is in the content")
    expect_fully(message.get("reasoning_content") and message.get("reasoning"), "it is under one of the names only")


@reasoning.feature
def reasoning_in_a_stream(target: Target) -> None:
    """The thoughts stream too, all before the answer, and are those of the answer in one piece."""
    whole = _thinking(target)["choices"][0]["message"]
    deltas = [choice["delta"] for choice in choices(ask_streaming(target, _RIDDLE, max_tokens=_TOKENS))]
    expect("".join(map(_thoughts, deltas)) == _thoughts(whole), "the thoughts differ")
    kinds = [bool(_thoughts(delta)) for delta in deltas if _thoughts(delta) or delta.get("content")]
    expect_fully(kinds == sorted(kinds, reverse=True), "thoughts come behind the answer's text")


@reasoning.feature
def reasoning_tokens(target: Target) -> None:
    """`usage.completion_tokens_details.reasoning_tokens` counts the tokens of thoughts."""
    usage = _thinking(target)["usage"]
    count = usage["completion_tokens_details"]["reasoning_tokens"]
    expect(0 < count <= usage["completion_tokens"], f"{count} of {usage['completion_tokens']} tokens")


@reasoning.feature
def include_reasoning(target: Target) -> None:
    """With `include_reasoning: false` the thoughts are left out."""
    _thinking(target)
    message = ask(target, _RIDDLE, max_tokens=_TOKENS, include_reasoning=False)["choices"][0]["message"]
    expect(not _thoughts(message), "they are in the answer")
    expect_fully("<think>" not in (message.get("content") or ""), "they are in the content")


@reasoning.feature
def thinking_budget(target: Target) -> None:
    """`thinking_budget` bounds the thoughts, and then the answer begins."""
    _thinking(target)
    document = ask(target, _RIDDLE, max_tokens=_TOKENS, thinking_budget=16)
    count = document["usage"]["completion_tokens_details"]["reasoning_tokens"]
    expect(count <= 32, f"{count} tokens of thoughts instead of 16")
    expect(document["choices"][0]["message"].get("content"), "the answer does not begin")


@reasoning.feature
def schema_behind_a_thought(target: Target) -> None:
    """`response_format` binds the answer and leaves the thoughts free."""
    _thinking(target)
    document = ask(target, _RIDDLE, max_tokens=2 * _TOKENS, response_format=schema_format(COLOUR))
    choice = document["choices"][0]
    if choice["finish_reason"] == "length":
        skip("the model thought to the end of its tokens")
    expect(json.loads(choice["message"]["content"])["colour"] in {"red", "green"}, "the answer is not of the schema")
