"""Which models are rerankers, and what the server process imports."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from ovms_core.engine import LoadError
from ovms_core.model_files import ModelFiles
from ovms_rerank.engine.profile import Profile
from ovms_rerank.task import BY_NAME, CERTAIN, RerankOptions, detect

CLASSIFIER = ["XLMRobertaForSequenceClassification"]
CAUSAL = ["Qwen3ForCausalLM"]


def model(folder: Path, tokenizer: dict[str, Any] | None = None, **config: Any) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer or {}))
    return folder


@pytest.mark.parametrize(
    ("name", "config", "score"),
    [
        ("bge", {"architectures": CLASSIFIER, "id2label": {"0": "LABEL_0"}}, CERTAIN),
        ("two", {"architectures": CLASSIFIER}, CERTAIN),
        ("toxicity", {"architectures": CLASSIFIER, "id2label": {str(label): "" for label in range(6)}}, 0),
        ("Qwen3-Reranker-0.6B", {"architectures": CAUSAL}, BY_NAME),
        ("model", {"architectures": CAUSAL, "_name_or_path": "Qwen/Qwen3-Reranker-4B"}, BY_NAME),
        ("Qwen3-8B", {"architectures": CAUSAL}, 0),
        ("minilm", {"architectures": ["BertModel"]}, 0),
        ("odd", {"architectures": "Qwen3ForCausalLM"}, 0),
        ("reranker", {}, 0),
    ],
)
def test_a_model_is_recognised_by_its_configuration(
    tmp_path: Path, name: str, config: dict[str, Any], score: int
) -> None:
    assert detect(ModelFiles.at(model(tmp_path / name, **config))) == score


def test_a_causal_reranker_is_told_by_the_files_of_sentence_transformers(tmp_path: Path) -> None:
    folder = model(tmp_path / "judge", architectures=CAUSAL, model_type="qwen3")
    assert detect(ModelFiles.at(folder)) == 0
    _answers(folder, true_token_id=9693, false_token_id=2152)
    assert detect(ModelFiles.at(folder)) == BY_NAME
    profile = Profile.read(folder, RerankOptions.model_validate({}))
    assert (profile.yes_no, profile.answers) == (True, (2152, 9693))


def test_a_causal_reranker_that_answers_with_one_token_alone_is_refused(tmp_path: Path) -> None:
    folder = model(tmp_path / "zerank", architectures=CAUSAL, model_type="qwen3")
    _answers(folder, true_token_id=9454, false_token_id=None)
    with pytest.raises(LoadError, match="false_token_id None and true_token_id 9454"):
        Profile.read(folder, RerankOptions.model_validate({}))


def test_a_causal_reranker_whose_prompt_is_not_known_is_refused_unless_the_head_is_set(tmp_path: Path) -> None:
    folder = model(tmp_path / "mxbai-rerank-base-v2", architectures=["Qwen2ForCausalLM"], model_type="qwen2")
    with pytest.raises(LoadError, match=r"of type 'qwen2'.*options\.head to yes_no"):
        Profile.read(folder, RerankOptions.model_validate({}))
    assert Profile.read(folder, RerankOptions.model_validate({"head": "yes_no"})).prompted


def _answers(folder: Path, **config: int | None) -> None:
    (folder / "1_LogitScore").mkdir()
    (folder / "1_LogitScore" / "config.json").write_text(json.dumps(config))


def test_the_starter_model_is_a_reranker(tiny_reranker: Path) -> None:
    assert detect(ModelFiles.at(tiny_reranker)) == CERTAIN


@pytest.mark.parametrize(
    ("config", "tokenizer", "wanted", "length"),
    [
        ({"model_type": "bert", "max_position_embeddings": 512}, {}, None, 512),
        ({"model_type": "xlm-roberta", "max_position_embeddings": 514, "pad_token_id": 1}, {}, None, 512),
        ({"model_type": "bert", "max_position_embeddings": 512}, {"model_max_length": 256}, None, 256),
        ({"model_type": "deberta-v2", "max_position_embeddings": 512}, {"model_max_length": 1e30}, None, 512),
        ({"model_type": "bert", "max_position_embeddings": 512}, {}, 128, 128),
        ({"model_type": "bert", "max_position_embeddings": 512}, {}, 4096, 512),
        ({"model_type": "qwen3", "max_position_embeddings": 40960}, {"model_max_length": 131072}, None, 8192),
        ({}, {}, None, 512),
    ],
)
def test_the_maximum_length_is_what_all_allow(
    tmp_path: Path, config: dict[str, Any], tokenizer: dict[str, Any], wanted: int | None, length: int
) -> None:
    folder = model(tmp_path / "model", tokenizer, **config)
    assert Profile.read(folder, RerankOptions.model_validate({"max_length": wanted})).max_length == length


def test_the_files_of_sentence_transformers_are_read(tmp_path: Path) -> None:
    folder = model(tmp_path / "model", {"model_max_length": 400}, max_position_embeddings=512)
    config = {"max_seq_length": 256, "do_lower_case": True, "transformer_task": "retrieval"}
    (folder / "sentence_bert_config.json").write_text(json.dumps(config))
    profile = Profile.read(folder, RerankOptions.model_validate({}))
    assert (profile.max_length, profile.lower_case) == (256, True)
    assert profile.unhonoured == ("transformer_task 'retrieval' of sentence_bert_config.json",)


@pytest.mark.parametrize(
    ("name", "document", "key"),
    [
        ("config.json", {"architectures": 1}, "architectures"),
        ("config.json", {"id2label": ["a"]}, "id2label"),
        ("config.json", [], "object"),
        ("tokenizer_config.json", [], "object"),
        ("sentence_bert_config.json", {"max_seq_length": "9"}, "max_seq_length"),
    ],
)
def test_a_malformed_file_is_named_with_its_key(tmp_path: Path, name: str, document: Any, key: str) -> None:
    folder = model(tmp_path / "model")
    (folder / name).write_text(json.dumps(document))
    with pytest.raises(LoadError, match=rf"'{name}' of the model is malformed: .*{key}"):
        Profile.read(folder, RerankOptions.model_validate({}))


def test_an_unknown_option_is_an_error() -> None:
    with pytest.raises(ValidationError, match="heads"):
        RerankOptions.model_validate({"heads": "auto"})


def test_the_server_process_imports_nothing_heavy() -> None:
    heavy = ["openvino", "numpy", "tokenizers"]
    code = f"import sys, ovms_rerank.hooks; print([name for name in {heavy} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
