"""Which output of a model is taken, and which of its tokens are pooled. The models give their token ids as vectors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as op
from tests.plugins.ovms_embeddings.asking import embed
from tests.plugins.ovms_embeddings.conftest import Load
from tests.plugins.ovms_embeddings.decoder import WORDS, Decoder

from ovms_core.engine import LoadError, RequestError

CAT, DOG, EOS = (WORDS.index(word) for word in ("cat", "dog", "<eos>"))
CNN = {"path": "1_CNN", "type": "sentence_transformers.models.CNN"}
DENSE = {"path": "3_Dense", "type": "sentence_transformers.models.Dense"}


def save(folder: Path, *outputs: str) -> Path:
    """A model with `outputs`: each token's id as its vector, and the sum of all ids as the text's."""
    Decoder().save(folder, query="cat")
    ids = op.parameter([-1, -1], np.int64, name="input_ids")
    ids.output(0).tensor.set_names({"input_ids"})
    floats = op.convert(ids, np.float32)
    nodes = {
        "token_embeddings": op.unsqueeze(floats, op.constant(np.int64(2))),
        "sentence_embedding": op.reduce_sum(floats, op.constant(np.int64(1)), keep_dims=True),
        "logits": op.reduce_max(floats, op.constant(np.int64(1)), keep_dims=True),
    }
    for name, node in nodes.items():
        node.output(0).tensor.set_names({name})
    model = ov.Model([nodes[name] for name in outputs], [ids], "echo")
    ov.save_model(model, folder / "openvino_model.xml", compress_to_fp16=False)
    return folder


def change(folder: Path, name: str, document: Any) -> None:
    (folder / name).write_text(json.dumps(document))


def test_a_model_that_pools_by_itself_is_believed(load: Load, tmp_path: Path) -> None:
    engine = load(save(tmp_path / "model", "token_embeddings", "sentence_embedding"), self_test="off")
    assert embed(engine, "dog", normalize=False).tolist() == [[DOG + EOS]]
    assert engine.info().details["pooling"] == "the model's own"


def test_a_pooling_that_is_not_used_is_not_warned_of(load: Load, tmp_path: Path) -> None:
    folder = save(tmp_path / "model", "token_embeddings", "sentence_embedding")
    change(folder, "1_Pooling/config.json", {})
    assert not [text for text in load(folder, self_test="off").info().warnings if "pool" in text]
    plain = save(tmp_path / "plain", "token_embeddings")
    change(plain, "1_Pooling/config.json", {})
    assert [text for text in load(plain, self_test="off").info().warnings if "how to pool" in text]


def test_unless_a_pooling_is_set(load: Load, tmp_path: Path) -> None:
    folder = save(tmp_path / "model", "token_embeddings", "sentence_embedding")
    assert embed(load(folder, pooling="cls"), "dog", normalize=False).tolist() == [[DOG]]


def test_modules_that_are_not_known_must_be_in_the_model(load: Load, tmp_path: Path) -> None:
    folder = save(tmp_path / "without", "token_embeddings")
    for module, said in ((CNN, "CNN"), (DENSE | {"type": "my_code.Dense"}, "my_code.Dense")):
        change(folder, "modules.json", [module])
        with pytest.raises(LoadError, match=rf"not supported .{said}.*sentence_embedding"):
            load(folder)
    inside = save(tmp_path / "within", "token_embeddings", "sentence_embedding")
    change(inside, "modules.json", [DENSE])
    assert embed(load(inside, self_test="off"), "dog", normalize=False).tolist() == [[DOG + EOS]]


def test_a_model_without_vectors_is_refused(load: Load, tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="outputs: logits"):
        load(save(tmp_path / "model", "logits"))


@pytest.mark.parametrize(("pool_prompt", "mean"), [(True, (CAT + DOG + EOS) / 3), (False, (DOG + EOS) / 2)])
def test_the_prompts_own_tokens_are_pooled_only_if_the_model_wants_it(
    load: Load, tmp_path: Path, pool_prompt: bool, mean: float
) -> None:
    folder = save(tmp_path / "model", "token_embeddings")
    change(folder, "1_Pooling/config.json", {"pooling_mode_mean_tokens": True, "include_prompt": pool_prompt})
    engine = load(folder)
    assert embed(engine, " dog", prompt_name="query", normalize=False).tolist() == [[pytest.approx(mean)]]


def test_token_ids_have_no_prompt_whose_tokens_could_be_left_out(load: Load, tmp_path: Path) -> None:
    folder = save(tmp_path / "model", "token_embeddings")
    change(folder, "1_Pooling/config.json", {"pooling_mode_mean_tokens": True, "include_prompt": False})
    change(folder, "config_sentence_transformers.json", {"prompts": {"query": "cat"}, "default_prompt_name": "query"})
    assert embed(load(folder), [CAT, DOG, EOS], normalize=False).tolist() == [[pytest.approx((CAT + DOG + EOS) / 3)]]


def test_a_text_without_tokens_is_refused(load: Load, tmp_path: Path) -> None:
    folder = save(tmp_path / "model", "token_embeddings")
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    change(folder, "tokenizer.json", tokenizer | {"post_processor": None})
    engine = load(folder)
    with pytest.raises(RequestError, match="no tokens") as raised:
        embed(engine, "dog", "   ")
    assert raised.value.param == "input[1]"
