"""The modules after pooling, against the formulas of PyTorch's documentation."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.plugins.ovms_embeddings.asking import embed
from tests.plugins.ovms_embeddings.conftest import Load
from tests.plugins.ovms_embeddings.decoder import EOS, WORDS, Decoder

from ovms_core.engine import LoadError
from ovms_embeddings.engine.modules import Module
from ovms_embeddings.engine.steps import load_steps

WEIGHT = np.array([[1, 2], [0, -1], [0.5, 0.5]], np.float32)
BIAS = np.array([1, 0, -1], np.float32)
X = np.array([[1, 2], [-3, 0.5]], np.float32)


def save_weights(file: Path, kind: str = "F32", /, **tensors: NDArray[Any]) -> None:
    """Write `tensors`, ``__`` for a point in their names, in the format of safetensors."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    body = b""
    for name, tensor in tensors.items():
        raw = _raw(tensor, kind)
        offsets = [len(body), len(body) + len(raw)]
        header[name.replace("__", ".")] = {"dtype": kind, "shape": tensor.shape, "data_offsets": offsets}
        body += raw
    head = json.dumps(header).encode()
    file.parent.mkdir(exist_ok=True, parents=True)
    file.write_bytes(len(head).to_bytes(8, "little") + head + body)


def _raw(tensor: NDArray[Any], kind: str) -> bytes:
    if kind == "BF16":
        return (tensor.astype("<f4").view("<u4") >> 16).astype("<u2").tobytes()
    return tensor.astype({"F16": "<f2", "F32": "<f4", "F64": "<f8"}[kind]).tobytes()


def step(folder: Path, kind: str, x: NDArray[Any], **config: Any) -> list[list[float]]:
    """What the module of that kind in folder ``2`` makes of `x`."""
    (folder / "2").mkdir(exist_ok=True)
    (folder / "2" / "config.json").write_text(json.dumps(config))
    (loaded,) = load_steps(folder, [Module(kind, "2")])
    result: list[list[float]] = loaded(x).tolist()
    return result


@pytest.mark.parametrize("kind", ["F64", "F32", "F16", "BF16"])
def test_a_dense_layer_is_linear_and_then_a_tangent(tmp_path: Path, kind: str) -> None:
    save_weights(tmp_path / "2" / "model.safetensors", kind, linear__weight=WEIGHT, linear__bias=BIAS)
    expected = np.tanh([[6, -2, 0.5], [-1, -0.5, -2.25]])
    assert step(tmp_path, "Dense", X, in_features=2, out_features=3) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("activation", "expected"),
    [
        ("torch.nn.modules.linear.Identity", 5),
        ("torch.nn.modules.activation.ReLU", 5),
        ("torch.nn.modules.activation.Tanh", math.tanh(5)),
        ("torch.nn.modules.activation.Sigmoid", 1 / (1 + math.exp(-5))),
        ("torch.nn.modules.activation.SiLU", 5 / (1 + math.exp(-5))),
        ("torch.nn.modules.activation.GELU", 5 * (1 + math.erf(5 / 2**0.5)) / 2),
    ],
)
def test_the_activation_is_the_one_that_is_named(tmp_path: Path, activation: str, expected: float) -> None:
    save_weights(tmp_path / "2" / "model.safetensors", linear__weight=WEIGHT[:1])
    (first, _) = step(tmp_path, "Dense", X, bias=False, activation_function=activation)
    assert first == [pytest.approx(expected, rel=1e-6)]


def test_a_residual_adds_the_input(tmp_path: Path) -> None:
    fields = {"activation_function": "torch.nn.modules.linear.Identity", "use_residual": True}
    save_weights(tmp_path / "2" / "model.safetensors", linear__weight=WEIGHT[:2])
    assert step(tmp_path, "Dense", X, **fields)[0] == [6, 0]
    save_weights(tmp_path / "2" / "model.safetensors", linear__weight=WEIGHT, residual__weight=2 * WEIGHT)
    assert step(tmp_path, "Dense", X, **fields)[0] == [15, -6, 4.5]


def test_a_layer_norm_has_mean_and_variance_of_its_own(tmp_path: Path) -> None:
    weight, bias = np.array([2, 3], np.float32), np.array([0, 1], np.float32)
    save_weights(tmp_path / "2" / "model.safetensors", norm__weight=weight, norm__bias=bias)
    assert step(tmp_path, "LayerNorm", X)[0] == pytest.approx([-2, 4], abs=1e-3)


def test_a_model_is_served_with_its_dense_layer(load: Load, tmp_path: Path) -> None:
    folder = Decoder().save(tmp_path / "model")
    modules = json.loads((folder / "modules.json").read_text())
    dense = {"path": "2_Dense", "type": "sentence_transformers.models.Dense"}
    (folder / "modules.json").write_text(json.dumps([*modules[:2], dense, modules[2]]))
    weight = np.random.default_rng(1).normal(size=(5, 16)).astype(np.float32)
    save_weights(folder / "2_Dense" / "model.safetensors", linear__weight=weight)
    engine = load(folder)
    expected = np.tanh(Decoder().last_hidden([WORDS.index("dog"), EOS]) @ weight.T)
    assert embed(engine, "dog")[0] == pytest.approx(expected / np.linalg.norm(expected), abs=1e-5)
    assert engine.info().dimensions == 5


@pytest.mark.parametrize(
    ("kind", "config", "weights", "said"),
    [
        ("Dense", {}, None, r"'2' \(Dense\) has no model\.safetensors"),
        ("Dense", {}, {"linear__bias": BIAS}, r"'2/model\.safetensors' .* no 'linear\.weight'"),
        ("Dense", {}, {"linear__weight": BIAS}, r"no 'linear\.weight' of 2 dimensions"),
        ("Dense", {}, {"linear__weight": WEIGHT.T}, r"'2' takes vectors of 3 numbers, .* 2"),
        ("Dense", {"activation_function": "my.Code"}, {}, r"activation my\.Code"),
        ("Dense", {"module_input_name": "token_embeddings"}, {}, r"Dense of token_embeddings"),
        ("Dense", {"activation_function": 1}, {}, r"'2/config\.json' .* malformed.*activation_function"),
        ("LayerNorm", {}, {"norm__weight": BIAS}, r"no 'norm\.bias'"),
        ("WordWeights", {}, {}, "WordWeights"),
    ],
)
def test_a_module_that_cannot_be_done_is_refused_with_its_reason(
    tmp_path: Path, kind: str, config: dict[str, Any], weights: dict[str, NDArray[Any]] | None, said: str
) -> None:
    if weights is not None:
        save_weights(tmp_path / "2" / "model.safetensors", **weights)
    with pytest.raises(LoadError, match=said):
        step(tmp_path, kind, X, **config)


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff" * 9, (2).to_bytes(8, "little") + b"[]", (9).to_bytes(8, "little") + b'{"a": 1}', b"\x02" + bytes(7)],
)
def test_weights_that_are_damaged_are_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "2").mkdir()
    (tmp_path / "2" / "model.safetensors").write_bytes(content)
    with pytest.raises(LoadError, match=r"'2/model\.safetensors' of the model is no safetensors file"):
        step(tmp_path, "Dense", X)
