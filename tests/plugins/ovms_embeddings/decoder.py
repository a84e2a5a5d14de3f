"""A tiny decoder with random weights, once for OpenVINO and once in numpy: causal attention with position ids."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as op
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

WORDS = ["<pad>", "<eos>", "<unk>", "where", "is", "the", "cat", "dog", "sleeping", "today", "query", ":"]
EOS = WORDS.index("<eos>")
POSITIONS, SIZE, LAYERS = 64, 16, 2
Matrix = NDArray[np.float32]
Pools = Literal["last position", "last token"]


class Decoder:
    """The weights, and what they compute for one sequence without any padding.

    `masked` is the score of what is not attended to: a token that attends to nothing is NaN with ``-inf``, as in many
    exports. With `pools` the model has an output of its own for the text: that of the last position, or of the last
    token according to the mask.
    """

    def __init__(self, seed: int = 3, *, masked: float = -np.inf, pools: Pools | None = None) -> None:
        self.masked, self.pools = masked, pools
        rng = np.random.default_rng(seed)
        shapes = {
            "words": (len(WORDS), SIZE),
            "positions": (POSITIONS, SIZE),
            "query": (SIZE, SIZE),
            "key": (SIZE, SIZE),
            "value": (SIZE, SIZE),
        }
        self.weights = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}

    def last_hidden(self, ids: Sequence[int]) -> Matrix:
        """The hidden state of the last token of `ids`."""
        w = self.weights
        x = w["words"][list(ids)] + w["positions"][: len(ids)]
        for _ in range(LAYERS):
            scores = (x @ w["query"]) @ (x @ w["key"]).T / np.sqrt(SIZE)
            scores[np.triu_indices(len(ids), 1)] = -np.inf
            attention = np.exp(scores - scores.max(axis=1, keepdims=True))
            attention /= attention.sum(axis=1, keepdims=True)
            x = np.tanh(x + attention @ (x @ w["value"]))
        last: Matrix = x[-1]
        return last

    def save(self, folder: Path, **prompts: str) -> Path:
        """Write the model as OpenVINO IR with the files that Qwen3-Embedding comes with."""
        (folder / "1_Pooling").mkdir(parents=True)
        ov.save_model(self._model(), folder / "openvino_model.xml", compress_to_fp16=False)
        _tokenizer().save(str(folder / "tokenizer.json"))
        for name, document in _documents(prompts).items():
            (folder / name).write_text(json.dumps(document))
        return folder

    def _model(self) -> ov.Model:
        ids, mask, places = (_input(name) for name in ("input_ids", "attention_mask", "position_ids"))
        x = op.add(self._rows("words", ids), self._rows("positions", places))
        seen = op.logical_and(_causal(ids), op.unsqueeze(op.convert(mask, "boolean"), _constant(np.int64(1))))
        for _ in range(LAYERS):
            query, key, value = (op.matmul(x, self._weight(name), False, False) for name in ("query", "key", "value"))
            scores = op.divide(op.matmul(query, key, False, True), _constant(np.sqrt(np.float32(SIZE))))
            attention = op.softmax(op.select(seen, scores, _constant(np.float32(self.masked))), axis=2)
            x = op.tanh(op.add(x, op.matmul(attention, value, False, False)))
        x.output(0).tensor.set_names({"last_hidden_state"})
        outputs = [x]
        if self.pools:
            outputs.append(self._pooled(x, mask))
            outputs[1].output(0).tensor.set_names({"sentence_embedding"})
        return ov.Model(outputs, [ids, mask, places], "decoder")

    def _pooled(self, hidden: Any, mask: Any) -> Any:
        first = _constant(np.int64(1))
        if self.pools == "last position":
            return op.gather(hidden, _constant(np.int64(-1)), first)
        places = op.multiply(mask, _places(mask))
        last = op.reduce_max(places, first, keep_dims=True)
        return op.squeeze(op.gather(hidden, last, first, batch_dims=1), first)

    def _weight(self, name: str) -> Any:
        return op.constant(self.weights[name])

    def _rows(self, name: str, indices: Any) -> Any:
        return op.gather(self._weight(name), indices, _constant(np.int64(0)))


def _constant(value: Any) -> Any:
    return op.constant(np.asarray(value))


def _input(name: str) -> Any:
    node = op.parameter([-1, -1], np.int64, name=name)
    node.output(0).tensor.set_names({name})
    return node


def _places(ids: Any) -> Any:
    """``[length]``: 0, 1, 2…"""
    length = op.gather(op.shape_of(ids), _constant(np.int64(1)), _constant(np.int64(0)))
    return op.range(_constant(np.int64(0)), length, _constant(np.int64(1)), "i64")


def _causal(ids: Any) -> Any:
    """``[1, length, length]``, true where the column is not after the row."""
    places = _places(ids)
    rows = op.unsqueeze(places, _constant(np.array([0, 2])))
    return op.less_equal(op.unsqueeze(places, _constant(np.array([0, 1]))), rows)


def _tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(WordLevel({word: id for id, word in enumerate(WORDS)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(single="$A <eos>", special_tokens=[("<eos>", EOS)])
    return tokenizer


def _documents(prompts: dict[str, str]) -> dict[str, Any]:
    return {
        "config.json": {
            "architectures": ["Qwen3ForCausalLM"],
            "model_type": "qwen3",
            "max_position_embeddings": POSITIONS,
        },
        "modules.json": [
            {"idx": 0, "path": "", "type": "sentence_transformers.models.Transformer"},
            {"idx": 1, "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
            {"idx": 2, "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
        ],
        "1_Pooling/config.json": {"pooling_mode_mean_tokens": False, "pooling_mode_lasttoken": True},
        "tokenizer_config.json": {"padding_side": "left", "model_max_length": 131072},
        "config_sentence_transformers.json": {"prompts": prompts, "default_prompt_name": None},
    }
