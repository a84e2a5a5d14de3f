"""What a request's sampling comes to for this model: every default filled in, every conflict refused."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from openvino_genai import GenerationConfig

from ovms_core.engine import RequestError
from ovms_llm.engine.compiler import configure
from ovms_llm.messages import Sampling

_DEFAULT_BEAMS: Final = 4
_MAX_STOPS: Final = 64
# A lower temperature takes the likeliest token: in 32 bits its logits would overflow.
_GREEDY_BELOW: Final = 1e-5
_MOST_MIN_P: Final = 1 - 2**-24  # GenAI takes what is under 1
_FILLED: Final = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty")
# 2**32 by the golden ratio: multiples of it lie far apart, so that the choices of one seed are not those of the next.
_SEED_STRIDE: Final = 0x9E3779B9
# What GenAI takes, so that an error can name its field; "over" excludes the lower bound.
_RANGES: Final = (
    ("temperature", 0.0, 1e4, "at least "),
    ("top_p", 0.0, 1.0, "over "),
    ("min_p", 0.0, 1.0, "at least "),
    ("repetition_penalty", 0.01, 1e4, "at least "),
    ("frequency_penalty", -2.0, 2.0, "at least "),
    ("presence_penalty", -2.0, 2.0, "at least "),
)
# Fields that shape random choice, and so have no meaning where beams search for the likeliest text.
_RANDOM: Final = (("temperature", 0), ("top_p", 1), ("top_k", 0), ("min_p", 0), ("seed", None))
_UNGUIDED: Final = (("use_beam_search", False), ("ignore_eos", False), ("min_tokens", 0))


@dataclass(frozen=True, slots=True)
class Plan:
    """How one request is generated.

    `sequences` are generated independently, the likeliest `sampling.n` of them are kept; with `beams`
    over 1 there is one sequence that GenAI searches in that many beams. `seed` is drawn when none is
    given, since GenAI's own default is always the same.
    """

    sampling: Sampling
    max_tokens: int
    sequences: int
    beams: int
    seed: int
    eos: frozenset[int]

    @property
    def ranks(self) -> bool:
        """Whether more is generated than is kept."""
        return self.beams == 1 and self.sequences > self.sampling.n

    @property
    def gives_logprobs(self) -> bool:
        """Whether GenAI says how probable the tokens were."""
        return self.sampling.logprobs or self.ranks

    @property
    def own_stop_ids(self) -> frozenset[int]:
        """Stop tokens that GenAI would overlook: it forgets all of them when the end token is ignored."""
        return frozenset(self.sampling.stop_token_ids) if self.sampling.ignore_eos else frozenset()

    def config(self, emitted: int = 0, index: int = 0, grammar: str | None = None) -> GenerationConfig:
        """GenAI's settings for sequence `index`, of which `emitted` tokens exist already; the rest follows `grammar`.

        GenAI gets those tokens as a part of the prompt. So they count for `repetition_penalty`, which looks at
        the prompt, too, but no longer for `frequency_penalty` and `presence_penalty`, which begin anew: a text
        with one of these may go on differently after its sequence was put back or its engine died.
        Raises `RequestError` with GenAI's words when it refuses them.
        """
        try:
            config = self._config(emitted, index)
            if grammar is not None:
                configure(config, grammar)
            config.validate()
        except (RuntimeError, TypeError) as error:
            raise RequestError(str(error).strip().splitlines()[-1]) from error
        return config

    def _config(self, emitted: int, index: int) -> GenerationConfig:
        sampling = self.sampling
        config = GenerationConfig()
        config.max_new_tokens = self.max_tokens - emitted
        config.min_new_tokens = max(0, sampling.min_tokens - emitted)
        config.ignore_eos = sampling.ignore_eos
        config.stop_token_ids = set(self.eos.union(sampling.stop_token_ids))
        config.logprobs = int(self.gives_logprobs)
        config.repetition_penalty = sampling.repetition_penalty
        config.frequency_penalty = sampling.frequency_penalty or 0.0
        config.presence_penalty = sampling.presence_penalty or 0.0
        if self.beams > 1:
            _search(config, self)
        elif (sampling.temperature or 0.0) >= _GREEDY_BELOW:
            _sample(config, sampling, (self.seed + index * _SEED_STRIDE + emitted) % 2**32)
        return config


def _search(config: GenerationConfig, plan: Plan) -> None:
    config.num_beams = plan.beams
    config.num_return_sequences = plan.sampling.n
    config.stop_strings = set(plan.sampling.stop)
    config.include_stop_str_in_output = True  # what is shown of it is decided where all text is cut
    if plan.sampling.length_penalty is not None:
        config.length_penalty = plan.sampling.length_penalty


def _sample(config: GenerationConfig, sampling: Sampling, seed: int) -> None:
    config.do_sample = True
    config.temperature = sampling.temperature
    config.top_p = sampling.top_p
    config.min_p = min(sampling.min_p or 0.0, _MOST_MIN_P)
    config.rng_seed = seed
    if sampling.top_k:
        config.top_k = sampling.top_k


def plan(sampling: Sampling, max_tokens: int, defaults: Mapping[str, Any], eos: frozenset[int]) -> Plan:
    """Fill in what `sampling` leaves open. Raises `RequestError` for what contradicts itself."""
    _check_counts(sampling, max_tokens)
    _check_ranges(sampling)
    _check_stops(sampling)
    if sampling.use_beam_search:
        _check_beams(sampling)
    elif sampling.length_penalty not in (None, 1.0):
        raise RequestError("length_penalty needs use_beam_search", param="length_penalty")
    beams = beams_of(sampling)
    filled = _fill(sampling, defaults)
    sequences = 1 if beams > 1 else sampling.best_of or sampling.n
    seed = secrets.randbits(31) if sampling.seed is None else sampling.seed % 2**31
    return Plan(filled, max_tokens, sequences, beams, seed, eos)


def check_guided(sampling: Sampling) -> None:
    """Raises `RequestError` for what does not go with a guide: it would be broken, or forgotten."""
    for name, neutral in _UNGUIDED:
        if getattr(sampling, name) != neutral:
            raise RequestError(f"{name} cannot be used with structured output: leave it out", param=name)


def beams_of(sampling: Sampling) -> int:
    """How many beams are searched; 1 where there is no beam search."""
    if not sampling.use_beam_search:
        return 1
    return sampling.best_of or max(sampling.n, _DEFAULT_BEAMS)


def _fill(sampling: Sampling, defaults: Mapping[str, Any]) -> Sampling:
    openai = {"temperature": 1.0, "top_p": 1.0, "top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0}
    values = openai | dict(defaults)
    missing = {name: values[name] for name in _FILLED if getattr(sampling, name) is None}
    filled = msgspec.structs.replace(sampling, **missing)
    # Sizes that mean "all" in other servers.
    return msgspec.structs.replace(filled, top_k=max(0, filled.top_k or 0))


def _check_counts(sampling: Sampling, max_tokens: int) -> None:
    if sampling.n < 1:
        raise RequestError(f"n is {sampling.n}: it must be at least 1", param="n")
    if sampling.best_of is not None and sampling.best_of < sampling.n:
        raise RequestError(f"best_of ({sampling.best_of}) must not be less than n ({sampling.n})", param="best_of")
    if max_tokens < 0:
        raise RequestError(f"max_tokens is {max_tokens}: it must not be negative", param="max_tokens")
    if sampling.min_tokens > max_tokens:
        raise RequestError(
            f"min_tokens ({sampling.min_tokens}) must not exceed max_tokens ({max_tokens})", param="min_tokens"
        )


def _check_ranges(sampling: Sampling) -> None:
    for name, low, high, over in _RANGES:
        value = getattr(sampling, name)
        if value is None or low < value <= high or (value == low and over != "over "):
            continue
        raise RequestError(
            f"{name} is {value}: it must be {over or 'at least '}{low:g} and at most {high:g}", param=name
        )


def _check_stops(sampling: Sampling) -> None:
    if len(sampling.stop) > _MAX_STOPS:
        raise RequestError(f"stop has {len(sampling.stop)} strings: at most {_MAX_STOPS} are allowed", param="stop")
    if not all(sampling.stop):
        raise RequestError("a stop string must not be empty", param="stop")


def _check_beams(sampling: Sampling) -> None:
    for name, neutral in _RANDOM:
        if getattr(sampling, name) not in (None, neutral):
            raise RequestError(f"{name} has no effect in beam search: leave it out", param=name)
    if beams_of(sampling) < 2:
        raise RequestError("beam search needs a best_of of at least 2", param="best_of")
    if sampling.ignore_eos and sampling.stop_token_ids:
        raise RequestError("beam search cannot ignore_eos and still stop at stop_token_ids", param="stop_token_ids")
