"""What is asked of a new engine when the old one died."""

from __future__ import annotations

from typing import Any

import pytest

from ovms_llm.messages import Delta, Generate, Sampling, Started, Text


def generate(**sampling: Any) -> Generate:
    return Generate(prompt=Text("Once"), sampling=Sampling(**sampling))


def test_tokens_that_were_given_are_continued() -> None:
    first = generate().resumed([Started(1), Delta(0, "a", [5]), Delta(0, "b", [6, 7])])
    assert first is not None
    assert (first.emitted, first.started) == ([5, 6, 7], True)
    second = first.resumed([Delta(0, "c", [8])])
    assert second is not None
    assert (second.emitted, second.started) == ([5, 6, 7, 8], True)


def test_a_start_without_any_token_is_not_told_again() -> None:
    resumed = generate().resumed([Started(1)])
    assert resumed is not None
    assert (resumed.emitted, resumed.started) == ([], True)


@pytest.mark.parametrize("sampling", [{"n": 2}, {"best_of": 3}, {"use_beam_search": True}])
def test_several_sequences_begin_again_as_long_as_none_was_sent(sampling: dict[str, Any]) -> None:
    again = generate(**sampling).resumed([Started(1)])
    assert again is not None
    assert (again.emitted, again.started) == ([], True)
    assert generate(**sampling).resumed([Started(1), Delta(0, "a", [5])]) is None
