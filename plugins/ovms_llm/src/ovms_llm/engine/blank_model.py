"""A model of a few operations that computes nothing: with it GenAI compiles grammars for a tokenizer."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import openvino as ov
import openvino_genai as genai
from openvino import opset13 as op


def blank_pipeline(vocabulary_size: int, tokenizer: Any) -> Any:
    """An `LLMPipeline` on `tokenizer` with logits of `vocabulary_size`, for which it compiles grammars.

    GenAI keeps one compiler in a tokenizer, made for a number of logits: with another number it begins a new one.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder) / "blank.xml"
        ov.save_model(_blank_model(vocabulary_size), path, compress_to_fp16=False)
        weights = ov.Tensor(np.frombuffer(path.with_suffix(".bin").read_bytes(), np.uint8))
        return genai.LLMPipeline(
            path.read_text(encoding="utf-8"),
            weights,
            tokenizer,
            "CPU",
            genai.GenerationConfig(),
            ATTENTION_BACKEND="SDPA",
            INFERENCE_NUM_THREADS=1,
        )


def _blank_model(vocabulary_size: int) -> ov.Model:
    ids, mask = _input("input_ids", [-1, -1], np.int64), _input("attention_mask", [-1, -1], np.int64)
    beams = _input("beam_idx", [-1], np.int32)
    # All inputs have to be used: one that is not is left out when the model is compiled, and GenAI misses it.
    hidden = op.add(op.convert(ids, "f32"), op.add(_sum(mask, [0, 1]), _sum(beams, [0])))
    column = op.unsqueeze(hidden, op.constant(np.int64(2)))
    logits = op.matmul(column, op.constant(np.ones((vocabulary_size, 1), np.float32)), False, True)
    logits.output(0).get_tensor().set_names({"logits"})
    return ov.Model([op.result(logits)], [ids, mask, beams], "blank")


def _input(name: str, shape: list[int], kind: Any) -> Any:
    parameter = op.parameter(shape, kind)
    parameter.output(0).get_tensor().set_names({name})
    return parameter


def _sum(node: Any, axes: list[int]) -> Any:
    return op.reduce_sum(op.convert(node, "f32"), op.constant(np.array(axes)), False)
