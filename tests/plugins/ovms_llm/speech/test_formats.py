"""Every format hears what models of its family write, however it is cut."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.plugins.ovms_llm.speech.hearing import Sample, check, hear

from ovms_llm.speech.registry import FIRST_PARTY, formats

NAMES = [path.rpartition(".")[2].partition(":")[0] for path in FIRST_PARTY]


def _samples() -> Iterator[Any]:
    for name in NAMES:
        samples: tuple[Sample, ...] = import_module(f"tests.plugins.ovms_llm.speech.samples.{name}").SAMPLES
        yield from (pytest.param(name, sample, id=f"{name}-{number}") for number, sample in enumerate(samples))


EVERY = list(_samples())


def test_a_format_is_named_like_its_module_which_has_samples() -> None:
    assert set(NAMES) <= set(formats())
    assert {parameters.values[0] for parameters in EVERY} == set(NAMES)


@pytest.mark.parametrize(("name", "sample"), EVERY)
def test_an_answer_means_the_same_however_it_is_cut(name: str, sample: Sample) -> None:
    check(formats()[name], sample, guided=False)
    if sample.guided:
        check(formats()[name], sample, guided=True)


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_an_answer_means_the_same_in_any_pieces(data: st.DataObject) -> None:
    name, sample = data.draw(st.sampled_from(EVERY)).values
    guided = sample.guided and data.draw(st.booleans())
    at = sorted(data.draw(st.lists(st.integers(0, len(sample.text)), max_size=8)))
    pieces = [sample.text[start:end] for start, end in zip([0, *at], [*at, None], strict=True)]
    whole = hear(formats()[name], sample, [sample.text], guided=guided)
    assert hear(formats()[name], sample, pieces, guided=guided).meaning == whole.meaning
