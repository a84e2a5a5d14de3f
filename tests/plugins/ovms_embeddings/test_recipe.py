"""What a model's files say about pooling, normalisation, lengths and prompts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ovms_core.engine import LoadError
from ovms_embeddings.options import EmbeddingsOptions
from ovms_embeddings.recipe import Recipe, read_recipe

TRANSFORMER = {"path": "", "type": "sentence_transformers.models.Transformer"}
POOLING = {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}
NORMALIZE = {"path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def write(folder: Path, name: str, document: Any) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(json.dumps(document))


def read(folder: Path, **options: Any) -> Recipe:
    return read_recipe(folder, EmbeddingsOptions(**options))


@pytest.mark.parametrize(
    ("config", "pooling"),
    [
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, "cls"),
        ({"pooling_mode_mean_tokens": True}, "mean"),
        ({"pooling_mode_max_tokens": True}, "max"),
        ({"pooling_mode_lasttoken": True}, "last"),
        ({"pooling_mode": "lasttoken"}, "last"),
        ({"pooling_mode": "cls"}, "cls"),
        ({"pooling_mode": ["mean"]}, "mean"),
    ],
)
def test_pooling_is_read_from_the_folder_that_the_modules_name(
    folder: Path, config: dict[str, Any], pooling: str
) -> None:
    write(folder, "modules.json", [TRANSFORMER, POOLING | {"path": "7_Pool"}])
    write(folder, "7_Pool/config.json", config)
    assert read(folder).pooling == pooling


def test_a_pooling_module_without_a_folder_is_read_beside_the_modules(folder: Path) -> None:
    write(folder, "modules.json", [TRANSFORMER, {"type": "sentence_transformers.models.Pooling"}])
    write(folder, "config.json", {"pooling_mode_cls_token": True})
    assert read(folder).pooling == "cls"


@pytest.mark.parametrize(
    "flags", [["pooling_mode_mean_tokens", "pooling_mode_max_tokens"], ["pooling_mode_weightedmean_tokens"]]
)
def test_a_pooling_that_is_not_known_is_refused_unless_one_is_set(folder: Path, flags: list[str]) -> None:
    write(folder, "1_Pooling/config.json", dict.fromkeys(flags, True))
    with pytest.raises(LoadError, match=r"Set options\.pooling"):
        read(folder)
    assert read(folder, pooling="mean").pooling == "mean"


@pytest.mark.parametrize(("architecture", "pooling"), [("BertModel", "mean"), ("Qwen3ForCausalLM", "last")])
def test_a_model_that_does_not_say_gets_what_is_usual_and_a_warning(
    folder: Path, architecture: str, pooling: str
) -> None:
    write(folder, "config.json", {"architectures": [architecture], "max_position_embeddings": 512})
    recipe = read(folder)
    assert (recipe.pooling, recipe.normalize) == (pooling, True)
    assert [f"'{pooling}' was taken" in recipe.warnings[0], "normalise" in recipe.warnings[1]] == [True, True]


def test_vectors_are_normalised_when_the_modules_do(folder: Path) -> None:
    write(folder, "modules.json", [TRANSFORMER, POOLING])
    assert read(folder).normalize is False
    write(folder, "modules.json", [TRANSFORMER, POOLING, NORMALIZE])
    assert read(folder).normalize is True
    assert read(folder, normalize=False).normalize is False


@pytest.mark.parametrize(
    ("files", "length"),
    [
        ({"sentence_bert_config.json": {"max_seq_length": 256}}, 256),
        (
            {"sentence_bert_config.json": {"max_seq_length": None}, "tokenizer_config.json": {"model_max_length": 128}},
            128,
        ),
        ({"tokenizer_config.json": {"model_max_length": 1e30}, "config.json": {"max_position_embeddings": 77}}, 77),
        ({"tokenizer_config.json": {"model_max_length": 9000}, "config.json": {"max_position_embeddings": 77}}, 77),
        ({"config.json": {"max_position_embeddings": 514, "model_type": "xlm-roberta", "pad_token_id": 1}}, 512),
        ({}, 512),
    ],
)
def test_the_maximum_length_is_the_models_own(folder: Path, files: dict[str, Any], length: int) -> None:
    for name, document in files.items():
        write(folder, name, document)
    assert read(folder).max_length == length


def test_the_maximum_length_can_be_set_up_to_the_positions_that_there_are(folder: Path) -> None:
    write(folder, "config.json", {"max_position_embeddings": 512})
    assert read(folder, max_length=100).max_length == 100
    with pytest.raises(LoadError, match=r"max_length is 513.*512 positions"):
        read(folder, max_length=513)


def test_prompts_are_read(folder: Path) -> None:
    prompts = {"query": "Query: ", "document": ""}
    write(folder, "config_sentence_transformers.json", {"prompts": prompts, "default_prompt_name": "query"})
    recipe = read(folder)
    assert (recipe.prompts, recipe.default_prompt) == (prompts, "query")


def test_modules_that_are_not_known_are_remembered(folder: Path) -> None:
    dense = {"path": "2_Dense", "type": "sentence_transformers.models.Dense"}
    write(folder, "modules.json", [TRANSFORMER, POOLING, dense, NORMALIZE])
    assert read(folder).modules == ("Dense",)


def test_a_file_that_is_not_json_is_named(folder: Path) -> None:
    (folder / "modules.json").write_text("{")
    with pytest.raises(LoadError, match=r"modules\.json"):
        read(folder)


@pytest.mark.parametrize(
    ("name", "document", "expected"),
    [
        ("modules.json", {}, "array"),
        ("modules.json", ["Pooling"], "object"),
        ("modules.json", [{"path": "1_Pooling"}], "type"),
        ("modules.json", [POOLING | {"path": 1}], r"\$\[0\]\.path"),
        ("1_Pooling/config.json", [], "object"),
        ("1_Pooling/config.json", {"pooling_mode": 1}, "pooling_mode"),
        ("1_Pooling/config.json", {"pooling_mode_cls_token": "false"}, "bool"),
        ("1_Pooling/config.json", {"include_prompt": "false"}, "include_prompt"),
        ("sentence_bert_config.json", [512], "object"),
        ("sentence_bert_config.json", {"max_seq_length": "512"}, "max_seq_length"),
        ("config_sentence_transformers.json", {"prompts": ["query: "]}, "prompts"),
        ("config_sentence_transformers.json", {"prompts": {"query": 1}}, "prompts"),
        ("config_sentence_transformers.json", {"default_prompt_name": 1}, "default_prompt_name"),
        ("config.json", ["BertModel"], "object"),
        ("config.json", {"architectures": 1}, "architectures"),
        ("config.json", {"model_type": [], "max_position_embeddings": 512}, "model_type"),
        ("tokenizer_config.json", [], "object"),
    ],
)
def test_a_malformed_file_is_named_with_what_is_wrong_in_it(
    folder: Path, name: str, document: Any, expected: str
) -> None:
    write(folder, name, document)
    with pytest.raises(LoadError, match=rf"'{name}' of the model is malformed: .*{expected}"):
        read(folder)


def test_a_file_of_the_folder_that_the_modules_name_is_named_with_it(folder: Path) -> None:
    write(folder, "modules.json", [TRANSFORMER | {"path": "0_Transformer"}])
    write(folder, "0_Transformer/sentence_bert_config.json", {"max_seq_length": "512"})
    with pytest.raises(LoadError, match=r"'0_Transformer/sentence_bert_config\.json'"):
        read(folder)
