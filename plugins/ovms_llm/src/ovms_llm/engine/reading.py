"""From what GenAI's handles give to readings of sequences."""

from __future__ import annotations

from typing import Any, Final

import openvino_genai as genai

from ovms_llm.engine.sequence import Reading, Sequence
from ovms_llm.messages import FinishReason

_FINISH: Final[dict[Any, FinishReason | None]] = {
    genai.GenerationFinishReason.NONE: None,
    genai.GenerationFinishReason.STOP: "stop",
    genai.GenerationFinishReason.LENGTH: "length",
}


def read_outputs(sequence: Sequence, outputs: list[Any]) -> list[Reading]:
    """The readings in `outputs`, the `GenerationOutput`s of a step: one, or where beams ended the best of them."""
    if sequence.width > 1:
        return _read_beams(sequence, outputs)
    (output,) = outputs
    return [_read_one(sequence, output)]


def _read_one(sequence: Sequence, output: Any) -> Reading:
    finish = _FINISH[output.finish_reason]
    tokens: list[int] = output.generated_ids
    plan = sequence.request.plan
    logprobs: list[float] = output.generated_log_probs if plan.gives_logprobs else []
    enough = len(sequence.tokens) + len(tokens) >= plan.sampling.min_tokens
    stopped = bool(plan.own_stop_ids) and enough and tokens[-1] in plan.own_stop_ids
    return Reading(sequence, tokens, logprobs, "stop" if stopped else finish, over=finish is not None)


def _read_beams(sequence: Sequence, outputs: list[Any]) -> list[Reading]:
    """GenAI gives all beams, whatever `num_return_sequences` says: the likeliest are kept."""
    best = sorted(outputs, key=lambda output: -output.score)[: sequence.request.plan.sampling.n]
    beams = [Sequence(sequence.request, index, sequence.prompt) for index in range(len(best))]
    return [
        Reading(beam, output.generated_ids, output.generated_log_probs, _FINISH[output.finish_reason], over=True)
        for beam, output in zip(beams, best, strict=True)
    ]
