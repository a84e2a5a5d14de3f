"""What some models do with a pooled vector: the small modules of sentence-transformers that come after pooling."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from ovms_core.engine import LoadError
from ovms_core.model_files import read_document
from ovms_embeddings.engine.modules import Module
from ovms_embeddings.engine.pooling import Floats, normalized
from ovms_embeddings.engine.weights import read_weights

Step = Callable[[Floats], Floats]
"""From ``[rows, size]`` to ``[rows, another size]``."""

_EPSILON = 1e-5
"""Of PyTorch's ``LayerNorm``."""
_erf: Any = np.vectorize(math.erf, otypes=[np.float32])
_ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "Identity": lambda x: x,
    "Tanh": np.tanh,
    "ReLU": lambda x: np.maximum(x, 0),
    "Sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "SiLU": lambda x: x / (1 + np.exp(-x)),
    "GELU": lambda x: x * (1 + _erf(x / math.sqrt(2))) / 2,
}
_VECTOR = "sentence_embedding"


class _Dense(msgspec.Struct):
    activation_function: str = "torch.nn.modules.activation.Tanh"
    module_input_name: str | None = None
    module_output_name: str | None = None
    use_residual: bool = False


def load_steps(folder: Path, modules: Sequence[Module]) -> list[Step]:
    """The steps of `modules`, in their order. Raises `LoadError` for one that is not known or lacks its weights."""
    return [_load(folder, module) for module in modules]


def _load(folder: Path, module: Module) -> Step:
    if module.foreign or module.kind not in _LOADERS:
        raise _unsupported(module.foreign or module.kind)
    return _LOADERS[module.kind](folder, module)


@dataclass(frozen=True, slots=True)
class Dense:
    """A linear layer and an activation; with `adds_input` what goes in is added, through `residual` if there is one."""

    name: str
    weight: Floats
    bias: Floats | None
    activate: Callable[[Any], Any]
    residual: Floats | None = None
    adds_input: bool = False

    def __call__(self, vectors: Floats) -> Floats:
        _require_size(self.name, self.weight.shape[1], vectors)
        linear = vectors @ self.weight.T
        result = self.activate(linear if self.bias is None else linear + self.bias)
        if self.adds_input:
            result = result + (vectors if self.residual is None else vectors @ self.residual.T)
        rounded: Floats = result.astype(np.float32, copy=False)
        return rounded


@dataclass(frozen=True, slots=True)
class LayerNorm:
    """Vectors with mean 0 and variance 1, scaled and shifted (``LayerNorm``)."""

    name: str
    weight: Floats
    bias: Floats

    def __call__(self, vectors: Floats) -> Floats:
        _require_size(self.name, len(self.weight), vectors)
        centred = vectors - vectors.mean(axis=1, keepdims=True)
        deviation = np.sqrt((centred**2).mean(axis=1, keepdims=True) + _EPSILON)
        result: Floats = centred / deviation * self.weight + self.bias
        return result


def _load_dense(folder: Path, module: Module) -> Step:
    config = read_document(folder, module.file("config.json"), _Dense)
    activation = config.activation_function.rpartition(".")[2]
    if activation not in _ACTIVATIONS:
        raise _unsupported(f"{module.kind} with the activation {config.activation_function}")
    if {config.module_input_name, config.module_output_name} - {None, _VECTOR}:
        raise _unsupported(f"{module.kind} of {config.module_input_name}")
    weights = _weights(folder, module)
    weight = _tensor(weights, "linear.weight", 2, module)
    return Dense(
        module.path,
        weight,
        _tensor(weights, "linear.bias", 1, module) if "linear.bias" in weights else None,
        _ACTIVATIONS[activation],
        _tensor(weights, "residual.weight", 2, module) if config.use_residual and len(set(weight.shape)) > 1 else None,
        config.use_residual,
    )


def _load_layer_norm(folder: Path, module: Module) -> Step:
    weights = _weights(folder, module)
    return LayerNorm(module.path, _tensor(weights, "norm.weight", 1, module), _tensor(weights, "norm.bias", 1, module))


def _load_normalize(folder: Path, module: Module) -> Step:
    return normalized


_LOADERS: dict[str, Callable[[Path, Module], Step]] = {
    "Dense": _load_dense,
    "LayerNorm": _load_layer_norm,
    "Normalize": _load_normalize,
}


def _unsupported(what: str) -> LoadError:
    return LoadError(
        f"modules.json of the model names a module that is not supported ({what}). "
        f"Export it with its modules inside, so that it has the output '{_VECTOR}'."
    )


def _weights(folder: Path, module: Module) -> dict[str, Floats]:
    name = module.file("model.safetensors")
    if not (folder / name).is_file():
        raise LoadError(
            f"The model's module '{module.path}' ({module.kind}) has no model.safetensors, and without its weights the "
            f"vectors would be others. Fetch it too (a pytorch_model.bin is not read: save the model with a newer "
            f"sentence-transformers), or export the model with its modules inside."
        )
    return read_weights(folder / name, name)


def _tensor(weights: dict[str, Floats], name: str, dimensions: int, module: Module) -> Floats:
    tensor = weights.get(name)
    if tensor is None or tensor.ndim != dimensions:
        raise LoadError(
            f"'{module.file('model.safetensors')}' of the model has no '{name}' of {dimensions} dimensions, which a "
            f"{module.kind} needs. Fetch the model anew."
        )
    return tensor


def _require_size(name: str, size: int, vectors: Floats) -> None:
    if vectors.shape[1] != size:
        raise LoadError(
            f"The model's module '{name}' takes vectors of {size} numbers, and those of the model have "
            f"{vectors.shape[1]}. Fetch the model anew, or set options.pooling to the pooling that it was made for."
        )
