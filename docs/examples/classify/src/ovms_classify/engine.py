"""The engine: classifies the texts of all requests in flight in shared batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ovms_classify.messages import Classified, Classify
from ovms_classify.task import ClassificationOptions, labels_of
from ovms_core.engine import BatchEngine, EngineInfo, LoadError, ModelSpec, RequestError
from ovms_core.plugin import ModelFiles
from ovms_openvino.device import choose_device
from ovms_openvino.encoder import Encoder
from ovms_openvino.files import model_folder
from ovms_openvino.limits import encoder_limits, with_streams
from ovms_openvino.tokens import TextTokenizer, TokenSequence

Result = tuple[list[float], int]
"""The probabilities of a text's labels, and how many tokens it has."""


class Classifier(BatchEngine[Classify, TokenSequence, Result]):
    """A sequence classifier with a label for each of its logits."""

    def __init__(self, model: ModelSpec) -> None:
        device = choose_device(model.device)
        given = ClassificationOptions.model_validate(model.options)
        self._options = options = with_streams(given, device, Path(model.path))
        folder = model_folder(Path(model.path))
        files = ModelFiles.at(folder)
        config = files.json("config.json")
        self._labels = labels_of(config)
        self._independent = config.get("problem_type") == "multi_label_classification"
        self._max_length = options.max_length or _max_length(config, files.json("tokenizer_config.json"))
        self._tokenizer = TextTokenizer.load(folder)
        limits = encoder_limits(options, device, self._max_length)
        cache_dir = Path(options.cache_dir or model.work_dir)
        self._encoder = Encoder(
            Path(model.path),
            device,
            options,
            limits.shapes,
            pad_id=config.get("pad_token_id") or 0,
            cache_dir=cache_dir,
        )
        _require_logits(self._encoder.outputs[0].shape, len(self._labels))
        super().__init__(limits)

    def info(self) -> EngineInfo:
        return EngineInfo(
            slots=128,
            device=self._encoder.device,
            max_model_len=self._max_length,
            precision=self._encoder.precision,
            details={"labels": self._labels},
        )

    def split(self, request: Classify) -> Iterator[TokenSequence]:
        if len(request.texts) > self._options.max_items:
            message = (
                f"'input' has {len(request.texts)} texts, and this model takes {self._options.max_items} at a time."
            )
            raise RequestError(message, param="input", code="too_many_items")
        for index, text in enumerate(request.texts):
            yield self._tokens(index, text, request.truncate)

    def cost(self, item: TokenSequence) -> int:
        return len(item.ids)

    def run(self, items: Sequence[TokenSequence]) -> list[Result]:
        logits, _ = self._encoder.run(items)
        probabilities = _sigmoid(logits) if self._independent else _softmax(logits)
        return [(row.tolist(), len(item.ids)) for row, item in zip(probabilities, items, strict=True)]

    def join(self, request: Classify, results: Sequence[Result]) -> Classified:
        return Classified(self._labels, [row for row, _ in results], sum(tokens for _, tokens in results))

    def _tokens(self, index: int, text: str, truncate: bool) -> TokenSequence:
        (sequence,) = self._tokenizer.encode([text])
        if len(sequence.ids) <= self._max_length:
            return sequence
        if truncate:
            return self._tokenizer.encode_cut(text, self._max_length)
        size = f"has {len(sequence.ids)} tokens, and the model reads {self._max_length}"
        message = f"Text {index} of 'input' {size}: shorten it, or send \"truncate\": true."
        raise RequestError(message, param="input", code="context_length_exceeded")


def _max_length(config: dict[str, Any], tokenizer: dict[str, Any]) -> int:
    """The least of what model and tokenizer allow, in tokens; the tokenizer knows which positions are reserved."""
    return int(min(config.get("max_position_embeddings") or 512, tokenizer.get("model_max_length") or 512))


def _require_logits(shape: tuple[int | None, ...], labels: int) -> None:
    if len(shape) != 2 or shape[1] not in (None, labels):
        raise LoadError(
            f"The model's output has the shape {list(shape)}, and config.json names {labels} labels: "
            "export it with 'optimum-cli export openvino --task text-classification'."
        )


def _softmax(logits: NDArray[Any]) -> NDArray[np.float64]:
    odds = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    shares: NDArray[np.float64] = odds / odds.sum(axis=1, keepdims=True)
    return shares


def _sigmoid(logits: NDArray[Any]) -> NDArray[np.float64]:
    probabilities: NDArray[np.float64] = 0.5 * (1 + np.tanh(0.5 * logits.astype(np.float64)))
    return probabilities
