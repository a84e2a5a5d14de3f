"""How tokens are chosen, and where they end."""

from __future__ import annotations

import math

from ovms_conformance.feature import Group, Target, expect, expect_fully
from ovms_conformance.features.text.asking import ask, ask_streaming, choices, said, said_in

sampling = Group("Sampling", needs="chat_model")


@sampling.feature
def greedy_at_temperature_zero(target: Target) -> None:
    """`temperature: 0` gives the same answer every time."""
    expect(said(ask(target)) == said(ask(target)), "two answers differ")


@sampling.feature
def seed(target: Target) -> None:
    """The same `seed` gives the same answer, another seed another."""
    texts = [said(ask(target, temperature=1, seed=number)) for number in (7, 7, 8)]
    expect(texts[0] == texts[1], "two answers with the same seed differ")
    expect_fully(texts[0] != texts[2], "another seed gives the same answer")


@sampling.feature
def stop_string(target: Target) -> None:
    """`stop` ends the answer before the string, with the `finish_reason` `stop`."""
    whole = said(ask(target))
    stop = _middle(whole)
    document = ask(target, stop=stop)
    _expect_stopped(said(document), whole, stop)
    reason = document["choices"][0]["finish_reason"]
    expect_fully(reason == "stop", f"finish_reason is {reason!r}")


@sampling.feature
def stop_string_in_a_stream(target: Target) -> None:
    """A stream never lets any part of the stop string out."""
    whole = said(ask(target))
    stop = _middle(whole)
    _expect_stopped(said_in(ask_streaming(target, stop=stop)), whole, stop)


@sampling.feature
def several_stop_strings(target: Target) -> None:
    """Of several strings in `stop` the one that comes first ends the answer."""
    whole = said(ask(target))
    stop = _middle(whole)
    _expect_stopped(said(ask(target, stop=["never said §", stop])), whole, stop)


@sampling.feature
def logprobs(target: Target) -> None:
    """`logprobs` gives every token of the answer with its logarithmic probability."""
    choice = ask(target, logprobs=True)["choices"][0]
    entries = choice["logprobs"]["content"]
    expect(all(entry["logprob"] <= 1e-6 and math.isfinite(entry["logprob"]) for entry in entries), "one is positive")
    expect(len(entries) > 1, "there are none")
    text = "".join(entry["token"] for entry in entries)
    expect_fully(text.startswith(choice["message"]["content"]), "the tokens are not those of the text")


@sampling.feature
def logprobs_in_a_stream(target: Target) -> None:
    """`logprobs` works in streams too."""
    received = choices(ask_streaming(target, logprobs=True))
    entries = [entry for choice in received for entry in (choice.get("logprobs") or {}).get("content") or []]
    expect(len(entries) > 1, "there are none")


@sampling.feature
def top_logprobs(target: Target) -> None:
    """`top_logprobs` gives the alternatives to every token."""
    entries = ask(target, logprobs=True, top_logprobs=2)["choices"][0]["logprobs"]["content"]
    expect(all(len(entry["top_logprobs"]) == 2 for entry in entries), "there are not two alternatives to every token")


@sampling.feature
def penalties(target: Target) -> None:
    """`frequency_penalty` and `presence_penalty` are taken."""
    expect(said(ask(target, temperature=1, frequency_penalty=0.5, presence_penalty=0.5)), "the answer is empty")


@sampling.feature
def top_k_and_min_p(target: Target) -> None:
    """`top_k`, `min_p` and `repetition_penalty`, which OpenAI does not have, are taken."""
    document = ask(target, temperature=1, top_k=20, min_p=0.05, repetition_penalty=1.1)
    expect(said(document), "the answer is empty")


@sampling.feature
def logit_bias(target: Target) -> None:
    """`logit_bias` is taken."""
    expect(said(ask(target, logit_bias={"42": -100})), "the answer is empty")


def _middle(text: str) -> str:
    """Four characters within `text` that are not those of one word alone."""
    expect(len(text) > 12, "the answer is too short to stop in")
    start = text.find(" ", len(text) // 3)
    return text[start - 2 : start + 2] if start > 1 else text[len(text) // 2 :][:4]


def _expect_stopped(text: str, whole: str, stop: str) -> None:
    expected = whole[: whole.index(stop)]
    expect(stop not in text, "the stop string is in the answer")
    expect(len(text) <= len(expected), "a part of the stop string is in the answer, or it ends too late")
    expect_fully(text == expected or text == expected.rstrip(), "the answer ends somewhere else")
