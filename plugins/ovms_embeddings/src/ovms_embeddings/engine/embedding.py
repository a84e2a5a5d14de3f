"""The engine of embeddings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ovms_core.engine import BatchEngine, EngineInfo, LoadError, ModelSpec, RequestError
from ovms_embeddings.engine.pooling import Floats, normalized, pool
from ovms_embeddings.engine.reading import Passage, Reader
from ovms_embeddings.engine.recipe import read_recipe
from ovms_embeddings.engine.self_test import find_fault
from ovms_embeddings.engine.steps import Step, load_steps
from ovms_embeddings.messages import Embed, Embedded
from ovms_embeddings.options import EmbeddingsOptions
from ovms_openvino.device import choose_device
from ovms_openvino.encoder import Encoder, Output
from ovms_openvino.files import model_folder
from ovms_openvino.limits import encoder_limits, with_streams
from ovms_openvino.tokens import TextTokenizer

_SLOTS = 512
"""Requests in flight: enough to find texts of one length among, small enough for memory."""

_POOLED = "sentence_embedding"


class Pooled(NamedTuple):
    """The vector of a passage, before it is cut and normalised, and how many tokens were read for it."""

    vector: Floats
    tokens: int


class TextEmbeddings(BatchEngine[Embed, Passage, Pooled]):
    """Texts to vectors. Batches hold texts of many requests; what a request wants with its vectors comes after."""

    def __init__(self, model: ModelSpec) -> None:
        path, device = Path(model.path), choose_device(model.device)
        self._options = options = with_streams(EmbeddingsOptions.model_validate(model.options), device, path)
        folder = model_folder(path)
        self._recipe = read_recipe(folder, options)
        super().__init__(encoder_limits(options, device, self._recipe.max_length))
        tokenizer = TextTokenizer.load(folder, Path(model.work_dir), lower_case=self._recipe.lower_case)
        self._reader = Reader(tokenizer, self._recipe, options)
        self._encoder = Encoder(
            path,
            device,
            options,
            self.limits.shapes,
            pad_id=self._recipe.pad_id,
            cache_dir=Path(options.cache_dir) if options.cache_dir else Path(model.work_dir) / "compiled",
        )
        self._output, self._pools = _choose_output(self._encoder.outputs, options)
        self._steps: list[Step] = load_steps(folder, self._recipe.steps) if self._pools else []
        self._choose_padding()
        self._dimensions = self._embed(["dimensions"]).shape[1]
        self._fault = find_fault(self._embed) if options.self_test != "off" else None
        if self._fault and options.self_test == "strict":
            raise LoadError(
                f"The self-test failed: {self._fault}. To serve all the same, set options.self_test to warn."
            )

    def info(self) -> EngineInfo:
        recipe = self._recipe
        return EngineInfo(
            slots=_SLOTS,
            device=self._encoder.device,
            max_model_len=recipe.max_length,
            dimensions=self._dimensions,
            precision=self._encoder.precision,
            details={
                "pooling": " and ".join(recipe.poolings) if self._pools else "the model's own",
                "normalize": recipe.normalize,
                "padding_side": self._encoder.padding_side,
                "prompts": sorted(recipe.prompts),
                **({"similarity": recipe.similarity} if recipe.similarity else {}),
                "max_batch_tokens": self.limits.max_batch_tokens,
                "num_streams": self.limits.streams,
                "self_test": "off" if self._options.self_test == "off" else self._fault or "passed",
            },
            warnings=[*([recipe.assumed] if recipe.assumed and self._pools else []), *recipe.warnings],
            degraded=self._degraded(),
        )

    def _degraded(self) -> str | None:
        unhonoured = "; ".join(self._recipe.unhonoured)
        reasons = [
            f"The self-test failed: {self._fault}." if self._fault else "",
            f"The model asks for what is not done: {unhonoured}. Its vectors may differ." if unhonoured else "",
        ]
        return " ".join(filter(None, reasons)) or None

    def split(self, request: Embed) -> Iterable[Passage]:
        if request.dimensions is not None and request.dimensions > self._dimensions:
            raise RequestError(
                f"'dimensions' is {request.dimensions}, and the model's vectors have {self._dimensions}.",
                param="dimensions",
                code="invalid_value",
            )
        return self._reader.read(request)

    def cost(self, item: Passage) -> int:
        return len(item.tokens.ids)

    def run(self, items: Sequence[Passage]) -> Sequence[Pooled]:
        values, mask = self._encoder.run([item.tokens for item in items], self._output)
        vectors = pool(values, _pooled_tokens(mask, items), self._recipe.poolings) if self._pools else values
        for step in self._steps:
            vectors = step(vectors)
        return [Pooled(vector, self.cost(item)) for vector, item in zip(vectors, items, strict=True)]

    def join(self, request: Embed, results: Sequence[Pooled]) -> Embedded:
        vectors = np.stack([result.vector for result in results])[:, : request.dimensions].astype("<f4")
        if self._recipe.normalize if request.normalize is None else request.normalize:
            vectors = normalized(vectors)
        _require_finite(vectors, request)
        tokens = sum(result.tokens for result in results)
        return Embedded([vector.tobytes() for vector in vectors], tokens, self._reader.warnings(request))

    def _choose_padding(self) -> None:
        """Padding on the right disturbs no token vectors: on the left it would make tokens that attend to nothing,
        which are NaN in many exports, and spread. But a decoder that pools by itself may take the last position for
        the last token: it is padded on the left, unless that spoils its vectors.
        """
        if self._pools or self._recipe.poolings != ("last",):
            return
        self._encoder.padding_side = "left"
        if find_fault(self._embed):
            self._encoder.padding_side = "right"

    def _embed(self, texts: Sequence[str]) -> Floats:
        """The vectors of `texts`, cut to what the options allow, run as one batch."""
        most = self._options.max_text_characters
        request = Embed(inputs=[text[:most] for text in texts], truncate=True)
        return np.stack([pooled.vector for pooled in self.run(list(self._reader.read(request)))])


def _require_finite(vectors: Floats, request: Embed) -> None:
    """Raise `RequestError` 500 for what no client could use, and a vector database would keep."""
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        path = request.path.format(int(finite.argmin()))
        message = f"The model gave numbers that are not finite for '{path}': its weights or its precision are at fault."
        raise RequestError(message, code="model_gave_nan", status=500)


def _choose_output(outputs: Sequence[Output], options: EmbeddingsOptions) -> tuple[int, bool]:
    """Which output to take, and whether its token vectors still need pooling, and what comes after it.

    A model that pools by itself knows best, unless `options` name a pooling. Raises `LoadError` when there is
    neither.
    """
    ranks = [len(output.shape) for output in outputs]
    pooled = [index for index, output in enumerate(outputs) if _POOLED in output.names and ranks[index] == 2]
    if pooled and options.pooling is None:
        return pooled[0], False
    if 3 not in ranks:
        named = ", ".join("/".join(sorted(output.names)) or "unnamed" for output in outputs)
        raise LoadError(f"The model gives no vectors for tokens (outputs: {named}): export it for feature extraction.")
    return ranks.index(3), True


def _pooled_tokens(mask: Any, items: Sequence[Passage]) -> Any:
    """The mask without the tokens that have no say; `mask` itself where all have."""
    if not any(item.unpooled for item in items):
        return mask
    skipped = np.array([[item.unpooled] for item in items])
    position = mask.cumsum(axis=1)
    return mask * (position > np.minimum(skipped, mask.sum(axis=1, keepdims=True) - 1))
