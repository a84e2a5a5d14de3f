"""The check at load finds what makes vectors useless."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as op
from tests.plugins.ovms_embeddings.asking import embed
from tests.plugins.ovms_embeddings.conftest import Load
from tests.plugins.ovms_embeddings.decoder import Decoder

from ovms_core.engine import LoadError, RequestError
from ovms_embeddings.engine.pooling import Floats
from ovms_embeddings.engine.self_test import find_fault


def letters(text: str) -> list[float]:
    return [float(text.count(letter)) for letter in "abcdefghijklmnopqrstuvwxyz4"]


def sound(texts: Sequence[str]) -> Floats:
    return np.array([letters(text) for text in texts], dtype=np.float32)


def one_vector_for_all(texts: Sequence[str]) -> Floats:
    return np.ones((len(texts), 8), dtype=np.float32)


def swayed_by_padding(texts: Sequence[str]) -> Floats:
    vectors = sound(texts)
    vectors[:, 0] += max(map(len, texts)) - np.array([len(text) for text in texts])
    return vectors


def not_a_number(texts: Sequence[str]) -> Floats:
    return np.full((len(texts), 8), np.nan, dtype=np.float32)


def test_sound_vectors_pass() -> None:
    assert find_fault(sound) is None


@pytest.mark.parametrize(
    ("embed", "said"),
    [
        (one_vector_for_all, "not nearest to itself"),
        (swayed_by_padding, "attention_mask"),
        (not_a_number, "not finite"),
    ],
)
def test_each_fault_is_named(embed: Callable[[Sequence[str]], Floats], said: str) -> None:
    fault = find_fault(embed)
    assert fault is not None
    assert said in fault


def save(folder: Path, number: float) -> Path:
    """A model whose every vector is `number`, whatever the text."""
    Decoder().save(folder)
    ids = op.parameter([-1, -1], np.int64, name="input_ids")
    ids.output(0).tensor.set_names({"input_ids"})
    zero = op.multiply(op.unsqueeze(op.convert(ids, np.float32), op.constant(np.int64(2))), op.constant(np.float32(0)))
    vectors = op.add(zero, op.constant(np.float32(number)))
    ov.save_model(ov.Model([vectors], [ids], "constant"), folder / "openvino_model.xml", compress_to_fp16=False)
    return folder


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A model whose vectors are not numbers."""
    return save(tmp_path / "broken", np.nan)


def test_a_model_that_fails_is_degraded_with_the_reason(load: Load, broken: Path) -> None:
    info = load(broken).info()
    assert "not finite" in (info.degraded or "")
    assert "not finite" in info.details["self_test"]


def test_vectors_that_are_not_finite_are_an_error_of_ours(load: Load, broken: Path) -> None:
    engine = load(broken, self_test="off")
    with pytest.raises(RequestError, match=r"not finite for 'input\[0\]'") as raised:
        embed(engine, "dog")
    assert (raised.value.status, raised.value.code) == (500, "model_gave_nan")


def test_a_degraded_model_serves_all_the_same(load: Load, tmp_path: Path) -> None:
    engine = load(save(tmp_path / "same", 1))
    assert "not nearest to itself" in (engine.info().degraded or "")
    assert embed(engine, "dog").tolist() == [[1]]


def test_a_model_that_fails_a_strict_test_does_not_load(load: Load, broken: Path) -> None:
    with pytest.raises(LoadError, match=r"self-test failed.*self_test to warn"):
        load(broken, self_test="strict")


def test_the_test_can_be_left_out(load: Load, broken: Path) -> None:
    info = load(broken, self_test="off").info()
    assert (info.degraded, info.details["self_test"]) == (None, "off")
