"""What a request's sampling comes to."""

from __future__ import annotations

from ovms_llm.engine.plan import Plan, plan
from ovms_llm.messages import Sampling


def seeded(seed: int) -> Plan:
    return plan(Sampling(n=8, temperature=1.0, seed=seed), 16, {}, frozenset())


def test_the_first_choice_has_the_requests_own_seed() -> None:
    assert [seeded(seed).config().rng_seed for seed in (0, 11, 2**31 - 1)] == [0, 11, 2**31 - 1]


def test_the_choices_of_a_seed_are_not_those_of_its_neighbours() -> None:
    drawn = [seeded(seed).config(index=index).rng_seed for seed in range(200) for index in range(8)]
    assert len(set(drawn)) == len(drawn)
    assert max(drawn) < 2**32, "GenAI's generator takes 32 bits"


def test_a_choice_has_the_same_seed_whenever_it_is_asked_for() -> None:
    assert [seeded(11).config(index=index).rng_seed for index in range(3)] == [11, 2654435780, 1013904253]
