"""Makes `tiny-sentiment`, the classifier that the tests use and the README tries: it knows three words.

python tests/make_model.py
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import openvino as ov
from openvino import opset13 as op
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

FOLDER = Path(__file__).parent / "tiny-sentiment"
LABELS = ("negative", "neutral", "positive")
WORDS = ("bad", "okay", "good")
VOCABULARY = ("[PAD]", "[UNK]", *WORDS)
LOGIT = 3.0
"""What a word adds to the logit of its label."""


def make_model() -> ov.Model:
    """Logits [texts, labels]: the sum of the rows of a table that the tokens choose."""
    ids, mask = (op.parameter([-1, -1], np.int64, name=name) for name in ("input_ids", "attention_mask"))
    for node in (ids, mask):
        node.output(0).tensor.set_names({node.get_friendly_name()})
    table = np.zeros((len(VOCABULARY), len(LABELS)), np.float32)
    table[2:] = LOGIT * np.eye(len(LABELS))
    rows = op.gather(op.constant(table), ids, op.constant(0))
    weights = op.unsqueeze(op.convert(mask, np.float32), op.constant(2))
    logits = op.reduce_sum(op.multiply(rows, weights), op.constant(1))
    logits.output(0).tensor.set_names({"logits"})
    return ov.Model([logits], [ids, mask], "tiny-sentiment")


def make_tokenizer() -> Tokenizer:
    """One token a word."""
    tokenizer = Tokenizer(models.WordLevel({word: id for id, word in enumerate(VOCABULARY)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return tokenizer


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    ov.save_model(make_model(), FOLDER / "openvino_model.xml", compress_to_fp16=False)
    make_tokenizer().save(str(FOLDER / "tokenizer.json"))
    config = {
        "architectures": ["TinyForSequenceClassification"],
        "id2label": dict(enumerate(LABELS)),
        "max_position_embeddings": 16,
        "pad_token_id": 0,
    }
    (FOLDER / "config.json").write_text(json.dumps(config, indent=1) + "\n")
