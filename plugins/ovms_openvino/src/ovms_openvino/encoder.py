"""A compiled model that reads whole token sequences in one pass: encoders, cross-encoders, decoder embedders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Literal, NamedTuple

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from ovms_core.engine import LoadError, Shapes
from ovms_openvino.compile import compile_streams, read_model
from ovms_openvino.device import choose_device
from ovms_openvino.files import find_model_file
from ovms_openvino.options import CompileOptions
from ovms_openvino.tokens import TokenSequence

Side = Literal["left", "right"]
Ids = NDArray[np.int64]
_KNOWN = ("input_ids", "attention_mask", "token_type_ids", "position_ids", "beam_idx")


class Output(NamedTuple):
    """An output of a model: its names, and its shape with `None` where it varies."""

    names: set[str]
    shape: tuple[int | None, ...]


class Encoder:
    """Runs batches of token sequences; `run` may be called on as many threads at once as there are streams.

    `outputs` describes the model's outputs, `device` is what it was compiled for, and `padding_side` may be changed
    while nothing runs. Each stream has an `InferRequest` of its own, not an `AsyncInferQueue`, which never calls back
    for an inference that failed.

    `prepare` may change the model before it is compiled: keep only the last position's logits, for instance.

    Example::

        encoder = Encoder(Path(model.path), model.device, options, Shapes.up_to(512))
        hidden, mask = encoder.run([TokenSequence((101, 7592, 102))])
    """

    def __init__(
        self,
        path: Path,
        device: str,
        options: CompileOptions,
        shapes: Shapes,
        *,
        pad_id: int = 0,
        padding_side: Side = "right",
        cache_dir: Path | None = None,
        prepare: Callable[[ov.Model], None] | None = None,
    ) -> None:
        core = ov.Core()
        self.file = find_model_file(path)
        self.device = choose_device(device, core)
        model = read_model(self.file, core)
        if prepare is not None:
            prepare(model)
        streams = compile_streams(model, self.device, options, core, cache_dir=cache_dir)
        compiled = streams[0]
        self.inputs = _inputs(compiled)
        self.outputs = [_output(port) for port in compiled.outputs]
        _require_known(compiled, self.file)
        self.precision = str(compiled.get_property("INFERENCE_PRECISION_HINT").to_string())
        self._stateful = bool(model.get_sinks())
        self._shapes = shapes
        self._pad_id = pad_id
        self.padding_side = padding_side
        self._idle: SimpleQueue[ov.InferRequest] = SimpleQueue()
        for stream in streams:
            self._idle.put(stream.create_infer_request())

    def run(self, sequences: Sequence[TokenSequence], output: int = 0) -> tuple[NDArray[Any], Ids]:
        """Run one batch, padded to one of the shapes.

        Returns output number `output` as ``[rows, …]`` in the order of `sequences`, copied, and the attention
        mask ``[rows, length]``. Rows that only fill the shape are left out of both.
        """
        feeds = self._pad(sequences)
        request = self._idle.get()
        try:
            if self._stateful:
                request.reset_state()
            request.infer({name: feeds[name].astype(kind, copy=False) for name, kind in self.inputs.items()})
            values = request.get_output_tensor(output).data[: len(sequences)].copy()
        finally:
            self._idle.put(request)
        return values, feeds["attention_mask"][: len(sequences)]

    def _pad(self, sequences: Sequence[TokenSequence]) -> dict[str, Ids]:
        left = self.padding_side == "left"
        rows, length = self._shapes.of(len(sequences), max(len(sequence.ids) for sequence in sequences))
        ids = np.full((rows, length), self._pad_id, np.int64)
        mask = np.zeros((rows, length), np.int64)
        types = np.zeros((rows, length), np.int64)
        # A softmax over nothing is NaN: rows that only fill the shape attend to one token.
        mask[len(sequences) :, -1 if left else 0] = 1
        for row, (tokens, type_ids) in enumerate(sequences):
            place = slice(length - len(tokens), length) if left else slice(len(tokens))
            ids[row, place] = tokens
            mask[row, place] = 1
            if type_ids:
                types[row, place] = type_ids
        return {
            "input_ids": ids,
            "attention_mask": mask,
            "token_type_ids": types,
            "position_ids": np.maximum(mask.cumsum(axis=1) - 1, 0),
            "beam_idx": np.arange(rows),
        }


def _inputs(compiled: ov.CompiledModel) -> dict[str, np.dtype[Any]]:
    """The element type of each input, by the one of its names that is known."""
    return {
        name: port.get_element_type().to_dtype() for port in compiled.inputs for name in port.get_names() & set(_KNOWN)
    }


def _output(port: ov.ConstOutput) -> Output:
    shape = port.get_partial_shape()
    dimensions = [shape[axis] for axis in range(len(shape))]
    return Output(port.get_names(), tuple(size.get_length() if size.is_static else None for size in dimensions))


def _require_known(compiled: ov.CompiledModel, file: Path) -> None:
    for port in compiled.inputs:
        if not port.get_names() & set(_KNOWN):
            raise LoadError(
                f"'{file.name}' has an input '{port.get_any_name()}', and an encoder has only {', '.join(_KNOWN)}. "
                f"Export it for feature extraction or text classification, without past key values."
            )
