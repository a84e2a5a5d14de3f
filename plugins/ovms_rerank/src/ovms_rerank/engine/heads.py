"""How a model's outputs become the log-odds that a document is relevant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as ops

from ovms_core.engine import LoadError
from ovms_rerank.task import Head

_ELSE: Final = (
    "Export it for text classification, set 'task: embeddings' if it is an embedding model, or set options.head to "
    "'yes_no' if it is a causal reranker."
)


@dataclass(slots=True)
class Classifier:
    """A sequence classifier's head: finds out, when the model is read, whether it has one logit or two.

    `wanted` is what the operator says it is, `labels` what the configuration says for outputs of dynamic size.
    """

    wanted: Head | None
    labels: int
    kind: Head = "logit"
    output: int = 0

    def prepare(self, model: ov.Model) -> None:
        """Look at the model's outputs. Raises `LoadError` for those that are no reranker's."""
        named = [index for index, output in enumerate(model.outputs) if "logits" in output.get_names()]
        self.output = named[0] if named else 0
        _require_scores(model.outputs[self.output])
        shape = model.outputs[self.output].get_partial_shape()
        width = shape[-1] if shape.rank.is_static else None
        self.kind = _head_of(width.get_length() if width is not None and width.is_static else self.labels)
        if self.wanted not in (None, self.kind):
            raise LoadError(
                f"options.head is '{self.wanted}', but the model has the outputs of '{self.kind}'. Set it to 'auto'."
            )


@dataclass(slots=True)
class YesNo:
    """A causal model's head: the logits of the next token for the ids `no` and `yes`."""

    no: int
    yes: int
    kind: Head = "yes_no"
    output: int = 0

    def prepare(self, model: ov.Model) -> None:
        """Reduce the logits to ``[rows, 2]``. Raises `LoadError` when the model is not a causal one."""
        self.output = _logits(model)
        _keep_answers(model, model.outputs[self.output], np.array([self.no, self.yes]))


def log_odds(logits: NDArray[Any]) -> list[float]:
    """The log-odds of each row of ``[rows, 1]`` or ``[rows, 2]`` logits.

    The sigmoid of a difference of two logits is the softmax of the second.
    """
    wide = logits.astype(np.float64)
    odds: list[float] = (wide[:, 0] if wide.shape[1] == 1 else wide[:, 1] - wide[:, 0]).tolist()
    return odds


def _require_scores(output: ov.Output) -> None:
    rank = output.get_partial_shape().rank
    if rank.is_static and rank.get_length() != 2:
        name = "/".join(sorted(output.get_names())) or "unnamed"
        raise LoadError(
            f"The model gives no relevance score: its output ({name}) has {rank.get_length()} dimensions, and a "
            f"reranker's has two. {_ELSE}"
        )


def _head_of(outputs: int) -> Head:
    if outputs == 1:
        return "logit"
    if outputs == 2:
        return "softmax"
    raise LoadError(f"The model has {outputs} outputs for each pair; a reranker has one logit, or two. {_ELSE}")


def _logits(model: ov.Model) -> int:
    for index, output in enumerate(model.outputs):
        if "logits" in output.get_names() and output.get_partial_shape().rank.get_length() == 3:
            _require_every_position(output)
            return index
    raise LoadError(
        "A yes_no head needs a causal model with an output 'logits' of three dimensions. "
        "Export it with 'optimum-cli export openvino --task text-generation'."
    )


def _require_every_position(logits: ov.Output) -> None:
    """Raise `LoadError` for a model that was cut down to the last position, which padding would take."""
    if logits.get_partial_shape()[1].get_max_length() == 1:
        raise LoadError("The model gives the logits of the last position only. Take the export that it was made from.")


def _keep_answers(model: ov.Model, output: ov.Output, answers: NDArray[np.int64]) -> None:
    """Keep the last token's logits of `answers`.

    The last token is chosen before the vocabulary is multiplied out: for 1 000 tokens and a vocabulary of
    150 000 the logits of a row would take 600 MB.
    """
    result = output.get_node()
    logits, last, axis = result.input_value(0), _last_token(model), ops.constant(1)
    projection = _projection(logits.get_node())
    if projection is None:
        logits = ops.gather(logits, last, axis, batch_dims=1).output(0)
    else:
        hidden = ops.gather(projection.input_value(0), last, axis, batch_dims=1)
        projection.input(0).replace_source_output(hidden.output(0))
    kept = ops.squeeze(ops.gather(logits, ops.constant(answers), ops.constant(-1)), axis)
    result.input(0).replace_source_output(kept.output(0))
    model.validate_nodes_and_infer_types()


def _projection(node: ov.Node) -> ov.Node | None:
    """The multiplication with the vocabulary that `node` is, give or take a conversion of its result."""
    while node.get_type_name() == "Convert":
        node = node.input_value(0).get_node()
    return node if node.get_type_name() == "MatMul" else None


def _last_token(model: ov.Model) -> ov.Node:
    """The position ``[rows, 1]`` of each row's last token, from the attention mask of rows padded at the right."""
    mask = next((port for port in model.inputs if "attention_mask" in port.get_names()), None)
    if mask is None:
        raise LoadError("A yes_no head needs a model with an input 'attention_mask'. Export it anew.")
    length = ops.reduce_sum(ops.convert(mask, "i64"), ops.constant(1), keep_dims=True)
    return ops.subtract(length, ops.constant(1, dtype=np.int64))
